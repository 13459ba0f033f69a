from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mvpc.cli.app import app
from mvpc.cli.device.words import as_words

SAMPLE = Path(__file__).parents[2] / "inventory"

ROWS = """\
Inventarnummer;Rechnername;Seriennummer;Hersteller;Modell;Behörde;Standort;Raum;Status
00042;nb-000042;PF42;Lenovo;ThinkPad T14;fa-schwerin;schwerin;214;übergeben
00043;nb-000043;PF43;Lenovo;ThinkPad T14;zdmv;rostock;3.1;gelöscht
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mvpc.toml").touch()
    (tmp_path / "inventory").mkdir()
    shutil.copy(SAMPLE / "organisation.yml", tmp_path / "inventory")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MVPC_USER", "ute")
    return tmp_path


@pytest.fixture
def filled(project: Path) -> Path:
    (project / "d.csv").write_text(ROWS, encoding="cp1252")
    assert mvpc("import", "d.csv", "--yes").exit_code == 0
    return project


def mvpc(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["device", *arguments], input=answer)


def hostnames(*arguments: str) -> list[str]:
    return [device["hostname"] for device in json.loads(mvpc("list", "--json", *arguments).stdout)["devices"]]


def test_the_reason_of_a_refusal_stands_whole_in_the_history():
    reason = "the words on its screen are not those of the key that arrived"
    assert as_words({"enrolment": ("", f"refused: {reason}")}) == f"enrolment refused: {reason}"


def test_two_keys_that_begin_alike_can_be_told_apart_in_what_was_changed():
    keys = [f"ssh-ed25519 {'A' * 60}first-{'B' * 10}", f"ssh-ed25519 {'A' * 60}second-{'C' * 10}"]
    assert as_words({"host_key": (keys[0], keys[1])}) == (
        "host key ssh-ed25519 AAAAAAAAAAAAAAA…t-BBBBBBBBBB -> ssh-ed25519 AAAAAAAAAAAAAAA…d-CCCCCCCCCC"
    )


def test_an_import_shows_what_was_found_and_asks(project: Path):
    (project / "d.csv").write_text(ROWS, encoding="cp1252")
    refused = mvpc("import", "d.csv", answer="n\n")
    assert refused.exit_code == 1
    assert "d.csv: 2 rows (Windows-1252, semicolon): 2 new, 0 changed, 0 unchanged" in refused.stdout
    assert "Nothing was imported" in refused.stderr
    assert mvpc("import", "d.csv", answer="y\n").exit_code == 0
    assert hostnames() == ["nb-000042", "nb-000043"]


def test_a_second_import_of_the_same_file_has_nothing_to_ask(filled: Path):
    again = mvpc("import", "d.csv")
    assert again.exit_code == 0
    assert "0 new, 0 changed, 2 unchanged" in again.stdout


def test_a_question_that_nobody_answers_ends_its_line(project: Path):
    (project / "d.csv").write_text(ROWS, encoding="utf-8")
    assert mvpc("import", "d.csv").stdout.endswith("Import? [y/N] \n")


def test_a_file_without_any_known_column_is_one_problem(project: Path):
    (project / "d.csv").write_text("00042;nb-000042;PF42;zdmv;rostock\n", encoding="utf-8")
    bad = mvpc("import", "d.csv", "--yes")
    assert (bad.exit_code, bad.stderr.count("\n")) == (2, 1)
    assert bad.stderr.startswith("mvpc: d.csv:1: the first row names no known column. Known: Inventarnummer, ")


def test_one_row_is_not_rows(project: Path):
    (project / "d.csv").write_text("".join(ROWS.splitlines(keepends=True)[:2]), encoding="utf-8")
    assert mvpc("import", "d.csv", "--dry-run").stdout.startswith("d.csv: 1 row (UTF-8, semicolon): 1 new")


def test_json_and_csv_exclude_each_other(filled: Path):
    assert mvpc("list", "--json", "--csv").exit_code == 2


def test_a_text_that_is_not_utf8_is_only_not_found(filled: Path):
    assert "no device is called" in mvpc("show", "nb-\udcff").stderr
    assert hostnames("nb-\udcff") == []


@pytest.mark.parametrize("arguments", [["show", "9" * 20], ["list", "--limit", "9" * 20]])
def test_a_number_that_is_too_high_for_the_database_is_no_bug(filled: Path, arguments: list[str]):
    found = CliRunner().invoke(app, ["rollout", *arguments])
    assert "inside mvpc itself" not in found.output


def test_a_narrow_terminal_shows_names_whole_and_says_what_it_leaves_out(filled: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mvpc.cli.device.looking._WIDE", 1000)
    listed = mvpc("list").stdout
    assert "2 devices, shown without model, os, workplace" in listed
    assert "ThinkPad" not in listed


def test_a_list_without_devices_is_one_line(filled: Path):
    assert mvpc("list", "nothing-like-it").stdout == "0 devices\n"


def test_a_database_that_a_full_disk_left_empty_counts_as_none(project: Path):
    (project / ".mvpc").mkdir()
    (project / ".mvpc" / "mvpc.db").touch()
    assert "there is no inventory yet" in mvpc("list").stderr


def test_a_dry_run_leaves_nothing_behind(project: Path):
    (project / "d.csv").write_text(ROWS, encoding="utf-8")
    assert mvpc("import", "d.csv", "--dry-run").exit_code == 0
    assert not (project / ".mvpc").exists()


def test_bad_rows_are_all_reported_and_nothing_is_imported(project: Path):
    (project / "d.csv").write_text(ROWS.replace("nb-000042", "nb-müller").replace("zdmv", "zdvm"), encoding="utf-8")
    bad = mvpc("import", "d.csv", "--yes")
    assert bad.exit_code == 2
    assert "d.csv:2: Rechnername: 'nb-müller' is no hostname. Write nb-mueller." in bad.stderr
    assert "d.csv:3: Behörde: authority 'zdvm' is not known. Perhaps zdmv" in bad.stderr
    assert not (project / ".mvpc" / "mvpc.db").exists()


def test_the_sample_of_devices_can_be_imported(project: Path):
    done = mvpc("import", str(SAMPLE / "devices.example.csv"), "--yes", "--json")
    assert done.exit_code == 0
    assert len(json.loads(done.stdout)["new"]) == len(hostnames()) == 20


def test_json_without_an_answer_is_refused_before_anything_is_read(project: Path):
    assert mvpc("import", "d.csv", "--json").exit_code == 2


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--ressort", "FM"], ["nb-000042", "nb-000043"]),
        (["--ressort", "im"], []),
        (["--authority", "Finanzamt Schwerin"], ["nb-000042"]),
        (["--ressort", "fm", "--authority", "laiv"], []),
        (["--site", "Rostock"], ["nb-000043"]),
        (["--model", "thinkpad"], ["nb-000042", "nb-000043"]),
        (["--state", "in_use"], ["nb-000042"]),
        (["--os", "windows"], []),
        (["PF43"], ["nb-000043"]),
    ],
)
def test_lists_are_filtered(filled: Path, options: list[str], found: list[str]):
    assert hostnames(*options) == found


def test_an_unknown_ressort_is_bad_input(filled: Path):
    failed = mvpc("list", "--ressort", "fmm")
    assert failed.exit_code == 2
    assert "ressort 'fmm' is not known. Perhaps fm" in failed.stderr


def test_an_export_can_be_imported_again(filled: Path):
    assert mvpc("export", "out.csv").exit_code == 0
    assert (filled / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfInventarnummer;")
    assert "0 new, 0 changed, 2 unchanged" in mvpc("import", "out.csv").stdout
    assert (filled / "out.csv").read_text(encoding="utf-8-sig").replace("\r\n", "\n") == mvpc("list", "--csv").stdout


def test_an_export_to_json_is_chosen_by_the_name_of_the_file(filled: Path):
    assert mvpc("export", "out.json", "--site", "rostock").exit_code == 0
    (device,) = json.loads((filled / "out.json").read_text(encoding="utf-8"))["devices"]
    assert device["inventory_number"] == "00043"


def test_fields_are_set_under_either_name_and_go_into_the_history(filled: Path):
    done = mvpc("set", "nb-000042", "Raum=215", "address=192.0.2.7")
    assert "nb-000042: room 214 -> 215, address 192.0.2.7" in done.stdout
    shown = json.loads(mvpc("show", "00042", "--json").stdout)
    assert (shown["device"]["room"], shown["ressort"]) == ("215", "fm")
    assert [(entry["actor"], entry["action"]) for entry in shown["history"]] == [("ute", "set"), ("ute", "import")]


def test_an_empty_value_empties_what_a_device_can_do_without(filled: Path):
    assert "room 214 -> (empty)" in mvpc("set", "nb-000042", "room=").stdout
    refused = mvpc("set", "nb-000042", "serial=")
    assert (refused.exit_code, refused.stderr) == (2, "mvpc: nb-000042: serial: cannot be empty.\n")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("rom=1", "'rom=1' is not FIELD=VALUE with a known field. Perhaps room."),
        ("room", "'room' is not FIELD=VALUE with a known field."),
        ("hostname=nb-000043", "nb-000042: hostname: 'nb-000043' belongs to nb-000043."),
        ("state=retired", "nb-000042: state: retired cannot follow in_use."),
        ("room={{x}}", "nb-000042: room: '{{x}}' holds {{"),
    ],
)
def test_what_cannot_be_set_is_bad_input(filled: Path, assignment: str, message: str):
    refused = mvpc("set", "nb-000042", assignment)
    assert refused.exit_code == 2
    assert message.rstrip(".") in refused.stderr


def test_a_move_to_another_site_forgets_the_room(filled: Path):
    done = mvpc("move", "nb-000042", "nb-000043", "--authority", "zdmv", "--site", "Rostock")
    assert done.stdout.splitlines() == [
        "nb-000042: authority fa-schwerin -> zdmv, site schwerin -> rostock, room 214 -> (empty)",
        "nb-000043: nothing to change",
    ]
    assert json.loads(mvpc("show", "nb-000042", "--json").stdout)["history"][0]["action"] == "move"


def test_only_erased_or_lost_devices_are_retired(filled: Path):
    assert mvpc("retire", "nb-000043").stdout == "nb-000043: state erased -> retired\n"
    refused = mvpc("retire", "nb-000042")
    assert refused.exit_code == 2
    assert "retired cannot follow in_use. Allowed: in_repair, lost, returned, spare" in refused.stderr


def test_a_device_is_added_with_its_fields(filled: Path):
    fields = ["hostname=nb-000044", "inventory_number=00044", "serial=PF44", "authority=lung", "site=guestrow"]
    assert mvpc("add", *fields).stdout == "nb-000044: added\n"
    again = mvpc("add", *fields)
    assert again.exit_code == 2
    assert "'00044' is taken. To change that device: mvpc device set 00044 FIELD=VALUE." in again.stderr


def test_a_new_device_needs_its_names_and_its_place(project: Path):
    refused = mvpc("add", "hostname=nb-1")
    assert refused.exit_code == 2
    missing = ("inventory_number", "serial", "authority", "site")
    assert [line for line in refused.stderr.splitlines() if "is empty" in line] == [
        f"mvpc: {name}: is empty. A new device needs it." for name in missing
    ]


def test_before_the_first_import_the_next_step_is_named(project: Path):
    empty = mvpc("list")
    assert empty.exit_code == 1
    assert "there is no inventory yet. Import devices first: mvpc device import FILE" in empty.stderr


def test_looking_loads_no_sqlalchemy(filled: Path):
    code = (
        "import sys; sys.argv = ['mvpc', 'device', 'list', '--ressort', 'fm']\n"
        "from mvpc.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'sqlmodel', 'sqlalchemy', 'alembic', 'paramiko'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, stdout=subprocess.DEVNULL)


def test_nobody_is_asked_for_a_token_before_there_are_authorities(filled: Path):
    said = mvpc("enroll", "nb-000042", answer="4t6l-bpgr\n").output
    assert said == "mvpc: there are no certificate authorities yet. Make them: mvpc ca init.\n"
