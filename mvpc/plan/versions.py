"""Whether laptops can get the exact versions that they shall have. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mvpc.errors import Problem
from mvpc.plan.subject import Subject

if TYPE_CHECKING:
    from mvpc.software import Pin  # loads pydantic

_FEW = 3
"""So many laptops are named."""


def missing_versions(subjects: Sequence[Subject]) -> list[Problem]:
    """Products whose version laptops lack and no source has, at the line that wants it.

    A version that some laptop's source still has is no problem of the fleet: the other laptops fail alone, and say why.
    """
    lacking: dict[tuple[str, Pin], list[Subject]] = {}
    offered: set[tuple[str, Pin]] = set()
    for subject in subjects:
        for pin, is_there in _answers(subject):
            if is_there:
                offered.add((subject.device.os, pin))
            else:
                lacking.setdefault((subject.device.os, pin), []).append(subject)
    first: dict[tuple[str, str], tuple[Pin, list[Subject]]] = {}
    for (os, pin), without in lacking.items():
        if (os, pin) not in offered:
            first.setdefault((os, pin.product), (pin, without))
    return [_problem(pin, without) for pin, without in first.values()]


def _answers(subject: Subject) -> Iterator[tuple[Pin, bool]]:
    said = (subject.probe.on_offer if subject.probe else None) or {}
    yield from ((pin, said[pin.package]) for pin in subject.pins if pin.package in said)


def _problem(pin: Pin, without: Sequence[Subject]) -> Problem:
    where = str(without[0].sources.get(pin.path, ""))
    names = ", ".join(each.device.hostname for each in without[:_FEW])
    more = f" and {len(without) - _FEW} more" if len(without) > _FEW else ""
    newer = "release newer versions: mvpc software release" if pin.source else "write a version that is there"
    return Problem(
        where,
        f"{pin.product}: no package source of {names}{more} has {pin.package} {pin.version}",
        f"Let base.apt.mirror be a snapshot mirror, which keeps old versions, or {newer}",
    )
