"""Where a rollout under way stands: its events added up. Pure; takes a few microseconds for each result."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mvpc.model import (
    ComponentResult,
    GateJudged,
    Outcome,
    PlannedRing,
    ResultsStored,
    RingAsked,
    RingBegun,
    RingVerified,
    RolloutBegun,
    RolloutEnded,
    RolloutEvent,
    RolloutState,
)
from mvpc.text import first_line

_WORST_LAST = tuple(Outcome)
_WINDOW = timedelta(minutes=5)
"""The rate is that of so long a time: long enough to be steady, short enough to follow."""
_SAMPLE = timedelta(seconds=1)
_TOO_SOON = timedelta(seconds=10)
"""Before so much time has passed nobody can tell how fast it goes."""


class Stage(StrEnum):
    """How far a ring has come."""

    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"  #: converged; its laptops are asked for proof
    VERIFIED = "verified"  #: asked; the gate has not spoken against going on
    HELD = "held"
    STOPPED = "stopped"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Share:
    """Some laptops under one name: a ring, or a ressort."""

    name: str
    total: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """Laptops that are finished, by their worst outcome."""

    @property
    def finished(self) -> int:
        """Laptops that nothing more will happen to in this rollout."""
        return self.outcomes.total()


@dataclass(slots=True)
class RingShare(Share):
    """A ring's laptops, and how far the ring has come."""

    stage: Stage = Stage.WAITING
    asked: int = 0
    verified: int = 0
    skipped: bool = False
    """Whether it was through before this leg of the rollout."""


@dataclass(slots=True)
class Failures:
    """Equal failures: the same first line. A laptop that hangs says it of each component, and counts once."""

    line: str
    components: dict[str, None] = field(default_factory=dict)
    """What it was said of, in the order in which it was."""
    devices: dict[str, None] = field(default_factory=dict)
    """The laptops, in the same order."""

    @property
    def count(self) -> int:
        """Number of laptops."""
        return len(self.devices)


@dataclass(slots=True)
class Progress:
    """What watchers of a rollout show. Feed it every event with `observe`."""

    number: int = 0
    begun: datetime | None = None
    ended: datetime | None = None
    state: RolloutState = RolloutState.RUNNING
    reason: str = ""
    rings: dict[str, RingShare] = field(default_factory=dict)
    ressorts: dict[str, Share] = field(default_factory=dict)
    failures: dict[str, Failures] = field(default_factory=dict)
    """In the order of their latest occurrence, the latest last."""
    results: dict[str, list[ComponentResult]] = field(default_factory=dict)
    """Laptop -> its results so far."""
    _ring_of: dict[str, str] = field(default_factory=dict)
    _ressort_of: dict[str, str] = field(default_factory=dict)
    _open: Counter[str] = field(default_factory=Counter)
    """Laptop -> components whose results are still to come."""
    _counted: dict[str, Outcome] = field(default_factory=dict)
    _working_since: datetime | None = None
    _samples: deque[tuple[datetime, int]] = field(default_factory=deque)
    _worked: int = 0
    """Laptops that were finished by work, not by finding that there is none."""

    def observe(self, event: RolloutEvent) -> None:
        """Take one more event into account."""
        match event:
            case RolloutBegun():
                self._begin(event)
            case RingBegun():
                self._begin_ring(event)
            case ResultsStored():
                self._add(event)
            case RingAsked():
                self.rings[event.ring].stage, self.rings[event.ring].asked = Stage.ASKING, event.devices
            case RingVerified():
                ring = self.rings[event.ring]
                ring.stage, ring.verified = Stage.VERIFIED, len(event.devices)
            case GateJudged():
                self._judge(event)
            case RolloutEnded():
                self._end(event)

    @property
    def total(self) -> int:
        """Laptops of this rollout, also those that are asleep."""
        return sum(share.total for share in self.ressorts.values())

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Finished laptops by their worst outcome."""
        return Counter(self._counted.values())

    @property
    def verified(self) -> int:
        """Laptops that said themselves that nothing differs."""
        return sum(ring.verified for ring in self.rings.values())

    @property
    def failed(self) -> int:
        """Laptops that failed, also those that a person must repair."""
        return sum(number for outcome, number in self.outcomes.items() if outcome.is_bad)

    @property
    def under_way(self) -> list[str]:
        """Laptops of the rings begun so far that are not finished."""
        return list(self._open)

    def rate(self, now: datetime) -> float:
        """Laptops per minute of late; 0 where it is too soon to tell."""
        if self._working_since is None or now - self._working_since < _TOO_SOON:
            return 0.0
        begin = max(self._working_since, now - _WINDOW)
        before = max((done for at, done in self._samples if at <= begin), default=0)
        return (self._worked - before) * 60 / max((now - begin).total_seconds(), 1)

    def remaining(self, now: datetime) -> timedelta | None:
        """How long the laptops that are left will take at this rate; None where nobody can tell."""
        left = sum(ring.total - ring.finished for ring in self.rings.values() if not ring.skipped)
        rate = self.rate(now)
        return timedelta(minutes=left / rate) if rate and left else None

    def _begin(self, event: RolloutBegun) -> None:
        plan = event.plan
        self.number, self.begun = event.number, event.at
        for position, planned in enumerate(plan.rings):
            ring = RingShare(planned.name, total=len(planned.devices), skipped=position < event.first_ring)
            ring.stage = Stage.VERIFIED if ring.skipped else Stage.WAITING
            self.rings[planned.name] = ring
        self._ring_of = _ring_of(plan.rings)
        self._ressort_of = dict(plan.ressorts)
        for device, name in self._ring_of.items():
            if not self.rings[name].skipped:
                self._ressort(device).total += 1

    def _begin_ring(self, event: RingBegun) -> None:
        self._working_since = self._working_since or event.at
        self.rings[event.ring].stage = Stage.RUNNING
        self._open.update({device: len(components) for device, components in event.work.items()})
        for device, ring in self._ring_of.items():
            if ring == event.ring and device not in event.work:
                self._count(device, self._counted.get(device, Outcome.UNCHANGED))

    def _add(self, event: ResultsStored) -> None:
        for result in event.results:
            known = self.results.setdefault(result.device, [])
            known.append(result)
            if result.outcome.is_bad:
                self._fail(result)
            if result.device in self._open:
                self._close(result.device)
            if result.device not in self._open:
                self._count(result.device, max((each.outcome for each in known), key=_WORST_LAST.index))
        if not self._samples or event.at - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((event.at, self._worked))
        while len(self._samples) > 1 and self._samples[1][0] < event.at - _WINDOW:
            self._samples.popleft()

    def _close(self, device: str) -> None:
        self._open[device] -= 1
        if self._open[device] <= 0:
            del self._open[device]
            self._worked += 1

    def _count(self, device: str, outcome: Outcome) -> None:
        """Count a laptop once, by what is known of it last."""
        if device not in self._ring_of and device not in self._counted:
            self._ressort(device).total += 1  # asleep: in no ring
        shares = [self._ressort(device)]
        if ring := self._ring_of.get(device):
            shares.append(self.rings[ring])
        for share in shares:
            if device in self._counted:
                share.outcomes[self._counted[device]] -= 1
            share.outcomes[outcome] += 1
        self._counted[device] = outcome

    def _ressort(self, device: str) -> Share:
        code = self._ressort_of.get(device, "none")
        return self.ressorts.setdefault(code, Share(code.upper()))

    def _fail(self, result: ComponentResult) -> None:
        line = first_line(result.error)
        group = self.failures.pop(line, None) or Failures(line)
        self.failures[line] = group  # the latest is the last
        group.components[result.component] = None
        group.devices[result.device] = None

    def _judge(self, event: GateJudged) -> None:
        ring = self.rings[event.ring]
        if not event.is_open:
            ring.stage = Stage.HELD if ring.stage is Stage.VERIFIED else Stage.STOPPED

    def _end(self, event: RolloutEnded) -> None:
        self.ended, self.state, self.reason = event.at, event.state, event.reason
        for ring in self.rings.values():
            if ring.stage in {Stage.RUNNING, Stage.ASKING}:
                ring.stage = Stage(event.state)


def _ring_of(rings: Iterable[PlannedRing]) -> dict[str, str]:
    return {device: ring.name for ring in rings for device in ring.devices}
