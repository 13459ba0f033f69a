"""Simulated laptops: how they behave, and what they remember. Their memory outlives a killed mvpc, as real ones do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mvpc.chances import Chances
from mvpc.rings import share

_TABLE = """
CREATE TABLE IF NOT EXISTS ledger (
  device TEXT, component TEXT, digest TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (device, component)
) WITHOUT ROWID
"""

Entry = tuple[str, str, str, int]
"""Device, component, its digest (empty when the attempt did not finish) and generation."""


@dataclass(kw_only=True, slots=True)
class Ledger:
    """What one laptop remembers."""

    generation: int = 0
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Laptops:
    """The laptops of one simulated fleet. Each trait of a laptop is a throw of dice that only depends on the seed."""

    memory: Path
    """Database file with all their ledgers; no part of mvpc's own."""
    chances: Chances

    def is_away(self, device: str, at: datetime) -> bool:
        """Whether a laptop does not answer at that moment. Each laptop's dice are thrown at times of its own."""
        turn = int(at.timestamp() / self.chances.away_seconds + self._dice(device, "turn"))
        return self._dice(device, "away", str(turn)) * 100 < self.chances.away

    def hangs(self, device: str) -> bool:
        """Whether work on a laptop never comes to an end."""
        return self._dice(device, "hanging") * 100 < self.chances.hanging

    def is_slow(self, device: str) -> bool:
        """Whether a laptop needs ten times as long as others."""
        return self._dice(device, "slow") * 100 < self.chances.slow

    def failing(self, device: str, components: Collection[str], generation: int) -> str:
        """The component that fails on a laptop in the rollout with that generation; empty when none does."""
        if self._dice(device, "failing", str(generation)) * 100 >= self.chances.failing:
            return ""
        return min(components, key=lambda name: self._dice(device, "which", name, str(generation)))

    def updates(self, device: str) -> int:
        """Number of pending updates."""
        return int(self._dice(device, "updates") * 15)

    def ledgers(self, devices: Collection[str]) -> dict[str, Ledger]:
        """What these laptops remember; one that was never worked on remembers nothing and is left out."""
        found: dict[str, Ledger] = {}
        query = "SELECT * FROM ledger WHERE device IN (SELECT value FROM json_each(?))"
        with closing(self._open()) as memory:
            for device, component, digest, generation in memory.execute(query, (json.dumps(list(devices)),)):
                ledger = found.setdefault(device, Ledger())
                ledger.digests[component] = digest
                ledger.generation = max(ledger.generation, generation)
        return found

    def remember(self, entries: Iterable[Entry]) -> None:
        """Let laptops remember what was done on them."""
        with closing(self._open()) as memory, memory:
            memory.executemany("INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?)", entries)

    def _open(self) -> sqlite3.Connection:
        memory = sqlite3.connect(self.memory, timeout=10)
        memory.execute("PRAGMA synchronous = OFF")
        memory.execute(_TABLE)
        return memory

    def _dice(self, *words: str) -> float:
        return share(str(self.chances.seed), *words)
