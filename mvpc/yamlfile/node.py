"""The tree of a YAML file: values that know their line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvpc.model import Scalar, Source


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """Text, whole number, true, false or null."""

    value: Scalar
    source: Source


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    items: tuple[Node, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A map. The source of each entry is the line of its key."""

    entries: Mapping[str, Node]
    source: Source


Node = ScalarNode | SequenceNode | MappingNode


def to_plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars, without positions."""
    if isinstance(node, MappingNode):
        return {key: to_plain(value) for key, value in node.entries.items()}
    if isinstance(node, SequenceNode):
        return [to_plain(item) for item in node.items]
    return node.value


def at(node: Node, source: Source) -> Node:
    """The same node at the line of its key."""
    if node.source == source:
        return node
    if isinstance(node, MappingNode):
        return MappingNode(node.entries, source)
    if isinstance(node, SequenceNode):
        return SequenceNode(node.items, source)
    return ScalarNode(node.value, source)


def place_of(node: Node, path: Sequence[str | int]) -> Source:
    """The line of a path in a file, or of the nearest thing around it."""
    for key in path:
        if isinstance(node, MappingNode) and key in node.entries:
            node = node.entries[str(key)]
        elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.items):
            node = node.items[key]
        else:
            break
    return node.source
