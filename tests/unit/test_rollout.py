from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mvpc.errors import MvpcError
from mvpc.job import Job
from mvpc.model import (
    Action,
    Change,
    Gate,
    GateJudged,
    Outcome,
    Plan,
    PlannedRing,
    Reach,
    ResultsStored,
    RingBegun,
    RolloutEnded,
    RolloutState,
)
from mvpc.rollout import Seams, roll_out
from mvpc.testing import NOON, FakeProber, FakeRunner, MemoryObserver, MemoryRecorder, a_bundle, a_device, a_probe


def change(device: str, component: str) -> Change:
    return Change(device=device, component=component, action=Action.CREATE, reason="never applied", digest="a")


def job(*changes: Change, asleep: tuple[Change, ...] = (), rings: tuple[PlannedRing, ...] = ()) -> Job:
    names = {item.device for item in (*changes, *asleep)}
    devices = tuple(dict.fromkeys(item.device for item in changes))
    rings = rings or ((PlannedRing(name="pilot", gate=Gate(), devices=devices),) if devices else ())
    plan = Plan(scope="all", changes=changes, skipped=(), ressorts=dict.fromkeys(names, "fm"), rings=rings, hash="h")
    return Job(
        plan=plan,
        devices={name: a_device(name) for name in names},
        bundles={name: a_bundle(name) for name in names},
        asleep=asleep,
        actor="anna",
    )


def seams(runner=None, prober=None, recorder=None, observer=None) -> Seams:
    return Seams(
        runner=runner or FakeRunner(),
        prober=prober or FakeProber(),
        recorder=recorder or MemoryRecorder(),
        now=lambda: NOON,
        observer=observer or MemoryObserver(),
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
    recorder = MemoryRecorder()
    told: list[bool] = []

    class Listener:
        def observe(self, event):
            if isinstance(event, ResultsStored):
                told.extend(result in recorder.results for result in event.results)

    roll_out(job(change("nb-1", "base"), change("nb-1", "vpn")), seams(recorder=recorder, observer=Listener()))
    assert told == [True, True]


def test_results_that_arrive_together_are_stored_together_before_anyone_is_told():
    recorder, observer = MemoryRecorder(), MemoryObserver()
    changes = change("nb-1", "base"), change("nb-1", "vpn"), change("nb-2", "base")
    roll_out(job(*changes), seams(FakeRunner(together=2), recorder=recorder, observer=observer))
    batches = [event.results for event in observer.events if isinstance(event, ResultsStored)]
    assert [len(results) for results in batches] == [2, 1]
    assert [result for results in batches for result in results] == recorder.results


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


def test_who_gave_proof_is_recorded():
    recorder = MemoryRecorder()
    drifted = a_probe("nb-1", drift={"base": ("file /etc/hosts differs",)})
    prober = FakeProber(answers={"nb-1": drifted})
    roll_out(job(change("nb-1", "base"), change("nb-2", "base")), seams(prober=prober, recorder=recorder))
    assert recorder.verified == ["nb-2"]


def test_an_interrupted_rollout_keeps_what_was_done_and_is_closed_as_interrupted():
    recorder = MemoryRecorder()
    with pytest.raises(KeyboardInterrupt) as raised:
        roll_out(
            job(change("nb-1", "base"), change("nb-2", "base")),
            seams(runner=FakeRunner(interrupt_after=1), recorder=recorder),
        )
    assert [result.device for result in recorder.results] == ["nb-1"]
    reason = "by a person; 1 of 2 devices have no result yet"
    assert recorder.ended == [(1, RolloutState.INTERRUPTED, reason)]
    assert raised.value.__notes__ == ["Rollout 1 was interrupted. Next: mvpc rollout resume 1"]


def test_a_database_that_can_be_written_no_more_is_what_a_person_is_told_of():
    class FullDisk(MemoryRecorder):
        def record(self, *_: Any) -> None:
            raise MvpcError("the disk is full")

        def end_rollout(self, *_: Any, **__: Any) -> None:
            raise MvpcError("the disk is still full")

    with pytest.raises(MvpcError, match="the disk is full") as raised:
        roll_out(job(change("nb-1", "base")), seams(recorder=FullDisk()))
    assert raised.value.__notes__ == ["Rollout 1 was interrupted. Next: mvpc rollout resume 1"]


# --- rings and gates -------------------------------------------------------------------------

NAMES = tuple(f"nb-{number}" for number in range(1, 7))


def ring(name: str, *devices: str, **gate: Any) -> PlannedRing:
    return PlannedRing(name=name, gate=Gate(**gate), devices=devices)


def in_rings(*rings: PlannedRing) -> Job:
    return job(*(change(name, "base") for each in rings for name in each.devices), rings=rings)


def touched(runner: FakeRunner) -> list[str]:
    return [work.device.hostname for work in runner.seen]


def test_rings_follow_each_other_and_each_is_verified_before_the_next():
    runner = FakeRunner()
    rollout = roll_out(in_rings(ring("pilot", "nb-1"), ring("broad", "nb-2", "nb-3")), seams(runner=runner))
    assert (touched(runner), rollout.state, rollout.verified) == (["nb-1", "nb-2", "nb-3"], RolloutState.DONE, 3)


def test_a_broken_profile_is_stopped_in_the_pilot_ring():
    runner, recorder = FakeRunner(outcomes={("nb-1", "base"): Outcome.FAILED}), MemoryRecorder()
    rollout = roll_out(
        in_rings(ring("pilot", "nb-1"), ring("broad", *NAMES[1:])), seams(runner=runner, recorder=recorder)
    )
    assert touched(runner) == ["nb-1"]
    assert (rollout.state, rollout.reason) == (
        RolloutState.STOPPED,
        "1 of 1 devices failed in ring pilot; the limit is 2 % or 5",
    )
    assert recorder.ended[0][1] is RolloutState.STOPPED


def test_the_limit_is_watched_while_a_ring_runs():
    runner = FakeRunner(outcomes={("nb-1", "base"): Outcome.FAILED})
    made = in_rings(ring("broad", *NAMES))
    roll_out(made, replace(seams(runner=runner), at_once=2))
    assert touched(runner) == ["nb-1", "nb-2"]


def test_failures_below_the_limit_do_not_stop_a_ring():
    runner = FakeRunner(outcomes={("nb-1", "base"): Outcome.FAILED})
    gate = {"max_failed": 1, "max_failed_percent": 50}
    rollout = roll_out(
        in_rings(ring("pilot", *NAMES[:2], quorum_percent=50, **gate), ring("broad", *NAMES[2:])), seams(runner=runner)
    )
    assert rollout.state is RolloutState.DONE
    assert len(runner.seen) == 6


def test_laptops_that_fall_asleep_do_not_trip_the_gate_and_do_not_fill_the_quorum():
    runner = FakeRunner(outcomes={("nb-1", "base"): Outcome.UNREACHABLE})
    rollout = roll_out(in_rings(ring("pilot", "nb-1", "nb-2"), ring("broad", "nb-3")), seams(runner=runner))
    assert touched(runner) == ["nb-1", "nb-2"]
    assert (rollout.state, rollout.reason) == (
        RolloutState.HELD,
        "only 1 of 2 devices in ring pilot are verified, 80 % must be",
    )


def test_a_laptop_that_is_busy_waits_like_one_that_sleeps():
    runner = FakeRunner(outcomes={("nb-1", "base"): Outcome.DEFERRED})
    rollout = roll_out(in_rings(ring("pilot", "nb-1", "nb-2"), ring("broad", "nb-3")), seams(runner=runner))
    assert (touched(runner), rollout.state) == (["nb-1", "nb-2"], RolloutState.HELD)
    assert (rollout.counts, rollout.verified) == ({Outcome.DEFERRED: 1, Outcome.CHANGED: 1}, 1)


def test_a_laptop_that_needs_repair_counts_as_a_failure():
    runner = FakeRunner(outcomes={("nb-1", "base"): Outcome.NEEDS_REPAIR})
    rollout = roll_out(in_rings(ring("pilot", "nb-1"), ring("broad", "nb-2")), seams(runner=runner))
    assert (touched(runner), rollout.state) == (["nb-1"], RolloutState.STOPPED)


def test_a_manual_gate_holds_the_next_ring():
    rings = ring("pilot", "nb-1", manual=True), ring("broad", "nb-2")
    rollout = roll_out(in_rings(*rings), seams())
    assert rollout.state is RolloutState.HELD
    assert "a person must promote" in rollout.reason


def test_a_waiting_time_lets_the_rollout_go_on_by_itself_later():
    recorder = MemoryRecorder()
    rings = ring("pilot", "nb-1", wait_minutes=60), ring("broad", "nb-2")
    rollout = roll_out(in_rings(*rings), seams(recorder=recorder))
    assert rollout.state is RolloutState.SCHEDULED
    assert "2026-11-23 13:00 UTC" in rollout.reason
    assert recorder.postponed == [(1, NOON + timedelta(hours=1))]
    assert recorder.rings[-1] == 1


def test_the_last_ring_needs_no_gate():
    assert roll_out(in_rings(ring("pilot", "nb-1", manual=True)), seams()).state is RolloutState.DONE


def test_somebody_may_pause_a_rollout_between_two_batches():
    runner, recorder = FakeRunner(), MemoryRecorder(wish=RolloutState.PAUSED)
    rollout = roll_out(in_rings(ring("pilot", "nb-1"), ring("broad", "nb-2")), seams(runner=runner, recorder=recorder))
    assert (touched(runner), rollout.state) == (["nb-1"], RolloutState.PAUSED)


def test_a_wish_to_pause_that_comes_with_the_last_result_changes_nothing():
    recorder = MemoryRecorder(wish=RolloutState.PAUSED)
    rollout = roll_out(in_rings(ring("pilot", "nb-1")), seams(recorder=recorder))
    assert (rollout.state, rollout.verified) == (RolloutState.DONE, 1)


def after_a_result(recorder: MemoryRecorder) -> Callable[[], str]:
    return lambda: "interrupted by SIGTERM" if recorder.results else ""


def test_after_a_signal_what_is_in_flight_finishes_and_nothing_new_begins():
    made = in_rings(ring("pilot", "nb-1", "nb-2"), ring("broad", "nb-3"))
    runner, recorder = FakeRunner(), MemoryRecorder()
    signalled = replace(seams(runner, recorder=recorder), stop=after_a_result(recorder), at_once=1)
    rollout = roll_out(made, signalled)
    assert touched(runner) == ["nb-1"]
    assert (rollout.state, rollout.reason) == (
        RolloutState.INTERRUPTED,
        "by SIGTERM in ring pilot; 2 of 3 devices have no result yet",
    )
    assert recorder.ended == [(1, rollout.state, rollout.reason)]


def test_a_signal_that_comes_with_the_last_result_changes_nothing():
    recorder = MemoryRecorder()
    signalled = replace(seams(recorder=recorder), stop=after_a_result(recorder))
    assert roll_out(in_rings(ring("pilot", "nb-1")), signalled).state is RolloutState.DONE


def test_a_resumed_rollout_begins_at_its_ring_and_leaves_out_what_is_proved():
    runner = FakeRunner()
    made = in_rings(ring("pilot", "nb-1"), ring("broad", "nb-2", "nb-3"))
    resumed = replace(made, resume=9, first_ring=1, skip=frozenset({("nb-2", "base")}))
    rollout = roll_out(resumed, seams(runner=runner))
    assert (touched(runner), rollout.number) == (["nb-3"], 9)


def test_a_resumed_rollout_takes_again_the_laptops_that_are_left_and_no_new_number():
    recorder = MemoryRecorder()
    made = in_rings(ring("pilot", "nb-1"), ring("broad", "nb-2", "nb-3"))
    roll_out(replace(made, resume=9, first_ring=1), seams(recorder=recorder))
    assert (recorder.resumed, recorder.plans) == ([(9, ("nb-2", "nb-3"))], [])


# --- who watches -----------------------------------------------------------------------------


def story(observer: MemoryObserver) -> list[str]:
    return [type(event).__name__ for event in observer.events]


def test_whoever_watches_is_told_of_every_step_in_its_order():
    observer = MemoryObserver()
    roll_out(in_rings(ring("pilot", "nb-1"), ring("broad", "nb-2")), seams(observer=observer))
    pilot = ["RingBegun", "ResultsStored", "RingAsked", "RingVerified"]
    assert story(observer) == ["RolloutBegun", *pilot, "GateJudged", *pilot, "RolloutEnded"]


def test_whoever_watches_learns_why_a_rollout_comes_to_rest():
    observer = MemoryObserver()
    runner = FakeRunner(outcomes={("nb-1", "base"): Outcome.FAILED})
    roll_out(in_rings(ring("pilot", "nb-1"), ring("broad", "nb-2")), seams(runner=runner, observer=observer))
    *_, judged, ended = observer.events
    assert isinstance(judged, GateJudged)
    assert isinstance(ended, RolloutEnded)
    assert (judged.is_open, ended.state) == (False, RolloutState.STOPPED)
    assert judged.reason == ended.reason == "1 of 1 devices failed in ring pilot; the limit is 2 % or 5"


def test_a_ring_says_what_is_left_to_do_in_it():
    observer = MemoryObserver()
    made = replace(in_rings(ring("broad", "nb-1", "nb-2")), skip=frozenset({("nb-1", "base")}))
    roll_out(made, seams(observer=observer))
    assert [event.work for event in observer.events if isinstance(event, RingBegun)] == [{"nb-2": ("base",)}]


def test_a_change_in_the_sample_is_a_surprise_and_no_change_is_none():
    made = job(change("nb-1", "base"), change("nb-2", "base"))
    sampled = replace(made, plan=replace(made.plan, sample=("nb-1", "nb-2")))
    runner = FakeRunner(outcomes={("nb-2", "base"): Outcome.UNCHANGED})
    assert [result.device for result in roll_out(sampled, seams(runner=runner)).surprises] == ["nb-1"]
