"""What waits for laptops that sleep or are busy: one entry for each component, until it was served or purged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from mvpc.model import ComponentResult
from mvpc.store import rows, tables
from mvpc.store.tables import table_of

_DEFERRED = table_of(tables.DeferredRow)


def note(connection: Connection, rollout: int, numbers: Mapping[str, int], results: Sequence[ComponentResult]) -> None:
    """Let those wait that could not be served, and those that were no longer. The newest rollout replaces older."""
    waiting = [
        {
            "device": numbers[result.device],
            "component": result.component,
            "rollout": rollout,
            "since": rows.moment(result.at),
            "digest": result.digest,
        }
        for result in results
        if result.outcome.waits
    ]
    reached = [
        {"of": numbers[result.device], "part": result.component} for result in results if not result.outcome.waits
    ]
    if waiting:
        statement = upsert(_DEFERRED)
        replaced = {"rollout": statement.excluded.rollout, "digest": statement.excluded.digest}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["device", "component"], set_=replaced), waiting
        )
    if reached:
        gone = (_DEFERRED.c.device == bindparam("of")) & (_DEFERRED.c.component == bindparam("part"))
        connection.execute(delete(_DEFERRED).where(gone), reached)


def forget(connection: Connection, numbers: Iterable[int]) -> None:
    """Let nothing wait for these laptops any more."""
    gone = [{"of": number} for number in numbers]
    if gone:
        connection.execute(delete(_DEFERRED).where(_DEFERRED.c.device == bindparam("of")), gone)


def supersede(connection: Connection, rollout: int) -> None:
    """What waits for a newer rollout replaces all that waited for the same laptops before."""
    laptops = select(_DEFERRED.c.device).where(_DEFERRED.c.rollout == rollout)
    connection.execute(delete(_DEFERRED).where(_DEFERRED.c.rollout < rollout, _DEFERRED.c.device.in_(laptops)))


def withdraw(connection: Connection, rollout: int) -> int:
    """Let nothing wait for a rollout any more; returns how many laptops that were."""
    gone = delete(_DEFERRED).where(_DEFERRED.c.rollout == rollout).returning(_DEFERRED.c.device)
    return len(set(connection.execute(gone).scalars()))
