"""The line of results over time, as points of a drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from mvpc.model import ComponentResult

WIDTH, HEIGHT = 760, 210
LEFT, RIGHT, TOP, BOTTOM = 48, 744, 12, 178
_POINTS = 240
"""More points than this cannot be told apart on paper."""
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what is written there."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Results and failures as they added up."""

    results: str
    """Points of a polyline."""
    failed: str
    """The same for failures; empty when there are none."""
    area: str
    """The results' polyline, closed down to the axis."""
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def timeline(results: Sequence[ComponentResult], zone: tzinfo | None) -> Timeline | None:
    """The drawing, with times in `zone`; None where there is nothing to draw."""
    if not results:
        return None
    moments = sorted(result.at for result in results)
    bad = sorted(result.at for result in results if result.outcome.is_bad)
    frame = _Frame(moments[0], max(moments[-1] - moments[0], timedelta(minutes=1)), _ceiling(len(moments)))
    line = frame.line(moments)
    return Timeline(
        results=line,
        failed=frame.line(bad) if bad else "",
        area=f"{LEFT},{BOTTOM} {line} {RIGHT},{BOTTOM}",
        across=frame.across(zone),
        up=tuple(Tick(frame.y(value), f"{value}") for value in _values(frame.top)),
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    begin: datetime
    span: timedelta
    top: int

    def x(self, moment: datetime) -> float:
        return round(LEFT + (RIGHT - LEFT) * ((moment - self.begin) / self.span), 1)

    def y(self, number: int) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * number / self.top, 1)

    def line(self, moments: Sequence[datetime]) -> str:
        """From nothing at the left edge, step by step, to the last value at the right edge."""
        every = max(1, len(moments) // _POINTS)
        points = [f"{LEFT},{BOTTOM}"]
        before = 0
        for number, moment in enumerate(moments, start=1):
            if number % every == 0 or number == len(moments):
                points += [f"{self.x(moment)},{self.y(before)}", f"{self.x(moment)},{self.y(number)}"]
                before = number
        return " ".join([*points, f"{RIGHT},{self.y(before)}"])

    def across(self, zone: tzinfo | None) -> tuple[Tick, ...]:
        moments = [self.begin + self.span * part / (_TICKS - 1) for part in range(_TICKS)]
        shape = _shape(self.span)
        return tuple(Tick(self.x(moment), moment.astimezone(zone).strftime(shape)) for moment in moments)


def _shape(span: timedelta) -> str:
    if span > timedelta(hours=20):
        return "%d %b %H:%M"
    return "%H:%M" if span > timedelta(minutes=20) else "%H:%M:%S"


def _ceiling(number: int) -> int:
    """A round number not below the given one, so that the axis has round labels."""
    size: int = 10 ** int(math.log10(number))
    return next(round_ for round_ in (size, 2 * size, 4 * size, 6 * size, 8 * size, 10 * size) if round_ >= number)


def _values(top: int) -> list[int]:
    return [top * part // 4 for part in range(5)] if top % 4 == 0 else [0, top]
