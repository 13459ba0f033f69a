"""What reaches the terminal, whichever command prints it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mvpc.cli.console import draw_code, print_beside, print_table, say
from mvpc.inventory.difference import difference
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mvpc.toml").touch()
    devices = [a_device(f"nb-{number:06}", number=0) for number in range(2000)]
    Store(tmp_path / ".mvpc/mvpc.db").save(difference([], devices), actor="t", at=NOON, action="add")
    return tmp_path


def test_a_table_ends_no_line_with_blanks_and_leaves_out_what_nothing_stands_in(capsys: pytest.CaptureFixture[str]):
    print_table("2 laptops", ["laptop", "room", "site"], [["lab-01", "", "schwerin"], ["lab-02", "", "s"]])
    title, head, rule, *rows = capsys.readouterr().out.splitlines()
    assert (title, head, rows) == ("2 laptops", "laptop   site", ["lab-01   schwerin", "lab-02   s"])
    assert set(rule) == {"─"}


def test_a_table_without_a_title_stands_off_what_is_above_it_and_one_without_rows_is_its_title(
    capsys: pytest.CaptureFixture[str],
):
    print_table("", ["laptop"], [["lab-01"]])
    assert capsys.readouterr().out.startswith("\nlaptop\n")
    print_table("0 laptops", ["laptop"], [])
    print_table("", ["laptop"], [])
    assert capsys.readouterr().out == "0 laptops\n"


def test_a_line_that_is_too_long_for_the_terminal_is_broken_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "30")
    say("two laptops are asleep; see: mvpc rollout waiting")
    assert capsys.readouterr().out.splitlines() == ["two laptops are asleep; see: ", "mvpc rollout waiting"]


def test_places_have_a_column_of_their_own_where_there_is_room(capsys: pytest.CaptureFixture[str]):
    print_beside([("vpn.tunnel = split", "base.yml:4", ""), ("vpn.mtu = 1400", "default", "")])
    assert capsys.readouterr().out.splitlines() == [
        "vpn.tunnel = split     base.yml:4",
        "vpn.mtu = 1400         default",
    ]


def test_on_a_narrow_terminal_places_keep_to_the_right_and_nothing_is_cut_in_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "32")
    print_beside([("vpn.tunnel = split", "base.yml:4", ""), ("vpn.gateway = vpn.mv.example", "base.yml:5", "")])
    assert capsys.readouterr().out.splitlines() == [
        "vpn.tunnel = split    base.yml:4",
        "vpn.gateway = vpn.mv.example",
        "                      base.yml:5",
    ]


def test_a_line_in_a_pipe_is_never_broken(capsys: pytest.CaptureFixture[str]):
    say("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_locale_that_lacks_a_character_gets_a_question_mark_and_no_error(project: Path):
    (project / "inventory").mkdir()
    shutil.copy(Path(__file__).parents[2] / "inventory/organisation.yml", project / "inventory")
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "mvpc", "device", "set", "nb-000001", "room=Süd"]
    done = subprocess.run(
        command, cwd=project, env=ascii_only, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "nb-000001: room 214 -> S?d\n", "")


def test_a_reader_that_goes_away_ends_mvpc_without_a_word_as_a_shell_expects_it(project: Path):
    pipe, command = subprocess.PIPE, [sys.executable, "-m", "mvpc", "device", "list"]
    with subprocess.Popen(command, cwd=project, stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 128 + signal.SIGPIPE


def test_a_code_on_a_terminal_can_be_read_back_and_sets_both_colours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": ""}.items():
        monkeypatch.setenv(name, value)
    modules = [[False, True, False], [True, True, False], [False, False, True]]
    draw_code(modules)
    lines = capsys.readouterr().out.splitlines()
    assert all("38;2;255;255;255;48;2;0;0;0" in line for line in lines)
    ink = {" ": (True, True), "▄": (True, False), "▀": (False, True), "█": (False, False)}
    rows = [[ink[each][half] for each in line if each in ink] for line in lines for half in (0, 1)]
    assert rows == [*modules, [False] * 3]


def test_without_colours_no_code_is_drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("NO_COLOR", "1")
    draw_code([[True]])
    assert capsys.readouterr().out == ""
