"""Read every release file, and check what it names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from mvpc.catalogue import PackagedProduct, Product
from mvpc.errors import InputError, Problem
from mvpc.profiles import FOLDER as PROFILES
from mvpc.profiles import dotted, in_order, is_note, suggestion
from mvpc.releases.release import Release, ReleaseFile
from mvpc.strict import problems_of
from mvpc.yamlfile import Node, load, place_of, to_plain

FOLDER = f"{PROFILES}/releases"


def load_releases(root: Path, catalogue: Mapping[str, Product], rings: Collection[str]) -> dict[str, Release]:
    """Every release of a project folder by its ring. A folder that is missing holds none.

    Raises:
        InputError: with every problem of all files.
    """
    found: dict[str, Release] = {}
    problems: list[Problem] = []
    for path in sorted(path for path in (root / FOLDER).glob("*") if not is_note(path)):
        try:
            _require_ring(path, root, rings)
            node = load(path, root=root)
            found[path.stem] = Release(path.stem, _content(node), node)
        except InputError as error:
            problems += error.problems
        else:
            problems += _strangers(found[path.stem], catalogue)
    if problems:
        raise InputError.of(in_order(problems))
    return found


def _require_ring(path: Path, root: Path, rings: Collection[str]) -> None:
    if path.suffix != ".yml" or path.stem not in rings:
        step = suggestion(path.stem, rings) or f"Rings of mvpc.toml: {', '.join(rings)}"
        where = f"{path.relative_to(root).as_posix()}:1"
        raise InputError("a release file is called RING.yml, and there is no such ring", where=where, hint=step)


def _content(node: Node) -> ReleaseFile:
    try:
        return ReleaseFile.model_validate(to_plain(node))
    except ValidationError as error:
        raise InputError.of(problems_of(error, model=ReleaseFile, place=partial(place_of, node))) from None


def _strangers(release: Release, catalogue: Mapping[str, Product]) -> Iterator[Problem]:
    """Products that are not in the catalogue, or have no packages."""
    for os, products in release.content.versions.items():
        for name in products:
            if not isinstance(catalogue.get(name), PackagedProduct):
                path = (os, name)
                hint = suggestion(name, catalogue) or "Remove it, or write the release anew: mvpc software release"
                where = str(release.place(path))
                yield Problem(where, f"{dotted(('versions', *path))}: no product with packages has this name", hint)
