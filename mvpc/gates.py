"""Judge a ring: whether its rollout must stop, and whether the next ring may begin. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mvpc.model import ComponentResult, PlannedRing
from mvpc.text import first_line

_REASON = 200
"""Characters of what the first failure says."""


@dataclass(kw_only=True, slots=True)
class Tally:
    """What came of the devices of one ring so far."""

    ring: PlannedRing
    failed: set[str] = field(default_factory=set)
    first: ComponentResult | None = None
    """What failed first."""
    waiting: set[str] = field(default_factory=set)
    verified: int = 0

    def count(self, result: ComponentResult) -> None:
        """Take one more result into account."""
        if result.outcome.is_bad:
            self.failed.add(result.device)
            self.first = self.first or result
        elif result.outcome.waits:
            self.waiting.add(result.device)


def trip(tally: Tally) -> str:
    """Why nothing new may be started, or empty."""
    gate, total, failed = tally.ring.gate, len(tally.ring.devices), len(tally.failed)
    if failed <= gate.max_failed and failed * 100 <= gate.max_failed_percent * total:
        return ""
    limit = f"{gate.max_failed_percent:g} % or {gate.max_failed}"
    words = f"{failed} of {total} devices failed in ring {tally.ring.name}; the limit is {limit}"
    why = first_line(tally.first.error)[:_REASON] if tally.first else ""
    return f"{words}; {tally.first.device}, {tally.first.component}: {why}" if tally.first and why else words


@dataclass(frozen=True, slots=True)
class Hold:
    """A closed gate."""

    reason: str
    until: datetime | None = None
    """When it opens by itself; None: a person must open it."""


def hold(tally: Tally, *, finished: datetime, now: datetime) -> Hold | None:
    """Why the next ring may not begin yet, or None when it may."""
    gate, name = tally.ring.gate, tally.ring.name
    if reason := missing_quorum(tally):
        return Hold(reason)
    if gate.manual:
        return Hold(f"ring {name} is through; a person must promote the rollout")
    until = finished + timedelta(minutes=gate.wait_minutes)
    words = f"ring {name} is through; the next one may begin at {until:%Y-%m-%d %H:%M} UTC"
    return Hold(words, until) if now < until else None


def missing_quorum(tally: Tally) -> str:
    """Why too few devices are verified, or empty."""
    gate, total = tally.ring.gate, len(tally.ring.devices)
    if tally.verified * 100 >= gate.quorum_percent * total:
        return ""
    words = f"only {tally.verified} of {total} devices in ring {tally.ring.name} are verified"
    return f"{words}, {gate.quorum_percent:g} % must be"
