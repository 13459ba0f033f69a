"""Layer files that hold for nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from mvpc.errors import Problem
from mvpc.model import Workplace
from mvpc.profiles.layers import CODE, FOLDER, KINDS, is_note
from mvpc.profiles.paths import suggestion

_FEW = 12
"""So many codes can be named in one message."""
_NO_LAYERS = ("base.yml",), ("schema.json",)
_OTHERS = frozenset({"catalogue", "releases"})
"""Folders whose files are no layers, and are checked elsewhere."""
_KNOWN_IN = {
    "workplaces": f"mvpc ({', '.join(Workplace)})",
    "ressorts": "inventory/organisation.yml",
    "authorities": "inventory/organisation.yml",
    "devices": "the inventory (mvpc device list)",
}


def stray_files(
    root: Path, *, ressorts: Collection[str], authorities: Collection[str], devices: Collection[str] | None
) -> list[Problem]:
    """Files under profiles/ that hold for nobody: wrong name, wrong folder, or a code that does not exist.

    `devices` None means that the inventory is not known, so device layers are not compared with it.
    """
    known = dict(zip(KINDS, (list(Workplace), ressorts, authorities, devices), strict=True))
    problems: list[Problem] = []
    for path in sorted((root / FOLDER).rglob("*")):
        parts = path.relative_to(root / FOLDER).parts
        if path.is_file() and parts[0] not in _OTHERS and parts not in _NO_LAYERS and not is_note(path):
            problems += _stray(path.relative_to(root).as_posix(), parts, known)
    return problems


def _stray(file: str, parts: Sequence[str], known: Mapping[str, Collection[str] | None]) -> Iterator[Problem]:
    where = f"{file}:1"
    if len(parts) != 2 or parts[0] not in known:
        folders = ", ".join(f"{kind}/" for kind in known)
        yield Problem(where, "no device uses this file", f"Layers are base.yml and files in {folders}")
        return
    kind, name = parts
    code, dot, ending = name.partition(".")
    codes = known[kind]
    if dot + ending != ".yml" or not CODE.match(code):
        yield Problem(where, "no device uses a file of this name", "Name it CODE.yml, in lower case")
    elif codes is not None and code not in codes:
        step = suggestion(code, codes) or (
            f"Known: {', '.join(codes)}" if len(codes) <= _FEW else "Rename or delete it"
        )
        yield Problem(where, f"no device uses this file: {_KNOWN_IN[kind]} has no {code}", step)
