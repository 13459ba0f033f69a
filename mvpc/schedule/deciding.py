"""Decide whether a change may be made now, must wait, or has waited too long. Pure.

Windows are local time. They are laid out on the calendar first and compared in UTC, so that the night in which the
clocks change has its windows too, an hour shorter or longer; hours that a night does not have open no window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from mvpc.model import CatchUp, Schedule, Window
from mvpc.schedule.words import moment_words, window_words

_FAR = timedelta(days=15)
"""Within this time every window comes round, also one that the change of clocks has swallowed once."""


class Turn(StrEnum):
    """Whether it is a change's turn."""

    DUE = "due"  #: it may be made now
    WAITING = "waiting"  #: its time comes
    EXPIRED = "expired"  #: its time has passed; nothing will be done


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether it is a change's turn, and why not."""

    turn: Turn
    why: str = ""
    """In words; empty when it is due."""
    at: datetime | None = None
    """When its time comes, if it will."""


def decide(schedule: Schedule, *, since: datetime, now: datetime) -> Decision:
    """Judge a change that has been waiting since a moment.

    Args:
        schedule: when its rollout may touch laptops.
        since: when the laptop was first missed, or the rollout came to rest; earlier windows were not missed.
        now: the present moment.
    """
    catch_up = schedule.catch_up
    if schedule.not_after and now > schedule.not_after:
        if catch_up is CatchUp.AT_ONCE:
            return Decision(turn=Turn.DUE)
        return _expired(f"it was not to be made after {moment_words(schedule.not_after, schedule)}")
    began = max(since, schedule.not_before or since)
    if catch_up is not CatchUp.NEXT_WINDOW and now >= began and _missed(schedule, began, now):
        if catch_up is CatchUp.AT_ONCE:
            return Decision(turn=Turn.DUE)
        return _expired(f"its window {window_words(schedule.windows)} has passed, and it is not to be caught up")
    return Decision(turn=Turn.DUE) if is_open(schedule, now) else _later(schedule, now)


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Whether the schedule lets a change be made at this moment, whatever was missed before."""
    if (schedule.not_before and now < schedule.not_before) or (schedule.not_after and now > schedule.not_after):
        return False
    return not schedule.windows or any(begin <= now < end for begin, end in _spans(schedule, now, now))


def _expired(why: str) -> Decision:
    return Decision(turn=Turn.EXPIRED, why=why)


def _later(schedule: Schedule, now: datetime) -> Decision:
    first = max(now, schedule.not_before or now)
    opening = first
    if schedule.windows:
        spans = _spans(schedule, first, first + _FAR)
        opening = min((max(begin, first) for begin, end in spans if end > first), default=first + _FAR)
    if schedule.not_after and opening > schedule.not_after:
        last = moment_words(schedule.not_after, schedule)
        return Decision(turn=Turn.WAITING, why=f"no window opens any more before it expires at {last}")
    words = f"until {moment_words(opening, schedule)}"
    window = f", when window {window_words(schedule.windows)} opens" if schedule.windows else ""
    return Decision(turn=Turn.WAITING, why=words + window, at=opening)


def _missed(schedule: Schedule, began: datetime, now: datetime) -> bool:
    """Whether a window has come to its end since."""
    return any(began < end <= now for _, end in _spans(schedule, max(began, now - _FAR), now))


def _spans(schedule: Schedule, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Beginning and end of every window that may touch the time between two moments, in UTC."""
    zone = ZoneInfo(schedule.zone)
    day = first.astimezone(zone).date() - timedelta(days=1)
    while day <= last.astimezone(zone).date():
        for window in schedule.windows:
            begin, end = _span(window, day, zone)
            if day.weekday() in window.days and begin < end:
                yield begin, end
        day += timedelta(days=1)


def _span(window: Window, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    ends_on = day if window.begins < window.ends else day + timedelta(days=1)
    return _utc(day, window.begins, zone), _utc(ends_on, window.ends.replace(fold=1), zone)


def _utc(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
