"""Queries. Only the standard library, so that a question to one laptop is answered without loading SQLAlchemy."""

from __future__ import annotations

import difflib
import json
import sqlite3
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mvpc.deferred import RETURNED
from mvpc.errors import MvpcError, NotFoundError
from mvpc.model import (
    ComponentResult,
    ComponentState,
    Deferred,
    Device,
    DeviceEvent,
    DeviceSeen,
    Filter,
    LifeCycle,
    RolloutRecord,
    RolloutRow,
    RolloutState,
    Scalar,
    ServiceSeen,
    SoftwareSeen,
)
from mvpc.store import rows, schema
from mvpc.store.certificates import CertificateQueries
from mvpc.store.search import conditions, encodable, escaped
from mvpc.store.software import service_seen, software_seen

_DEFERRED = (
    "(SELECT deferred.*, rollout.state, reason, process, beat, ended, schedule "
    "FROM deferred JOIN rollout ON rollout.id = deferred.rollout)"
)
"""What waits, with the rollout that it waits for."""

_HIGHEST = 2**63 - 1
"""The highest number that SQLite can be asked for."""

_LISTED = 5
"""How many candidates a message names."""


class Reader(CertificateQueries):
    """The database, opened read-only. Use it as a context manager.

    Raises:
        MvpcError: there is no database, it is damaged, or its tables are older or newer than this mvpc.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    # --- devices

    def find(self, text: str) -> Device:
        """The one device with this hostname, inventory number or serial, or the one for which it is the beginning.

        Raises:
            NotFoundError: no device, or more than one; names what may have been meant.
        """
        text = encodable(text)
        exact = "hostname = :text OR inventory_number = :text OR serial = :text"
        begins = " OR ".join(f"{name} LIKE :text ESCAPE '\\'" for name in ("hostname", "inventory_number", "serial"))
        with schema.in_words(self._path):
            found = self._devices(exact, {"text": text}) or self._devices(begins, {"text": escaped(text) + "%"})
        if len(found) == 1 and text:
            return found[0]
        raise self._not_one(text, found)

    def devices(self, wanted: Filter | None = None) -> tuple[Device, ...]:
        """All devices that the filter lets through, by hostname."""
        found = list(conditions(wanted or Filter()))
        where = " AND ".join(f"({condition})" for condition, _ in found) or "1"
        values = {name: value for _, given in found for name, value in given.items()}
        with schema.in_words(self._path):
            return self._devices(where, values)

    def events(self, hostname: str) -> tuple[DeviceEvent, ...]:
        """The history of one device, newest first."""
        query = (
            "SELECT device.hostname, event.* FROM device_event AS event "
            "JOIN device ON device.number = event.device WHERE device.hostname = ? ORDER BY event.id DESC"
        )
        with schema.in_words(self._path):
            return tuple(rows.event(row) for row in self._connection.execute(query, (hostname,)))

    def counts(self) -> dict[tuple[str, LifeCycle], int]:
        """Number of devices by authority and state."""
        query = "SELECT authority, state, count(*) FROM device GROUP BY authority, state ORDER BY authority, state"
        with schema.in_words(self._path):
            return {(code, LifeCycle(state)): count for code, state, count in self._connection.execute(query)}

    # --- what devices proved

    def component_states(self, hostnames: Collection[str] | None = None) -> dict[str, dict[str, ComponentState]]:
        """Hostname -> component -> what it last proved; of all devices when none are named."""
        found: dict[str, dict[str, ComponentState]] = {}
        inputs: dict[str | None, dict[str, Scalar]] = {None: {}}
        with schema.in_words(self._path):
            for row in self._of_devices("component_state", hostnames):
                key = row["inputs_digest"]
                if key not in inputs:
                    inputs[key] = self._inputs(key)
                found.setdefault(row["hostname"], {})[row["component"]] = rows.component_state(row, inputs[key])
        return found

    def device_states(self, hostnames: Collection[str] | None = None) -> dict[str, DeviceSeen]:
        """Hostname -> what probes last learned of it; of all devices when none are named."""
        with schema.in_words(self._path):
            return {row["hostname"]: rows.seen(row) for row in self._of_devices("device_state", hostnames)}

    def software_states(self, hostnames: Collection[str] | None = None) -> dict[str, SoftwareSeen]:
        """Hostname -> what it last said about its software; those that were never asked are left out."""
        with schema.in_words(self._path):
            return {row["hostname"]: software_seen(row) for row in self._of_devices("software_state", hostnames)}

    def service_states(self, hostnames: Collection[str] | None = None) -> dict[str, tuple[ServiceSeen, ...]]:
        """Hostname -> central services that it was asked about, by name; of all devices when none are named."""
        found: dict[str, list[ServiceSeen]] = {}
        with schema.in_words(self._path):
            for row in self._of_devices("service_state", hostnames):
                found.setdefault(row["hostname"], []).append(service_seen(row))
        return {device: tuple(sorted(each, key=lambda one: one.name)) for device, each in found.items()}

    # --- rollouts

    def rollouts(self, *, limit: int = 50) -> tuple[RolloutRow, ...]:
        """The latest rollouts, newest first; at most `limit`."""
        query = "SELECT * FROM rollout ORDER BY id DESC LIMIT ?"
        with schema.in_words(self._path):
            return tuple(rows.rollout(row) for row in self._connection.execute(query, (min(limit, _HIGHEST),)))

    def last_begun(self) -> RolloutRecord | None:
        """The latest rollout that a person began. The watch begins one after the other, for whoever comes back."""
        query = "SELECT id FROM rollout WHERE scope NOT LIKE ? ORDER BY id DESC LIMIT 1"
        with schema.in_words(self._path):
            row = self._connection.execute(query, (f"%{RETURNED}%",)).fetchone()
        return self.rollout(row["id"]) if row else None

    def rollout(self, number: int) -> RolloutRecord:
        """One rollout with its plan and all results; raises NotFoundError."""
        query = "SELECT rollout.*, plan FROM rollout JOIN rollout_plan ON rollout = id WHERE id = ?"
        with schema.in_words(self._path):
            row = self._connection.execute(query, (min(number, _HIGHEST),)).fetchone()
            if row:
                results = self._results("result.rollout = ?", (number,))
                verified = self._proofs(number)
                return RolloutRecord(
                    row=rows.rollout(row), plan=rows.plan(row["plan"]), results=results, verified=verified
                )
        raise NotFoundError(f"there is no rollout {number}", hint="See all with: mvpc rollout list")

    def last_rollout(self, hostname: str) -> tuple[RolloutRow, tuple[ComponentResult, ...]] | None:
        """The latest rollout that has results of this device, with those results."""
        query = (
            "SELECT rollout.* FROM rollout JOIN component_result AS result ON result.rollout = rollout.id "
            "JOIN device ON device.number = result.device WHERE device.hostname = ? ORDER BY rollout.id DESC LIMIT 1"
        )
        with schema.in_words(self._path):
            row = self._connection.execute(query, (hostname,)).fetchone()
            if not row:
                return None
            return rows.rollout(row), self._results("result.rollout = ? AND hostname = ?", (row["id"], hostname))

    def approvers(self, plan_hash: str) -> tuple[str, ...]:
        """Who approved a plan."""
        query = "SELECT approver FROM approval WHERE plan_hash = ? ORDER BY approver"
        with schema.in_words(self._path):
            return tuple(row["approver"] for row in self._connection.execute(query, (plan_hash,)))

    def waiting(self, hostnames: Collection[str] | None = None) -> dict[str, tuple[Deferred, ...]]:
        """Hostname -> what waits for it to wake up; of all devices when none are named."""
        found: dict[str, tuple[Deferred, ...]] = {}
        with schema.in_words(self._path):
            for row in self._of_devices(_DEFERRED, hostnames):
                found[row["hostname"]] = (*found.get(row["hostname"], ()), rows.deferred(row))
        return found

    def scheduled(self) -> tuple[RolloutRow, ...]:
        """Rollouts that rest until their time comes, oldest first."""
        query = "SELECT * FROM rollout WHERE state = ? ORDER BY id"
        with schema.in_words(self._path):
            return tuple(rows.rollout(row) for row in self._connection.execute(query, (RolloutState.SCHEDULED,)))

    def leased(self) -> dict[str, int]:
        """Hostname -> the running rollout that it is locked by."""
        query = (
            "SELECT hostname, rollout.* FROM lease JOIN rollout ON rollout.id = lease.rollout "
            "JOIN device ON number = lease.device"
        )
        with schema.in_words(self._path):
            found = [(row["hostname"], rows.rollout(row)) for row in self._connection.execute(query)]
        return {name: row.id for name, row in found if row.state is RolloutState.RUNNING}

    def at_work(self, hostname: str) -> RolloutRow | None:
        """The running rollout that this laptop is locked by."""
        query = (
            "SELECT rollout.* FROM lease JOIN rollout ON rollout.id = lease.rollout "
            "JOIN device ON number = lease.device WHERE hostname = ?"
        )
        with schema.in_words(self._path):
            found = [rows.rollout(row) for row in self._connection.execute(query, (hostname,))]
        return next((row for row in found if row.state is RolloutState.RUNNING), None)

    # --- helpers

    def _devices(self, where: str, values: dict[str, Any]) -> tuple[Device, ...]:
        query = f"SELECT * FROM device WHERE {where} ORDER BY hostname"  # noqa: S608 - fixed texts, values are bound
        return tuple(rows.device(row) for row in self._connection.execute(query, values))

    def _of_devices(self, table: str, hostnames: Collection[str] | None) -> sqlite3.Cursor:
        named = "hostname IN (SELECT value FROM json_each(:names))"
        query = (
            f"SELECT hostname, state.* FROM {table} AS state JOIN device ON number = state.device "  # noqa: S608 - table is ours
            f"WHERE :names IS NULL OR {named}"
        )
        names = None if hostnames is None else json.dumps(list(hostnames))
        return self._connection.execute(query, {"names": names})

    def _inputs(self, digest: str) -> dict[str, Scalar]:
        row = self._connection.execute("SELECT inputs FROM component_inputs WHERE digest = ?", (digest,)).fetchone()
        data: dict[str, Scalar] = json.loads(row["inputs"])
        return data

    def _results(self, where: str, values: tuple[object, ...]) -> tuple[ComponentResult, ...]:
        query = (
            "SELECT hostname, result.* FROM component_result AS result "  # noqa: S608 - fixed texts, values are bound
            f"JOIN device ON number = result.device WHERE {where} ORDER BY result.at, hostname, component"
        )
        return tuple(rows.result(row) for row in self._connection.execute(query, values))

    def _proofs(self, rollout: int) -> frozenset[str]:
        query = "SELECT hostname FROM proof JOIN device ON number = proof.device WHERE proof.rollout = ?"
        return frozenset(row["hostname"] for row in self._connection.execute(query, (rollout,)))

    def _not_one(self, text: str, found: Collection[Device]) -> NotFoundError:
        if not text:
            return NotFoundError("no device was named", hint="Give a hostname, an inventory number or a serial")
        if found:
            names = ", ".join(device.hostname for device in list(found)[:_LISTED])
            more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
            return NotFoundError(f"{text!r} fits {len(found)} devices: {names}{more}", hint="Write more of the name")
        return NotFoundError(f"no device is called {text!r}", hint=self._nearest(text))

    def _nearest(self, text: str) -> str:
        everyone = self.devices()
        names = [name for device in everyone for name in (device.hostname, device.inventory_number, device.serial)]
        near = difflib.get_close_matches(text, names, n=3, cutoff=0.7)
        if near:
            return f"Perhaps {' or '.join(near)}"
        return (
            "See all with: mvpc device list"
            if everyone
            else "The inventory is empty. Import devices first: mvpc device import FILE"
        )


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file() or not path.stat().st_size:  # empty: the disk was full when it was made
        hint = "Import devices first: mvpc device import FILE"
        raise MvpcError("there is no inventory yet", where=str(path), hint=hint)
    with schema.in_words(path):
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=schema.BUSY_SECONDS)
        try:
            connection.row_factory = sqlite3.Row
            found = schema.found_version(connection)
        except BaseException:
            connection.close()
            raise
    if found == schema.VERSION:
        return connection
    connection.close()
    schema.refuse_newer(found, path)
    raise MvpcError(
        f"the database was written by an older mvpc (tables {found or 'missing'}, this mvpc needs {schema.VERSION})",
        where=str(path),
        hint="Bring it up to date: mvpc device migrate (a backup is kept)",
    )
