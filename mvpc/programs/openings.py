"""For how long people may open the kill switch again: a part of the program that looks after the tunnel.

Openings are pairs of seconds since the boot, begin and end; the last one may still be going on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

HOUR_S = 3600
LEAST_S = 120
"""In less nobody signs in anywhere."""


def granted(openings: Sequence[Sequence[int]], now: int, *, once: int, hourly: int) -> int:
    """For how many seconds somebody may open it now, of `once` and of `hourly` in any hour; 0 when not yet."""
    left = min(once, hourly - spent(openings, now))
    return left if left >= min(LEAST_S, once) else 0


def spent(openings: Sequence[Sequence[int]], now: int) -> int:
    """For how many seconds of the last hour it was open."""
    return sum(max(0, min(end, now) - max(begin, now - HOUR_S)) for begin, end in openings)


def wait_minutes(openings: Sequence[Sequence[int]], now: int, *, once: int, hourly: int) -> int:
    """After how many minutes somebody may open it again; at most an hour."""
    later = (each for each in range(1, 60) if granted(openings, now + each * 60, once=once, hourly=hourly))
    return next(later, 60)


def ended(openings: Sequence[Sequence[int]], now: int) -> list[list[int]]:
    """Those of the last hour, with the end of the last one no later than now."""
    return [[begin, min(end, now)] for begin, end in openings if end > now - HOUR_S]


def recall(path: Path) -> Any:
    """What was kept there; None where nothing is, or where it is damaged."""
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None


def keep_note(path: Path, data: Any) -> None:
    """Keep data there, all of it or none; raises OSError."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(data), encoding="utf-8")
    new.replace(path)
