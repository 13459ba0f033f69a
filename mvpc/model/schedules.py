"""When a rollout may touch laptops. Plain values; `mvpc.schedule` reads and judges them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum


class CatchUp(StrEnum):
    """What becomes of a change whose window passed, or whose time ran out, while its laptop slept."""

    NEXT_WINDOW = "next-window"  #: the next window serves it; after not-after it has expired
    AT_ONCE = "at-once"  #: served as soon as the laptop is back, whatever the time
    DROP = "drop"  #: it has expired: nothing is done, and that is shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Hours of the week. One that ends at or before its beginning ends on the next day."""

    days: tuple[int, ...]
    """The days on which it begins; 0 is Monday."""
    begins: time
    ends: time
    """00:00 is the midnight at the end of the day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When a rollout may touch laptops; without limits, always."""

    not_before: datetime | None = None
    not_after: datetime | None = None
    windows: tuple[Window, ...] = ()
    """Any of them will do; without windows, every hour does."""
    catch_up: CatchUp = CatchUp.NEXT_WINDOW
    zone: str = "UTC"
    """The IANA time zone in which the windows are meant."""


ANY_TIME = Schedule()
"""No limits."""
