"""The rings of `mvpc.toml`: `[[rollout.ring]]` tables into values, every mistake at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from mvpc.errors import InputError, Problem
from mvpc.model import Gate, Ring

OPTION = "--rings"
RING = "rollout.ring"

RING_KEYS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "percent": (int, float),
    "devices": (list,),
    "authorities": (list,),
    "max_failed": (int,),
    "max_failed_percent": (int, float),
    "quorum_percent": (int, float),
    "wait_minutes": (int,),
    "manual": (bool,),
}
"""Key of a ring -> types that its values may have."""


def read_rings(tables: Sequence[Mapping[str, Any]], *, file: str) -> tuple[Ring, ...]:
    """The rings in their order; raises InputError with every problem."""
    problems = [problem for number, table in enumerate(tables, start=1) for problem in _check(table, number, file)]
    if not problems:
        problems = list(_check_order(tables, file))
    if problems:
        raise InputError.of(problems)
    return tuple(map(_ring, tables))


def rings_of(text: str, known: Sequence[Ring]) -> tuple[Ring, ...]:
    """The rings of one rollout, given as `pilot=5,broad=100`.

    Args:
        text: names and shares, each of them counting all rings up to there.
        known: rings of the project; they give their gates and the devices that are always in them. A ring without one
            would have neither, and a misspelt name must not take the gate away.

    Raises:
        InputError: it is not of this form, a ring is not known, or the shares do not rise to 100.
    """
    parts = [part.partition("=") for part in text.split(",")]
    gates = {ring.name: ring for ring in known}
    wrong = [problem for part in parts if (problem := _wrong(part, gates))]
    rings = [] if wrong else [replace(gates[name.strip()], percent=float(share)) for name, _, share in parts]
    problems = wrong or list(_check_order([{"name": ring.name, "percent": ring.percent} for ring in rings], OPTION))
    if problems:
        raise InputError.of(problems)
    return tuple(rings)


def strangers(rings: Sequence[Ring], *, hostnames: Collection[str], authorities: Collection[str]) -> Iterator[str]:
    """What rings name and nobody has, in words: a pilot group that is misspelt would be nobody."""
    for ring in rings:
        for kind, names, known in (("device", ring.devices, hostnames), ("authority", ring.authorities, authorities)):
            yield from (
                f"ring {ring.name} names {kind} {name}, which is not known" for name in names if name not in known
            )


def _wrong(part: tuple[str, str, str], known: Collection[str]) -> Problem | None:
    name = part[0].strip()
    if not _is_share(part):
        return Problem(OPTION, f"{''.join(part)!r} is no ring", "Write for example: pilot=5,broad=100")
    if name not in known:
        hint = f"Known: {', '.join(known)}. Others, with their gates, are written as [[rollout.ring]] in mvpc.toml"
        return Problem(OPTION, f"ring {name!r} is not known", hint)
    return None


def _is_share(part: tuple[str, str, str]) -> bool:
    name, _, share = part
    return bool(name.strip()) and re.fullmatch(r"\s*\d{1,3}(\.\d+)?\s*", share) is not None


def _ring(table: Mapping[str, Any]) -> Ring:
    gate = {field.name for field in fields(Gate)}
    return Ring(
        name=table["name"],
        percent=table["percent"],
        devices=tuple(table.get("devices", ())),
        authorities=tuple(code.lower() for code in table.get("authorities", ())),
        gate=Gate(**{key: value for key, value in table.items() if key in gate}),
    )


def _check(table: Mapping[str, Any], number: int, file: str) -> Iterator[Problem]:
    place = f"rollout.ring {number}"
    for key in ("name", "percent"):
        if key not in table:
            yield Problem(file, f"{place}: {key} is missing")
    for key, value in table.items():
        if key not in RING_KEYS:
            yield Problem(file, f"{place}: {key} is not known", f"Known: {', '.join(RING_KEYS)}")
        elif type(value) not in RING_KEYS[key]:
            yield Problem(file, f"{place}: {key} must be of type {RING_KEYS[key][0].__name__}")
        elif isinstance(value, list) and not all(isinstance(each, str) for each in value):
            yield Problem(file, f"{place}: {key} must be a list of names")
        elif isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            yield Problem(file, f"{place}: {key} must not be negative")


def _check_order(tables: Sequence[Mapping[str, Any]], file: str) -> Iterator[Problem]:
    names, shares = [table["name"] for table in tables], [table["percent"] for table in tables]
    if len(set(names)) != len(names):
        yield Problem(file, "two rings have the same name")
    if shares != sorted(set(shares)) or not shares or shares[-1] != 100:
        yield Problem(file, "percent must rise from ring to ring and end with 100", "It counts all rings up to there")
