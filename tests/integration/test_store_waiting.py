"""What waits for sleeping laptops: which rollout it waits for, and everything that ends the waiting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mvpc.deferred import queue
from mvpc.inventory.difference import DeviceChange, ImportDifference
from mvpc.model import (
    Action,
    CatchUp,
    Change,
    ComponentResult,
    Device,
    LifeCycle,
    Outcome,
    Plan,
    Probe,
    Reach,
    RolloutState,
    Schedule,
)
from mvpc.schedule import Limits, Turn, read_schedule
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.testing import HOST_KEY, NOON, a_device

OTHER_KEY = HOST_KEY.replace("AAAAIDp2c6", "AAAAIEp2c6")
DAY = timedelta(days=1)
NIGHTS = read_schedule(Limits(window="Mon-Fri 18:00-06:00", not_after="14d"), zone="Europe/Berlin", now=NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mvpc.db"


@pytest.fixture
def store(path: Path) -> Store:
    store = Store(path)
    new = tuple(replace(a_device(name), number=0) for name in ("nb-1", "nb-2"))
    store.save(ImportDifference(new=new), actor="ute", at=NOON, action="import")
    return store


def a_rollout(
    store: Store,
    *components: str,
    device: str = "nb-1",
    at: datetime = NOON,
    schedule: Schedule = NIGHTS,
    state: RolloutState = RolloutState.DONE,
) -> int:
    """A rollout that did not reach a laptop."""
    change = Change(device=device, component="wifi", action=Action.UPDATE, reason="new", digest="d")
    plan = Plan(scope="all", changes=(change,), skipped=(), ressorts={device: "fm"}, hash="h")
    number = store.begin_rollout(plan, actor="ute", at=at, schedule=schedule)
    results = [
        ComponentResult(device=device, component=name, outcome=Outcome.UNREACHABLE, digest="d", at=at)
        for name in components
    ]
    store.record(number, results, {})
    store.end_rollout(number, at=at, state=state, reason="")
    return number


def waits(path: Path, now: datetime = NOON) -> Mapping[str, tuple[Any, ...]]:
    with Reader(path) as reader:
        return {each.device: (each.rollout, each.components, each.turn) for each in queue(reader.waiting(), now)}


def set_fields(store: Store, path: Path, hostname: str, **fields: Any) -> None:
    with Reader(path) as reader:
        before: Device = reader.find(hostname)
    change = DeviceChange(before, replace(before, **fields))
    store.save(ImportDifference(changed=(change,)), actor="uwe", at=NOON, action="set")


def test_what_waits_keeps_to_the_schedule_of_its_rollout(path: Path, store: Store):
    number = a_rollout(store, "wifi")
    with Reader(path) as reader:
        [entry] = reader.waiting()["nb-1"]
        assert reader.rollout(number).row.schedule == NIGHTS
    assert (entry.schedule, entry.digest, entry.state, entry.rested) == (NIGHTS, "d", RolloutState.DONE, NOON)
    assert waits(path, NOON) == {"nb-1": (number, ("wifi",), Turn.WAITING)}
    assert waits(path, NOON + timedelta(hours=6)) == {"nb-1": (number, ("wifi",), Turn.DUE)}
    assert waits(path, NOON + 15 * DAY) == {"nb-1": (number, ("wifi",), Turn.EXPIRED)}


def test_a_newer_rollout_replaces_all_that_waited_before_and_keeps_since_when(path: Path, store: Store):
    a_rollout(store, "wifi", "vpn", schedule=Schedule(catch_up=CatchUp.DROP))
    newer = a_rollout(store, "wifi", at=NOON + DAY)
    with Reader(path) as reader:
        [entry] = reader.waiting()["nb-1"]
    assert (entry.component, entry.rollout, entry.since, entry.schedule) == ("wifi", newer, NOON, NIGHTS)


def test_nothing_waits_for_a_cancelled_rollout(path: Path, store: Store):
    a_rollout(store, "wifi", state=RolloutState.CANCELLED)
    resting = a_rollout(store, "wifi", device="nb-2", state=RolloutState.STOPPED)
    assert list(waits(path)) == ["nb-2"]
    store.wish(resting, RolloutState.CANCELLED)
    assert waits(path) == {}


def test_what_waits_for_a_rollout_that_is_done_can_be_withdrawn(path: Path, store: Store):
    number = a_rollout(store, "wifi", "vpn")
    a_rollout(store, "wifi", device="nb-2")
    assert (store.withdraw(number), list(waits(path)), store.withdraw(number)) == (1, ["nb-2"], 0)


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"host_key": OTHER_KEY}, []),
        ({"host_key": ""}, []),
        ({"state": LifeCycle.LOST}, []),
        ({"room": "215"}, ["nb-1"]),
        ({"address": "192.0.2.8"}, ["nb-1"]),
    ],
)
def test_a_laptop_that_is_enrolled_anew_or_leaves_service_waits_no_longer(path: Path, store: Store, fields, left):
    a_rollout(store, "wifi")
    set_fields(store, path, "nb-1", **fields)
    assert list(waits(path)) == left


def test_what_the_old_laptop_proved_says_nothing_of_the_one_that_was_enrolled_anew(path: Path, store: Store):
    number = a_rollout(store)
    proof = ComponentResult(device="nb-1", component="wifi", outcome=Outcome.CHANGED, digest="d", at=NOON)
    store.record(number, [proof, replace(proof, device="nb-2")], {})
    store.record_probes([Probe(device=name, at=NOON, reach=Reach.REFUSED) for name in ("nb-1", "nb-2")])
    set_fields(store, path, "nb-1", host_key=OTHER_KEY)
    with Reader(path) as reader:
        assert (list(reader.component_states()), list(reader.device_states())) == (["nb-2"], ["nb-2"])
        assert len(reader.rollout(number).results) == 2


def test_after_thirty_days_of_daily_rollouts_a_sleeping_laptop_waits_for_the_newest_alone(path: Path, store: Store):
    numbers = [a_rollout(store, "wifi", at=NOON + day * DAY, schedule=Schedule()) for day in range(30)]
    assert waits(path, NOON + 30 * DAY) == {"nb-1": (numbers[-1], ("wifi",), Turn.DUE)}
    with Reader(path) as reader:
        assert reader.waiting()["nb-1"][0].since == NOON


def test_rollouts_that_rest_until_their_time_are_found(path: Path, store: Store):
    number = a_rollout(store, "wifi", state=RolloutState.SCHEDULED)
    a_rollout(store, "wifi", device="nb-2", state=RolloutState.HELD)
    with Reader(path) as reader:
        assert [(row.id, row.schedule) for row in reader.scheduled()] == [(number, NIGHTS)]
    store.wish(number, RolloutState.STOPPED, reason="its time has passed")
    with Reader(path) as reader:
        assert reader.scheduled() == ()
        assert reader.rollout(number).row.reason == "its time has passed"


def test_a_postponed_rollout_keeps_the_other_limits_of_its_schedule(path: Path, store: Store):
    number = a_rollout(store, "wifi", state=RolloutState.SCHEDULED)
    store.postpone(number, NOON + DAY)
    store.postpone(number, NOON)  # never earlier than it was
    with Reader(path) as reader:
        assert reader.rollout(number).row.schedule == replace(NIGHTS, not_before=NOON + DAY)
