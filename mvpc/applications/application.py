"""What a file of a specialist application may say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from mvpc.catalogue.kinds import Words, as_tuple
from mvpc.model import Workplace
from mvpc.strict import Finding, Kind, StrictModel, refuse_all

Day = Annotated[str, Kind("a day of the calendar", "2026-09-14", r"^\d{4}-\d{2}-\d{2}$", check=date.fromisoformat)]
Code = Annotated[str, Kind("a code of inventory/organisation.yml", "fa-schwerin", r"^[a-z][a-z0-9-]*$")]
SYSTEM = r"^(?:debian|ubuntu|windows)-[0-9]+(?:\.[0-9]+)?$"
"""How the inventory writes operating systems."""
System = Annotated[str, Kind("an operating system with its release", "debian-13", SYSTEM)]
_WORKPLACE = "|".join(Workplace)
Place = Annotated[str, Kind(f"one of {', '.join(Workplace)}", "standard", f"^(?:{_WORKPLACE})$")]


class Support(StrictModel):
    """One operating system that the maker supports."""

    version: Words | None = None
    """Version that was tested on it; nothing: not tested yet."""
    tested: Day | None = None
    """Day of the test."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.version is None) != (self.tested is None):
            missing = "version" if self.version is None else "tested"
            refuse_all([Finding((missing,), "is missing: a test has a version and a day", "Add it")])
        return self


class Need(StrictModel):
    """Who needs the application. What is empty rules nothing in; workplaces narrow it down."""

    ressorts: Annotated[tuple[Code, ...], BeforeValidator(as_tuple)] = ()
    """All authorities of these ressorts."""
    authorities: Annotated[tuple[Code, ...], BeforeValidator(as_tuple)] = ()
    """These authorities."""
    workplaces: Annotated[tuple[Place, ...], BeforeValidator(as_tuple)] = ()
    """Only these kinds of workplaces; all where nothing is written."""

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.ressorts and not self.authorities:
            refuse_all([Finding((), "names nobody", "Add ressorts or authorities")])
        return self


class Application(StrictModel):
    """One specialist application."""

    name: Words
    """Name as people know it."""
    owner: Words
    """Who answers for it, and says whether a test counts."""
    version: Words | None = None
    """Version that is in use; a test of another one does not count. Nothing: any."""
    systems: Annotated[Mapping[System, Support], Field(min_length=1)]
    """Operating systems that the maker supports."""
    needed_by: Need
    """Who needs it."""
