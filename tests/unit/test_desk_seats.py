"""A flood of log-ins at the desk takes its seats and no more of the controller."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mvpc.cli.seats import SEATS, a_seat
from mvpc.device.firstboot import ask
from mvpc.errors import MvpcError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mvpc.toml").touch()
    return tmp_path


@contextmanager
def taken(folder: Path, number: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(a_seat(folder))
        yield


def at_the_desk(project: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "mvpc", "-C", str(project), "device", "desk", "--proof", "", "--address", "192.0.2.7"]
    return subprocess.run(argv, input="{}\n", capture_output=True, text=True, check=False)


def test_one_more_than_there_are_seats_is_sent_away_at_once_without_an_answer(project: Path):
    with taken(project / ".mvpc/desk", SEATS):
        done = at_the_desk(project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mvpc: 8 laptops are at the desk already. A new laptop comes again by itself.\n"


def test_a_seat_that_was_left_is_free_again(project: Path):
    folder = project / ".mvpc/desk"
    with taken(folder, SEATS), pytest.raises(MvpcError, match="at the desk already"):
        a_seat(folder).__enter__()
    with taken(folder, SEATS - 1):
        done = at_the_desk(project)
    assert done.returncode == 0
    assert "sshd has not said with which key it logged in" in done.stdout


def test_a_new_laptop_that_found_no_seat_keeps_its_token_and_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    accepted = b'{"error": "", "device": "nb-1", "account": "a", "key": "k"}\n'
    said = iter([(1, b"", b"mvpc: 8 laptops are at the desk already.\n"), (0, accepted, b"")])

    def ssh(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(argv, *next(said))

    monkeypatch.setattr("subprocess.run", ssh)
    monkeypatch.setattr("time.sleep", lambda _: None)
    settings = {"host_key": "k", "port": 22, "account": "a", "address": "mvpc.example"}
    assert ask(tmp_path, settings, {"token": "secret"})["device"] == "nb-1"
    assert "8 laptops are at the desk already" in capsys.readouterr().out
