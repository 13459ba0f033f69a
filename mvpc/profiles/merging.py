"""Fold layers into one, with the place of every value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mvpc.errors import InputError, Problem
from mvpc.model import Origin, Scalar, Source
from mvpc.profiles.paths import Keys, covers, dotted, in_order
from mvpc.yamlfile import MappingNode, Node, ScalarNode, to_plain


@dataclass(frozen=True, slots=True)
class Layer:
    """One YAML file: its settings, and the paths that layers below it may not set."""

    file: str
    settings: MappingNode
    locks: Mapping[str, Source]


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """What the layers of a device say together, with the place of every value. Not yet checked against the schema."""

    files: tuple[str, ...]
    values: Mapping[str, Any]
    origins: Mapping[Keys, Origin]
    maps: Mapping[Keys, Source]
    """First line of every map."""
    locks: Mapping[str, Source]

    def place(self, path: Sequence[str | int]) -> Source:
        """The line that a path comes from; for a path that nobody wrote, the line of what it would stand in."""
        keys = tuple(str(key) for key in path)
        while keys:
            if keys in self.origins:
                return self.origins[keys].source
            if keys in self.maps:
                return self.maps[keys]
            keys = keys[:-1]
        return Source(self.files[0], 1)


def merge(layers: Iterable[Layer]) -> Merged:
    """Fold layers from left to right; maps merge, everything else replaces.

    Raises:
        InputError: a layer sets what one above it has locked, or puts a map over a value or a value over a map;
            with all such places.
    """
    state = _Merging()
    for layer in layers:
        state.add(layer)
    if state.problems:
        raise InputError.of(in_order(state.problems))
    return state.result()


def flatten(merged: Merged, *above: str) -> dict[str, Scalar]:
    """Dotted path -> value of everything that the layers say below some keys. Secrets are names of references."""
    return {dotted(keys): origin.value for keys, origin in merged.origins.items() if keys[: len(above)] == above}


_AS_A_MAP = "Write `name: value` lines, indented, as in that place"
"""A list is what people write who think that layers add up."""


@dataclass(slots=True)
class _Merging:
    """The state of one merge: for every leaf its values, the winner last."""

    leaves: dict[Keys, list[tuple[Scalar, Source]]] = field(default_factory=dict)
    raw: dict[Keys, Any] = field(default_factory=dict)
    maps: dict[Keys, Source] = field(default_factory=dict)
    locks: dict[str, Source] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, layer: Layer) -> None:
        self.files.append(layer.file)
        for key, node in layer.settings.entries.items():
            self._put((key,), node)
        self.locks = {**layer.locks, **self.locks}

    def _put(self, path: Keys, node: Node) -> None:
        if isinstance(node, MappingNode):
            if path in self.leaves:
                self._clash(
                    path,
                    node.source,
                    self.leaves[path][-1][1],
                    "a map stands over a value",
                    "Write one value, as there",
                )
                return
            self.maps.setdefault(path, node.source)
            for key, child in node.entries.items():
                self._put((*path, key), child)
        elif path in self.maps:
            self._clash(path, node.source, self.maps[path], "a value stands over a map", _AS_A_MAP)
        elif not self._locked(path, node.source):
            self.leaves.setdefault(path, []).append((_shown(node), node.source))
            self.raw[path] = to_plain(node)

    def _clash(self, path: Keys, here: Source, there: Source, what: str, step: str) -> None:
        self.problems.append(Problem(str(here), f"{dotted(path)}: {what} from {there}", step))

    def _locked(self, path: Keys, here: Source) -> bool:
        name = dotted(path)
        for lock, there in self.locks.items():
            if covers(lock, name) or covers(name, lock):
                step = "Remove it here, or ask the owner of that layer"
                self.problems.append(Problem(str(here), f"{name}: locked by {there} (lock: {lock})", step))
                return True
        return False

    def result(self) -> Merged:
        values: dict[str, Any] = {}
        for path in self.maps:
            _child(values, path)
        for path, value in self.raw.items():
            _child(values, path[:-1])[path[-1]] = value
        origins = {path: _origin(found) for path, found in self.leaves.items()}
        return Merged(tuple(self.files), values, origins, self.maps, self.locks)


def _child(values: dict[str, Any], path: Keys) -> dict[str, Any]:
    for key in path:
        values = values.setdefault(key, {})
    return values


def _origin(found: list[tuple[Scalar, Source]]) -> Origin:
    *overridden, (value, source) = found
    return Origin(value, source, tuple(reversed(overridden)))


def _shown(node: Node) -> Scalar:
    return node.value if isinstance(node, ScalarNode) else json.dumps(to_plain(node), ensure_ascii=False)
