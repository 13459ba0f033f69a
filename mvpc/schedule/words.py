"""Schedules as people write and read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from itertools import groupby
from zoneinfo import ZoneInfo

from mvpc.model import Schedule, Window

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MIDNIGHT = time(0)


def schedule_words(schedule: Schedule) -> str:
    """`not before Mon 2026-11-30 18:00, Mon-Fri 18:00-06:00`; `any time` when nothing limits it."""
    parts = [
        f"not before {moment_words(schedule.not_before, schedule)}" if schedule.not_before else "",
        window_words(schedule.windows),
        f"not after {moment_words(schedule.not_after, schedule)}" if schedule.not_after else "",
    ]
    return ", ".join(filter(None, parts)) or "any time"


def moment_words(moment: datetime, schedule: Schedule) -> str:
    """A moment in the schedule's own zone, to the minute."""
    return moment.astimezone(ZoneInfo(schedule.zone)).strftime("%a %Y-%m-%d %H:%M")


def window_words(windows: Iterable[Window]) -> str:
    """`Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00`: the text that windows are read from."""
    return "; ".join(map(_window, windows))


def _window(window: Window) -> str:
    ends = "24:00" if window.ends == _MIDNIGHT else f"{window.ends:%H:%M}"
    days = "" if len(window.days) == len(DAYS) else f"{_days(window.days)} "
    return f"{days}{window.begins:%H:%M}-{ends}"


def _days(days: Iterable[int]) -> str:
    """`Mon-Fri`, `Sat,Sun`: three days and more in a row become a range."""
    texts = []
    for _, row in groupby(enumerate(days), key=lambda pair: pair[1] - pair[0]):
        names = [DAYS[day] for _, day in row]
        texts.append(f"{names[0]}-{names[-1]}" if len(names) > 2 else ",".join(names))
    return ",".join(texts)
