"""Read `inventory/organisation.yml`, and say of everything wrong in it where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from mvpc.errors import InputError, Problem
from mvpc.organisation.tree import FILE, Authority, Organisation, Period, Ressort, Site, Span, nearest
from mvpc.yamlfile import MappingNode, Node, ScalarNode, SequenceNode, load

_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_CODE_RULE = "A code is up to 32 letters a-z, digits and hyphens, and begins with a letter"

_Value = TypeVar("_Value")


def load_organisation(root: Path) -> Organisation:
    """Read `inventory/organisation.yml` below the project's root.

    Raises:
        InputError: with every problem of the file.
    """
    reading = _Reading()
    organisation = reading.organisation(load(root / FILE, root=root))
    if reading.problems:
        raise InputError.of(sorted(reading.problems, key=_line_of))
    return organisation


def _line_of(problem: Problem) -> int:
    return int(problem.where.rpartition(":")[2])


# --- reading ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Reading:
    """Walks the node tree and collects problems. What has one is left out, so that the rest is still checked."""

    problems: list[Problem] = field(default_factory=list)

    def organisation(self, node: Node) -> Organisation:
        parts = self.fields(node, required=("operators", "ressorts", "sites", "authorities"))
        operators = dict(self.coded(parts.get("operators"), lambda _, item: self.text(item)))
        ressorts = dict(self.coded(parts.get("ressorts"), self.ressort))
        sites = dict(self.coded(parts.get("sites"), lambda code, item: Site(code=code, name=self.text(item))))
        return Organisation(
            operators=operators,
            ressorts=ressorts,
            sites=sites,
            authorities=dict(
                self.coded(
                    parts.get("authorities"), lambda code, item: self.authority(code, item, operators, ressorts, sites)
                )
            ),
        )

    def ressort(self, code: str, node: Node) -> Ressort:
        parts = self.fields(node, required=("name", "from"), optional=("to",))
        return Ressort(code=code, name=self.text(parts.get("name")), span=self.span(parts))

    def authority(
        self,
        code: str,
        node: Node,
        operators: Mapping[str, str],
        ressorts: Mapping[str, Ressort],
        sites: Mapping[str, Site],
    ) -> Authority:
        parts = self.fields(node, required=("name", "sites", "belongs"))
        periods = [self.period(item, operators, ressorts) for item in self.items(parts.get("belongs"))]
        self.in_order(periods, parts.get("belongs"))
        return Authority(
            code=code,
            name=self.text(parts.get("name")),
            sites=tuple(self.reference("site", item, sites) for item in self.items(parts.get("sites"))),
            periods=tuple(periods),
        )

    def period(self, node: Node, operators: Mapping[str, str], ressorts: Mapping[str, Ressort]) -> Period:
        parts = self.fields(node, required=("ressort", "operator", "from"), optional=("to",))
        ressort = self.reference("ressort", parts.get("ressort"), ressorts)
        span = self.span(parts)
        if ressort in ressorts and not _within(span, ressorts[ressort].span):
            self.add(node, f"{ressort} does not exist all that time, only {ressorts[ressort].span}")
        return Period(ressort=ressort, operator=self.reference("operator", parts.get("operator"), operators), span=span)

    def in_order(self, periods: Sequence[Period], node: Node | None) -> None:
        for earlier, later in pairwise(periods):
            if earlier.span.last is None or earlier.span.last >= later.span.first:
                hint = f"End the earlier one on {_day_before(later.span.first)} or before, and sort them by time"
                self.add(node, f"two periods overlap: {earlier.span} and {later.span}", hint)

    def span(self, parts: Mapping[str, Node]) -> Span:
        first = self.day(parts["from"]) if "from" in parts else None
        last = self.day(parts["to"]) if "to" in parts else None
        if first and last and last < first:
            self.add(parts["to"], f"it ends ({last}) before it begins ({first})")
        return Span(first or date.min, last)

    # --- nodes

    def fields(self, node: Node, *, required: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Node]:
        if not isinstance(node, MappingNode):
            self.add(node, "names with values are expected here", f"Write {', '.join(required)}")
            return {}
        for name in required:
            if name not in node.entries:
                self.add(node, f"{name} is missing", "Add it")
        for name, item in node.entries.items():
            if name not in (*required, *optional):
                self.add(item, f"{name} is not known here", nearest(name, (*required, *optional)))
        return node.entries

    def coded(self, node: Node | None, read: Callable[[str, Node], _Value]) -> Iterator[tuple[str, _Value]]:
        """Entries under a code each; codes become lower case."""
        if node is None:
            return
        if not isinstance(node, MappingNode):
            self.add(node, "entries of the form `code: ...` are expected here")
            return
        seen: set[str] = set()
        for text, item in node.entries.items():
            code = text.lower()
            if not _CODE.match(code):
                self.add(item, f"{text!r} is no code", _CODE_RULE)
            elif code in seen:
                self.add(item, f"the code {code} is there twice", "Upper and lower case mean the same")
            else:
                seen.add(code)
                yield code, read(code, item)

    def items(self, node: Node | None) -> Sequence[Node]:
        if isinstance(node, SequenceNode) and node.items:
            return node.items
        if node is not None:
            self.add(node, "a list with at least one entry is expected here", "Write [one, two]")
        return ()

    def text(self, node: Node | None) -> str:
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, str) and value.strip():
            return value.strip()
        if node is not None:
            self.add(node, "text is expected here")
        return ""

    def day(self, node: Node) -> date | None:
        text = self.text(node)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            self.add(node, f"{text!r} is no date", 'Write it as "2025-07-22", in quotes')
            return None

    def reference(self, kind: str, node: Node | None, known: Collection[str]) -> str:
        code = self.text(node).lower()
        if code and code not in known:
            assert node is not None  # noqa: S101 - it had text
            self.add(node, f"{kind} {code!r} is not known", nearest(code, known) or f"Add it under {kind}s")
        return code

    def add(self, node: Node | None, what: str, hint: str = "") -> None:
        where = str(node.source) if node is not None else f"{FILE.as_posix()}:1"
        self.problems.append(Problem(where, what, hint))


def _within(inner: Span, outer: Span) -> bool:
    ends_inside = outer.last is None or (inner.last is not None and inner.last <= outer.last)
    return outer.first <= inner.first and ends_inside


def _day_before(day: date) -> date:
    return day - timedelta(days=1)
