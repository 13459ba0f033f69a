"""Rows of the inventory and of its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from mvpc.errors import MvpcError
from mvpc.inventory.difference import DeviceChange, ImportDifference, changed_fields
from mvpc.model import Device
from mvpc.store import rows, schema, tables
from mvpc.store.bulk import many
from mvpc.store.tables import table_of

_DEVICE = table_of(tables.DeviceRow)
_EVENT = table_of(tables.DeviceEventRow)

_NAMES = ("inventory_number", "hostname", "serial")

_MANY = 500
"""From here on, one query for all rows is quicker than naming the wanted ones."""


def store(connection: Connection, difference: ImportDifference, entry: Mapping[str, str], path: Path) -> None:
    """Store new and changed devices, and for each of them an entry of the history with its time, actor and action.

    Raises:
        MvpcError: a device has changed since the difference was made.
    """
    _refuse_stale(connection, difference.changed, path)
    events = [*_insert(connection, difference.new), *_update(connection, difference.changed)]
    many(connection, insert(_EVENT), [{**entry, **event} for event in events])


def numbers(connection: Connection, hostnames: Iterable[str], path: Path) -> dict[str, int]:
    """Hostname -> number of these devices; raises MvpcError when one is not in the inventory."""
    wanted = set(hostnames)
    query = select(_DEVICE.c.hostname, _DEVICE.c.number)
    if len(wanted) < _MANY:
        query = query.where(_DEVICE.c.hostname.in_(wanted))
    found: dict[str, int] = {row.hostname: row.number for row in connection.execute(query)}
    if unknown := sorted(wanted - found.keys()):
        raise schema.not_in_inventory(unknown[0], path)
    return found


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
    many(connection, free, [{"here": number} | {f"free_{name}": f"~{number}" for name in _NAMES} for number in renamed])
    many(connection, update(_DEVICE).where(here), [_changed_row(change) for change in changes])
    return [_event(change.before.number, change.fields) for change in changes]


def _changed_row(change: DeviceChange) -> dict[str, Any]:
    row = rows.device_row(change.after)
    del row["number"]
    return row | {"here": change.before.number}


def _event(number: int, fields: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    return {"device": number, "changes": rows.packed(fields)}
