from __future__ import annotations

import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvpc.errors import InputError
from mvpc.inventory.columns import field_of
from mvpc.inventory.table import Table, read_table

TEXT = "Inventarnummer;Behörde;Raum\r\n0815;Straßenbauamt;Büro 2\r\n"


def table(data: bytes) -> Table:
    return read_table(data, file="d.csv", known=lambda text: field_of(text) is not None)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (TEXT.encode("utf-8"), "UTF-8, semicolon"),
        (TEXT.encode("utf-8-sig"), "UTF-8 with BOM, semicolon"),
        (TEXT.encode("cp1252"), "Windows-1252, semicolon"),
        (TEXT.encode("cp850"), "DOS (code page 850), semicolon"),
        (TEXT.replace(";", "\t").encode("utf-16"), "UTF-16, tab"),
        (b"\xfe\xff" + TEXT.replace(";", "\t").encode("utf-16-be"), "UTF-16, tab"),
        (TEXT.encode("utf-16-le"), "UTF-16, semicolon"),
        (TEXT.replace(";", ",").encode("utf-8"), "UTF-8, comma"),
        (b'"sep=;"\r\n' + TEXT.encode("cp1252"), "Windows-1252, semicolon"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_encoding_and_delimiter_are_found_out(data: bytes, found: str):
    read = table(data)
    assert read.found == found
    assert read.header.cells == ("Inventarnummer", "Behörde", "Raum")
    assert read.rows[0].cells == ("0815", "Straßenbauamt", "Büro 2")


def test_the_names_of_columns_decide_on_the_delimiter_not_their_number():
    assert table("Inventarnummer;Raum,Etage,Flügel,Haus;Behörde\n1;2;3\n".encode()).delimiter == ";"


def test_rows_are_numbered_as_the_spreadsheet_numbers_them():
    rows = table(b'Inventarnummer;Raum\n1;"two\nlines"\n;\n\n2;x\n').rows
    assert [(row.number, row.cells[0]) for row in rows] == [(2, "1"), (5, "2")]


def test_the_line_that_declares_the_delimiter_counts_as_a_row():
    assert table(b"sep=,\nInventarnummer,Raum\n1,2\n").rows[0].number == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n;;\n", "the file is empty"),
        (b"PK\x03\x04rest", 'this is a workbook, not CSV. In Excel or LibreOffice: save as "CSV UTF-8"'),
        (b"\xd0\xcf\x11\xe0rest", "this is a workbook"),
        (b'Inventarnummer;Raum\n1;"open\n2;x\n', "d.csv:2: quotation marks do not match"),
        ("Inventarnummer\n".encode("utf-16")[:-1], "is no utf-16 text"),
    ],
)
def test_what_is_no_table_is_refused_in_words(data: bytes, message: str):
    with pytest.raises(InputError) as caught:
        table(data)
    assert message in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_an_input_error(data: bytes):
    with contextlib.suppress(InputError):
        table(data)


CELLS = st.text(
    alphabet=st.characters(codec="cp1252", categories=["Lu", "Ll", "Nd", "Po", "Sm", "Pd"]), min_size=1, max_size=20
)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    delimiter=st.sampled_from(";,\t"),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_spreadsheet_writes_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, codec: str, quoting: int
):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([("Inventarnummer", "Behörde", "Raum"), *rows])
    assert [row.cells for row in table(text.getvalue().encode(codec)).rows] == rows
