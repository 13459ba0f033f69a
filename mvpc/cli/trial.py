"""Render the software of every distinct stack of layers once, so that what does not fit is said before a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mvpc.cli.keyfiles import ANY_LAPTOP
from mvpc.errors import InputError, Problem
from mvpc.fleet import Fleet
from mvpc.model import Device
from mvpc.profiles import Codes
from mvpc.render.software import resources
from mvpc.render.software.trial import template_problems
from mvpc.software.missing import missing_products


def software_problems(fleet: Fleet, codes: Iterable[Codes], devices: Iterable[Device]) -> tuple[Problem, ...]:
    """Templates of the catalogue that fail, choices that do not go together, and what laptops cannot have."""
    catalogue = fleet.profiles.catalogue
    stacks = dict.fromkeys(fleet.profiles.layers.stack(**each) for each in codes)
    return (
        *template_problems(fleet.project.root, catalogue),
        *_clashes(fleet, stacks),
        *_missing(fleet, devices),
    )


def release_problems(fleet: Fleet) -> tuple[Problem, ...]:
    """What is wrong with release files."""
    try:
        _ = fleet.releases
    except InputError as error:
        return error.problems
    return ()


def _clashes(fleet: Fleet, stacks: Iterable[tuple[str, ...]]) -> Iterator[Problem]:
    catalogue = fleet.profiles.catalogue
    for stack in stacks:
        profile = fleet.profiles.of_stack(stack)
        if any(missing_products(ANY_LAPTOP, profile, catalogue)):
            continue  # perhaps no laptop with these layers has the newest release
        try:
            resources(ANY_LAPTOP, profile.settings, catalogue)
        except InputError as error:
            yield from (Problem(stack[-1], f"software: {each.what}", each.hint) for each in error.problems)


def _missing(fleet: Fleet, devices: Iterable[Device]) -> Iterator[Problem]:
    """Products that a laptop's operating system does not have: each once, for the first of these laptops."""
    first = {(fleet.profile_of(each), each.os): each for each in reversed([*devices]) if fleet.is_ours(each)}
    for (profile, _), device in first.items():
        yield from missing_products(device, profile, fleet.profiles.catalogue)
