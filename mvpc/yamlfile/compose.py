"""Parser events to nodes, with every problem on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from mvpc.errors import Problem
from mvpc.model import Scalar, Source
from mvpc.yamlfile.characters import HIDDEN
from mvpc.yamlfile.node import MappingNode, Node, ScalarNode, SequenceNode, at
from mvpc.yamlfile.scalar import bent, resolved

MAX_DEPTH = 32
"""Deeper nesting is an attack on the parser or a mistake."""

_Event = Any
"""An event of PyYAML's parser, whose attributes have no types."""


class _TooDeepError(Exception):
    """Stops the parser early: scanning deep nesting to its end takes quadratic time."""


@dataclass(slots=True)
class Composer:
    """Builds nodes from parser events. A node that has a problem becomes null, so that the rest is still checked."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def compose(self, text: str) -> Node | None:
        """The tree of one document; None when it has no content. What is wrong is added to `problems`."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            return self._document(yaml.parse(text, Loader=loader))
        except yaml.MarkedYAMLError as error:
            self.problems.append(syntax_problem(error, self.file))
        except yaml.YAMLError:
            self.problems.append(Problem(f"{self.file}:1", "this is not valid YAML"))
        except _TooDeepError:
            pass
        return None

    def _document(self, events: Iterator[_Event]) -> Node | None:
        node: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    self._add(event, "a second document starts here", "Keep one document per file: remove the ---")
            elif isinstance(event, yaml.NodeEvent):
                if _is_empty(event):
                    continue
                node = self._node(event, events, 0)
        return node

    def _node(self, event: _Event, events: Iterator[_Event], depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._add(event, f"nested deeper than {MAX_DEPTH} levels")
            raise _TooDeepError
        source = self._source(event)
        if isinstance(event, yaml.AliasEvent):
            self._add(event, "an alias (*name) stands here", "Write the value out; layers are there for what is shared")
            return ScalarNode(None, source)
        if event.anchor is not None:
            self._add(event, "an anchor (&name) stands here", "Remove it; layers are there for what is shared")
        if event.tag is not None:
            self._add(event, "a tag (!name) stands here", "Remove it; put text in quotes to keep it text")
        if isinstance(event, yaml.MappingStartEvent):
            return MappingNode(self._entries(events, depth), source)
        if isinstance(event, yaml.SequenceStartEvent):
            return SequenceNode(tuple(self._items(events, depth)), source)
        return ScalarNode(self._scalar(event), source)

    def _items(self, events: Iterator[_Event], depth: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, events, depth + 1)

    def _entries(self, events: Iterator[_Event], depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, events, depth)
            value = at(self._node(next(events), events, depth + 1), self._source(event))
            if key in entries:
                hint = "Keep one of the two; the other would be lost"
                self._add(event, f"key {key!r} was already given in line {entries[key].source.line}", hint)
            elif key is not None:
                entries[key] = value
        return entries

    def _key(self, event: _Event, events: Iterator[_Event], depth: int) -> str | None:
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, events, depth + 1)
            self._add(event, "a key must be text", "Write `name: value`")
            return None
        if event.value == "<<" and not event.style:
            self._add(
                event, "a merge key (<<) stands here", "Write the entries out; layers are there for what is shared"
            )
            return None
        before = len(self.problems)
        node = self._node(event, events, depth)
        value = node.value if isinstance(node, ScalarNode) else None
        if len(self.problems) > before:
            return None
        if not isinstance(value, str):
            self._add(event, "a key must be text", "Put it in quotes")
            return None
        if HIDDEN.search(value) or "\n" in value:
            self._add(event, "the key holds an invisible character", "Delete it")
            return None
        return value

    def _scalar(self, event: _Event) -> Scalar:
        text: str = event.value
        if found := _BROKEN.search(text):
            nul = found[0] == "\0"
            what = "the character NUL (\\0)" if nul else "half of a character (\\ud800 to \\udfff)"
            self._add(event, f"the text holds {what}", "Remove it" if nul else "Write the whole character")
            return None
        if event.style:
            return text
        wrong = bent(text)
        if wrong:
            self._add(event, *wrong)
            return None
        return resolved(text)

    def _source(self, event: _Event) -> Source:
        return Source(self.file, event.start_mark.line + 1)

    def _add(self, event: _Event, what: str, hint: str = "") -> None:
        self.problems.append(Problem(str(self._source(event)), what, hint))


_BROKEN = re.compile("[\0\ud800-\udfff]")
"""What no text file can hold. `render.pattern` relies on it."""

_SYNTAX = (
    (
        re.compile("end of stream|document indicator|block mapping.*flow"),
        "a quote or bracket that opens here is never closed",
    ),
    (
        re.compile("mapping values are not allowed"),
        "a `: ` is not allowed here; check the indentation, and put text that holds one in quotes",
    ),
    (re.compile("could not find expected ':'"), "a `:` is missing after the key"),
    (re.compile("cannot start any token"), "text that begins with this character must stand in quotes"),
    (re.compile("',' or '[]}]'"), "a comma or the closing bracket is missing"),
    (re.compile("escape"), "an unknown escape (\\x) in double quotes; use single quotes for text with backslashes"),
    (
        re.compile("expected (key|<block end>|'-' indicator)"),
        "the line does not fit the ones above it; check its indentation and quotes",
    ),
)


def syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    """A sentence instead of the parser's words. The parser's snippet is left out, since it may hold a secret."""
    problem = error.problem or ""
    mark = error.problem_mark
    if error.context_mark and ("end of stream" in problem or "could not find expected" in problem):
        mark = error.context_mark
    sentence = next((words for pattern, words in _SYNTAX if pattern.search(problem)), "this is not valid YAML")
    return Problem(f"{file}:{mark.line + 1 if mark else 1}", sentence)


def _is_empty(event: _Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and not event.value and not event.style and event.tag is None
