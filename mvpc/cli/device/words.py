"""How devices and their changes are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mvpc.cli.console import print_table, say
from mvpc.cli.words import count
from mvpc.inventory.export import to_plain
from mvpc.inventory.reading import Import
from mvpc.model import DeviceEvent
from mvpc.text import safe

_LONGEST = 32
"""Longer values, such as keys, are cut."""

_SHOWN = 20
"""How many devices of a difference are listed; the rest is counted."""


def show_import(found: Import, file: Path) -> None:
    """Print what was found in a file and what it would change."""
    changes = found.difference
    say(
        f"{file}: {count(found.rows, 'row')} ({found.found}): {len(changes.new)} new, {len(changes.changed)} changed, "
        f"{len(changes.unchanged)} unchanged"
    )
    _print_some(
        "New",
        ("hostname", "inventory number", "authority", "site", "state"),
        [(one.hostname, one.inventory_number, one.authority, one.site, one.state) for one in changes.new],
    )
    _print_some(
        "Changed", ("hostname", "what"), [(one.before.hostname, as_words(one.fields)) for one in changes.changed]
    )


def _print_some(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        print_table(title, columns, rows[:_SHOWN])
    if len(rows) > _SHOWN:
        say(f"... and {len(rows) - _SHOWN} more; all of them with --json")


def difference_data(found: Import) -> dict[str, object]:
    """What an import would change, in full."""
    changes = found.difference
    return {
        "found": found.found,
        "rows": found.rows,
        "new": [to_plain(one) for one in changes.new],
        "changed": [{"hostname": one.before.hostname, "changes": one.fields} for one in changes.changed],
        "unchanged": len(changes.unchanged),
    }


def event_data(event: DeviceEvent) -> dict[str, object]:
    """One entry of the history."""
    return {"at": event.at.isoformat(), "actor": event.actor, "action": event.action, "changes": dict(event.changes)}


def as_words(changes: Mapping[str, tuple[str, str]]) -> str:
    """Changed fields on one line."""
    return ", ".join(_change(name.replace("_", " "), before, after) for name, (before, after) in changes.items())


def _change(name: str, before: str, after: str) -> str:
    if not before:
        return f"{name} {_cut(after)}"
    return f"{name} {_cut(before)} -> {_cut(after) or '(empty)'}"


def _cut(value: str) -> str:
    """Long words by their beginning and their end: all keys of one kind begin alike. Sentences stay whole."""
    return " ".join(word if len(word) <= _LONGEST else f"{word[:15]}…{word[-12:]}" for word in safe(value).split(" "))
