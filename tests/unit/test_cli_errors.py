"""What people see when something goes wrong, whichever command they typed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mvpc.cli.app import app


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mvpc.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mvpc(*arguments: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(app, arguments, input=given)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "mvpc: state/mvpc.db: Permission denied. Check owner and mode, or use the account"),
        (errno.ENOSPC, "mvpc: state/mvpc.db: No space left on device. Free some space."),
    ],
)
def test_what_the_machine_refuses_is_no_bug_of_mvpc(
    project: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "state/mvpc.db")

    monkeypatch.setattr("mvpc.cli.secret.current_project", refuse)
    failed = mvpc("secret", "list")
    assert failed.exit_code == 1
    assert failed.stderr.startswith(message)


def test_anything_else_unexpected_is_reported_as_a_bug(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("mvpc.cli.secret.current_project", lambda: 1 / 0)
    assert "an error inside mvpc itself" in mvpc("secret", "list").stderr


def test_ctrl_c_at_a_question_is_an_interruption_and_no_answer(project: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    (project / "inventory").mkdir()
    source = Path(__file__).parents[2] / "inventory"
    for name in ("organisation.yml", "lab.csv"):
        (project / "inventory" / name).write_bytes((source / name).read_bytes())
    interrupted = mvpc("device", "import", "inventory/lab.csv")
    assert (interrupted.exit_code, interrupted.stderr) == (130, "mvpc: interrupted\n")
    assert not (project / ".mvpc").exists()


def test_a_secret_from_a_pipe_is_one_line_without_its_end(project: Path):
    assert mvpc("secret", "set", "wifi/guest-psk", given="correct horse\r\nsecond line\n").exit_code == 0
    assert (project / ".mvpc/secrets/wifi/guest-psk").read_bytes() == b"correct horse\n"


@pytest.mark.parametrize("given", [b"\xff\xfe-marker\n", b"a\x00b-marker\n", b"\n", b""])
def test_a_secret_that_is_no_text_is_refused_and_leaves_nothing(project: Path, given: bytes):
    refused = mvpc("secret", "set", "wifi/guest-psk", given=given)
    assert refused.exit_code == 2
    assert "nothing was stored" in refused.stderr
    assert "marker" not in refused.output
    assert not (project / ".mvpc/secrets").exists()


@pytest.mark.parametrize(("first", "second"), [("wifi", "wifi/guest"), ("wifi/guest", "wifi")])
def test_a_secret_and_a_folder_cannot_share_a_name(project: Path, first: str, second: str):
    assert mvpc("secret", "set", first, given="one\n").exit_code == 0
    refused = mvpc("secret", "set", second, given="two\n")
    assert refused.exit_code == 2
    assert f"mvpc: {second}: a stored secret is in the way" in refused.stderr
    assert mvpc("secret", "list").stdout == f"{first}\n"
    assert [path.name for path in (project / ".mvpc/secrets").rglob(".*")] == []


def test_where_no_secret_is_stored_it_says_so_and_how_to_store_one(project: Path):
    assert mvpc("secret", "list").stdout == "0 secrets; store one with: mvpc secret set NAME\n"


def test_a_question_is_not_followed_by_a_full_stop(project: Path):
    assert mvpc("rollout", "purge").stderr == "mvpc: which laptops? Name them, or give --expired.\n"


def test_only_one_laptop_is_asked_live(project: Path):
    assert mvpc("status", "--live").exit_code == 2


def test_the_lab_asks_for_the_authority_before_it_boots_anything(project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "inventory").mkdir()
    source = Path(__file__).parents[2] / "inventory" / "organisation.yml"
    (project / "inventory" / "organisation.yml").write_bytes(source.read_bytes())
    monkeypatch.setattr("mvpc.cli.lab.laptops.find_image", lambda path: path)
    refused = mvpc("lab", "up", "1", "--authority", "zdm")
    assert refused.exit_code == 2
    assert "authority 'zdm' is not known. Perhaps zdmv." in refused.stderr
    assert not (project / ".mvpc").exists()


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        (["explain", "lab-01"], "No such command 'explain'. There is: mvpc profile explain"),
        (["waiting"], "There is: mvpc rollout waiting"),
        (["rolout"], "Did you mean 'rollout'?"),
        (["rollout", "wating"], "Did you mean 'waiting'?"),
        (["rollout", "lab-01"], "Laptops are named with --device lab-01"),
        (["plan", "lab-01"], "laptops are named with --device lab-01"),
    ],
)
def test_a_command_that_people_guess_leads_to_the_one_that_they_mean(typed: list[str], instead: str):
    failed = mvpc(*typed)
    assert failed.exit_code == 2
    assert instead in " ".join(failed.stderr.split())
