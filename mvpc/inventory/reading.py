"""Read devices from a spreadsheet: all rows or none, with every problem of the file at once."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mvpc.errors import InputError, Problem
from mvpc.inventory.cells import shown
from mvpc.inventory.columns import REQUIRED, TITLES, field_of, known_titles
from mvpc.inventory.difference import ImportDifference, difference
from mvpc.inventory.entries import Entry, Known, devices_of, is_new
from mvpc.inventory.table import Row, Table, read_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """What a file holds."""

    found: str
    """What was found out about the file, in words."""
    rows: int
    difference: ImportDifference


def read_devices(data: bytes, *, file: str, known: Known, ignore: Collection[str] = ()) -> Import:
    """Compare the devices of a CSV file with the known ones.

    Args:
        data: the file as it is.
        file: its name, for messages.
        known: devices and organisation that it is checked against.
        ignore: names of columns that are not read.

    Raises:
        InputError: with every problem of the file, as `file:row: column: what. hint.`
    """
    table = read_table(data, file=file, known=lambda text: field_of(text) is not None)
    skipped = frozenset(title.strip().casefold() for title in ignore)
    columns = _columns(table.header, skipped)
    if not columns:
        where = f"{file}:{table.header.number}"
        raise InputError(
            "the first row names no known column", where=where, hint=f"Known: {', '.join(TITLES.values())}"
        )
    titles = {name: table.header.cells[at] for at, name in columns.items()}
    entries = [_entry(row, columns, titles, file) for row in table.rows]
    header = f"{file}:{table.header.number}"
    problems = (
        *_strange_columns(table.header, columns, skipped, header),
        *_missing_columns(titles, entries, known, header),
        *_stray_cells(table, file),
    )
    devices = devices_of(entries, known, problems=problems)
    return Import(found=table.found, rows=len(entries), difference=difference(known.devices, devices))


def _columns(header: Row, skipped: Collection[str]) -> dict[int, str]:
    """Position -> field, for every column with a known name."""
    found: dict[int, str] = {}
    for at, title in enumerate(header.cells):
        name = field_of(title)
        if name and title.casefold() not in skipped and name not in found.values():
            found[at] = name
    return found


def _entry(row: Row, columns: Mapping[int, str], titles: Mapping[str, str], file: str) -> Entry:
    texts = {name: row.cells[at] for at, name in columns.items() if at < len(row.cells) and row.cells[at]}
    return Entry(where=f"{file}:{row.number}", titles=titles, texts=texts)


def _missing_columns(
    titles: Mapping[str, str], entries: Iterable[Entry], known: Known, where: str
) -> Iterator[Problem]:
    numbers = {device.inventory_number.casefold() for device in known.devices}
    new = next((entry.where for entry in entries if is_new(entry, numbers)), None)
    for name in REQUIRED:
        if name == "inventory_number" and name not in titles:
            yield Problem(where, f"the column {TITLES[name]} is missing", "It tells which device a row is about")
        elif new and name not in titles:
            yield Problem(where, f"the column {TITLES[name]} is missing", f"New devices need it, as in {new}")


def _strange_columns(
    header: Row, columns: Mapping[int, str], skipped: Collection[str], where: str
) -> Iterator[Problem]:
    for at, title in enumerate(header.cells):
        if at not in columns and title and title.casefold() not in skipped:
            yield _strange_column(where, title)


def _strange_column(where: str, title: str) -> Problem:
    if field := field_of(title):
        return Problem(where, f"the column {shown(title)} holds {TITLES[field]} once more", "Remove one of them")
    names = {name.casefold(): name for name in known_titles()}
    near = difflib.get_close_matches(title.casefold(), names, n=1, cutoff=0.7)
    hint = f"Perhaps {names[near[0]]}" if near else f"Known: {', '.join(TITLES.values())}"
    return Problem(
        where, f"the column {shown(title)} is not known", f"{hint}. To leave it out: --ignore {shown(title)}"
    )


def _stray_cells(table: Table, file: str) -> Iterator[Problem]:
    """Cells under no name: mostly a delimiter within an unquoted cell, which shifts the rest of the row."""
    titled = Counter(at for at, title in enumerate(table.header.cells) if title)
    for row in table.rows:
        stray = [cell for at, cell in enumerate(row.cells) if cell and not titled[at]]
        if stray:
            hint = "A cell that holds the delimiter must stand in quotation marks"
            yield Problem(f"{file}:{row.number}", f"{shown(stray[0])} stands in a column without a name", hint)
