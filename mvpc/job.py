"""A plan with everything that is needed to carry it out, put together anew whenever it is begun or carried on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mvpc.errors import RolloutError
from mvpc.model import Bundle, Change, Device, Plan, Probe, Reach
from mvpc.plan import Subject, basis, waiting


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


def make_job(plan: Plan, subjects: Sequence[Subject], *, actor: str, resume: int = 0, first_ring: int = 0) -> Job:
    """Put a job together from a plan and what the laptops say now.

    Args:
        plan: made just now, or earlier: then it must still fit.
        subjects: all laptops that the plan selected, compiled and asked now.
        actor: who is acting.
        resume: number of the rollout that is carried on; 0 begins a new one.
        first_ring: position of the ring to begin with.

    Raises:
        RolloutError: profiles, catalogue, secrets or inventory have changed since the plan was made.
    """
    if basis(subjects) != plan.basis:
        raise RolloutError(
            f"plan {plan.hash} no longer fits: profiles, catalogue, secrets or inventory have changed since",
            hint="Make a new plan, and roll that out",
        )
    answers = {subject.device.hostname: subject.probe for subject in subjects}
    return Job(
        plan=plan,
        devices={subject.device.hostname: subject.device for subject in subjects},
        bundles={subject.device.hostname: subject.bundle for subject in subjects if subject.bundle},
        asleep=tuple(waiting(subjects)),
        skip=frozenset(
            (change.device, change.component)
            for change in plan.changes
            if _needs_nothing(change, answers[change.device])
        ),
        actor=actor,
        highest_generation=max((subject.probe.generation for subject in subjects if subject.probe), default=0),
        resume=resume,
        first_ring=first_ring,
    )


def _needs_nothing(change: Change, answer: Probe | None) -> bool:
    """Whether the laptop sleeps, or proves that the change is done."""
    if answer is None or answer.reach is not Reach.REACHED:
        return answer is not None and answer.reach is Reach.UNREACHABLE
    return answer.digests.get(change.component) == change.digest and not answer.drift.get(change.component)
