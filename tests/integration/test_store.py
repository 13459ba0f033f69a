from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from mvpc.errors import MvpcError, NotFoundError, RolloutError
from mvpc.inventory.difference import DeviceChange, ImportDifference, difference
from mvpc.model import (
    Action,
    Change,
    ComponentResult,
    Device,
    Filter,
    InstalledPackage,
    LifeCycle,
    Outcome,
    Plan,
    Probe,
    Reach,
    RolloutState,
    Skip,
    Skipped,
    SoftwareAnswer,
    SoftwareSeen,
)
from mvpc.planfile import to_data
from mvpc.store import migrations, schema
from mvpc.store.database import open_engine
from mvpc.store.read import Reader
from mvpc.store.write import Store

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)

NAMES = ("nb-000042", "nb-000043", "nb-000100")


def a_device(hostname: str, **fields: object) -> Device:
    digits = hostname.removeprefix("nb-")
    device = Device(
        inventory_number=f"00{digits}",
        hostname=hostname,
        serial=f"PF{digits}",
        vendor="Lenovo",
        model="ThinkPad T14",
        authority="fa-schwerin",
        site="schwerin",
        state=LifeCycle.IN_USE,
    )
    return replace(device, **fields)  # type: ignore[arg-type]


PLAN = Plan(
    scope="FM",
    changes=(
        Change(device="nb-000042", component="wifi", action=Action.UPDATE, reason="new network", digest="d1"),
        Change(device="nb-000043", component="wifi", action=Action.CREATE, reason="never applied", digest="d1"),
    ),
    skipped=(Skipped(device="nb-000100", why=Skip.UNREACHABLE, detail="nothing waits for it"),),
    ressorts={"nb-000042": "fm"},
    hash="7f3a91",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mvpc.db"


@pytest.fixture
def store(path: Path) -> Store:
    store = Store(path)
    new = tuple(map(a_device, NAMES))
    store.save(ImportDifference(new=new), actor="ute", at=NOON, action="import")
    return store


@pytest.fixture
def reader(path: Path, store: Store) -> Iterator[Reader]:
    with Reader(path) as reader:
        yield reader


def change(store: Store, path: Path, hostname: str, **fields: object) -> None:
    with Reader(path) as reader:
        before = reader.find(hostname)
    after = replace(before, **fields)  # type: ignore[arg-type]
    store.save(ImportDifference(changed=(DeviceChange(before, after),)), actor="uwe", at=LATER, action="set")


# --- devices ---------------------------------------------------------------------------------


def test_devices_come_back_as_they_were_stored(path: Path, store: Store):
    stored = a_device("nb-1", inventory_number="0007", delivered=NOON.date(), host_key="ssh-ed25519 AAAA", room="Büro")
    store.save(ImportDifference(new=(stored,)), actor="ute", at=NOON, action="add")
    with Reader(path) as reader:
        assert reader.find("0007") == replace(stored, number=4)


@pytest.mark.parametrize("text", ["nb-000042", "NB-000042", "00000042", "pf000042", "PF000042"])
def test_a_device_is_found_by_any_of_its_names(reader: Reader, text: str):
    assert reader.find(text).hostname == "nb-000042"


def test_a_unique_beginning_is_enough(reader: Reader):
    assert reader.find("nb-0001").hostname == "nb-000100"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nb-0000", "'nb-0000' fits 2 devices: nb-000042, nb-000043. Write more of the name."),
        ("nb-00042", "no device is called 'nb-00042'. Perhaps nb-000042 or"),
        ("%", "no device is called '%'. See all with: mvpc device list."),
        ("' OR 1=1 --", "no device is called"),
        ("", "no device was named."),
    ],
)
def test_what_fits_not_exactly_one_device_is_answered_with_candidates(reader: Reader, text: str, message: str):
    with pytest.raises(NotFoundError) as caught:
        reader.find(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), 3),
        (Filter(authorities=frozenset({"fa-schwerin", "zdmv"})), 3),
        (Filter(authorities=frozenset({"zdmv"})), 0),
        (Filter(authorities=frozenset()), 0),
        (Filter(site="SCHWERIN"), 3),
        (Filter(model="lenovo think"), 3),
        (Filter(model="%"), 0),
        (Filter(state=LifeCycle.IN_USE), 3),
        (Filter(state=LifeCycle.LOST), 0),
        (Filter(os="debian"), 3),
        (Filter(os="deb"), 0),
        (Filter(os="debian-12"), 0),
        (Filter(text="0042"), 1),
        (Filter(text="_"), 0),
        (Filter(text="'; DROP TABLE device; --"), 0),
    ],
)
def test_filters_select_devices(reader: Reader, wanted: Filter, found: int):
    assert len(reader.devices(wanted)) == found


def test_the_history_says_who_changed_what_and_when(path: Path, store: Store):
    change(store, path, "nb-000042", room="215")
    with Reader(path) as reader:
        newest, oldest = reader.events("nb-000042")
    assert (newest.actor, newest.at, newest.action, newest.changes) == ("uwe", LATER, "set", {"room": ("", "215")})
    assert oldest.action == "import"
    assert oldest.changes["hostname"] == ("", "nb-000042")


def test_the_history_cannot_be_changed(path: Path, store: Store):
    with closing(sqlite3.connect(path)) as connection:
        for statement in ("UPDATE device_event SET actor = 'me'", "DELETE FROM device_event"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_two_devices_can_swap_their_names(path: Path, store: Store):
    with Reader(path) as reader:
        one, two = reader.find("nb-000042"), reader.find("nb-000043")
    swapped = [replace(one, hostname=two.hostname), replace(two, hostname=one.hostname)]
    store.save(difference([one, two], swapped), actor="ute", at=NOON, action="import")
    with Reader(path) as reader:
        assert reader.find("nb-000042").number == two.number


def test_an_import_is_all_or_nothing(path: Path, store: Store):
    new = (a_device("nb-2"), a_device("nb-3", serial="pf000042"))
    with pytest.raises(MvpcError, match="another device has the same serial"):
        store.save(ImportDifference(new=new), actor="ute", at=NOON, action="import")
    with Reader(path) as reader:
        assert len(reader.devices()) == 3


def test_a_difference_that_is_out_of_date_is_refused(path: Path, store: Store):
    with Reader(path) as reader:
        before = reader.find("nb-000042")
    change(store, path, "nb-000042", room="1")
    stale = ImportDifference(changed=(DeviceChange(before, replace(before, room="2")),))
    with pytest.raises(MvpcError, match="nb-000042 was changed by someone else meanwhile"):
        store.save(stale, actor="ute", at=NOON, action="import")


def test_numbers_are_never_given_twice(path: Path, store: Store):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM device WHERE number = 3")
        connection.commit()
    store.save(ImportDifference(new=(a_device("nb-9"),)), actor="ute", at=NOON, action="add")
    with Reader(path) as reader:
        assert reader.find("nb-9").number == 4


def test_counts_are_by_authority_and_state(reader: Reader):
    assert reader.counts() == {("fa-schwerin", LifeCycle.IN_USE): 3}


# --- rollouts and probes ---------------------------------------------------------------------


def a_result(device: str, outcome: Outcome, **fields: object) -> ComponentResult:
    digest = "" if outcome in {Outcome.FAILED, Outcome.UNREACHABLE} else "d1"
    result = ComponentResult(device=device, component="wifi", outcome=outcome, digest=digest, at=NOON)
    return replace(result, **fields)  # type: ignore[arg-type]


def test_a_rollout_is_kept_with_its_plan_and_results(path: Path, store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    changed = a_result("nb-000042", Outcome.CHANGED, changes=("file /etc/x updated (content)",))
    failed = a_result("nb-000043", Outcome.FAILED, error="apt-get: disk full")
    store.record(number, [changed, failed], {("nb-000042", "wifi"): {"wifi.networks.lan.ssid": "LAN-MV"}})
    for _ in range(2):  # a resumed rollout may ask the same laptop again
        store.record_proofs(number, ["nb-000042"])
    store.end_rollout(number, at=LATER, state=RolloutState.DONE, reason="")
    with Reader(path) as reader:
        record = reader.rollout(number)
        states = reader.component_states(["nb-000042", "nb-000043"])
        assert reader.last_rollout("nb-000042") == (record.row, (changed,))
        assert reader.last_rollout("nb-000100") is None
        assert [row.id for row in reader.rollouts()] == [number]
    assert record.plan == PLAN
    assert record.results == (changed, failed)
    assert record.verified == {"nb-000042"}
    assert (record.row.started, record.row.ended, record.row.state) == (NOON, LATER, RolloutState.DONE)
    assert record.row.counts == {"changed": 1, "failed": 1}
    assert states["nb-000042"]["wifi"].inputs == {"wifi.networks.lan.ssid": "LAN-MV"}
    assert (states["nb-000043"]["wifi"].digest, states["nb-000043"]["wifi"].error) == ("", "apt-get: disk full")


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.DEFERRED])
def test_a_laptop_that_sleeps_or_is_busy_keeps_what_it_last_proved_and_waits(
    path: Path, store: Store, outcome: Outcome
):
    first = store.begin_rollout(PLAN, actor="ute", at=NOON)
    store.record(first, [a_result("nb-000042", Outcome.CHANGED)], {})
    rest(store, first)
    second = store.begin_rollout(PLAN, actor="ute", at=LATER)
    store.record(second, [a_result("nb-000042", outcome, at=LATER, digest="d2")], {})
    with Reader(path) as reader:
        state = reader.component_states()["nb-000042"]["wifi"]
        [waits] = reader.waiting()["nb-000042"]
    assert (waits.component, waits.since, waits.rollout, waits.digest) == ("wifi", LATER, second, "d2")
    assert (state.rollout, state.outcome, state.digest) == (first, Outcome.CHANGED, "d1")
    assert second > first


def test_what_a_laptop_said_stays_when_it_is_silent(path: Path, store: Store):
    facts = {"os": "debian-13", "uptime_s": 5}
    said = Probe(
        device="nb-000042",
        at=NOON,
        reach=Reach.REACHED,
        generation=3,
        digests={"wifi": "d1"},
        drift={"wifi": ("file /etc/x differs",)},
        facts=facts,
    )
    silent = Probe(device="nb-000042", at=LATER, reach=Reach.UNREACHABLE, detail="no answer")
    store.record_probes([said])
    store.record_probes([silent])
    with Reader(path) as reader:
        seen = reader.device_states(["nb-000042"])["nb-000042"]
        assert "nb-000043" not in reader.device_states()
    assert (seen.at, seen.reach, seen.detail, seen.last_seen) == (LATER, Reach.UNREACHABLE, "no answer", NOON)
    assert (seen.generation, seen.digests, seen.facts) == (3, {"wifi": "d1"}, facts)
    assert seen.drift == {"wifi": ("file /etc/x differs",)}


def test_the_updates_that_a_laptop_counted_last_stay_until_it_counts_again(path: Path, store: Store):
    for facts in ({"updates_pending": 3, "updates_counted": 7, "os": "debian-12"}, {"os": "debian-13"}):
        store.record_probes([Probe(device="nb-000042", at=NOON, reach=Reach.REACHED, facts=facts)])
    with Reader(path) as reader:
        seen = reader.device_states(["nb-000042"])["nb-000042"]
    assert seen.facts == {"updates_pending": 3, "updates_counted": 7, "os": "debian-13"}


def test_a_converged_component_no_longer_drifts(path: Path, store: Store):
    drift = {"wifi": ("x",), "base": ("y",), "vpn": ("z",)}
    store.record_probes([Probe(device="nb-000042", at=NOON, reach=Reach.REACHED, drift=drift)])
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    failed = a_result("nb-000042", Outcome.FAILED, component="base")
    store.record(number, [a_result("nb-000042", Outcome.CHANGED), failed], {})
    with Reader(path) as reader:
        assert set(reader.device_states()["nb-000042"].drift) == {"base", "vpn"}


def test_results_of_unknown_devices_are_refused(store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    with pytest.raises(MvpcError, match="nb-404 is not in the inventory"):
        store.record(number, [a_result("nb-404", Outcome.CHANGED)], {})


def test_threads_may_share_a_store(path: Path, store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    results = [a_result(name, Outcome.CHANGED, component=f"c{i}") for name in NAMES for i in range(8)]
    threads = [threading.Thread(target=store.record, args=(number, [result], {})) for result in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Reader(path) as reader:
        assert len(reader.rollout(number).results) == len(results)


# --- the file --------------------------------------------------------------------------------


def test_only_the_owner_can_read_the_database(path: Path, store: Store):
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_a_missing_database_says_how_to_begin(path: Path):
    with pytest.raises(MvpcError, match=r"there is no inventory yet\. Import devices first: mvpc device import FILE"):
        Reader(path)
    assert not path.parent.exists()


def set_version(path: Path, version: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        connection.commit()


def test_a_database_of_a_newer_mvpc_is_left_alone(path: Path, store: Store):
    set_version(path, "0999")
    for opened in (Reader, Store):
        with pytest.raises(
            MvpcError, match=r"written by a newer mvpc \(tables 0999, this mvpc knows 0001\). Update mvpc"
        ):
            opened(path)


def test_a_reader_of_an_older_database_says_how_to_bring_it_up_to_date(path: Path, store: Store):
    set_version(path, "0000")
    with pytest.raises(MvpcError, match="Bring it up to date: mvpc device migrate"):
        Reader(path)


def test_a_database_with_other_tables_is_not_called_damaged(path: Path, store: Store):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE rollout_plan")
    with Reader(path) as reader, pytest.raises(MvpcError, match=r"has other tables than this mvpc needs \(no such"):
        reader.rollout(1)


def test_a_database_is_copied_before_it_is_migrated(path: Path, store: Store):
    set_version(path, "0000")
    with pytest.raises(MvpcError, match="the tables cannot be brought up to date"):
        Store(path)  # no migration leads on from there
    (copy,) = schema.backup_folder(path).glob("*-0000.db")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM device").fetchone() == (3,)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_writer_waits_for_another_process_and_then_says_so(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.2)
    impatient = Store(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MvpcError, match="another process has been writing to the database"):
            impatient.begin_rollout(PLAN, actor="ute", at=NOON)
        with Reader(path) as reader:
            assert len(reader.devices()) == 3


def rest(store: Store, number: int, state: RolloutState = RolloutState.DONE) -> None:
    store.end_rollout(number, at=LATER, state=state, reason="")


def every_way_to_use(path: Path) -> None:
    with Reader(path) as reader:
        reader.devices()
        reader.find("nb-000042")
        reader.events("nb-000042")
        reader.component_states()
        reader.device_states()
        reader.rollouts()
        reader.waiting()
        reader.counts()
    store = Store(path)
    rest(store, store.begin_rollout(PLAN, actor="ute", at=NOON))


def settled(path: Path) -> bytes:
    """The whole database in one file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def test_a_database_cut_at_any_page_is_an_error_in_words(path: Path, store: Store, tmp_path: Path):
    data = settled(path)
    for length in range(1, len(data), 2048):
        damaged = tmp_path / str(length) / "mvpc.db"
        damaged.parent.mkdir()
        damaged.write_bytes(data[:length])
        try:
            every_way_to_use(damaged)
        except MvpcError as error:
            assert str(damaged) in str(error)


def test_flipped_bytes_are_an_error_in_words_or_harmless(path: Path, store: Store, tmp_path: Path):
    data = settled(path)
    for position in range(0, len(data), 499):
        damaged = tmp_path / str(position) / "mvpc.db"
        damaged.parent.mkdir()
        damaged.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        with suppress(MvpcError):
            every_way_to_use(damaged)


def test_a_damaged_database_names_the_newest_backup(path: Path, store: Store):
    backup = schema.backup_folder(path) / "20261123T120000Z-0001.db"
    backup.parent.mkdir()
    backup.touch()
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(MvpcError, match=f"the database is damaged. Put back the backup {backup}"):
        Reader(path)


# --- migrations ------------------------------------------------------------------------------


def config(connection: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


def test_the_newest_migration_is_the_version_that_readers_expect():
    assert ScriptDirectory.from_config(config(None)).get_heads() == [schema.VERSION]


def test_the_last_answer_about_software_stays_when_a_laptop_gives_none(path: Path, store: Store):
    store.save(difference([a_device("nb-000042")], []), actor="a", at=NOON, action="add")
    answer = SoftwareAnswer(packages=(InstalledPackage("qpdf", "12-1", "amd64"),), checks={"qpdf": "", "jq": "bad"})
    store.record_software([Probe(device="nb-000042", at=NOON, reach=Reach.REACHED, software=answer)])
    store.record_software([Probe(device="nb-000042", at=LATER, reach=Reach.UNREACHABLE, detail="asleep")])
    with Reader(path) as reader:
        assert reader.software_states() == {
            "nb-000042": SoftwareSeen(
                device="nb-000042",
                asked=LATER,
                reach=Reach.UNREACHABLE,
                detail="asleep",
                answered=NOON,
                packages={"qpdf": "12-1"},
                checks={"qpdf": "", "jq": "bad"},
            )
        }


def test_migrations_make_the_tables_that_the_models_describe(path: Path, store: Store):
    with open_engine(path).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrations_can_be_taken_back_and_done_again(path: Path, store: Store):
    with open_engine(path).begin() as connection:
        downgrade(config(connection), "base")
        upgrade(config(connection), "head")
    with Reader(path) as reader:
        assert reader.devices() == ()


# --- two people, one laptop ------------------------------------------------------------------


def test_a_second_rollout_to_a_laptop_is_told_who_has_it_and_since_when(path: Path, store: Store):
    first = store.begin_rollout(PLAN, actor="ute", at=NOON)
    with pytest.raises(RolloutError) as caught:
        Store(path).begin_rollout(PLAN, actor="jan", at=LATER)
    assert "locked by rollout 1 of ute since 2026-11-23 12:00 UTC: nb-000042, nb-000043" in str(caught.value)
    with Reader(path) as reader:
        assert [row.id for row in reader.rollouts()] == [first]


def test_laptops_are_free_again_when_the_rollout_rests(path: Path, store: Store):
    rest(store, store.begin_rollout(PLAN, actor="ute", at=NOON), RolloutState.STOPPED)
    assert store.begin_rollout(PLAN, actor="jan", at=LATER) == 2


_BEGIN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from mvpc.errors import RolloutError
from mvpc.planfile import from_data
from mvpc.store.write import Store
import json
store, plan = Store(Path(sys.argv[1])), from_data(json.loads(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
try:
    print(store.begin_rollout(plan, actor="x", at=datetime.now(tz=UTC)), flush=True)
except RolloutError as error:
    print("refused" if "locked by rollout" in str(error) else error, flush=True)
sys.stdin.readline()
"""


@contextmanager
def starters(path: Path, number: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that wait for a word to begin the same rollout; they are killed at the end."""
    argv = [sys.executable, "-c", _BEGIN, str(path), json.dumps(to_data(PLAN))]
    pipe, found = subprocess.PIPE, []
    try:
        for _ in range(0, number, 10):  # not all at once: each of them loads SQLAlchemy
            found += [subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) for _ in range(min(number, 10))]
            assert [hear(each) for each in found[-10:]] == ["ready"] * min(number, 10)
        yield found
    finally:
        for each in found:
            each.kill()
            each.communicate()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_of_fifty_that_start_at_once_exactly_one_gets_the_laptops(path: Path, store: Store):
    with starters(path, 50) as processes:
        for each in processes:
            tell(each)
        answers = sorted(map(hear, processes))
    assert (answers[:1], set(answers[1:])) == (["1"], {"refused"})


def test_the_laptops_of_a_killed_process_are_free_and_its_rollout_was_interrupted(path: Path, store: Store):
    with starters(path, 1) as [process]:
        tell(process)
        assert hear(process) == "1"
    with Reader(path) as reader:
        assert reader.rollout(1).row.state is RolloutState.INTERRUPTED
    assert store.begin_rollout(PLAN, actor="jan", at=LATER) == 2


def test_a_wish_is_heard_by_a_running_rollout_and_done_at_once_to_a_resting_one(path: Path, store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    assert store.reach_ring(number, 0) is None
    store.wish(number, RolloutState.PAUSED)
    assert store.reach_ring(number, 1) is RolloutState.PAUSED
    rest(store, number, RolloutState.PAUSED)
    store.wish(number, RolloutState.CANCELLED)
    with Reader(path) as reader:
        assert (reader.rollout(number).row.state, reader.rollout(number).row.ring) == (RolloutState.CANCELLED, 1)


# --- waiting ---------------------------------------------------------------------------------


def test_what_waits_waits_since_the_first_time_and_for_the_newest_rollout(path: Path, store: Store):
    for at in (NOON, LATER):
        number = store.begin_rollout(PLAN, actor="ute", at=at)
        store.record(number, [a_result("nb-000042", Outcome.UNREACHABLE, at=at)], {})
        rest(store, number)
    with Reader(path) as reader:
        [waits] = reader.waiting()["nb-000042"]
    assert (waits.since, waits.rollout) == (NOON, 2)


def test_a_laptop_that_was_reached_or_purged_waits_no_longer(path: Path, store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    silent = [a_result(name, Outcome.UNREACHABLE) for name in ("nb-000042", "nb-000043")]
    store.record(number, silent, {})
    store.record(number, [a_result("nb-000042", Outcome.CHANGED)], {})
    with Reader(path) as reader:
        assert list(reader.waiting()) == ["nb-000043"]
    store.settle(["nb-000043"])
    with Reader(path) as reader:
        assert reader.waiting() == {}


def test_an_approval_counts_once_for_one_plan(path: Path, store: Store):
    for who in ("jan", "jan", "eva"):
        store.approve("7f3a91", approver=who, at=NOON)
    with Reader(path) as reader:
        assert (reader.approvers("7f3a91"), reader.approvers("other")) == (("eva", "jan"), ())


def test_what_a_laptop_proved_when_asked_replaces_a_failure_and_ends_the_waiting(path: Path, store: Store):
    number = store.begin_rollout(PLAN, actor="ute", at=NOON)
    store.record(number, [a_result("nb-000042", Outcome.FAILED), a_result("nb-000043", Outcome.UNREACHABLE)], {})
    rest(store, number)
    proofs = [a_result(name, Outcome.UNCHANGED, at=LATER) for name in ("nb-000042", "nb-000043")]
    store.confirm(proofs, {("nb-000042", "wifi"): {"wifi.networks.lan.ssid": "LAN-MV"}})
    with Reader(path) as reader:
        states = reader.component_states()
        assert reader.waiting() == {}
        assert len(reader.rollout(number).results) == 2
    assert [states[name]["wifi"].outcome for name in ("nb-000042", "nb-000043")] == [Outcome.UNCHANGED] * 2
    assert (states["nb-000042"]["wifi"].rollout, states["nb-000043"]["wifi"].rollout) == (number, 0)
    assert states["nb-000042"]["wifi"].inputs == {"wifi.networks.lan.ssid": "LAN-MV"}
