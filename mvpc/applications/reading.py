"""Read every file of a specialist application."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from mvpc.applications.application import Application
from mvpc.errors import InputError, Problem
from mvpc.organisation import Organisation
from mvpc.profiles import dotted, in_order, is_note, suggestion
from mvpc.strict import problems_of
from mvpc.yamlfile import Node, load, place_of, to_plain

FOLDER = "inventory/applications"


def load_applications(root: Path, organisation: Organisation, *, on: date) -> dict[str, Application]:
    """Every application of a project folder by the name of its file. A folder that is missing holds none.

    Raises:
        InputError: with every problem of all files.
    """
    found: dict[str, Application] = {}
    problems: list[Problem] = []
    for path in sorted(path for path in (root / FOLDER).glob("*") if not is_note(path)):
        try:
            node = _node(path, root)
            found[path.stem] = _application(node)
        except InputError as error:
            problems += error.problems
        else:
            problems += _stray(found[path.stem], node, organisation, on)
    if problems:
        raise InputError.of(in_order(problems))
    return found


def _node(path: Path, root: Path) -> Node:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*\.yml", path.name):
        where = f"{path.relative_to(root).as_posix()}:1"
        raise InputError("a file of an application is called NAME.yml, in lower case", where=where, hint="Rename it")
    return load(path, root=root)


def _application(node: Node) -> Application:
    try:
        return Application.model_validate(to_plain(node))
    except ValidationError as error:
        raise InputError.of(problems_of(error, model=Application, place=partial(place_of, node))) from None


def _stray(application: Application, node: Node, organisation: Organisation, on: date) -> Iterator[Problem]:
    """Codes that nobody has, and tests that have not been made yet."""
    need = application.needed_by
    for kind, codes, known in (
        ("ressorts", need.ressorts, organisation.ressorts),
        ("authorities", need.authorities, organisation.authorities),
    ):
        for number, code in enumerate(codes):
            if code not in known:
                hint = suggestion(code, known) or "See inventory/organisation.yml"
                yield _problem(node, ("needed_by", kind, number), f"{code} does not exist", hint)
    for system, support in application.systems.items():
        if support.tested and date.fromisoformat(support.tested) > on:
            yield _problem(node, ("systems", system, "tested"), "this day has not come yet", "Correct the day")


def _problem(node: Node, path: Sequence[str | int], what: str, hint: str) -> Problem:
    return Problem(str(place_of(node, path)), f"{dotted(path)}: {what}", hint)
