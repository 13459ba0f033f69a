"""A plan with everything that is needed to carry it out, put together anew whenever it is begun or carried on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mvpc.errors import RolloutError
from mvpc.model import (
    ANY_TIME,
    Action,
    Bundle,
    Change,
    ComponentResult,
    Device,
    Outcome,
    Plan,
    Probe,
    Reach,
    RolloutRecord,
    RolloutState,
    Schedule,
)
from mvpc.plan import Subject, basis, waiting
from mvpc.schedule import Turn, decide, is_open


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a rollout carries out."""

    plan: Plan
    devices: Mapping[str, Device]
    bundles: Mapping[str, Bundle]
    """Their digests are those of the plan."""
    asleep: tuple[Change, ...] = ()
    """Changes that wait for laptops which did not answer; recorded as unreachable."""
    skip: frozenset[tuple[str, str]] = frozenset()
    """(device, component) of the plan that need no work now: the laptop has proved it already, or is asleep."""
    actor: str
    highest_generation: int = 0
    """The highest generation that any selected laptop knows; ours must be above it, also after a lost database."""
    resume: int = 0
    """Number of the rollout that is carried on; 0 begins a new one."""
    first_ring: int = 0
    """Position of the ring to begin with."""
    schedule: Schedule = ANY_TIME
    """When the rollout may touch laptops."""
    whenever: bool = False
    """Whether it goes on now whatever its schedule says: a person wants it, or it catches up on what was missed."""

    def must_rest(self, now: datetime, where: str) -> tuple[RolloutState, str] | None:
        """Whether it is not the time to start anything there: the state to rest in, and why."""
        if self.whenever or is_open(self.schedule, now):
            return None
        decision = decide(self.schedule, since=now, now=now)
        if decision.turn is Turn.DUE:
            return None
        state = RolloutState.SCHEDULED if decision.turn is Turn.WAITING else RolloutState.STOPPED
        return state, f"{where}: {decision.why}"

    def remembering(self, result: ComponentResult) -> ComponentResult:
        """The result; what waits for a laptop that could not be served remembers what it was to be brought to."""
        if not result.outcome.waits or result.digest:
            return result
        return replace(result, digest=self.bundles[result.device].component(result.component).digest)


def make_job(plan: Plan, subjects: Sequence[Subject], *, actor: str, earlier: RolloutRecord | None = None) -> Job:
    """Put a job together from a plan and what the laptops say now.

    Args:
        plan: made just now, or earlier: then it must still fit.
        subjects: all laptops that the plan selected, compiled and asked now.
        actor: who is acting.
        earlier: the rollout that is carried on; None begins a new one.

    Raises:
        RolloutError: profiles, catalogue, secrets or inventory have changed since the plan was made.
    """
    if strange := sorted(plan.ressorts.keys() - {subject.device.hostname for subject in subjects}):
        words = f"this inventory lacks {len(strange)} of its devices, such as {strange[0]}"
        raise RolloutError(
            f"plan {plan.hash} no longer fits: {words}",
            hint="Was it made in another project? Make a new one here, and roll that out",
        )
    if basis(subjects) != plan.basis:
        raise RolloutError(
            f"plan {plan.hash} no longer fits: profiles, catalogue, secrets or inventory have changed since",
            hint="Make a new plan, and roll that out",
        )
    done = _done(earlier) if earlier else frozenset()
    answers = {subject.device.hostname: subject.probe for subject in subjects}
    return Job(
        plan=plan,
        devices={subject.device.hostname: subject.device for subject in subjects},
        bundles={subject.device.hostname: subject.bundle for subject in subjects if subject.bundle},
        asleep=tuple(waiting(subjects)),
        skip=frozenset(
            (change.device, change.component)
            for change in plan.changes
            if _needs_nothing(change, answers[change.device], sampled=change.device in plan.sample)
            or (change.action is Action.FULL and (change.device, change.component) in done)
        ),
        actor=actor,
        highest_generation=max((subject.probe.generation for subject in subjects if subject.probe), default=0),
        resume=earlier.row.id if earlier else 0,
        first_ring=earlier.row.ring if earlier else 0,
    )


def _done(earlier: RolloutRecord) -> frozenset[tuple[str, str]]:
    """What came to a good end before the rollout rested: of work in full, no laptop can prove that it is done."""
    good = {Outcome.CHANGED, Outcome.UNCHANGED}
    return frozenset((each.device, each.component) for each in earlier.results if each.outcome in good)


def _needs_nothing(change: Change, answer: Probe | None, *, sampled: bool) -> bool:
    """Whether the laptop sleeps, or proves that the change is done."""
    if answer is None or answer.reach is not Reach.REACHED:
        return answer is not None and answer.reach is Reach.UNREACHABLE
    proved = answer.digests.get(change.component) == change.digest and not answer.drift.get(change.component)
    if change.action is Action.FULL:
        # A laptop that says itself that it differs can no longer show whether others lie; the next rollout mends it.
        return sampled and not proved
    return proved
