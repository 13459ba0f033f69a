"""`mvpc rollout show`: what failed first, and long lists cut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mvpc.cli.app import app
from mvpc.inventory.difference import ImportDifference
from mvpc.model import Action, Change, ComponentResult, Gate, Outcome, Plan, PlannedRing, RolloutState
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

NAMES = tuple(f"nb-{number:06}" for number in range(1, 101))
ERROR = "apt-get install: E: Unable to locate package ghost\nE: and more of it"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A hundred laptops of one ressort."""
    (tmp_path / "mvpc.toml").touch()
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mvpc").mkdir()
    store = Store(tmp_path / ".mvpc" / "mvpc.db")
    devices = tuple(a_device(name, number=0) for name in NAMES)
    store.save(ImportDifference(new=devices), actor="ute", at=NOON, action="import")
    return store


def a_rollout(store: Store, *results: ComponentResult, verified: tuple[str, ...] = ()) -> None:
    rings = ("pilot", NAMES[:1]), ("broad", NAMES[1:])
    plan = Plan(
        scope="FM",
        changes=tuple(
            Change(device=name, component="software", action=Action.UPDATE, reason="why", digest="d") for name in NAMES
        ),
        skipped=(),
        ressorts=dict.fromkeys(NAMES, "fm"),
        authorities=dict.fromkeys(NAMES, "zdmv"),
        rings=tuple(PlannedRing(name=name, gate=Gate(), devices=devices) for name, devices in rings),
        hash="7f3a91c0ffee",
    )
    number = store.begin_rollout(plan, actor="ute", at=NOON)
    store.record(number, results, {})
    store.record_proofs(number, verified)
    store.end_rollout(number, at=NOON, state=RolloutState.STOPPED, reason="2 devices failed")


def came(device: str, outcome: Outcome, error: str = "") -> ComponentResult:
    return ComponentResult(device=device, component="software", outcome=outcome, at=NOON, error=error)


def show(*options: str) -> list[str]:
    done = CliRunner().invoke(app, ["rollout", "show", "1", *options])
    assert done.exit_code == 0, done.output
    return [" ".join(line.split()) for line in done.output.splitlines() if line.strip()]


def test_what_failed_comes_first_and_equal_failures_stand_together(store: Store):
    a_rollout(store, came(NAMES[1], Outcome.FAILED, ERROR), came(NAMES[2], Outcome.FAILED, ERROR))
    lines = show()
    assert lines[0].endswith("by ute · stopped: 2 devices failed")
    assert lines[1] == "2 devices failed"
    said = "apt-get install: E: Unable to locate package ghost"
    assert lines[4] == f"software 2 {said} nb-000002, nb-000003"
    assert lines[-1] == "Next: mvpc rollout show 1 --failed, then mvpc rollout retry 1"


def test_a_laptop_on_which_everything_fails_alike_is_in_one_line(store: Store):
    late = [replace(came(NAMES[1], Outcome.FAILED, "no result in time"), component=part) for part in ("vpn", "base")]
    a_rollout(store, *late)
    assert show()[4] == "base, vpn 1 no result in time nb-000002"


def test_each_ring_says_how_many_changed_verified_failed_wait_and_are_open(store: Store):
    results = came(NAMES[0], Outcome.CHANGED), came(NAMES[1], Outcome.FAILED), came(NAMES[2], Outcome.UNREACHABLE)
    a_rollout(store, *results, verified=NAMES[:1])
    lines = show()
    assert "ring devices verified changed unchanged failed waiting open" in lines
    assert "pilot 1 1 1 0 0 0 0" in lines
    assert "broad 99 0 0 0 1 1 97" in lines


def test_long_lists_are_cut_and_say_how_to_see_all(store: Store):
    a_rollout(
        store,
        *(came(name, Outcome.FAILED, f"{name} is special") for name in NAMES[:40]),
        *(came(name, Outcome.UNREACHABLE) for name in NAMES[40:60]),
    )
    lines = show()
    assert "… and 20 more kinds of failure" in lines
    assert "20 devices waiting: nb-000041, nb-000042, nb-000043, nb-000044, nb-000045 and 15 more" in lines
    assert "Everything is listed by: mvpc rollout show 1 --devices" in lines
    assert len(lines) < 45


def test_failed_shows_all_that_was_said_and_nothing_else(store: Store):
    a_rollout(store, came(NAMES[0], Outcome.CHANGED), came(NAMES[1], Outcome.FAILED, ERROR + "\x1b[2J"))
    [_, head, *said] = show("--failed")
    assert head.startswith("nb-000002 · FM · zdmv · software · ")
    assert said == ["apt-get install: E: Unable to locate package ghost", r"E: and more of it\x1b[2J"]


def test_devices_lists_every_result_with_failures_first(store: Store):
    a_rollout(store, came(NAMES[0], Outcome.CHANGED), came(NAMES[1], Outcome.FAILED, "x"), verified=NAMES[:1])
    lines = show("--devices")
    assert lines[3:5] == ["nb-000002 software failed x", "nb-000001 software changed yes"]
    assert any(line.startswith("98 devices open") and "nb-000100" in line for line in lines)


def test_without_a_number_the_newest_rollout_is_shown(store: Store):
    refused = CliRunner().invoke(app, ["rollout", "show"])
    assert (refused.exit_code, refused.stderr.split(".")[0]) == (2, "mvpc: there is no rollout yet")
    a_rollout(store, came(NAMES[0], Outcome.CHANGED))
    a_rollout(store, came(NAMES[1], Outcome.FAILED, "x"))
    assert CliRunner().invoke(app, ["rollout", "show"]).stdout.startswith("Rollout 2 of ")


def test_list_and_show_write_times_and_schedules_as_the_other_documents_do(store: Store):
    a_rollout(store, came(NAMES[0], Outcome.CHANGED))
    shown = json.loads(CliRunner().invoke(app, ["rollout", "show", "1", "--json"]).stdout)
    [listed] = json.loads(CliRunner().invoke(app, ["rollout", "list", "--json"]).stdout)["rollouts"]
    assert shown["rollout"] == listed
    assert listed["started"] == shown["results"][0]["at"] == NOON.isoformat(timespec="milliseconds")
    assert listed["schedule"].keys() == {"not_before", "not_after", "window", "catch_up", "zone"}


def test_a_retry_that_has_nobody_to_retry_says_so_and_prints_one_last_line_of_json(store: Store):
    a_rollout(store, came(NAMES[0], Outcome.CHANGED))
    asked = CliRunner().invoke(app, ["rollout", "retry", "1", "--failed"])
    assert (asked.exit_code, asked.stdout) == (0, "Rollout 1: no laptop failed; nothing to do\n")
    [line] = CliRunner().invoke(app, ["rollout", "retry", "1", "--yes", "--json"]).stdout.splitlines()
    end = json.loads(line)
    assert (end["event"], end["plan"], end["rollout"]) == ("end", None, None)
