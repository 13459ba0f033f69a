"""`mvpc rollout` around the work on laptops: who may approve, what waits, and a watch that survives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from mvpc.cli.app import app
from mvpc.cli.context import login
from mvpc.cli.rollout import approving, watching
from mvpc.cli.rollout.ending import finish
from mvpc.errors import InputError, LockedError, MvpcError, RolloutError
from mvpc.inventory.difference import ImportDifference
from mvpc.job import Job, make_job
from mvpc.model import ComponentResult, Outcome, Reach, RolloutRecord, RolloutState, Schedule
from mvpc.plan import Subject, make_plan
from mvpc.planfile import made_by, to_data
from mvpc.project import find_project
from mvpc.rollout import Rollout
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.testing import NOON, a_bundle, a_device, a_probe

SOURCE = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mvpc.toml").write_text('[rollout]\napprove_above = 1\ntimezone = "UTC"\n')
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/organisation.yml").write_bytes((SOURCE / "inventory/organisation.yml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(project: Path) -> Store:
    store = Store(project / ".mvpc/mvpc.db")
    new = tuple(replace(a_device(f"nb-{number}"), number=0) for number in (1, 2, 3))
    store.save(ImportDifference(new=new), actor="t", at=NOON, action="add")
    return store


def mvpc(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_fleet_without_rollouts_says_so_and_how_to_begin(store: Store):
    assert mvpc("rollout", "list").stdout == "no rollouts yet; begin with: mvpc plan\n"


def subject(name: str, *, asleep: bool = False) -> Subject:
    probe = a_probe(name, reach=Reach.UNREACHABLE) if asleep else a_probe(name, digests={})
    return Subject(device=a_device(name), ressort="fm", operator="zdmv", bundle=a_bundle(name), probe=probe)


def a_job(*subjects: Subject, maker: str = "ute") -> Job:
    return make_job(made_by(maker, make_plan("all", subjects)), subjects, actor="jan")


def a_rollout(
    store: Store, *, schedule: Schedule | None = None, state: RolloutState = RolloutState.DONE, reason: str = ""
) -> int:
    """A rollout that did not reach nb-1."""
    job = a_job(subject("nb-1"))
    number = store.begin_rollout(job.plan, actor="ute", at=NOON, schedule=schedule or Schedule())
    missed = ComponentResult(device="nb-1", component="wifi", outcome=Outcome.UNREACHABLE, digest="a", at=NOON)
    store.record(number, [missed], {})
    store.end_rollout(number, at=NOON, state=state, reason=reason)
    return number


def a_rollout_that_ended(*outcomes: Outcome, surprises: tuple[ComponentResult, ...] = ()) -> Rollout:
    """One with so many laptops, of which one is verified."""
    counts = {outcome: outcomes.count(outcome) for outcome in outcomes}
    state = RolloutState.DONE
    return Rollout(number=1, state=state, reason="", counts=counts, verified=1, results=surprises, surprises=surprises)


# --- four eyes -------------------------------------------------------------------------------


@pytest.fixture
def as_person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def become(name: str) -> None:
        monkeypatch.setattr(approving, "login", lambda: name)

    return become


@pytest.mark.parametrize(
    ("approver", "roller", "ruled_out"),
    [
        ("ute", "jan", "; ute made it, so that word does not count"),
        ("jan", "jan", "; jan rolls it out, so that word does not count"),
        ("", "jan", ""),
    ],
)
def test_neither_who_made_a_plan_nor_who_rolls_it_out_can_approve_it(
    store: Store, as_person: Callable[[str], None], approver: str, roller: str, ruled_out: str
):
    job = a_job(subject("nb-1"), subject("nb-2"), maker="ute")
    if approver:
        store.approve(job.plan.hash, approver=approver, at=NOON)
    as_person(roller)
    with pytest.raises(RolloutError) as caught:
        approving.check_approval(find_project(Path.cwd()), job)
    assert f"is for 2 devices; above 1 somebody else must approve it{ruled_out}. Let another person" in str(
        caught.value
    )


def test_a_second_person_approves_exactly_one_plan(project: Path, store: Store, as_person: Callable[[str], None]):
    job = a_job(subject("nb-1"), subject("nb-2"), maker="ute")
    as_person("eva")
    assert mvpc("rollout", "approve", job.plan.hash).exit_code == 0
    as_person("jan")
    approving.check_approval(find_project(project), job)
    with pytest.raises(RolloutError):
        approving.check_approval(find_project(project), a_job(subject("nb-1"), subject("nb-3"), maker="ute"))


def test_sleeping_laptops_count_since_they_will_be_served_without_another_word(
    project: Path, store: Store, as_person: Callable[[str], None]
):
    as_person("jan")
    approving.check_approval(find_project(project), a_job(subject("nb-1")))
    with pytest.raises(RolloutError, match="is for 2 devices"):
        approving.check_approval(find_project(project), a_job(subject("nb-1"), subject("nb-2", asleep=True)))


def test_whoever_made_a_plan_is_told_so_when_approving_its_file(
    project: Path, store: Store, as_person: Callable[[str], None]
):
    (project / "plan.json").write_text(json.dumps(to_data(a_job(subject("nb-1"), maker="ute").plan)))
    as_person("ute")
    assert "mvpc: ute made this plan and cannot approve it" in mvpc("rollout", "approve", "plan.json").stderr
    as_person("eva")
    assert "eva approved plan" in mvpc("rollout", "approve", "plan.json").stdout
    assert "there is no file 'plan.jsn'" in mvpc("rollout", "approve", "plan.jsn").stderr


def test_part_of_a_hash_approves_nothing(project: Path, store: Store, as_person: Callable[[str], None]):
    plan = a_job(subject("nb-1"), maker="ute").plan
    as_person("eva")
    refused = mvpc("rollout", "approve", plan.hash[:12])
    assert refused.exit_code == 2
    assert "a plan's hash has 32 digits" in refused.stderr
    with Reader(project / ".mvpc/mvpc.db") as reader:
        assert reader.approvers(plan.hash[:12]) == ()


def test_no_variable_makes_another_person_of_somebody_who_has_logged_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mvpc.cli.context._logged_in", lambda: "ute")
    monkeypatch.setenv("SUDO_USER", "eva")
    monkeypatch.setenv("MVPC_USER", "eva")
    assert login() == "ute"


# --- waiting ---------------------------------------------------------------------------------


def test_what_waits_is_listed_with_its_reason(project: Path, store: Store):
    a_rollout(store, state=RolloutState.STOPPED)
    listed = mvpc("rollout", "waiting").stdout
    assert "until rollout 1 is done; it is stopped" in listed
    assert "1 laptop waiting, 1 of them for their time" in listed


def test_what_expired_is_counted_and_can_be_purged(project: Path, store: Store):
    a_rollout(store, schedule=Schedule(not_after=NOON))
    data = json.loads(mvpc("rollout", "waiting", "--json").stdout)
    assert data["counts"] == {"due": 0, "waiting": 0, "expired": 1}
    assert data["laptops"][0]["why"] == "it was not to be made after Mon 2026-11-23 12:00"
    assert "EXPIRED" in mvpc("status", "nb-1").stdout
    assert mvpc("rollout", "purge", "--expired").exit_code == 0
    assert mvpc("rollout", "waiting").stdout == "0 laptops waiting\n"


@pytest.mark.parametrize("arguments", [[], ["nb-1", "--expired"]])
def test_purge_wants_to_know_whom(project: Path, store: Store, arguments: list[str]):
    assert "which laptops?" in mvpc("rollout", "purge", *arguments).stderr


def test_cancel_ends_the_waiting_also_for_a_rollout_that_is_done(project: Path, store: Store):
    a_rollout(store)
    assert "rollout 1 was done; it waits for 1 laptop no longer" in mvpc("rollout", "cancel", "1").stdout
    assert "rollout 1 is done already" in mvpc("rollout", "cancel", "1").stderr


def test_wrong_options_are_all_named_before_anything_is_asked(project: Path, store: Store):
    failed = mvpc("rollout", "--all", "--yes", "--window", "night", "--not-after", "soon")
    assert failed.exit_code == 2
    assert "--not-after 'soon' is neither a date nor a time span" in failed.stderr
    assert "--window 'night' is no window" in failed.stderr


def test_the_end_counts_who_sleeps_now_and_not_who_slept_when_the_plan_was_made(project: Path, capsys: Any):
    plan = make_plan("all", [subject("nb-1"), subject("nb-2", asleep=True), subject("nb-3", asleep=True)])
    done = a_rollout_that_ended(Outcome.CHANGED, Outcome.UNREACHABLE)
    with pytest.raises(typer.Exit):
        finish(plan, done, as_json=False)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Rollout 1: 1 changed, 1 verified, 0 failed, 1 unreachable"
    assert said[1].startswith("1 device unreachable: not failed")


# --- the watch -------------------------------------------------------------------------------


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ask_all", lambda _fleet, _subjects: [])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (None, 0, "0 laptops waiting, 0 back"),
        (LockedError("locked by rollout 7"), 0, "locked by rollout 7."),
        (MvpcError("the mirror is gone", hint="Mend it"), 1, "the mirror is gone. Mend it."),
        (InputError("unknown key", where="base.yml:3"), 1, "base.yml:3: unknown key."),
    ],
)
@pytest.mark.usefixtures("store", "nobody_answers")
def test_a_sweep_says_what_went_wrong_and_its_exit_code_tells_a_timer(
    monkeypatch: pytest.MonkeyPatch, error: MvpcError | None, code: int, line: str
):
    def fail(*_: Any) -> Any:
        if error:
            raise error
        return []

    if error:
        monkeypatch.setattr(watching, "_serve", fail)
    swept = mvpc("rollout", "watch", "--once")
    assert (swept.exit_code, swept.stdout.splitlines()[0]) == (code, line)


def test_a_scheduled_rollout_whose_plan_no_longer_fits_is_stopped_and_says_so_once(
    project: Path, store: Store, nobody_answers: None, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any) -> Any:
        raise RolloutError("plan h no longer fits: profiles have changed since")

    number = a_rollout(store, state=RolloutState.SCHEDULED)
    monkeypatch.setattr(watching, "carry_on", refuse)
    first, second = mvpc("rollout", "watch", "--once"), mvpc("rollout", "watch", "--once")
    assert (first.exit_code, second.exit_code) == (1, 0)
    assert "plan h no longer fits" in first.stdout
    with Reader(project / ".mvpc/mvpc.db") as reader:
        row = reader.rollout(number).row
    assert (row.state, row.reason) == (RolloutState.STOPPED, "plan h no longer fits: profiles have changed since")


def test_a_scheduled_rollout_whose_time_is_over_is_stopped_and_says_so(
    project: Path, store: Store, nobody_answers: None
):
    a_rollout(store, state=RolloutState.SCHEDULED, schedule=Schedule(not_after=NOON + timedelta(hours=1)))
    swept = mvpc("rollout", "watch", "--once")
    assert "Rollout 1 is over: it was not to be made after Mon 2026-11-23 13:00" in swept.stdout
    with Reader(project / ".mvpc/mvpc.db") as reader:
        assert reader.rollout(1).row.state is RolloutState.STOPPED


def test_a_scheduled_rollout_that_a_person_brings_to_its_end_meanwhile_stays_done(
    project: Path, store: Store, nobody_answers: None, monkeypatch: pytest.MonkeyPatch
):
    first, second = (a_rollout(store, state=RolloutState.SCHEDULED) for _ in range(2))
    gone_on_with = []

    def refuse_late(_: Any, record: RolloutRecord) -> Any:
        gone_on_with.append(record.row.id)
        for number in (first, second):
            store.resume_rollout(number, devices=["nb-1"], actor="ute")
            store.end_rollout(number, at=NOON, state=RolloutState.DONE, reason="")
        raise RolloutError("plan h no longer fits: profiles have changed since")

    monkeypatch.setattr(watching, "carry_on", refuse_late)
    mvpc("rollout", "watch", "--once")
    assert gone_on_with == [first]
    with Reader(project / ".mvpc/mvpc.db") as reader:
        assert [reader.rollout(number).row.state for number in (first, second)] == [RolloutState.DONE] * 2


def test_a_sample_that_differs_is_said_by_the_watch_too(
    store: Store, nobody_answers: None, monkeypatch: pytest.MonkeyPatch
):
    lie = ComponentResult(device="nb-2", component="base", outcome=Outcome.CHANGED, changes=("file /etc/x",), at=NOON)
    done = a_rollout_that_ended(Outcome.CHANGED, surprises=(lie,))
    a_rollout(store, state=RolloutState.SCHEDULED)
    monkeypatch.setattr(watching, "carry_on", lambda *_: None)
    monkeypatch.setattr(watching, "run", lambda *_, **__: done)
    swept = mvpc("rollout", "watch", "--once")
    assert swept.exit_code == 6
    assert "SAMPLE DIFFERS: 1 laptop" in swept.stdout
    assert "nb-2  base: file /etc/x" in swept.stdout


def test_laptops_whose_profiles_have_changed_since_their_approved_rollout_wait_for_another_word(
    project: Path, store: Store
):
    a_rollout(store)
    with Reader(project / ".mvpc/mvpc.db") as reader:
        waiting = reader.waiting()
    plan = make_plan("back", [subject(f"nb-{number}") for number in (1, 2, 3)])
    wifi = replace(plan, changes=tuple(change for change in plan.changes if change.component == "wifi"))
    beyond = watching._beyond_approval  # the rule that four eyes rest on
    assert beyond(find_project(project), wifi, waiting) == {"nb-2", "nb-3"}
    assert beyond(replace(find_project(project), approve_above=2), wifi, waiting) == set()
    assert beyond(replace(find_project(project), approve_above=0), wifi, waiting) == set()
