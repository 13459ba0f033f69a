"""One rollout at a time for each laptop. A lease holds as long as the process of its rollout lives."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select

from mvpc.errors import RolloutError
from mvpc.model import RolloutState
from mvpc.store import tables
from mvpc.store.process import is_alive
from mvpc.store.tables import table_of

_LEASE = table_of(tables.LeaseRow)
_ROLLOUT = table_of(tables.RolloutTable)

_NAMED = 5
"""How many laptops a message names."""


def take(connection: Connection, rollout: int, devices: Mapping[str, int]) -> None:
    """Take laptops (hostname -> number) for one rollout, all or none, inside the caller's transaction.

    Raises:
        RolloutError: a living rollout has one of them; says whose it is, and since when.
    """
    names = {number: hostname for hostname, number in devices.items()}
    query = (
        select(_LEASE.c.device, _ROLLOUT.c.id, _ROLLOUT.c.actor, _ROLLOUT.c.started, _ROLLOUT.c.process)
        .join(_ROLLOUT, _ROLLOUT.c.id == _LEASE.c.rollout)
        .where(_ROLLOUT.c.id != rollout, _ROLLOUT.c.state == str(RolloutState.RUNNING))
    )
    held = [row for row in connection.execute(query) if row.device in names and is_alive(row.process)]
    if held:
        first = held[0]
        shown = ", ".join(sorted(names[row.device] for row in held)[:_NAMED])
        raise RolloutError(
            f"{len(held)} of these laptops are locked by rollout {first.id} of {first.actor} since "
            f"{first.started[:16].replace('T', ' ')} UTC: {shown}",
            hint=f"Wait for it, or end it with: mvpc rollout cancel {first.id}",
        )
    if names:
        connection.execute(
            delete(_LEASE).where(_LEASE.c.device == bindparam("taken")), [{"taken": each} for each in names]
        )
        connection.execute(insert(_LEASE), [{"device": number, "rollout": rollout} for number in names])


def give_back(connection: Connection, rollout: int) -> None:
    """Let go of all laptops of a rollout."""
    connection.execute(delete(_LEASE).where(_LEASE.c.rollout == rollout))
