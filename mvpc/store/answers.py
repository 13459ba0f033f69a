"""Store what laptops say of themselves. Only the standard library: where nothing is to do, nothing else is written.

See ADR 4. `store.write` stores everything else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from mvpc.model import Probe, Reach, Reachability
from mvpc.store import rows, schema
from mvpc.store.software import service_rows

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

_STORE_SERVICE = (
    "INSERT INTO service_state (device, product, name, url, state, detail, at, since) "
    "VALUES (:device, :product, :name, :url, :state, :detail, :at, :since) "
    "ON CONFLICT (device, product) DO UPDATE SET name = excluded.name, url = excluded.url, state = excluded.state, "
    "detail = excluded.detail, at = excluded.at, "
    "since = CASE WHEN (state = :reachable) = (excluded.state = :reachable) THEN since ELSE excluded.since END"
)
_FORGET_SERVICES = (
    "DELETE FROM service_state WHERE device = :device AND product NOT IN (SELECT value FROM json_each(:products))"
)
"""What a profile does not choose any more."""


def record_probes(path: Path, probes: Sequence[Probe]) -> None:
    """Store what laptops said, all or nothing, durable when it returns.

    Of services, the last answer of a laptop that was not asked, or gave none, stays.

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
        for probe in probes:
            if probe.services is not None:
                _record_services(connection, numbers[probe.device], probe)


def _record_services(connection: sqlite3.Connection, number: int, probe: Probe) -> None:
    """Store which services a laptop reaches; since when is kept as long as that does not change."""
    found = service_rows(number, probe)
    products = json.dumps([row["product"] for row in found])
    connection.execute(_FORGET_SERVICES, {"device": number, "products": products})
    reachable = str(Reachability.REACHABLE)
    connection.executemany(_STORE_SERVICE, [{**row, "reachable": reachable} for row in found])


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
