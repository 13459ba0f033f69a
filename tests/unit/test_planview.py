"""A plan as people read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mvpc.cli.planview import show_plan
from mvpc.model import Action, Change, Edit, Gate, Plan, PlannedRing, Skip, Skipped

GONE = (
    Edit(path="wifi.networks.old.ssid", old="OLD", whole="wifi.networks.old"),
    Edit(path="wifi.networks.old.priority", old=1, whole="wifi.networks.old"),
)
NEW = Edit(path="software.keepassxc", new="present", source="profiles/ressorts/fm.yml:12")


def change(device: str, component: str = "wifi", **fields: Any) -> Change:
    values: dict[str, Any] = {"action": Action.UPDATE, "reason": "why", "digest": "d"}
    return Change(device=device, component=component, **values | fields)


def a_plan(*changes: Change, skipped: tuple[Skipped, ...] = (), gates: tuple[Gate, ...] = ()) -> Plan:
    names = dict.fromkeys([*(each.device for each in changes), *(each.device for each in skipped)])
    rings = tuple(
        PlannedRing(name=f"ring-{at}", gate=gate, devices=("nb-1",)) for at, gate in enumerate(gates, start=1)
    )
    return Plan(
        scope="all",
        changes=changes,
        skipped=skipped,
        ressorts=dict.fromkeys(names, "fm"),
        authorities={name: f"amt-{name[-1]}" for name in names},
        rings=rings,
        hash="7f3a91c0ffee",
    )


def skip(device: str, why: Skip, detail: str = "") -> Skipped:
    return Skipped(device=device, why=why, detail=detail)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]):
    def show(plan: Plan, *, each_device: bool = False) -> list[str]:
        show_plan(plan, each_device=each_device)
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip()]

    return show


def test_what_leaves_the_laptops_comes_first_and_a_map_that_goes_as_a_whole_is_one_line(shown):
    lines = shown(a_plan(change("nb-1", "software", edits=(NEW,)), change("nb-1", edits=GONE)))
    assert lines[0] == "Plan 7f3a91c0ffee · all · 1 of 1 device to change"
    assert lines[3:] == [
        "wifi 1 - wifi.networks.old: 2 settings",
        "software 1 + software.keepassxc = present profiles/ressorts/fm.yml:12",
    ]


def test_equal_changes_of_many_laptops_are_one_line(shown):
    lines = shown(a_plan(*(change("nb-1", "software", edits=(NEW,)) for _ in range(40))))
    assert lines[3] == "software 40 + software.keepassxc = present profiles/ressorts/fm.yml:12"


def test_every_difference_of_a_laptop_that_drifted_is_shown(shown):
    drift = "file /etc/hosts differs (content)", "unit ssh.service is stopped"
    lines = shown(a_plan(change("nb-1", "base", reason="drift: ...", drift=drift)))
    assert lines[3:] == [f"base 1 drift: {each}" for each in drift]


def test_devices_are_counted_by_ressort_and_authority(shown):
    lines = shown(a_plan(change("nb-1"), change("nb-2"), skipped=(skip("nb-3", Skip.UNREACHABLE, "wifi waits"),)))
    assert [line for line in lines if line.startswith(("ressort", "FM"))] == [
        "ressort authority change unreachable",
        "FM amt-1 1",
        "FM amt-2 1",
        "FM amt-3 1",
    ]


def test_many_authorities_are_counted_by_ressort_unless_everything_is_asked_for(shown):
    plan = a_plan(*(change(f"nb-{chr(0x4E00 + number)}") for number in range(40)))
    assert "FM 40" in shown(plan)
    assert "Everything is listed by: mvpc plan --devices" in shown(plan)
    assert "FM 40" not in shown(plan, each_device=True)


def test_whoever_is_not_touched_has_a_reason_and_records_of_many_times_are_one(shown):
    plan = a_plan(
        skipped=(
            skip("nb-1", Skip.NOT_LINUX, "windows-11 is not managed by mvpc"),
            skip("nb-1", Skip.RECORDED, "by our records of 2026-11-23 12:00"),
            skip("nb-1", Skip.RECORDED, "by our records of 2026-11-20 12:00"),
        )
    )
    assert shown(plan)[3:] == [
        "not managed 1 windows-11 is not managed by mvpc",
        "unchanged 2 not asked; by our records of 2026-11-20 12:00 or newer",
    ]


def test_thousands_of_different_changes_are_cut(shown):
    plan = a_plan(*(change("nb-1", reason=f"drift {number}") for number in range(3000)))
    lines = shown(plan)
    assert len(lines) < 40
    assert "… and 2975 more kinds of change" in lines


def test_gates_that_differ_are_all_shown(shown):
    assert shown(a_plan(change("nb-1"), gates=(Gate(), Gate())))[-1] == ("stops above 2 % or 5 failures · quorum 80 %")
    assert shown(a_plan(change("nb-1"), gates=(Gate(manual=True), Gate(wait_minutes=60))))[-2:] == [
        "ring-1: stops above 2 % or 5 failures · quorum 80 % · then waits for a person",
        "ring-2: stops above 2 % or 5 failures · quorum 80 % · then waits 60 min",
    ]


def test_the_sample_is_one_line_and_changes_nobody(shown):
    walked = [change("nb-2", part, action=Action.FULL) for part in ("base", "wifi")]
    plan = replace(a_plan(change("nb-1", "software", edits=(NEW,)), *walked), sample=("nb-2",))
    lines = shown(plan)
    assert lines[0] == "Plan 7f3a91c0ffee · all · 1 of 2 devices to change"
    assert lines[-1] == "all 1 sample: must report no change"


def test_what_a_laptop_says_cannot_steer_the_terminal(shown):
    assert r"base 1 drift: \x1b[2J [red]" in shown(a_plan(change("nb-1", "base", drift=("\x1b[2J [red]",))))


def test_a_text_with_many_lines_is_shown_by_what_tells_it_from_others():
    key = Edit(path="base.apt.sources.own.key", old="-----BEGIN\none\n", new="-----BEGIN\ntwo\n")
    assert str(key) == "base.apt.sources.own.key: 2 lines (sha256 0ab61102) -> 2 lines (sha256 881892d5)"


def test_where_nobody_was_selected_it_says_so(shown):
    assert shown(a_plan())[1].startswith("The inventory has no device there")
