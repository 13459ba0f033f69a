"""Two versions of the profiles: which devices get something else, and what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mvpc.localroles import FOLDER
from mvpc.model import Scalar
from mvpc.profiles import Codes
from mvpc.settings.effective import effective
from mvpc.settings.stacks import Profile, Profiles


@dataclass(frozen=True, slots=True, order=True)
class Side:
    """One setting in one version. `place` is `file:line`, or `default`; empty where the setting does not exist."""

    value: Scalar
    place: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that is not the same in both versions."""

    path: str
    old: Side
    new: Side


def compare(old: Profiles, new: Profiles, devices: Iterable[Codes]) -> dict[Difference, tuple[str, ...]]:
    """Difference -> hostnames that it concerns, both in order. Devices without any difference do not appear.

    Raises:
        InputError: one of the two versions is wrong.
    """
    known: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Difference, ...]] = {}
    found: dict[Difference, list[str]] = {}
    for codes in devices:
        stacks = (old.layers.stack(**codes), new.layers.stack(**codes))
        if stacks not in known:
            before, after = old.of_stack(stacks[0]), new.of_stack(stacks[1])
            known[stacks] = (
                *_settings(before, after),
                *_products(old, new, before, after),
                *_roles(old, new, before, after),
            )
        for difference in known[stacks]:
            found.setdefault(difference, []).append(codes["hostname"])
    ordered = sorted(found, key=lambda each: (each.path, each.new.place, str(each.old), str(each.new)))
    return {difference: tuple(sorted(found[difference])) for difference in ordered}


def _settings(before: Profile, after: Profile) -> Iterator[Difference]:
    """Settings whose value differs. That a value moved to another line changes no laptop."""
    old = {each.path: Side(each.value, each.place) for each in effective(before)}
    new = {each.path: Side(each.value, each.place) for each in effective(after)}
    for path in {**old, **new}:
        sides = old.get(path, Side(None)), new.get(path, Side(None))
        if (sides[0].value, type(sides[0].value)) != (sides[1].value, type(sides[1].value)):
            yield Difference(path, *sides)


def _products(old: Profiles, new: Profiles, before: Profile, after: Profile) -> Iterator[Difference]:
    """Products that both versions choose, but that the catalogue describes differently."""
    for name, state in after.settings.software.items():
        if before.settings.software.get(name) != state:
            continue
        sides = old.catalogue[name].contents, new.catalogue[name].contents
        for key in sorted({**sides[0], **sides[1]}):
            values = [side.get(key, "") for side in sides]
            if values[0] != values[1]:
                place = f"profiles/catalogue/{name}.yml"
                yield Difference(f"catalogue.{name}.{key}", Side(values[0], place), Side(values[1], place))


def _roles(old: Profiles, new: Profiles, before: Profile, after: Profile) -> Iterator[Difference]:
    """Files of roles that run in both versions, but are not the same."""
    for name, choice in after.settings.local.items():
        earlier = before.settings.local.get(name)
        if earlier is None or {earlier.state, choice.state} != {"present"}:
            continue
        sides = old.roles[name].files, new.roles[name].files
        for path in sorted({**sides[0], **sides[1]}):
            marks = [side.get(path, "")[:12] for side in sides]
            if sides[0].get(path) != sides[1].get(path):
                place = f"{FOLDER}/{name}/{path}"
                yield Difference(f"role {name}: {path}", Side(marks[0], place), Side(marks[1], place))
