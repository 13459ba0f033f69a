"""What waits for laptops: the newest rollout counts, its gates come first, and nothing is lost in silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mvpc.deferred import judge, queue
from mvpc.model import CatchUp, Deferred, RolloutState, Schedule
from mvpc.schedule import Limits, Turn, read_schedule
from mvpc.testing import NOON

DAY = timedelta(days=1)


def entry(device: str = "nb-1", **fields: Any) -> Deferred:
    values: dict[str, Any] = {"component": "wifi", "since": NOON, "rollout": 7, "rested": NOON}
    return Deferred(device=device, **values | fields)


def test_a_laptop_that_is_only_asleep_is_served_as_soon_as_it_is_back():
    waits = judge([entry(), entry(component="vpn", since=NOON - DAY)], NOON + DAY)
    assert (waits.turn, waits.components, waits.since) == (Turn.DUE, ("wifi", "vpn"), NOON - DAY)
    assert waits.why == "it has not come back yet"


@pytest.mark.parametrize("state", sorted(set(RolloutState) - {RolloutState.DONE}))
def test_nothing_is_served_past_the_gates_of_its_rollout(state: RolloutState):
    waits = judge([entry(state=state)], NOON + DAY)
    assert (waits.turn, waits.why) == (Turn.WAITING, f"until rollout 7 is done; it is {state}")


def test_the_newest_rollout_replaces_what_waited_for_older_ones():
    old = entry(component="vpn", rollout=3, schedule=Schedule(not_after=NOON))
    waits = judge([old, entry(rollout=7)], NOON + DAY)
    assert (waits.rollout, waits.turn) == (7, Turn.DUE)


def test_what_expired_says_so_also_while_its_rollout_rests():
    waits = judge([entry(state=RolloutState.PAUSED, schedule=Schedule(not_after=NOON))], NOON + DAY)
    assert (waits.turn, waits.why) == (Turn.EXPIRED, "it was not to be made after Mon 2026-11-23 12:00")


def test_windows_before_the_rollout_was_done_were_not_missed():
    nights = read_schedule(Limits(window="18:00-06:00", catch_up=CatchUp.DROP), zone="UTC", now=NOON)
    week_ago = entry(since=NOON - 7 * DAY, rested=NOON, schedule=nights)
    assert judge([week_ago], NOON).turn is Turn.WAITING
    assert judge([week_ago], NOON + DAY).turn is Turn.EXPIRED


def test_those_that_wait_longest_come_first():
    waiting = {name: [entry(name, since=NOON + age * DAY)] for name, age in (("nb-1", 2), ("nb-2", 0), ("nb-3", 1))}
    assert [each.device for each in queue(waiting, NOON + 9 * DAY)] == ["nb-2", "nb-3", "nb-1"]


def test_thirty_days_of_sleep_under_a_daily_rollout_end_with_the_newest_and_nothing_else():
    fortnight = Schedule(not_after=NOON + 14 * DAY)
    daily = [entry(component=f"c{day}", rollout=day, since=NOON + day * DAY) for day in range(30)]
    asleep = [judge(daily[: day + 1], NOON + day * DAY) for day in range(30)]
    assert [each.rollout for each in asleep] == list(range(30))
    assert {each.since for each in asleep} == {NOON}
    assert judge([entry(schedule=fortnight), *daily[8:]], NOON + 30 * DAY).turn is Turn.DUE
    assert judge([entry(schedule=fortnight)], NOON + 30 * DAY).turn is Turn.EXPIRED
