"""Every setting that holds for a device, the defaults too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mvpc.catalogue import Choice
from mvpc.model import Origin, Scalar, Source
from mvpc.profiles import Keys, Merged, covers, dotted
from mvpc.settings.models import Settings
from mvpc.settings.stacks import Profile

DEFAULT = "default"
"""Stands for the place of a setting that no layer sets."""


@dataclass(frozen=True, slots=True)
class Value:
    """One setting: its value, and where it comes from."""

    path: str
    value: Scalar
    origin: Origin | None
    """None: no layer sets it, the default of mvpc or of the product holds."""
    lock: tuple[str, Source] | None
    """The locked path that it lies in, and the layer that locked it."""

    @property
    def place(self) -> str:
        """`file:line`, or `default`."""
        return str(self.origin.source) if self.origin else DEFAULT


def effective(profile: Profile) -> tuple[Value, ...]:
    """All settings of one profile in the order of the schema. Unset ones without a default are left out."""
    merged, software = profile.merged, profile.settings.software
    return tuple(
        Value(dotted(keys), value, _origin(merged, keys, software), _lock(merged, dotted(keys)))
        for keys, value in _leaves((), _values(profile.settings))
        if value is not None or keys in merged.origins
    )


def _values(settings: Settings) -> dict[str, Any]:
    """The settings as nested maps, products as a profile would write them."""
    values = settings.model_dump(exclude={"software"})
    return {**values, "software": {name: choice.flat for name, choice in settings.software.items()}}


def _leaves(path: Keys, values: Mapping[str, Any]) -> Iterator[tuple[Keys, Scalar]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves((*path, key), value)
        else:
            yield (*path, key), value


def _origin(merged: Merged, keys: Keys, software: Mapping[str, Choice]) -> Origin | None:
    """The line that decided. What a kit or a replacing product decided comes from the line that chose that one."""
    own = merged.origins.get(keys)
    choice = software.get(keys[1]) if keys[0] == "software" and keys[2:] == ("state",) else None
    if choice is None or choice.cause is None:
        return own
    cause = software[choice.cause].kit or choice.cause
    overridden = ((own.value, own.source), *own.overrides) if own else ()
    return Origin(choice.state, merged.place(("software", cause, "state")), overridden)


def _lock(merged: Merged, path: str) -> tuple[str, Source] | None:
    return next(((lock, source) for lock, source in merged.locks.items() if covers(lock, path)), None)
