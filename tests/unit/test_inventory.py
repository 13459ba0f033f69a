from __future__ import annotations

import contextlib
import unicodedata
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvpc.errors import InputError
from mvpc.inventory.cells import CellError, parse
from mvpc.inventory.difference import difference
from mvpc.inventory.entries import Known
from mvpc.inventory.export import guarded, to_csv
from mvpc.inventory.reading import Import, read_devices
from mvpc.model import Device, LifeCycle, Workplace
from mvpc.organisation import load_organisation

ORGANISATION = load_organisation(Path(__file__).parents[2])
TODAY = date(2026, 12, 1)

HEADER = "Inventarnummer;Rechnername;Seriennummer;Behörde;Standort;Raum;Status"
ROW = "00042;nb-000042;PF42;fa-schwerin;schwerin;214;übergeben"

KNOWN = Device(
    number=7,
    inventory_number="00042",
    hostname="nb-000042",
    serial="PF42",
    authority="fa-schwerin",
    site="schwerin",
    room="214",
    state=LifeCycle.IN_USE,
)
OTHER = replace(KNOWN, number=8, inventory_number="00043", hostname="nb-000043", serial="PF43")


def read(*lines: str, devices: tuple[Device, ...] = (), ignore: tuple[str, ...] = ()) -> Import:
    known = Known(devices=devices, organisation=ORGANISATION, on=TODAY)
    return read_devices("\r\n".join(lines).encode(), file="d.csv", known=known, ignore=ignore)


def problems(*lines: str, devices: tuple[Device, ...] = ()) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(*lines, devices=devices)
    return [str(problem) for problem in caught.value.problems]


# --- new, changed, unchanged -----------------------------------------------------------------


def test_a_new_row_becomes_a_new_device():
    assert read(HEADER, ROW).difference.new == (replace(KNOWN, number=0),)


def test_importing_the_same_again_changes_nothing():
    found = read(HEADER, ROW, devices=(KNOWN,))
    assert not found.difference
    assert found.difference.unchanged == (KNOWN,)


def test_the_inventory_number_tells_which_device_a_row_is_about():
    found = read("Inventarnummer;Raum", "00042;215", devices=(KNOWN, OTHER)).difference
    assert not found.new
    assert [(change.before.number, change.fields) for change in found.changed] == [(7, {"room": ("214", "215")})]


def test_an_empty_cell_leaves_what_is_there():
    assert not read(HEADER, "00042;;;;;;", devices=(KNOWN,)).difference


def test_leading_zeros_tell_numbers_apart():
    found = read(
        HEADER, ROW.replace("00042;", "42;").replace("nb-000042", "nb-1").replace("PF42", "X"), devices=(KNOWN,)
    )
    assert found.difference.new[0].inventory_number == "42"


def test_authorities_and_sites_may_be_written_with_their_names():
    (device,) = read(HEADER, "1;nb-1;S1;Landesamt für Gesundheit und Soziales;Rostock;;").difference.new
    assert (device.authority, device.site) == ("lagus", "rostock")


def test_two_devices_may_swap_their_hostnames_in_one_file():
    found = read("Inventarnummer;Hostname", "00042;nb-000043", "00043;nb-000042", devices=(KNOWN, OTHER))
    assert [change.after.hostname for change in found.difference.changed] == ["nb-000043", "nb-000042"]


def test_a_closed_authority_keeps_its_devices():
    closed = replace(KNOWN, authority="landesvertretung", site="berlin")
    assert not read("Inventarnummer;Behörde", "00042;landesvertretung", devices=(closed,)).difference


def test_a_column_can_be_left_out_by_name():
    assert read(HEADER + ";Kostenstelle", ROW + ";4711", ignore=("kostenstelle",)).difference.new


# --- problems --------------------------------------------------------------------------------


def test_every_bad_row_is_reported_with_row_column_and_reason():
    assert problems(
        HEADER,
        "1;nb-müller;S1;fa-schwerin;schwerin;;",
        "2;nb-2;S2;fa-schwerinn;schwerin;;",
        ROW,
        "3;nb-3;;fa-schwerin;Schwerinn;{{ 1 }};übergebn",
    ) == [
        "d.csv:2: Rechnername: 'nb-müller' is no hostname. Write nb-mueller.",
        "d.csv:3: Behörde: authority 'fa-schwerinn' is not known. Perhaps fa-schwerin or sba-schwerin or lg-schwerin.",
        "d.csv:5: Standort: site 'Schwerinn' is not known. Perhaps schwerin.",
        "d.csv:5: Raum: '{{ 1 }}' holds {{, which Ansible would take as a program. Remove it.",
        "d.csv:5: Status: 'übergebn' is not known. Perhaps übergeben or uebergeben.",
        "d.csv:5: Seriennummer: is empty. A new device needs it.",
    ]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([ROW, ROW], "d.csv:3: Inventarnummer: '00042' was already given at d.csv:2."),
        ([ROW, "2;NB-000042;S2;zdmv;schwerin;;"], "d.csv:3: Rechnername: 'nb-000042' was already given at d.csv:2."),
        ([ROW, "2;nb-2;pf42;zdmv;schwerin;;"], "d.csv:3: Seriennummer: 'pf42' was already given at d.csv:2."),
        (
            ["1;nb-1;S1;fa-schwerin;rostock;;"],
            "d.csv:2: Standort: fa-schwerin has no site rostock. Its sites: schwerin.",
        ),
        (["1;nb-1;S1;zdmv;schwerin;2;;extra"], "d.csv:2: 'extra' stands in a column without a name."),
    ],
)
def test_rows_are_checked_against_one_another(rows: list[str], problem: str):
    assert any(text.startswith(problem.rstrip(".")) for text in problems(HEADER, *rows))


def test_names_of_other_devices_are_taken():
    assert problems(HEADER, "00042;nb-000043;pf43;;;;", devices=(KNOWN, OTHER)) == [
        "d.csv:2: Rechnername: 'nb-000043' belongs to nb-000043. That is inventory number 00043, serial PF43, in_use.",
        "d.csv:2: Seriennummer: 'pf43' belongs to nb-000043. That is inventory number 00043, serial PF43, in_use.",
    ]


def test_a_step_that_the_life_cycle_does_not_allow_is_refused():
    assert problems("Inventarnummer;Status", "00042;ausgesondert", devices=(KNOWN,)) == [
        "d.csv:2: Status: retired cannot follow in_use. Allowed: in_repair, lost, returned, spare."
    ]


def test_unknown_missing_and_double_columns_are_reported_with_the_rows():
    assert problems("Inventarnumer;Rechnername;Hostname;Behörde;Standort", "1;nb-1;nb-1;zdmv;schwerin") == [
        (
            "d.csv:1: the column 'Inventarnumer' is not known. "
            "Perhaps Inventarnummer. To leave it out: --ignore 'Inventarnumer'."
        ),
        "d.csv:1: the column 'Hostname' holds Rechnername once more. Remove one of them.",
        "d.csv:1: the column Inventarnummer is missing. It tells which device a row is about.",
        "d.csv:1: the column Seriennummer is missing. New devices need it, as in d.csv:2.",
    ]


@given(st.lists(st.lists(st.text(max_size=8), max_size=8), max_size=6))
def test_any_table_is_an_import_or_an_input_error(rows: list[list[str]]):
    text = "\n".join(";".join(cells) for cells in [[HEADER], *rows])
    try:
        read(text)
    except InputError as error:
        assert all(problem.where.startswith("d.csv") for problem in error.problems)


# --- export ----------------------------------------------------------------------------------

FULL = replace(
    KNOWN,
    vendor="Lenovo",
    model='14" Müller; & Söhne',
    workplace=Workplace.MOBILE,
    address="2001:db8::7",
    room="-1.04",
    delivered=date(2026, 3, 14),
)


@pytest.mark.parametrize("bom", [False, True])
def test_an_export_can_be_imported_and_changes_nothing(bom: bool):
    known = Known(devices=(FULL, OTHER), organisation=ORGANISATION, on=TODAY)
    data = to_csv([FULL, OTHER], bom=bom).encode()
    assert read_devices(data, file="d.csv", known=known).difference.unchanged == (FULL, OTHER)


def test_an_export_speaks_german():
    text = to_csv([FULL])
    assert text.startswith("Inventarnummer;Rechnername;")
    assert ";Mobil;" in text
    assert ";übergeben;" in text


def test_no_cell_of_an_export_is_a_formula():
    assert ";'-1.04;" in to_csv([FULL])


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40))
def test_guarding_a_cell_is_undone_by_reading_it(text: str):
    cell = guarded(text)
    assert not cell.startswith(("=", "+", "-", "@"))
    with contextlib.suppress(CellError):
        assert parse("room", cell) == unicodedata.normalize("NFC", text)


def test_difference_finds_devices_by_inventory_number_in_any_case():
    before = replace(KNOWN, inventory_number="INV-a")
    found = difference([before], [replace(before, number=0, inventory_number="inv-A", room="1")])
    assert found.changed[0].after.number == 7
