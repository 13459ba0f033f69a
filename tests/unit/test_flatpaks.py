"""The program that brings a laptop's Flatpaks to the list, with a `flatpak` that keeps its books in a file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mvpc.programs import flatpaks

FAKE = f"""#!{sys.executable}
import json, sys
from pathlib import Path
books = Path(__file__).with_name("books.json")
state = json.loads(books.read_text())
verb, _, *rest = sys.argv[1:]
words = [each for each in rest if not each.startswith("-")]
def app(ref):
    return ref.split("//")
if verb in state["broken"]:
    sys.exit("warning: slow\\nerror: the system is locked")
elif verb == "remotes":
    print("\\n".join(state["remotes"]))
elif verb == "list":
    for name, remote, branch in state["apps"]:
        print(name, remote, branch, sep="\\t")
elif verb == "remote-add" and words[0] in state["broken"]:
    sys.exit("error: no signature of this key")
elif verb == "remote-add":
    state["remotes"][words[0]] = Path(words[1]).read_text()
elif verb == "remote-delete":
    del state["remotes"][words[0]]
elif verb == "install":
    if words[1] in state["broken"]:
        sys.exit("warning: slow\\nerror: no such ref")
    if any([each[0], each[2]] == app(words[1]) for each in state["apps"]):
        sys.exit("error: already installed from another remote")
    state["apps"].append([app(words[1])[0], words[0], app(words[1])[1]])
elif verb == "uninstall" and words:
    state["apps"] = [each for each in state["apps"] if [each[0], each[2]] != app(words[0])]
state["log"].append(" ".join([verb, *rest]))
books.write_text(json.dumps(state))
"""


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laptop:
    monkeypatch.setattr(flatpaks, "LIST", tmp_path / "list.json")
    monkeypatch.setattr(flatpaks, "OURS", tmp_path / "ours.json")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "flatpak").write_text(FAKE)
    (tmp_path / "flatpak").chmod(0o755)
    return Laptop(tmp_path)


class Laptop:
    """What flatpak says, and what the profile wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.books = folder / "books.json"
        self.books.write_text(json.dumps({"remotes": {}, "apps": [], "log": [], "broken": []}))
        self.want()

    def want(self, *apps: str, branch: str = "stable", key: str = "K1", remote: str = "mv") -> None:
        """Applications of one remote."""
        remotes = {remote: {"url": "https://mv.example/", "key": key}} if apps else {}
        wanted = {app: {"remote": remote, "branch": branch} for app in apps}
        (self.folder / "list.json").write_text(json.dumps({"remotes": remotes, "apps": wanted}))

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.books.read_text())[name]

    def set(self, **state: Any) -> None:
        """Change what flatpak knows."""
        self.books.write_text(json.dumps({**json.loads(self.books.read_text()), **state}))

    def changes(self) -> list[str]:
        """Commands of the last run that changed something."""
        log = [each for each in self["log"] if each.split()[0] not in {"remotes", "list"}]
        self.set(log=[])
        return log


def test_remotes_come_before_their_applications_and_a_second_run_does_nothing(laptop: Laptop):
    laptop.want("org.a.A", "org.b.B")
    assert flatpaks.main([]) == 0
    assert [each.split()[0] for each in laptop.changes()] == ["remote-add", "install", "install"]
    assert "GPGKey=K1\n" in laptop["remotes"]["mv"]
    assert flatpaks.main([]) == 0
    assert laptop.changes() == []


def test_a_run_asks_flatpak_only_once_what_there_is(laptop: Laptop):
    laptop.want("org.a.A", "org.b.B")
    flatpaks.main([])
    laptop.changes()
    flatpaks.main([])
    assert [each.split()[0] for each in laptop["log"]] == ["list", "remotes"]


def test_what_nobody_wants_any_more_goes_with_its_remote(laptop: Laptop):
    laptop.want("org.a.A", "org.b.B")
    flatpaks.main([])
    laptop.want("org.b.B")
    flatpaks.main([])
    assert laptop["apps"] == [["org.b.B", "mv", "stable"]]
    flatpaks.main(["--none"])
    assert (laptop["apps"], laptop["remotes"]) == ([], {})


def test_what_others_installed_stays_even_when_the_profile_wanted_it_for_a_while(laptop: Laptop):
    laptop.set(apps=[["org.a.A", "mv", "stable"], ["org.c.C", "theirs", "stable"]], remotes={"theirs": ""})
    laptop.want("org.a.A")
    flatpaks.main([])
    flatpaks.main(["--none"])
    assert laptop["apps"] == [["org.a.A", "mv", "stable"], ["org.c.C", "theirs", "stable"]]
    assert laptop["remotes"] == {"theirs": ""}


def test_another_branch_takes_the_place_of_the_old_one(laptop: Laptop):
    laptop.want("org.a.A")
    flatpaks.main([])
    laptop.want("org.a.A", branch="lts")
    assert flatpaks.main([]) == 0
    assert laptop["apps"] == [["org.a.A", "mv", "lts"]]


def test_an_application_that_moves_to_another_remote_comes_from_there(laptop: Laptop):
    laptop.want("org.a.A")
    flatpaks.main([])
    laptop.want("org.a.A", remote="own")
    assert flatpaks.main([]) == 0
    assert (laptop["apps"], list(laptop["remotes"])) == ([["org.a.A", "own", "stable"]], ["own"])
    flatpaks.main(["--none"])
    assert laptop["apps"] == []


def test_an_application_stays_while_the_remote_that_it_shall_move_to_cannot_be_added(laptop: Laptop):
    laptop.want("org.a.A")
    flatpaks.main([])
    laptop.want("org.a.A", remote="own")
    laptop.set(broken=["own"])
    assert flatpaks.main([]) == 1
    assert (laptop["apps"], list(laptop["remotes"])) == ([["org.a.A", "mv", "stable"]], ["mv"])


def test_what_somebody_installed_again_from_elsewhere_is_theirs(laptop: Laptop):
    laptop.want("org.a.A")
    flatpaks.main([])
    laptop.set(apps=[["org.a.A", "theirs", "stable"]])
    assert flatpaks.main(["--none"]) == 0
    assert laptop["apps"] == [["org.a.A", "theirs", "stable"]]


def test_another_key_takes_the_place_of_the_old_one(laptop: Laptop):
    laptop.want("org.a.A")
    flatpaks.main([])
    laptop.changes()
    laptop.want("org.a.A", key="K2")
    flatpaks.main([])
    assert [each.split()[0] for each in laptop.changes()] == ["remote-delete", "remote-add"]
    assert "GPGKey=K2\n" in laptop["remotes"]["mv"]


def test_what_fails_is_said_and_tried_again_while_the_rest_is_done(laptop: Laptop, capfd: pytest.CaptureFixture[str]):
    laptop.want("org.a.A", "org.b.B")
    laptop.set(broken=["org.a.A//stable"])
    assert flatpaks.main([]) == 1
    assert capfd.readouterr().err == "flatpak install mv org.a.A//stable: error: no such ref\n"
    assert laptop["apps"] == [["org.b.B", "mv", "stable"]]
    laptop.set(broken=[])
    assert flatpaks.main([]) == 0
    laptop.want()
    flatpaks.main([])
    assert laptop["apps"] == []


def test_nothing_is_asked_of_a_remote_that_could_not_be_added(laptop: Laptop, capfd: pytest.CaptureFixture[str]):
    laptop.want("org.a.A")
    laptop.set(broken=["mv"])
    assert flatpaks.main([]) == 1
    [said] = capfd.readouterr().err.splitlines()
    assert said.startswith("flatpak remote-add --from mv ")
    assert said.endswith("error: no signature of this key")


def test_an_update_comes_after_what_is_missing(laptop: Laptop):
    laptop.want("org.a.A")
    flatpaks.main(["--update"])
    assert [each.split()[0] for each in laptop.changes()] == ["remote-add", "install", "update"]


def test_a_question_that_flatpak_cannot_answer_ends_with_one_line(laptop: Laptop, capfd: pytest.CaptureFixture[str]):
    laptop.want("org.a.A")
    laptop.set(broken=["list"])
    assert flatpaks.main([]) == 1
    assert capfd.readouterr().err == (
        "flatpak list --app --columns=application,origin,branch: error: the system is locked\n"
    )


@pytest.mark.parametrize("text", ["", "[]", '{"remotes": {}, "apps": []}', '{"remotes": {}}', '{"apps'])
def test_a_damaged_list_of_what_was_brought_is_complained_about_once_and_removes_nothing(
    laptop: Laptop, capfd: pytest.CaptureFixture[str], text: str
):
    laptop.want("org.a.A")
    flatpaks.main([])
    (laptop.folder / "ours.json").write_text(text)
    laptop.want("org.b.B")
    assert flatpaks.main([]) == 1
    assert capfd.readouterr().err.endswith("ours.json is damaged; what was brought before stays on this laptop\n")
    assert [app for app, *_ in laptop["apps"]] == ["org.a.A", "org.b.B"]
    assert flatpaks.main([]) == 0


def test_a_damaged_list_of_what_is_wanted_changes_nothing(laptop: Laptop, capfd: pytest.CaptureFixture[str]):
    laptop.want("org.a.A")
    flatpaks.main([])
    laptop.changes()
    (laptop.folder / "list.json").write_text("{")
    assert flatpaks.main([]) == 1
    assert capfd.readouterr().err == f"{laptop.folder}/list.json is damaged\n"
    assert laptop.changes() == []


def test_what_was_brought_is_on_the_disk_before_it_replaces_what_was_known(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
):
    steps: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(os, "fsync", lambda _descriptor: steps.append("on the disk"))

    def put(path: Path, other: Path) -> Path:
        steps.append("in its place")
        return replace(path, other)

    monkeypatch.setattr(Path, "replace", put)
    laptop.want("org.a.A")
    flatpaks.main([])
    assert steps
    assert steps == ["on the disk", "in its place"] * (len(steps) // 2)
