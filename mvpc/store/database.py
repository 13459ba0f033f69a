"""Open the database for writing: make it, bring its tables up to date, and keep a copy before that."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from mvpc.errors import MvpcError
from mvpc.store import schema


def migrate(path: Path) -> None:
    """Make the database, or bring its tables up to date. Does nothing when they are.

    An existing database is checked and copied into `backups/` first. The change is one transaction.

    Raises:
        MvpcError: the database is damaged, in use, or written by a newer mvpc.
    """
    _make(path)
    with schema.in_words(path), closing(sqlite3.connect(path, timeout=schema.BUSY_SECONDS)) as connection:
        found = schema.found_version(connection)
        schema.refuse_newer(found, path)
        if found == schema.VERSION:
            return
        if found:
            _back_up(connection, path, found)
    _upgrade(path)


@contextmanager
def writing(engine: Engine, path: Path) -> Iterator[Connection]:
    """One transaction; everything in it happens or nothing does. Waits for other writers.

    Raises:
        MvpcError: the database is damaged, in use or cannot be written.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        if isinstance(cause, sqlite3.Error):
            raise schema.explained(cause, path) from error
        raise MvpcError(f"the database could not be written ({type(error).__name__})", where=str(path)) from error


def open_engine(path: Path) -> Engine:
    """An engine whose transactions take the write lock when they begin."""
    # A connection for each transaction: nothing stays open between them, and threads share nothing.
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": schema.BUSY_SECONDS, "isolation_level": None}
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _make(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives its companions the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise MvpcError(f"the database cannot be opened ({error.strerror})", where=str(path)) from error


def _configure(connection: Any, record: object) -> None:  # noqa: ARG001 - the signature is SQLAlchemy's
    for name, value in schema.PRAGMAS:
        connection.execute(f"PRAGMA {name}={value}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _back_up(connection: sqlite3.Connection, path: Path, found: str) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()
    if not verdict or verdict[0] != "ok":
        raise schema.damaged(path)
    folder = schema.backup_folder(path)
    folder.mkdir(mode=0o700, exist_ok=True)
    copy = folder / f"{datetime.now(tz=UTC):%Y%m%dT%H%M%SZ}-{found}.db"
    _make(copy)
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)


def _upgrade(path: Path) -> None:
    from alembic import command  # noqa: PLC0415 - slow to import and seldom needed
    from alembic.config import Config  # noqa: PLC0415 - the same
    from alembic.util import CommandError  # noqa: PLC0415 - the same

    _use_wal(path)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    try:
        with writing(open_engine(path), path) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        hint = "It was not written by mvpc, or by a version in between. Put back a backup"
        raise MvpcError(f"the tables cannot be brought up to date ({error})", where=str(path), hint=hint) from error


def _use_wal(path: Path) -> None:
    """Readers then never wait for writers. The setting stays in the file."""
    with schema.in_words(path), closing(sqlite3.connect(path, timeout=schema.BUSY_SECONDS)) as connection:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise MvpcError(
            f"the file system does not carry a database in WAL mode (it stays in {mode})",
            where=str(path),
            hint="Keep the project's state folder on a local disk",
        )
