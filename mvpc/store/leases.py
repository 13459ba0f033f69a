"""One rollout at a time for each laptop. A lease holds as long as the process of its rollout gives signs of life."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from mvpc.errors import LockedError, RolloutError
from mvpc.model import RESUMABLE, RolloutState
from mvpc.store import tables
from mvpc.store.bulk import many
from mvpc.store.process import DEAD, EXPIRY, is_alive, own_process
from mvpc.store.tables import table_of

_LEASE = table_of(tables.LeaseRow)
_ROLLOUT = table_of(tables.RolloutTable)

_NAMED = 5
"""How many laptops a message names."""


def take(connection: Connection, rollout: int, devices: Mapping[str, int]) -> None:
    """Take laptops (hostname -> number) for one rollout, all or none, inside the caller's transaction.

    A rollout without signs of life loses all of its laptops: should its process wake up, it is no longer heard.

    Raises:
        LockedError: a living rollout has one of them; says whose it is, and since when.
    """
    names = {number: hostname for hostname, number in devices.items()}
    query = (
        select(
            _LEASE.c.device, _ROLLOUT.c.id, _ROLLOUT.c.actor, _ROLLOUT.c.started, _ROLLOUT.c.process, _ROLLOUT.c.beat
        )
        .join(_ROLLOUT, _ROLLOUT.c.id == _LEASE.c.rollout)
        .where(_ROLLOUT.c.id != rollout, _ROLLOUT.c.state == str(RolloutState.RUNNING))
    )
    taken = [row for row in connection.execute(query) if row.device in names]
    alive = {row.id: is_alive(row.process, row.beat) for row in taken}
    if held := [row for row in taken if alive[row.id]]:
        first = held[0]
        shown = ", ".join(sorted(names[row.device] for row in held)[:_NAMED])
        are = "is" if len(held) == 1 else "are"
        raise LockedError(
            f"{len(held)} of these laptops {are} locked by rollout {first.id} of {first.actor} since "
            f"{first.started[:16].replace('T', ' ')} UTC: {shown}",
            hint=f"Wait for it, or end it with: mvpc rollout cancel {first.id}",
        )
    for dead in alive:
        dispossess(connection, dead)
    many(connection, delete(_LEASE).where(_LEASE.c.device == bindparam("taken")), [{"taken": each} for each in names])
    many(connection, insert(_LEASE), [{"device": number, "rollout": rollout} for number in names])


def require_rest(connection: Connection, rollout: int) -> None:
    """Go on only with a rollout that rests; raises RolloutError when it is over, LockedError when it runs."""
    row = connection.execute(select(_ROLLOUT).where(_ROLLOUT.c.id == rollout)).one()
    if row.state == RolloutState.RUNNING and is_alive(row.process, row.beat):
        raise LockedError(f"rollout {rollout} is running already, for {row.actor}")
    if RolloutState(row.state) not in RESUMABLE:
        raise RolloutError(f"rollout {rollout} is {row.state}", hint="Begin a new one")


def dispossess(connection: Connection, rollout: int) -> None:
    """Take everything from a rollout that gives no signs of life, and let it be heard no more."""
    row = {"state": str(RolloutState.INTERRUPTED), "reason": DEAD, "process": ""}
    connection.execute(update(_ROLLOUT).where(_ROLLOUT.c.id == rollout), row)
    give_back(connection, rollout)


def give_back(connection: Connection, rollout: int) -> None:
    """Let go of all laptops of a rollout."""
    connection.execute(delete(_LEASE).where(_LEASE.c.rollout == rollout))


def is_ours(connection: Connection, rollout: int) -> bool:
    """Whether this process is still the one that carries the rollout out."""
    query = select(_ROLLOUT.c.process).where(_ROLLOUT.c.id == rollout)
    return bool(connection.execute(query).scalar_one_or_none() == own_process())


def require(connection: Connection, rollout: int) -> None:
    """Go on only while the rollout is ours; raises RolloutError when somebody else has taken over."""
    if not is_ours(connection, rollout):
        minutes = int(EXPIRY.total_seconds() // 60)
        raise RolloutError(
            f"rollout {rollout} has lost its laptops: mvpc gave no sign of life for {minutes} minutes, and somebody "
            "else took over",
            hint="See who with: mvpc rollout list",
        )
