"""Read when a rollout may touch laptops: from options, from mvpc.toml, and from what was stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mvpc.errors import InputError, Problem
from mvpc.model import CatchUp, Schedule, Window
from mvpc.schedule.deciding import Turn, decide
from mvpc.schedule.words import DAYS, window_words

_GERMAN = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
_DAY = {name.casefold(): day for names in (DAYS, _GERMAN) for day, name in enumerate(names)}
_SPAN = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_END_OF_DAY = time(23, 59)

_WINDOW_HINT = "For example: Mon-Fri 18:00-06:00, or with `;` between several, or always"
_MOMENT_HINT = "For example: 2026-12-01, '2026-12-01 18:00', or from now on: 30m, 12h, 14d, 2w"
_SPAN_HINT = "For example: 30m, 12h, 14d, 2w"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of a schedule as a person wrote them; empty where nothing was written."""

    not_before: str = ""
    not_after: str = ""
    window: str = ""
    catch_up: str = ""

    def over(self, defaults: Limits) -> Limits:
        """These, and the defaults where these say nothing."""
        names = [field.name for field in fields(self)]
        return Limits(**{name: getattr(self, name) or getattr(defaults, name) for name in names})


def read_schedule(limits: Limits, *, zone: str, now: datetime) -> Schedule:
    """What the limits mean when a rollout begins now; raises InputError with everything that is wrong.

    Args:
        limits: as given with options, over the defaults.
        zone: the IANA time zone that days and hours are meant in.
        now: what time spans such as `14d` count from.
    """
    problems: list[Problem] = []

    def read(name: str, how: Callable[[str], Any], hint: str) -> Any:
        text = getattr(limits, name)
        try:
            return how(text) if text else None
        except ValueError as error:
            problems.append(Problem("", f"--{name.replace('_', '-')} {text!r} {error}", hint))
            return None

    schedule = Schedule(
        not_before=read("not_before", lambda text: _moment(text, zone, now, time(0)), _MOMENT_HINT),
        not_after=read("not_after", lambda text: _moment(text, zone, now, _END_OF_DAY), _MOMENT_HINT),
        windows=read("window", _windows, _WINDOW_HINT) or (),
        catch_up=read("catch_up", _catch_up, "") or CatchUp.NEXT_WINDOW,
        zone=zone,
    )
    if problems := problems or list(_contradictions(schedule, now)):
        raise InputError.of(problems)
    return schedule


def default_problems(limits: Limits, *, file: str) -> Iterator[Problem]:
    """What is wrong with the defaults under `[rollout]`; a fixed date makes no sense there."""
    checks: Mapping[str, tuple[Callable[[str], object], str]] = {
        "not_before": (_span, _SPAN_HINT),
        "not_after": (_span, _SPAN_HINT),
        "window": (_windows, _WINDOW_HINT),
        "catch_up": (_catch_up, ""),
    }
    for name, (check, hint) in checks.items():
        try:
            if text := getattr(limits, name):
                check(text)
        except ValueError as error:
            yield Problem(file, f"rollout.{name} {error}", hint)


def to_data(schedule: Schedule) -> dict[str, str]:
    """The schedule as JSON-able data with stable keys."""
    return {
        "not_before": schedule.not_before.isoformat() if schedule.not_before else "",
        "not_after": schedule.not_after.isoformat() if schedule.not_after else "",
        "window": window_words(schedule.windows),
        "catch_up": str(schedule.catch_up),
        "zone": schedule.zone,
    }


def from_data(data: Mapping[str, str]) -> Schedule:
    """The reverse of `to_data`; raises ValueError or KeyError."""
    moments = {name: datetime.fromisoformat(data[name]) for name in ("not_before", "not_after") if data[name]}
    windows = _windows(data["window"]) if data["window"] else ()
    return Schedule(**moments, windows=windows, catch_up=CatchUp(data["catch_up"]), zone=data["zone"])


def _contradictions(schedule: Schedule, now: datetime) -> Iterator[Problem]:
    first, last = max(now, schedule.not_before or now), schedule.not_after
    if last is None:
        return
    if last < now:
        yield Problem("", "--not-after has passed already", "Name a later time")
    elif last < first:
        yield Problem("", "--not-after is earlier than --not-before")
    elif (decision := decide(schedule, since=now, now=now)).turn is Turn.WAITING and decision.at is None:
        yield Problem("", f"no window {window_words(schedule.windows)} opens before --not-after", "Choose a later time")


# --- texts; each raises ValueError with what is wrong ------------------------------------------


def _catch_up(text: str) -> CatchUp:
    if text not in set(CatchUp):
        raise ValueError(f"must be one of {', '.join(CatchUp)}")
    return CatchUp(text)


def _span(text: str) -> timedelta:
    """`14d`, and the words for no limit."""
    if text in {"now", "never"}:
        return timedelta(0)
    if not (found := re.fullmatch(r"(\d{1,4})([mhdw])", text)):
        raise ValueError("is no time span")
    return int(found[1]) * _SPAN[found[2]]


def _moment(text: str, zone: str, now: datetime, clock: time) -> datetime | None:
    """A date (at the given time of day), a date with a time, or a time span from now; `now` and `never` are none."""
    if text in {"now", "never"}:
        return None
    if re.fullmatch(r"\d+[a-z]", text):
        return now + _span(text)
    form = r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d))?"
    if not (found := re.fullmatch(form, text)):
        raise ValueError("is neither a date nor a time span")
    day = datetime.fromisoformat(found[1]).date()
    at = time.fromisoformat(found[2]) if found[2] else clock
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


def _windows(text: str) -> tuple[Window, ...]:
    if text == "always":
        return ()
    return tuple(_window(part.strip()) for part in text.split(";"))


def _window(text: str) -> Window:
    found = re.fullmatch(r"(?:(\S+) )?(\d\d:\d\d)-(\d\d:\d\d)", text)
    if not found:
        raise ValueError("is no window")
    begins, ends = _clock(found[2]), time(0) if found[3] == "24:00" else _clock(found[3])
    if begins == ends and found[3] != "24:00":
        raise ValueError("is an empty window; the whole day is 00:00-24:00")
    return Window(days=_days(found[1]) if found[1] else tuple(range(len(DAYS))), begins=begins, ends=ends)


def _clock(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"has a time that no day has: {text}") from None


def _days(text: str) -> tuple[int, ...]:
    """`Mon-Fri`, `Sat,Sun`, `Fr-Mo` in English or German; a range may go over the end of the week."""
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = _day(first), _day(last if dash else first)
        days.update((begin + step) % len(DAYS) for step in range((end - begin) % len(DAYS) + 1))
    return tuple(sorted(days))


def _day(name: str) -> int:
    day = _DAY.get(name.casefold())
    if day is None:
        raise ValueError(f"has a day that no week has: {name or 'nothing'}")
    return day
