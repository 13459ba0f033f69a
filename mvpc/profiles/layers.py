"""Find and read layer files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

from mvpc.errors import InputError, Problem
from mvpc.model import Source
from mvpc.profiles.merging import Layer, Merged, merge
from mvpc.yamlfile import MappingNode, Node, ScalarNode, SequenceNode, load

FOLDER = "profiles"
KINDS = ("workplaces", "ressorts", "authorities", "devices")
"""Folders below `profiles/`, in the order in which their layers follow base.yml."""

SHORT = "software"
"""Below this key a plain value is short for its state: `gimp: present` means `gimp: {state: present}`."""

CODE = re.compile(r"^[a-z0-9][a-z0-9-]*$")


class Codes(TypedDict):
    """What decides which layers hold for a device: the keyword arguments of `Layers.stack`."""

    workplace: str
    ressort: str
    authority: str
    hostname: str


class Layers:
    """The layer files of one project folder. Each file is parsed once, each distinct stack of files merged once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        folder = root / FOLDER
        found = (folder / "base.yml", *(path for kind in KINDS for path in (folder / kind).glob("*.yml")))
        self.files = tuple(sorted(path.relative_to(root).as_posix() for path in found if path.is_file()))
        self._known = frozenset(self.files)
        self._layers: dict[str, Layer] = {}
        self._merged: dict[tuple[str, ...], Merged] = {}

    def stack(self, *, workplace: str, ressort: str, authority: str, hostname: str) -> tuple[str, ...]:
        """The layer files that hold for a device, base first. Only base.yml must exist.

        Raises:
            InputError: there is no base.yml, or a code could leave the folder.
        """
        base, *others = _candidates((workplace, ressort, authority, hostname))
        if base not in self._known:
            raise InputError("the file does not exist", where=base, hint="Every project needs this layer")
        return (base, *(file for file in others if file in self._known))

    def layer(self, file: str) -> Layer:
        """One parsed layer; raises InputError with every problem of the file."""
        if file not in self._layers:
            self._layers[file] = read_layer(self.root / file, root=self.root)
        return self._layers[file]

    def merged(self, files: tuple[str, ...]) -> Merged:
        """The merged layers of one stack; raises InputError with every problem of all its files."""
        if files not in self._merged:
            self._merged[files] = merge(_all_or_nothing(self.layer, files))
        return self._merged[files]


def read_layer(path: Path, *, root: Path) -> Layer:
    """Read one layer file; raises InputError with every problem in it."""
    node = load(path, root=root)
    if not isinstance(node, MappingNode):
        raise InputError("a layer must be a map", where=str(node.source), hint="Write `component: ...`")
    lock = node.entries.get("lock")
    settings = {key: _in_full(key, value) for key, value in node.entries.items() if key != "lock"}
    file = path.relative_to(root).as_posix()
    return Layer(file, MappingNode(settings, node.source), _locks(lock) if lock else {})


def is_note(path: Path) -> bool:
    """Whether a file is there for people or editors only: README.md, or a hidden one."""
    return path.suffix == ".md" or path.name.startswith(".")


def _in_full(key: str, node: Node) -> Node:
    """The node with short forms written out, so that every layer can add to every other."""
    if key != SHORT or not isinstance(node, MappingNode):
        return node
    entries = {
        name: value if isinstance(value, MappingNode) else MappingNode({"state": value}, value.source)
        for name, value in node.entries.items()
    }
    return MappingNode(entries, node.source)


def _candidates(codes: Iterable[str]) -> tuple[str, ...]:
    """The five layers in order of precedence, the last one wins."""
    files = [f"{FOLDER}/base.yml"]
    for kind, code in zip(KINDS, codes, strict=True):
        if not CODE.match(code):
            raise InputError(f"{code!r} cannot be the name of a layer", hint="Use lower-case letters, digits and -")
        files.append(f"{FOLDER}/{kind}/{code}.yml")
    return tuple(files)


def _all_or_nothing(read: Callable[[str], Layer], files: Iterable[str]) -> list[Layer]:
    layers: list[Layer] = []
    problems: list[Problem] = []
    for file in files:
        try:
            layers.append(read(file))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError.of(problems)
    return layers


def _locks(node: Node) -> dict[str, Source]:
    items = node.items if isinstance(node, SequenceNode) else ()
    locks = {item.value: item.source for item in items if isinstance(item, ScalarNode) and isinstance(item.value, str)}
    if not items or len(locks) != len(items):
        hint = "Write for example: lock: [base.ssh, vpn.provider]"
        raise InputError("lock: must be a list of different paths", where=str(node.source), hint=hint)
    return locks
