"""Times and counts as people read them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta


def ago(moment: datetime | None, now: datetime) -> str:
    """`never`, `just now`, `5 min ago`, `3 h ago`, `4 days ago`."""
    if moment is None:
        return "never"
    past = now - moment
    if past < timedelta(minutes=1):
        return "just now"
    if past < timedelta(hours=1):
        return f"{past // timedelta(minutes=1)} min ago"
    if past < timedelta(days=2):
        return f"{past // timedelta(hours=1)} h ago"
    return f"{past.days} days ago"


def local(moment: datetime | None) -> str:
    """Date and time in this machine's zone, to the minute; `-` when there is none."""
    return moment.astimezone().strftime("%a %Y-%m-%d %H:%M") if moment else "-"


def count(number: int, noun: str) -> str:
    """`1 device`, `2 devices`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def span(length: timedelta) -> str:
    """`12 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def shown(value: object) -> str:
    """A value as YAML writes it."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
