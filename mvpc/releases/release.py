"""What a release file may say, and a release with its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from mvpc.catalogue import ProductName
from mvpc.catalogue.kinds import PackageName, Version, Words
from mvpc.catalogue.kinds import Release as OsRelease
from mvpc.model import Source
from mvpc.strict import Kind, StrictModel
from mvpc.yamlfile import Node, place_of

Day = Annotated[str, Kind("a day in quotes", "2026-11-25", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", check=date.fromisoformat)]

Versions = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Release of the operating system -> product -> package -> version."""


class Proved(StrictModel):
    """Where the versions come from."""

    ring: Words
    """The ring whose laptops had them, and on which every product worked."""
    rollout: int
    """The newest rollout that brought these laptops to their profiles; 0 where there was none."""
    laptops: int
    """How many laptops proved the versions."""
    of: int
    """How many laptops the ring has."""


class ReleaseFile(StrictModel):
    """The versions that laptops of one ring get."""

    name: Words
    """As people call it."""
    date: Day
    """Day on which it was written."""
    proved: Proved | None = None
    """What proves it; nothing where it was written by hand."""
    versions: Mapping[OsRelease, Mapping[ProductName, Mapping[PackageName, Version]]]
    """Release of the operating system -> product -> package -> exact version."""


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """One release file. Equal only to itself."""

    ring: str
    """Whose laptops follow it."""
    content: ReleaseFile
    node: Node
    """The file with its lines."""

    def of(self, os: str, product: str) -> Mapping[str, str]:
        """Package -> version of one product on one operating system; empty where the release does not hold it."""
        return self.content.versions.get(os, {}).get(product, {})

    def place(self, path: Sequence[str] = ()) -> Source:
        """The line of a key below `versions`."""
        return place_of(self.node, ("versions", *path))
