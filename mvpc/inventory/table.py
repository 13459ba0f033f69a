"""From the bytes of a spreadsheet export to rows of text: finds out encoding and delimiter itself."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mvpc.errors import InputError

DELIMITERS = {";": "semicolon", ",": "comma", "\t": "tab"}

MAX_BYTES = 64 << 20
"""Far more than the largest inventory; more is a mistake."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with BOM"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""Beginnings of .xlsx and .ods, and of .xls."""

_GERMAN = frozenset("äöüÄÖÜß")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row with its number as the spreadsheet shows it: the header is mostly row 1."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A spreadsheet as text."""

    encoding: str
    delimiter: str
    header: Row
    rows: tuple[Row, ...]
    """Without blank rows."""

    @property
    def found(self) -> str:
        """What was found out about the file, in words."""
        return f"{self.encoding}, {DELIMITERS[self.delimiter]}"


def read_table(data: bytes, *, file: str, known: Callable[[str], bool]) -> Table:
    """Decode and split the file.

    Args:
        data: the file as it is.
        file: its name, for messages.
        known: whether a text is the name of a column; decides on the delimiter.

    Raises:
        InputError: it is no text, it is empty, or its quotes do not match.
    """
    text, encoding = decoded(data, file=file)
    text, declared = _declared_delimiter(text)
    delimiter = declared or _delimiter(text, known)
    skipped = 1 if declared else 0
    rows = [row for row in _rows(text, delimiter, file, skipped) if any(cell.strip() for cell in row.cells)]
    if not rows:
        raise InputError("the file is empty", where=file, hint="Its first row must name the columns")
    return Table(encoding=encoding, delimiter=delimiter, header=rows[0], rows=tuple(rows[1:]))


def decoded(data: bytes, *, file: str) -> tuple[str, str]:
    """The text, and the name of its encoding: UTF-8, UTF-16, Windows-1252 or DOS (code page 850).

    Raises:
        InputError: it is no text in any of them.
    """
    if data.startswith(_WORKBOOKS):
        raise InputError("this is a workbook, not CSV", where=file, hint='In Excel or LibreOffice: save as "CSV UTF-8"')
    if len(data) > MAX_BYTES:
        raise InputError(f"the file is larger than {MAX_BYTES >> 20} MiB", where=file)
    for bom, codec, name in _BOMS:
        if data.startswith(bom):
            return _strictly(data, codec, file), name
    if codec := _utf16_without_bom(data):
        return _strictly(data, codec, file), "UTF-16"
    try:
        return data.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        return _one_byte_text(data)


def _strictly(data: bytes, codec: str, file: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        hint = 'The file may be cut off. Save it once more as "CSV UTF-8"'
        raise InputError(f"byte {error.start} is no {codec} text", where=file, hint=hint) from error


def _utf16_without_bom(data: bytes) -> str:
    """The first characters of a header are ASCII, so every other byte is zero."""
    head = data[:64]
    if len(head) >= 8 and not any(head[1::2]) and all(head[0::2]):
        return "utf-16-le"
    if len(head) >= 8 and not any(head[0::2]) and all(head[1::2]):
        return "utf-16-be"
    return ""


def _one_byte_text(data: bytes) -> tuple[str, str]:
    """Windows-1252, unless only DOS text makes its bytes German letters."""
    windows = data.decode("cp1252", errors="replace")
    dos = data.decode("cp850")
    if "\ufffd" in windows or _german(dos) > _german(windows):
        return dos, "DOS (code page 850)"
    return windows, "Windows-1252"


def _german(text: str) -> int:
    return sum(map(text.count, _GERMAN))


def _declared_delimiter(text: str) -> tuple[str, str]:
    """Excel's own first line `sep=;`: the text after it, and the delimiter that it names."""
    match = re.match(r'"?sep=([;,\t])"?\r?\n', text, re.IGNORECASE)
    return (text[match.end() :], match[1]) if match else (text, "")


def _delimiter(text: str, known: Callable[[str], bool]) -> str:
    """The delimiter that makes most names of columns out of the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")

    def score(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
        return sum(map(known, cells)), len(cells)

    return max(DELIMITERS, key=score)


def _rows(text: str, delimiter: str, file: str, skipped: int) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = skipped
    try:
        for number, cells in enumerate(reader, start=skipped + 1):
            yield Row(number=number, cells=_tidy(cells))
    except csv.Error as error:
        hint = "Look for a quotation mark that is not closed, or that is not doubled within a cell"
        raise InputError(f"quotation marks do not match ({error})", where=f"{file}:{number + 1}", hint=hint) from error


def _tidy(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.strip(" \u00a0") for cell in cells)
