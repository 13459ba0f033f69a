"""Everything that mvpc writes: the inventory with its history, rollouts, results and probes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import SQLModel

from mvpc.errors import MvpcError
from mvpc.inventory.difference import DeviceChange, ImportDifference, changed_fields
from mvpc.model import ComponentResult, Device, Outcome, Plan, Probe, Reach
from mvpc.store import rows, tables
from mvpc.store.database import migrate, open_engine, writing

_NAMES = ("inventory_number", "hostname", "serial")

_MANY = 500
"""From here on, one query for all rows is quicker than naming the wanted ones."""


def _table(model: type[SQLModel]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


_DEVICE = _table(tables.DeviceRow)
_EVENT = _table(tables.DeviceEventRow)
_ROLLOUT = _table(tables.RolloutTable)
_INPUTS = _table(tables.ComponentInputs)
_RESULT = _table(tables.ComponentResultRow)
_COMPONENT = _table(tables.ComponentStateRow)
_SEEN = _table(tables.DeviceStateRow)


class Store:
    """The database, opened for writing; made or migrated when it must be. Fulfils `rollout.Recorder`.

    Each method is one transaction and durable when it returns. Threads may share a store.

    Raises:
        MvpcError: (all methods) the database is damaged, in use, or written by a newer mvpc.
    """

    def __init__(self, path: Path) -> None:
        migrate(path)
        self._path = path
        self._engine = open_engine(path)

    def save(self, difference: ImportDifference, *, actor: str, at: datetime, action: str) -> None:
        """Store new and changed devices with one history entry each, all or nothing.

        Raises:
            MvpcError: a device has changed since the difference was made, or a name is taken; nothing was stored.
        """
        with writing(self._engine, self._path) as connection:
            _refuse_stale(connection, difference.changed, self._path)
            events = [*_insert(connection, difference.new), *_update(connection, difference.changed)]
            entry = {"at": rows.moment(at), "actor": actor, "action": action}
            _many(connection, insert(_EVENT), [entry | event for event in events])

    def begin_rollout(self, plan: Plan, *, actor: str, at: datetime) -> int:
        """Store the plan and return the rollout's number, which only ever rises."""
        row = {
            "started": rows.moment(at),
            "interrupted": False,
            "actor": actor,
            "scope": plan.scope,
            "plan_hash": plan.hash,
            "plan": rows.plan_text(plan),
            "counts": "{}",
        }
        with writing(self._engine, self._path) as connection:
            return int(connection.execute(insert(_ROLLOUT).returning(_ROLLOUT.c.id), row).scalar_one())

    def record(
        self,
        rollout: int,
        results: Sequence[ComponentResult],
        inputs: Mapping[tuple[str, str], Mapping[str, object]],
    ) -> None:
        """Store results of components, with the settings that they were made from.

        An unreachable laptop proves nothing: its result is kept, what it last proved stays.
        """
        with writing(self._engine, self._path) as connection:
            numbers = _numbers(connection, {result.device for result in results}, self._path)
            proved = [result for result in results if result.outcome is not Outcome.UNREACHABLE]
            digests = _store_inputs(connection, proved, inputs)
            _put(connection, _RESULT, [_result_row(rollout, numbers, result) for result in results])
            _put(connection, _COMPONENT, [_state_row(rollout, numbers, digests, result) for result in proved])
            _forget_drift(connection, numbers, proved)

    def record_probes(self, probes: Sequence[Probe]) -> None:
        """Store what laptops said. One that did not answer as itself leaves standing what it said before."""
        if not probes:
            return
        with writing(self._engine, self._path) as connection:
            numbers = _numbers(connection, {probe.device for probe in probes}, self._path)
            answered = [probe for probe in probes if probe.reach is Reach.REACHED]
            silent = [probe for probe in probes if probe.reach is not Reach.REACHED]
            _put(connection, _SEEN, [rows.probe_row(numbers[probe.device], probe) for probe in answered])
            silent_rows = [rows.probe_row(numbers[probe.device], probe) for probe in silent]
            _put(connection, _SEEN, silent_rows, only=("at", "reach", "detail"))

    def end_rollout(self, rollout: int, *, at: datetime, counts: Mapping[str, int], interrupted: bool) -> None:
        """Close the rollout."""
        row = {"ended": rows.moment(at), "counts": rows.packed(dict(counts)), "interrupted": interrupted}
        with writing(self._engine, self._path) as connection:
            connection.execute(update(_ROLLOUT).where(_ROLLOUT.c.id == rollout), row)


# --- devices ---------------------------------------------------------------------------------


def _refuse_stale(connection: Connection, changes: Sequence[DeviceChange], path: Path) -> None:
    if not changes:
        return
    query = select(_DEVICE)
    if len(changes) < _MANY:
        query = query.where(_DEVICE.c.number.in_([change.before.number for change in changes]))
    current = {row["number"]: rows.device(dict(row)) for row in connection.execute(query).mappings()}
    for change in changes:
        if current.get(change.before.number) != change.before:
            name = change.before.hostname
            raise MvpcError(f"{name} was changed by someone else meanwhile", where=str(path), hint="Try again")


def _insert(connection: Connection, devices: Sequence[Device]) -> list[dict[str, Any]]:
    """Store new devices; returns their events."""
    if not devices:
        return []
    last = connection.execute(select(func.coalesce(func.max(_DEVICE.c.number), 0))).scalar_one()
    new = [rows.device_row(device) for device in devices]
    for row in new:
        del row["number"]
    connection.execute(insert(_DEVICE), new)
    given = select(_DEVICE.c.hostname, _DEVICE.c.number).where(_DEVICE.c.number > last)
    numbers: dict[str, int] = {row.hostname: row.number for row in connection.execute(given)}
    return [_event(numbers[device.hostname], changed_fields(None, device)) for device in devices]


def _update(connection: Connection, changes: Sequence[DeviceChange]) -> list[dict[str, Any]]:
    """Store changed devices; returns their events."""
    renamed = [change.before.number for change in changes if not change.fields.keys().isdisjoint(_NAMES)]
    here = _DEVICE.c.number == bindparam("here")
    # Two devices may swap a name: all names that change are set free before the new ones are taken.
    free = update(_DEVICE).where(here).values({name: bindparam(f"free_{name}") for name in _NAMES})
    _many(
        connection, free, [{"here": number} | {f"free_{name}": f"~{number}" for name in _NAMES} for number in renamed]
    )
    _many(connection, update(_DEVICE).where(here), [_changed_row(change) for change in changes])
    return [_event(change.before.number, change.fields) for change in changes]


def _changed_row(change: DeviceChange) -> dict[str, Any]:
    row = rows.device_row(change.after)
    del row["number"]
    return row | {"here": change.before.number}


def _event(number: int, fields: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    return {"device": number, "changes": rows.packed(fields)}


# --- results ---------------------------------------------------------------------------------


def _numbers(connection: Connection, hostnames: Iterable[str], path: Path) -> dict[str, int]:
    wanted = set(hostnames)
    query = select(_DEVICE.c.hostname, _DEVICE.c.number)
    if len(wanted) < _MANY:
        query = query.where(_DEVICE.c.hostname.in_(wanted))
    numbers: dict[str, int] = {row.hostname: row.number for row in connection.execute(query)}
    if unknown := sorted(wanted - numbers.keys()):
        raise MvpcError(f"{unknown[0]} is not in the inventory", where=str(path), hint="Its results were not stored")
    return numbers


def _store_inputs(
    connection: Connection,
    results: Sequence[ComponentResult],
    inputs: Mapping[tuple[str, str], Mapping[str, object]],
) -> dict[tuple[str, str], str]:
    """Store each distinct set of settings once; returns (device, component) -> its digest."""
    digests, texts = {}, {}
    for result in results:
        key = (result.device, result.component)
        if key in inputs:
            text = rows.packed(dict(inputs[key]))
            digests[key] = hashlib.sha256(text.encode()).hexdigest()
            texts[digests[key]] = text
    known = [{"digest": digest, "inputs": text} for digest, text in texts.items()]
    _many(connection, upsert(_INPUTS).on_conflict_do_nothing(), known)
    return digests


def _result_row(rollout: int, numbers: Mapping[str, int], result: ComponentResult) -> dict[str, Any]:
    return {
        "rollout": rollout,
        "device": numbers[result.device],
        "component": result.component,
        "outcome": str(result.outcome),
        "digest": result.digest,
        "at": rows.moment(result.at),
        "changes": rows.packed(list(result.changes)),
        "error": result.error,
    }


def _state_row(
    rollout: int, numbers: Mapping[str, int], digests: Mapping[tuple[str, str], str], result: ComponentResult
) -> dict[str, Any]:
    row = _result_row(rollout, numbers, result)
    del row["changes"]
    return row | {"inputs_digest": digests.get((result.device, result.component))}


def _forget_drift(connection: Connection, numbers: Mapping[str, int], results: Sequence[ComponentResult]) -> None:
    """A component that has just been converged no longer drifts."""
    drift = func.json_remove(_SEEN.c.drift, bindparam("path"))
    mended = [
        {"here": numbers[result.device], "path": f'$."{result.component}"'}
        for result in results
        if result.outcome is not Outcome.FAILED
    ]
    _many(connection, update(_SEEN).where(_SEEN.c.device == bindparam("here")).values(drift=drift), mended)


# --- rows ------------------------------------------------------------------------------------


def _put(connection: Connection, table: Table, values: Sequence[dict[str, Any]], only: Sequence[str] = ()) -> None:
    """Insert rows, or update those (in the columns `only`, else all) whose key is there already."""
    statement = upsert(table)
    names = only or [column.name for column in table.columns if not column.primary_key]
    statement = statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={name: statement.excluded[name] for name in names}
    )
    _many(connection, statement, values)


def _many(connection: Connection, statement: Any, values: Sequence[dict[str, Any]]) -> None:
    if values:
        connection.execute(statement, values)
