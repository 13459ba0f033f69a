"""Leases: one holder at a time, who gives signs of life, and is no longer heard once somebody else has taken over."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mvpc.errors import LockedError, RolloutError
from mvpc.inventory.difference import ImportDifference
from mvpc.model import Action, Change, ComponentResult, Outcome, Plan, RolloutState
from mvpc.store import process, write
from mvpc.store.process import EXPIRY, beat, is_alive, own_process
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

PLAN = Plan(
    scope="all",
    changes=(Change(device="nb-1", component="wifi", action=Action.UPDATE, reason="new", digest="d"),),
    skipped=(),
    ressorts={"nb-1": "fm"},
    hash="h",
)
LATE = (datetime.now(tz=UTC) - EXPIRY - timedelta(seconds=1)).isoformat()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mvpc.db"


@pytest.fixture
def store(path: Path) -> Store:
    store = Store(path)
    store.save(ImportDifference(new=(replace(a_device("nb-1"), number=0),)), actor="ute", at=NOON, action="import")
    return store


def in_database(path: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


def hang(path: Path) -> None:
    """Let whoever is at work have given no sign of life for a long time."""
    in_database(path, "UPDATE rollout SET beat = ?", LATE)


def test_a_process_that_can_be_seen_is_alive_for_as_long_as_it_gives_signs_of_life():
    assert [is_alive(own_process(), text) for text in (beat(), LATE)] == [True, False]


def test_a_process_that_is_gone_is_dead_at_once():
    boot, namespace, _, started = own_process().split()
    assert not is_alive(f"{boot} {namespace} 999999999 {started}", beat())
    assert not is_alive(f"{boot} {namespace} 1 {started}", beat())  # its number was given again
    assert not is_alive("", beat())


def test_a_process_of_another_container_cannot_be_seen_and_is_believed_its_signs_of_life():
    boot, _, pid, started = own_process().split()
    elsewhere = f"{boot} pid:[1] {pid} {started}"
    assert [is_alive(elsewhere, text) for text in (beat(), LATE)] == [True, False]


def test_before_a_reboot_nobody_who_is_alive_now_was_at_work():
    _, namespace, pid, started = own_process().split()
    assert not is_alive(f"another-boot {namespace} {pid} {started}", beat())


def test_a_rollout_that_hangs_is_shown_as_interrupted_and_loses_its_laptops(path: Path, store: Store):
    first = store.begin_rollout(PLAN, actor="ute", at=NOON)
    with pytest.raises(
        LockedError, match=r"1 of these laptops is locked by rollout 1 of ute since 2026-11-23 12:00 UTC: nb-1"
    ):
        store.begin_rollout(PLAN, actor="jan", at=NOON)
    hang(path)
    with Reader(path) as reader:
        assert (reader.rollout(first).row.state, reader.leased()) == (RolloutState.INTERRUPTED, {})
    second = store.begin_rollout(PLAN, actor="jan", at=NOON)
    with Reader(path) as reader:
        assert reader.leased() == {"nb-1": second}


@pytest.fixture
def stale(path: Path, store: Store) -> int:
    """A rollout whose laptops were taken over while it hung."""
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    hang(path)
    store.begin_rollout(PLAN, actor="jan", at=NOON)
    return number


RESULT = ComponentResult(device="nb-1", component="wifi", outcome=Outcome.FAILED, at=NOON)


@pytest.mark.parametrize(
    "write_something",
    [lambda store, number: store.reach_ring(number, 1), lambda store, number: store.record(number, [RESULT], {})],
    ids=["reach_ring", "record"],
)
def test_a_holder_that_wakes_up_too_late_is_told_and_stores_nothing(
    path: Path, store: Store, stale: int, write_something: Callable[[Store, int], object]
):
    with pytest.raises(RolloutError, match="rollout 1 has lost its laptops: mvpc gave no sign of life for 5 minutes"):
        write_something(store, stale)
    with Reader(path) as reader:
        assert reader.rollout(stale).results == ()


def test_a_holder_that_wakes_up_too_late_cannot_free_what_is_no_longer_its_own(path: Path, store: Store, stale: int):
    store.end_rollout(stale, at=NOON, state=RolloutState.DONE, reason="")
    with Reader(path) as reader:
        assert reader.leased() == {"nb-1": 2}
        assert reader.rollout(stale).row.state is RolloutState.INTERRUPTED


def test_a_rollout_that_ends_frees_its_own_laptops_and_no_others(path: Path, store: Store):
    others = ImportDifference(new=(replace(a_device("nb-2"), number=0),))
    store.save(others, actor="ute", at=NOON, action="import")
    of_others = replace(PLAN, changes=(replace(PLAN.changes[0], device="nb-2"),), ressorts={"nb-2": "fm"})
    first = store.begin_rollout(PLAN, actor="ute", at=NOON)
    second = store.begin_rollout(of_others, actor="jan", at=NOON)
    store.end_rollout(first, at=NOON, state=RolloutState.DONE, reason="")
    with Reader(path) as reader:
        assert reader.leased() == {"nb-2": second}
        working = [reader.at_work(name) for name in ("nb-1", "nb-2")]
        assert [row and (row.id, row.actor) for row in working] == [None, (second, "jan")]


def test_a_rollout_is_carried_on_by_one_process_only(path: Path, store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    with pytest.raises(LockedError, match="rollout 1 is running already, for ute"):
        store.resume_rollout(number, devices=["nb-1"], actor="jan")
    hang(path)
    store.resume_rollout(number, devices=["nb-1"], actor="jan")
    with Reader(path) as reader:
        assert reader.rollout(number).row.actor == "jan"


def test_a_rollout_that_is_over_is_not_carried_on(store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    store.end_rollout(number, at=NOON, state=RolloutState.CANCELLED, reason="")
    with pytest.raises(RolloutError, match="rollout 1 is cancelled"):
        store.resume_rollout(number, devices=["nb-1"], actor="jan")


def test_a_rollout_that_hangs_can_be_cancelled_and_is_heard_no_more(path: Path, store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    hang(path)
    store.wish(number, RolloutState.CANCELLED)
    with pytest.raises(RolloutError, match="has lost its laptops"):
        store.reach_ring(number, 1)
    with Reader(path) as reader:
        assert reader.rollout(number).row.state is RolloutState.CANCELLED


def test_a_wish_writes_little_however_large_the_plan_is(path: Path, store: Store):
    megabyte = replace(PLAN, changes=(replace(PLAN.changes[0], reason="x" * 1_000_000),))
    number = store.begin_rollout(megabyte, actor="ute", at=NOON)
    log = path.with_name(f"{path.name}-wal")
    with Reader(path) as reader:  # keeps SQLite from emptying its log
        assert reader.rollout(number).plan == megabyte
        before = log.stat().st_size
        store.wish(number, RolloutState.PAUSED)
        assert log.stat().st_size - before < 100_000


def test_while_it_works_a_rollout_gives_signs_of_life(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(write, "BEAT_SECONDS", 0.01)
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    hang(path)
    with Reader(path) as reader, store.keep_alive(number):
        for _ in range(1000):
            if reader.rollout(number).row.state is RolloutState.RUNNING:
                break
            time.sleep(0.01)
        assert reader.rollout(number).row.state is RolloutState.RUNNING


def test_a_sign_of_life_is_given_many_times_before_a_lease_expires():
    assert EXPIRY.total_seconds() > process.BEAT_SECONDS * 5
