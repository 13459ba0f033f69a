"""Render the software of every distinct stack of layers once, so that what does not fit is said before a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mvpc.errors import InputError, Problem
from mvpc.fleet import Fleet
from mvpc.model import Device
from mvpc.profiles import Codes
from mvpc.render.software import resources
from mvpc.render.software.trial import template_problems

_LAPTOP = Device(number=1, hostname="nb-check", inventory_number="", serial="", authority="", site="")
"""Stands for any laptop with the newest release."""


def software_problems(fleet: Fleet, codes: Iterable[Codes]) -> tuple[Problem, ...]:
    """Templates of the catalogue that fail, and choices that do not go together, at the layer that leads to them."""
    catalogue = fleet.profiles.catalogue
    stacks = dict.fromkeys(fleet.profiles.layers.stack(**each) for each in codes)
    return (*template_problems(fleet.project.root, catalogue), *_clashes(fleet, stacks))


def _clashes(fleet: Fleet, stacks: Iterable[tuple[str, ...]]) -> Iterator[Problem]:
    for stack in stacks:
        try:
            resources(_LAPTOP, fleet.profiles.of_stack(stack).settings, fleet.profiles.catalogue)
        except InputError as error:
            yield from (Problem(stack[-1], f"software: {each.what}", each.hint) for each in error.problems)
