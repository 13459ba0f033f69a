"""Store what laptops say of themselves. Only the standard library: where nothing is to do, nothing else is written.

See ADR 4. `store.write` stores everything else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from mvpc.model import Probe, Reach
from mvpc.store import rows, schema

_STORE = (
    "INSERT INTO device_state (device, at, reach, detail, last_seen, generation, digests, drift, facts) "
    "VALUES (:device, :at, :reach, :detail, :last_seen, :generation, :digests, :drift, :facts) "
    "ON CONFLICT (device) DO UPDATE SET at = excluded.at, reach = excluded.reach, detail = excluded.detail"
)
"""One that did not answer as itself leaves standing what it said before."""

_SELDOM = ("updates_pending", "updates_counted")
"""Facts that laptops are seldom asked for; what they last said stays until then."""

_KEPT = ", ".join(f"'{name}', json_extract(facts, '$.{name}')" for name in _SELDOM)
_STORE_ANSWER = (
    f"{_STORE}, last_seen = excluded.last_seen, generation = excluded.generation, digests = excluded.digests, "
    f"drift = excluded.drift, facts = json_patch(json_object({_KEPT}), excluded.facts)"
)


def record_probes(path: Path, probes: Sequence[Probe]) -> None:
    """Store what laptops said, all or nothing, durable when it returns.

    Raises:
        MvpcError: the database is damaged, in use or cannot be written, or a laptop is not in the inventory.
    """
    if not probes:
        return
    with _writing(path) as connection:
        numbers = _numbers(connection, (probe.device for probe in probes), path)
        for statement, reached in ((_STORE_ANSWER, True), (_STORE, False)):
            said = [probe for probe in probes if (probe.reach is Reach.REACHED) is reached]
            connection.executemany(statement, [rows.probe_row(numbers[probe.device], probe) for probe in said])


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction in a database that exists; what was not committed is undone when the connection is closed."""
    place = f"{path.resolve().as_uri()}?mode=rw"
    with (
        schema.in_words(path),
        closing(sqlite3.connect(place, uri=True, timeout=schema.BUSY_SECONDS, isolation_level=None)) as connection,
    ):
        for name, value in schema.PRAGMAS:
            connection.execute(f"PRAGMA {name}={value}")
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


def _numbers(connection: sqlite3.Connection, hostnames: Iterable[str], path: Path) -> dict[str, int]:
    wanted = set(hostnames)
    query = "SELECT hostname, number FROM device WHERE hostname IN (SELECT value FROM json_each(?))"
    found: dict[str, int] = dict(connection.execute(query, (json.dumps(sorted(wanted)),)))
    if unknown := sorted(wanted - found.keys()):
        raise schema.not_in_inventory(unknown[0], path)
    return found
