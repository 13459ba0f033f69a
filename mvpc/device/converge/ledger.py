"""The ledger: what the laptop itself remembers of what was applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from mvpc.device.converge.machine import Machine, read_text, write_private
from mvpc.device.converge.request import read_field, read_resource
from mvpc.device.converge.resources import KINDS
from mvpc.device.converge.words import FORMAT, Refused

LEDGER = "/var/lib/mvpc/ledger.json"


class Entry(NamedTuple):
    """What the ledger knows of one component. Without digest it was begun and not finished."""

    digest: str = ""
    resources: tuple[Any, ...] = ()
    pending: tuple[str, ...] = ()
    """Notifications that must still follow the changes made."""


class Ledger:
    """The file of what was applied. It is believed only on the machine that wrote it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.machine_id = read_text(machine.path("/etc/machine-id"))
        self.generation = 0
        self.entries: Mapping[str, Entry] = {}
        self.state = self._load()
        self.next_generation = self.generation

    def _load(self) -> str:
        """Take over what the file says if it is whole and ours; the result says what became of it."""
        try:
            data = json.loads(self.machine.path(LEDGER).read_bytes())
            if data["machine_id"] != self.machine_id:
                return "of another machine"
            entries = {name: read_entry(entry) for name, entry in data["components"].items()}
            self.generation, self.entries = int(data["generation"]), entries
        except FileNotFoundError:
            return "missing"
        except (OSError, ValueError, KeyError, TypeError, AttributeError, Refused):
            return "unreadable"
        return "ok"

    def entry(self, name: str) -> Entry:
        """What is known of a component, if anything."""
        return self.entries.get(name, Entry())

    def put(self, name: str, entry: Entry) -> None:
        """Remember an entry. Raises OSError, and then still says what the disk says."""
        if self.entries.get(name) != entry:
            self._save({**self.entries, name: entry})

    def close(self) -> None:
        """Remember the new generation also when no entry had to be written; raises OSError."""
        if self.generation != self.next_generation:
            self._save(self.entries)

    def text(self, entries: Mapping[str, Entry]) -> bytes:
        """The file as it is with these entries."""
        data = {
            "format": FORMAT,
            "machine_id": self.machine_id,
            "generation": self.next_generation,
            "components": {name: write_entry(entry) for name, entry in entries.items()},
        }
        return json.dumps(data).encode()

    def _save(self, entries: Mapping[str, Entry]) -> None:
        write_private(self.machine, self.machine.path(LEDGER), self.text(entries))
        self.generation, self.entries, self.state = self.next_generation, entries, "ok"


def read_entry(data: Mapping[str, Any]) -> Entry:
    """One component of the ledger file."""
    return Entry(
        digest=str(data["digest"]),
        resources=tuple(read_resource(each, ledger=True) for each in data["resources"]),
        pending=read_field("tuple[str, ...]", "notify", data["pending"]),
    )


def write_entry(entry: Entry) -> dict[str, Any]:
    """The reverse of `read_entry`."""
    kind_of = {kind: name for name, kind in KINDS.items()}
    resources = [{"kind": kind_of[type(each)], **each._asdict()} for each in entry.resources]
    return {"digest": entry.digest, "resources": resources, "pending": list(entry.pending)}
