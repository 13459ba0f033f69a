from __future__ import annotations

from dataclasses import replace

import pytest

from mvpc.model import Action, Change, Outcome, Plan, Reach
from mvpc.rollout import Job, Seams, roll_out
from mvpc.testing import NOON, FakeProber, FakeRunner, MemoryRecorder, a_bundle, a_device, a_probe


def change(device: str, component: str) -> Change:
    return Change(device=device, component=component, action=Action.CREATE, reason="never applied", digest="a")


def job(*changes: Change, asleep: tuple[Change, ...] = ()) -> Job:
    names = {item.device for item in (*changes, *asleep)}
    plan = Plan(scope="all", changes=changes, skipped=(), ressorts=dict.fromkeys(names, "fm"), hash="h")
    return Job(
        plan=plan,
        devices={name: a_device(name) for name in names},
        bundles={name: a_bundle(name) for name in names},
        asleep=asleep,
        actor="anna",
    )


def seams(runner=None, prober=None, recorder=None, observe=None) -> Seams:
    return Seams(
        runner=runner or FakeRunner(),
        prober=prober or FakeProber(),
        recorder=recorder or MemoryRecorder(),
        now=lambda: NOON,
        observe=observe or (lambda _: None),
    )


def test_only_what_the_plan_names_is_converged():
    runner = FakeRunner()
    roll_out(job(change("nb-1", "wifi"), change("nb-1", "vpn"), change("nb-2", "base")), seams(runner=runner))
    assert [(work.device.hostname, work.components) for work in runner.seen] == [
        ("nb-1", ("wifi", "vpn")),
        ("nb-2", ("base",)),
    ]


def test_the_generation_rises_above_what_any_laptop_knows_also_after_a_lost_database():
    runner = FakeRunner()
    roll_out(replace(job(change("nb-1", "base")), highest_generation=41), seams(runner=runner))
    roll_out(job(change("nb-1", "base")), seams(runner=runner))
    assert [work.generation for work in runner.seen] == [42, 1]


def test_every_result_is_stored_before_anyone_is_told():
    recorder, told = MemoryRecorder(), []
    roll_out(
        job(change("nb-1", "base"), change("nb-1", "vpn")),
        seams(recorder=recorder, observe=lambda result: told.append((result.component, len(recorder.results)))),
    )
    assert told == [("base", 1), ("vpn", 2)]


def test_a_failed_component_fails_its_laptop_and_not_the_others():
    runner = FakeRunner(outcomes={("nb-1", "vpn"): Outcome.FAILED})
    rollout = roll_out(job(change("nb-1", "base"), change("nb-1", "vpn"), change("nb-2", "base")), seams(runner=runner))
    assert rollout.counts == {Outcome.FAILED: 1, Outcome.CHANGED: 1}


def test_a_sleeping_laptop_is_recorded_as_unreachable_and_is_not_touched():
    runner, recorder = FakeRunner(), MemoryRecorder()
    rollout = roll_out(job(asleep=(change("nb-9", "wifi"),)), seams(runner=runner, recorder=recorder))
    assert rollout.counts == {Outcome.UNREACHABLE: 1}
    assert [(result.device, result.outcome) for result in recorder.results] == [("nb-9", Outcome.UNREACHABLE)]
    assert runner.seen == []


def test_applied_is_not_verified_until_the_laptop_says_so_itself():
    drifted = a_probe("nb-1", drift={"base": ("file /etc/hosts differs",)})
    asleep = a_probe("nb-2", reach=Reach.UNREACHABLE)
    changes = [change(name, "base") for name in ("nb-1", "nb-2", "nb-3")]
    rollout = roll_out(job(*changes), seams(prober=FakeProber(answers={"nb-1": drifted, "nb-2": asleep})))
    assert (rollout.counts, rollout.verified) == ({Outcome.CHANGED: 3}, 1)


def test_an_interrupted_rollout_keeps_what_was_done_and_is_closed_as_interrupted():
    recorder = MemoryRecorder()
    with pytest.raises(KeyboardInterrupt):
        roll_out(
            job(change("nb-1", "base"), change("nb-2", "base")),
            seams(runner=FakeRunner(interrupt_after=1), recorder=recorder),
        )
    assert [result.device for result in recorder.results] == ["nb-1"]
    assert recorder.ended == [(1, {"changed": 1}, True)]
