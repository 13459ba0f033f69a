"""The software catalogue: `profiles/catalogue/<product>.yml`, one product each, by what people use it for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from mvpc.errors import InputError, Problem
from mvpc.model import Source
from mvpc.profiles import FOLDER, in_order, is_note
from mvpc.strict import Kind, StrictModel, problems_of
from mvpc.yamlfile import MappingNode, Node, SequenceNode, load, to_plain


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_UNIT_PATTERN = r"^[A-Za-z0-9:_.@-]+\.(?:service|socket|timer|path)$"
_LICENCE_PATTERN = r"^[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*$"

Words = Annotated[str, Kind("one line of text", "PDF tools", r"^[^\u0000-\u001f\u007f-\u009f]*\S[^\u0000-\u001f]*$")]
Licence = Annotated[str, Kind("an SPDX licence expression", "GPL-3.0-or-later", _LICENCE_PATTERN)]
PackageName = Annotated[str, Kind("a name of a Debian package", "libreoffice-writer", "^[a-z0-9][a-z0-9+.-]+$")]
UnitName = Annotated[str, Kind("a full name of a systemd unit", "cups.service", _UNIT_PATTERN)]
Release = Annotated[str, Kind("an operating system and its release", "debian-13", "^[a-z]+-[0-9][0-9.]*$")]
PackageNames = Annotated[tuple[PackageName, ...], BeforeValidator(_as_tuple)]
UnitNames = Annotated[tuple[UnitName, ...], BeforeValidator(_as_tuple)]


class Product(StrictModel):
    """One product of the catalogue."""

    name: Words
    """Name as people know it."""
    function: Words
    """What it is for at a workplace: word processing, mail, printing, ..."""
    licence: Licence
    """SPDX licence expression."""
    description: Words
    """One sentence for the people who choose."""
    packages: PackageNames
    """Debian packages that make up the product."""
    releases: Mapping[Release, PackageNames] = {}
    """Releases on which the packages are called differently; an empty list means that it does not exist there."""
    units: UnitNames = ()
    """systemd units that must run where the product is present."""

    def packages_for(self, os: str) -> tuple[str, ...]:
        """Package names on one operating system (`debian-13`)."""
        return self.releases.get(os, self.packages)

    @property
    def contents(self) -> dict[str, tuple[str, ...]]:
        """Everything that decides what lands on a laptop, by key of the file."""
        releases = {f"releases.{release}": names for release, names in self.releases.items()}
        return {"packages": self.packages, "units": self.units, **releases}


def load_catalogue(root: Path) -> dict[str, Product]:
    """Every product of a project folder by the name of its file.

    Raises:
        InputError: with every problem of all files.
    """
    products: dict[str, Product] = {}
    problems: list[Problem] = []
    files = (path for path in (root / FOLDER / "catalogue").glob("*") if not is_note(path))
    for path in sorted(files):
        try:
            products[path.stem] = _read(path, root)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError.of(in_order(problems))
    return products


def _read(path: Path, root: Path) -> Product:
    if not re.fullmatch(r"[a-z0-9][a-z0-9+-]*\.yml", path.name):
        where = f"{path.relative_to(root).as_posix()}:1"
        raise InputError("a file of the catalogue is called PRODUCT.yml, in lower case", where=where, hint="Rename it")
    node = load(path, root=root)
    try:
        return Product.model_validate(to_plain(node))
    except ValidationError as error:
        raise InputError.of(problems_of(error, model=Product, place=partial(_place, node))) from None


def _place(node: Node, path: Sequence[str | int]) -> Source:
    """The line of a path in a file, or of the nearest thing around it."""
    for key in path:
        if isinstance(node, MappingNode) and key in node.entries:
            node = node.entries[str(key)]
        elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.items):
            node = node.items[key]
        else:
            break
    return node.source
