"""What waits for laptops: whether it may be served now, and if not, why. Pure.

Nothing is served before its rollout has gone through all its gates: a laptop that slept is among the last, never a
way around a pilot ring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mvpc.model import Deferred, RolloutState, Schedule
from mvpc.schedule import Decision, Turn, decide

RETURNED = "returned laptop"
"""In the scope of every rollout that the watch begins, and of no other one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """All that waits for one laptop."""

    device: str
    components: tuple[str, ...]
    since: datetime
    """When the first rollout did not reach it."""
    rollout: int
    """The newest rollout that did not reach it: what counts."""
    schedule: Schedule
    turn: Turn
    why: str
    """Why it was not served yet, in words."""
    at: datetime | None
    """When its time comes, if that is known."""


def queue(waiting: Mapping[str, Sequence[Deferred]], now: datetime) -> tuple[Waits, ...]:
    """Judge all that waits, the longest-waiting laptop first."""
    judged = [judge(entries, now) for entries in waiting.values() if entries]
    return tuple(sorted(judged, key=lambda each: (each.since, each.device)))


def judge(entries: Sequence[Deferred], now: datetime) -> Waits:
    """Judge what waits for one laptop; there is at least one entry."""
    newest = max(entries, key=lambda each: each.rollout)
    decision = _decide(newest, now)
    return Waits(
        device=newest.device,
        components=tuple(each.component for each in entries),
        since=min(each.since for each in entries),
        rollout=newest.rollout,
        schedule=newest.schedule,
        turn=decision.turn,
        why=decision.why or "it has not come back yet",
        at=decision.at,
    )


def _decide(entry: Deferred, now: datetime) -> Decision:
    # Before its rollout was done it could not have been served, so windows before that were not missed.
    decision = decide(entry.schedule, since=max(entry.since, entry.rested or entry.since), now=now)
    if decision.turn is Turn.EXPIRED or entry.state is RolloutState.DONE:
        return decision
    return Decision(turn=Turn.WAITING, why=f"until rollout {entry.rollout} is done; it is {entry.state}")
