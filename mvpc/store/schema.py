"""The version of the tables that this mvpc reads and writes, and database errors put into words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvpc.errors import MvpcError

VERSION = "0001"
"""The newest migration. A number, so that older and newer can be told apart without Alembic."""

BUSY_SECONDS = 10
"""How long to wait for another process that is writing."""

PRAGMAS = (
    ("foreign_keys", "ON"),
    # FULL: what was reported as stored survives a power cut, at one fsync for each commit.
    ("synchronous", "FULL"),
    ("temp_store", "MEMORY"),
)
"""How a connection writes."""

_SAID = (
    (("is full",), "the database cannot be written", "Free some space; what it holds is safe"),
    (("disk i/o",), "the database cannot be written", "Free some space where the disk is full, else check it"),
    (("unable to open", "readonly"), "the database cannot be opened", "Check owner and mode of file and folder"),
    (
        ("no such table", "no such column", "has no column"),
        "the database has other tables than this mvpc needs",
        "Use the mvpc that wrote it, or move the file away and import the devices again",
    ),
)
"""Words of SQLite -> what they mean, and the next step."""


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn errors of the SQLite driver, and values in the file that make no sense, into MvpcError."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(path) from error


def explained(error: sqlite3.Error, path: Path) -> MvpcError:
    """What a driver error means for a person."""
    text = str(error).lower()
    if isinstance(error, sqlite3.IntegrityError):
        return _refused(str(error), path)
    if "locked" in text or "busy" in text:
        return MvpcError(
            f"another process has been writing to the database for more than {BUSY_SECONDS} seconds",
            where=str(path),
            hint="Wait until that mvpc has finished, then try again",
        )
    for words, what, hint in _SAID:
        if any(word in text for word in words):
            return MvpcError(f"{what} ({error})", where=str(path), hint=hint)
    return damaged(path)


def _refused(text: str, path: Path) -> MvpcError:
    """A rule of the tables was broken, which callers have checked: someone else was quicker."""
    name = text.rpartition("device.")[2] if "UNIQUE" in text and "device." in text else ""
    what = f"another device has the same {name.replace('_', ' ')}" if name else f"a value was refused ({text})"
    return MvpcError(what, where=str(path), hint="Nothing was stored. Look at the inventory and try again")


def damaged(path: Path) -> MvpcError:
    """The file is not what mvpc wrote; the hint names the newest backup if there is one."""
    backups = sorted(backup_folder(path).glob("*.db"))
    step = f"Put back the backup {backups[-1]}" if backups else "Put back a backup"
    return MvpcError(
        "the database is damaged",
        where=str(path),
        hint=f"{step}, or move the file away and import the devices again",
    )


def not_in_inventory(hostname: str, path: Path) -> MvpcError:
    """Something is to be stored about a laptop that the inventory does not know."""
    return MvpcError(f"{hostname} is not in the inventory", where=str(path), hint="Its results were not stored")


def backup_folder(path: Path) -> Path:
    """Where copies of the database are kept that were made before migrations."""
    return path.parent / "backups"


def found_version(connection: sqlite3.Connection) -> str:
    """Version of the tables in the file; empty when it has none yet.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return ""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def refuse_newer(found: str, path: Path) -> None:
    """Stop before touching tables that a newer mvpc made; raises MvpcError."""
    if found > VERSION:
        raise MvpcError(
            f"the database was written by a newer mvpc (tables {found}, this mvpc knows {VERSION})",
            where=str(path),
            hint="Update mvpc",
        )
