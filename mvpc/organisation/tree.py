"""Ressorts, authorities, sites and operators as values, and the questions asked of them."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from mvpc.errors import NotFoundError

FILE = Path("inventory") / "organisation.yml"
"""Where the organisation of a project lies, below its root."""


@dataclass(frozen=True, slots=True)
class Span:
    """From a first day to a last day, both included; without a last day it still goes on."""

    first: date
    last: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}" if self.last else f"since {self.first}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ressort:
    """A ministry or the state chancellery, with all its authorities."""

    code: str
    name: str
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A place where devices stand. One site may house several authorities."""

    code: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """An authority's ressort, and who operates its devices, for some time."""

    ressort: str
    operator: str
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Authority:
    """An owner of devices."""

    code: str
    name: str
    sites: tuple[str, ...]
    periods: tuple[Period, ...]
    """In order of time; there may be gaps."""


_Named = TypeVar("_Named", Ressort, Site, Authority)


@dataclass(frozen=True, kw_only=True, slots=True)
class Organisation:
    """The whole tree. All codes are lower case; questions may be asked in any case."""

    operators: Mapping[str, str]
    """Code -> name."""
    ressorts: Mapping[str, Ressort]
    sites: Mapping[str, Site]
    authorities: Mapping[str, Authority]

    def ressort(self, text: str) -> Ressort:
        """The ressort with this code or full name; raises NotFoundError with the nearest ones."""
        return _named("ressort", text, self.ressorts)

    def site(self, text: str) -> Site:
        """The site with this code or full name; raises NotFoundError with the nearest ones."""
        return _named("site", text, self.sites)

    def authority(self, text: str) -> Authority:
        """The authority with this code or full name; raises NotFoundError with the nearest ones."""
        return _named("authority", text, self.authorities)

    def period(self, authority: str, on: date) -> Period:
        """Where the authority belongs on that day; raises NotFoundError when it is unknown or not there then."""
        found = self.authority(authority)
        for period in found.periods:
            if on in period.span:
                return period
        spans = "; ".join(str(period.span) for period in found.periods)
        raise NotFoundError(f"{found.code} ({found.name}) does not exist on {on}", hint=f"It exists {spans}")

    def ressort_of(self, authority: str, on: date) -> str:
        """Code of the ressort that the authority belongs to on that day; raises NotFoundError."""
        return self.period(authority, on).ressort

    def operator_of(self, authority: str, on: date) -> str:
        """Code of who operates the authority's devices on that day; raises NotFoundError."""
        return self.period(authority, on).operator

    def authorities_of(self, ressort: str, on: date) -> tuple[str, ...]:
        """Codes of the authorities that belong to the ressort on that day; raises NotFoundError."""
        code = self.ressort(ressort).code
        return tuple(
            authority.code
            for authority in self.authorities.values()
            if any(period.ressort == code and on in period.span for period in authority.periods)
        )


def nearest(text: str, names: Collection[str]) -> str:
    """A hint with the names most like the text; all of them when they are few, none when nothing is alike."""
    near = difflib.get_close_matches(text.casefold(), names, n=3, cutoff=0.6)
    if near:
        return f"Perhaps {' or '.join(near)}"
    return f"Known: {', '.join(names)}" if names and len(names) <= 12 else ""


def folded(text: str) -> str:
    """Text for comparison: without regard to case, Unicode form and outer blanks."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def _named(kind: str, text: str, known: Mapping[str, _Named]) -> _Named:
    wanted = folded(text)
    if wanted in known:
        return known[wanted]
    same_name = [thing for thing in known.values() if folded(thing.name) == wanted]
    if len(same_name) == 1:
        return same_name[0]
    names = {folded(thing.name): thing.code for thing in known.values()}
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.75)
    hint = f"Perhaps {names[near[0]]}" if near else nearest(wanted, known)
    raise NotFoundError(f"{kind} {text!r} is not known", hint=hint or f"See {FILE.as_posix()}")
