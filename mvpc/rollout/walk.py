"""Carry out a plan, ring by ring, and nothing but the plan. Knows laptops and the database only by protocols.

The rule that stops a rollout is watched after each batch: laptops in flight finish, no other is begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime

from mvpc.errors import MvpcError
from mvpc.gates import Tally, hold, trip
from mvpc.job import Job
from mvpc.model import (
    ComponentResult,
    HostWork,
    Outcome,
    PlannedRing,
    Probe,
    Reach,
    RolloutState,
    events,
)
from mvpc.outcomes import count_worst
from mvpc.rollout.seams import Inputs, Seams
from mvpc.sample import surprises


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """How a rollout came to rest."""

    number: int
    state: RolloutState
    reason: str
    """Why it is not done; empty when it is."""
    counts: Mapping[Outcome, int]
    """Devices by their worst outcome."""
    verified: int
    """Devices that said afterwards, asked once more, that nothing differs."""
    results: tuple[ComponentResult, ...]
    surprises: tuple[ComponentResult, ...]
    """Results of the sample that should not be: see `mvpc.sample`."""


def roll_out(job: Job, seams: Seams) -> Rollout:
    """Converge the plan ring by ring, store each result as it arrives, and ask each ring for proof.

    Raises:
        KeyboardInterrupt: passed on after the rollout was closed as interrupted. It and the next one carry a note
            with the next step.
        MvpcError: the runner or the recorder could not go on; the rollout was closed as interrupted.
        RolloutError: somebody else is rolling out to one of the devices; nothing was begun.
    """
    walk = _Walk(job, _begin(job, seams), seams)
    try:
        with seams.recorder.keep_alive(walk.number):
            state, reason = walk.all_rings()
    except BaseException as error:
        # Where that cannot be written either, the rollout is known to be interrupted once this process has ended.
        with suppress(MvpcError):
            walk.end(RolloutState.INTERRUPTED, walk.broken_off(str(error) or "by a person"))
        error.add_note(f"Rollout {walk.number} was interrupted. Next: mvpc rollout resume {walk.number}")
        raise
    walk.end(state, reason)
    return Rollout(
        number=walk.number,
        state=state,
        reason=reason,
        counts=count_worst((each.device, each.outcome) for each in walk.results),
        verified=walk.verified,
        results=tuple(walk.results),
        surprises=surprises(job.plan, walk.results),
    )


def _begin(job: Job, seams: Seams) -> int:
    if not job.resume:
        return seams.recorder.begin_rollout(job.plan, actor=job.actor, at=seams.now(), schedule=job.schedule)
    names = [name for ring in job.plan.rings[job.first_ring :] for name in ring.devices]
    seams.recorder.resume_rollout(job.resume, devices=names, actor=job.actor)
    return job.resume


@dataclass
class _Walk:
    """One rollout under way."""

    job: Job
    number: int
    seams: Seams
    results: list[ComponentResult] = field(default_factory=list)
    verified: int = 0

    def all_rings(self) -> tuple[RolloutState, str]:
        """Go through the rings until one says stop; returns how it ended, and why."""
        job, rings = self.job, self.job.plan.rings
        self._tell(events.RolloutBegun(at=self._now, number=self.number, plan=job.plan, first_ring=job.first_ring))
        self._take([tuple(self._asleep())])
        for position, ring in enumerate(rings):
            if position < self.job.first_ring:
                continue
            if rest := self._rest(position, f"before ring {ring.name}"):
                return rest
            tally = Tally(ring=ring)
            state = self._converge(position, tally)
            if state:
                return state
            finished = self._now
            self._verify(tally)
            last = position == len(rings) - 1
            if not last and (held := self._held(tally, finished)):
                self.seams.recorder.reach_ring(self.number, position + 1)
                return held
        return RolloutState.DONE, ""

    def broken_off(self, why: str) -> str:
        """The reason of an interruption, with how much was left to do; it stands behind the word for its state."""
        rings = self.job.plan.rings[self.job.first_ring :]
        wanted = {item.device.hostname for ring in rings for item in self._work(ring)}
        left = wanted - {result.device for result in self.results}
        return (
            f"{why.removeprefix('interrupted ').rstrip('.')}; {len(left)} of {len(wanted)} devices have no result yet"
        )

    def end(self, state: RolloutState, reason: str) -> None:
        """Let the rollout come to rest."""
        at = self._now
        self.seams.recorder.end_rollout(self.number, at=at, state=state, reason=reason)
        self._tell(events.RolloutEnded(at=at, number=self.number, state=state, reason=reason))

    @property
    def _now(self) -> datetime:
        return self.seams.now()

    def _tell(self, event: events.RolloutEvent) -> None:
        self.seams.observer.observe(event)

    def _judge(self, ring: PlannedRing, reason: str) -> str:
        self._tell(events.GateJudged(at=self._now, ring=ring.name, reason=reason))
        return reason

    def _held(self, tally: Tally, finished: datetime) -> tuple[RolloutState, str] | None:
        """How the rollout rests at a closed gate: until a person opens it, or until its time comes."""
        held = hold(tally, finished=finished, now=self._now)
        self._judge(tally.ring, held.reason if held else "")
        if held and held.until:
            self.seams.recorder.postpone(self.number, held.until)
            return RolloutState.SCHEDULED, held.reason
        return (RolloutState.HELD, held.reason) if held else None

    def _converge(self, position: int, tally: Tally) -> tuple[RolloutState, str] | None:
        """Bring one ring's laptops to the plan, some at a time; returns why it must stop, if so."""
        work, size = self._work(tally.ring), self.seams.at_once
        wanted = {item.device.hostname: item.components for item in work}
        self._tell(events.RingBegun(at=self._now, ring=tally.ring.name, work=wanted))
        for begin in range(0, len(work), size):
            with closing(self.seams.runner.run(work[begin : begin + size])) as arriving:
                self._take(arriving, tally)
            if reason := trip(tally):
                return RolloutState.STOPPED, self._judge(tally.ring, reason)
            more = begin + size < len(work)
            if more and (rest := self._rest(position, f"in ring {tally.ring.name}")):
                return rest
        return None

    def _rest(self, position: int, where: str) -> tuple[RolloutState, str] | None:
        """Whether something or somebody wants the rollout to rest at this ring, and why."""
        wish = self.seams.recorder.reach_ring(self.number, position)
        if reason := self.seams.stop():
            return RolloutState.INTERRUPTED, self.broken_off(f"{reason} {where}")
        if wish:
            return wish, f"{where}, as somebody wished"
        return self.job.must_rest(self._now, where)

    def _take(self, arriving: Iterable[Sequence[ComponentResult]], tally: Tally | None = None) -> None:
        for arrived in filter(None, arriving):
            results = tuple(map(self.job.remembering, arrived))
            self.seams.recorder.record(self.number, results, self._inputs(results))
            self._tell(events.ResultsStored(at=self._now, results=results))
            self.results += results
            if tally:
                for result in results:
                    tally.count(result)

    def _asleep(self) -> Iterator[ComponentResult]:
        for change in self.job.asleep:
            yield ComponentResult(
                device=change.device,
                component=change.component,
                outcome=Outcome.UNREACHABLE,
                digest=change.digest,
                at=self._now,
            )

    def _work(self, ring: PlannedRing) -> list[HostWork]:
        job = self.job
        wanted: dict[str, list[str]] = {name: [] for name in ring.devices}
        for change in job.plan.changes:
            if change.device in wanted and (change.device, change.component) not in job.skip:
                wanted[change.device].append(change.component)
        generation = max(self.number, job.highest_generation + 1)
        return [
            HostWork(device=job.devices[name], bundle=job.bundles[name], components=tuple(names), generation=generation)
            for name, names in wanted.items()
            if names
        ]

    def _inputs(self, results: Sequence[ComponentResult]) -> Inputs:
        bundles = self.job.bundles
        return {
            (result.device, result.component): bundles[result.device].component(result.component).inputs
            for result in results
            if result.device in bundles
        }

    def _verify(self, tally: Tally) -> None:
        """Applied is not verified: ask every laptop of the ring that neither failed nor waits once more."""
        bad = tally.failed | tally.waiting
        good = [self.job.devices[name] for name in tally.ring.devices if name not in bad]
        self._tell(events.RingAsked(at=self._now, ring=tally.ring.name, devices=len(good)))
        probes = list(self.seams.prober.probe(good)) if good else []
        self.seams.recorder.record_probes(probes)
        proved = tuple(probe.device for probe in probes if self._proves(probe))
        self.seams.recorder.record_proofs(self.number, proved)
        self._tell(events.RingVerified(at=self._now, ring=tally.ring.name, devices=proved))
        tally.verified = len(proved)
        self.verified += tally.verified

    def _proves(self, probe: Probe) -> bool:
        """Whether the laptop says that it holds what the plan wanted, and that nothing differs from it."""
        bundle = self.job.bundles[probe.device]
        held = all(probe.digests.get(part.name) == part.digest for part in bundle.components)
        return probe.reach is Reach.REACHED and held and not any(probe.drift.values())
