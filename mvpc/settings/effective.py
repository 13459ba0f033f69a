"""Every setting that holds for a device, the defaults too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mvpc.model import Origin, Scalar, Source
from mvpc.profiles import Keys, Merged, covers, dotted
from mvpc.settings.stacks import Profile

DEFAULT = "default"
"""Stands for the place of a setting that no layer sets."""


@dataclass(frozen=True, slots=True)
class Value:
    """One setting: its value, and where it comes from."""

    path: str
    value: Scalar
    origin: Origin | None
    """None: no layer sets it, the default of mvpc holds."""
    lock: tuple[str, Source] | None
    """The locked path that it lies in, and the layer that locked it."""

    @property
    def place(self) -> str:
        """`file:line`, or `default`."""
        return str(self.origin.source) if self.origin else DEFAULT


def effective(profile: Profile) -> tuple[Value, ...]:
    """All settings of one profile in the order of the schema. Unset ones without a default are left out."""
    merged = profile.merged
    return tuple(
        Value(dotted(keys), value, merged.origins.get(keys), _lock(merged, dotted(keys)))
        for keys, value in _leaves((), profile.settings.model_dump())
        if value is not None or keys in merged.origins
    )


def _leaves(path: Keys, values: Mapping[str, Any]) -> Iterator[tuple[Keys, Scalar]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves((*path, key), value)
        else:
            yield (*path, key), value


def _lock(merged: Merged, path: str) -> tuple[str, Source] | None:
    return next(((lock, source) for lock, source in merged.locks.items() if covers(lock, path)), None)
