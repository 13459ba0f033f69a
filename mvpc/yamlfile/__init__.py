"""Strict YAML with positions: what people write under profiles/ and inventory/ means what it looks like.

YAML bends plain text (`NO` becomes false, `1.10` becomes 1.1, `0755` becomes 493). Such text is refused here
with the fix, and so are duplicate keys, anchors, merge keys and tags. Messages never show a value, since
a password may stand in the wrong place.
"""

from __future__ import annotations

from pathlib import Path

from mvpc.errors import InputError, Problem
from mvpc.model import Source
from mvpc.yamlfile.characters import HIDDEN, MAX_BYTES, decoded
from mvpc.yamlfile.compose import Composer, syntax_problem
from mvpc.yamlfile.node import MappingNode, Node, ScalarNode, SequenceNode, place_of, to_plain

__all__ = [
    "HIDDEN",
    "MappingNode",
    "Node",
    "ScalarNode",
    "SequenceNode",
    "load",
    "parse",
    "place_of",
    "syntax_problem",
    "to_plain",
]


def load(path: Path, *, root: Path) -> Node:
    """Read one YAML file; sources name it relative to `root`. A file without content is an empty map.

    Raises:
        InputError: with every problem of the file that can be found at once.
    """
    file = path.relative_to(root).as_posix()
    try:
        if not path.is_file():
            raise InputError("the file does not exist or is no regular file", where=file)
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror})", where=file) from error
    return parse(data, file=file)


def parse(data: bytes | str, *, file: str) -> Node:
    """The node tree of a YAML text; `file` is what sources and problems name.

    Raises:
        InputError: with every problem of the text that can be found at once.
    """
    text = decoded(data.encode() if isinstance(data, str) else data, file)
    composer = Composer(file)
    node = composer.compose(text)
    if composer.problems:
        raise InputError.of(sorted(composer.problems, key=_line_of))
    return node or MappingNode({}, Source(file, 1))


def _line_of(problem: Problem) -> int:
    return int(problem.where.rpartition(":")[2])
