"""The program that runs on a laptop: how it is sent, and how its answer is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from types import ModuleType
from typing import Any

from mvpc.device import converge, undo
from mvpc.model import Component, Connection, File, Package, Resource, Unit

FORMAT = 1
PYTHON = "/usr/bin/python3 -I -S -"
"""Runs a program on a device, as root: isolated from its environment, and with the standard library alone."""
MAX_ANSWER = 1 << 20
"""Bytes that a device may answer with."""
MAX_DEPTH = 6
"""Lists and objects inside each other in an answer; a whole one needs four."""

_IMPORTS_OF_PARTS = re.compile(r"^from (?:__future__|mvpc\.[\w.]+) import (?:\([^)]*\)|.*)\n", re.MULTILINE)
_KINDS: Mapping[type, str] = {File: "file", Package: "package", Unit: "unit", Connection: "connection"}
_OUTCOMES = frozenset({"changed", "unchanged", "deferred", "failed", "needs_repair"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentAnswer:
    """What a device says about one component. Texts are as hostile as the device: `mvpc.text.safe` before showing."""

    name: str
    digest: str
    """In the device's ledger now; empty when the component was begun and not finished, or never applied."""
    outcome: str
    changes: tuple[str, ...]
    error: str
    diff: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A device's whole answer, of the right shape but not of proven truth."""

    device: str
    machine_id: str
    generation: int
    components: tuple[ComponentAnswer, ...]
    facts: Mapping[str, Any]
    error: str
    """Why nothing was done at all; empty otherwise."""


def program(request: Mapping[str, Any]) -> str:
    """Source text for `PYTHON` on a device: the device program and the request that it carries out."""
    # An ASCII literal made by repr() cannot end early, whatever the request holds. It has a line of its
    # own, so that a traceback never quotes the secrets in it.
    text = json.dumps(request, ensure_ascii=True)
    return f"{_beginning()}REQUEST = {text!r}\nstart(PROGRAM, REQUEST)\n"


@cache
def _beginning() -> str:
    start = files("mvpc.device").joinpath("start.py").read_text(encoding="utf-8")
    return f"{start}\n\nPROGRAM = {source()!r}\n"


@cache
def source() -> str:
    """All parts of the device program as one text, which defines `main` and knows nothing of this package."""
    return _joined(converge)


def one_text(parts: Iterable[str]) -> str:
    """Modules of a program for laptops as one text, in this order; there they find each other without importing."""
    # A part stands in the middle of the text, where `__future__` cannot be imported either.
    return "\n".join(["from __future__ import annotations\n", *(_IMPORTS_OF_PARTS.sub("", part) for part in parts)])


@cache
def undo_source() -> str:
    """The program that takes back on a device what nobody confirmed; a request to apply carries it along."""
    return f"{_joined(undo)}\n\nraise SystemExit(start(sys.argv[1:]))\n"


def _joined(package: ModuleType) -> str:
    return one_text(files(package).joinpath(f"{name}.py").read_text(encoding="utf-8") for name in package.PARTS)


def component_to_dict(component: Component) -> dict[str, Any]:
    """A component as a request carries it. Holds secrets."""
    return {
        "name": component.name,
        "digest": component.digest,
        "resources": [resource_to_dict(resource) for resource in component.resources],
    }


def resource_to_dict(resource: Resource) -> dict[str, Any]:
    """A resource as a request carries it: its fields, and its kind. Holds secrets."""
    values = {each.name: getattr(resource, each.name) for each in fields(resource)}
    return {"kind": _KINDS[type(resource)], **{name: _plain(value) for name, value in values.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def parse_answer(text: str) -> Answer:
    """Read the last line that a device wrote, trusting none of it.

    Raises:
        ValueError: with a short reason that quotes nothing of what the device said.
    """
    if len(text) > MAX_ANSWER:
        raise ValueError("the answer is longer than 1 MiB")
    data = _load(text.rstrip().rpartition("\n")[2])
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"the answer is not of format {FORMAT}")
    parts = data.pop("components", None)
    if not isinstance(parts, list):
        raise ValueError("answer: components is not of type list")  # noqa: TRY004 - callers catch one error
    components = tuple(map(_component, parts))
    if len({part.name for part in components}) != len(components):
        raise ValueError("the answer names a component twice")
    del data["format"]
    _check(data, "answer", _ANSWER)
    return Answer(components=components, **data)


_ANSWER: Mapping[str, type] = {"device": str, "machine_id": str, "generation": int, "facts": dict, "error": str}
_COMPONENT: Mapping[str, type] = {
    "name": str,
    "digest": str,
    "outcome": str,
    "changes": list,
    "error": str,
    "diff": str,
}


def _component(data: Any) -> ComponentAnswer:
    part = _check(data, "component", _COMPONENT)
    if part["outcome"] not in _OUTCOMES:
        raise ValueError("component: unknown outcome")
    if not all(isinstance(change, str) for change in part["changes"]):
        raise ValueError("component: changes are not texts")
    return ComponentAnswer(**{**part, "changes": tuple(part["changes"])})


def _check(data: Any, what: str, schema: Mapping[str, type]) -> dict[str, Any]:
    """The object, if it has exactly these fields in exactly these types (bool is no int)."""
    if not isinstance(data, dict) or data.keys() != schema.keys():
        raise ValueError(f"{what}: not exactly the fields {', '.join(schema)}")
    for name, kind in schema.items():
        if type(data[name]) is not kind:
            raise ValueError(f"{what}: {name} is not of type {kind.__name__}")
    return data


def _load(line: str) -> Any:
    try:
        data = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not valid JSON") from None
    for value in _values(data, MAX_DEPTH):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a number in the answer is not finite")
        if isinstance(value, int) and not 0 <= value < 1 << 63:
            raise ValueError("a number in the answer is out of range")
        if isinstance(value, str) and not _is_text(value):
            raise ValueError("a text in the answer is not valid Unicode")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a field is given twice")
    return dict(pairs)


def _values(data: Any, depth: int) -> Iterator[Any]:
    """All names and values at any depth."""
    if not isinstance(data, (dict, list)):
        yield data
        return
    if depth == 0:
        raise ValueError("the answer is nested too deeply")
    inner = [*data.keys(), *data.values()] if isinstance(data, dict) else data
    for value in inner:
        yield from _values(value, depth - 1)


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: JSON lets half of a surrogate pair through."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
