"""Many rows in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert as upsert


def put(
    connection: Connection,
    table: Table,
    values: Sequence[dict[str, Any]],
    only: Sequence[str] = (),
) -> None:
    """Insert rows, or update those whose key is there already.

    Args:
        connection: within a transaction.
        table: where the rows belong.
        values: a value for each column of each row.
        only: the columns to update; all when empty.
    """
    statement = upsert(table)
    names = only or [column.name for column in table.columns if not column.primary_key]
    changed = {name: statement.excluded[name] for name in names}
    many(connection, statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed), values)


def many(connection: Connection, statement: Any, values: Sequence[dict[str, Any]]) -> None:
    """Execute a statement for each of the values, of which there may be none."""
    if values:
        connection.execute(statement, values)
