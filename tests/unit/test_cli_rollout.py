"""`mvpc rollout` around the work on laptops: who may approve."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mvpc.cli.app import app
from mvpc.cli.context import login
from mvpc.cli.rollout import approving
from mvpc.errors import RolloutError
from mvpc.inventory.difference import ImportDifference
from mvpc.job import Job, make_job
from mvpc.model import Reach
from mvpc.plan import Subject, make_plan
from mvpc.planfile import made_by, to_data
from mvpc.project import find_project
from mvpc.store.write import Store
from mvpc.testing import NOON, a_bundle, a_device, a_probe

SOURCE = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mvpc.toml").write_text("[rollout]\napprove_above = 1\n")
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


def subject(name: str, *, asleep: bool = False) -> Subject:
    probe = a_probe(name, reach=Reach.UNREACHABLE) if asleep else a_probe(name, digests={})
    return Subject(device=a_device(name), ressort="fm", operator="zdmv", bundle=a_bundle(name), probe=probe)


def a_job(*subjects: Subject, maker: str = "ute") -> Job:
    return make_job(made_by(maker, make_plan("all", subjects)), subjects, actor="jan")


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


def test_no_variable_makes_another_person_of_somebody_who_has_logged_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mvpc.cli.context._logged_in", lambda: "ute")
    monkeypatch.setenv("SUDO_USER", "eva")
    monkeypatch.setenv("MVPC_USER", "eva")
    assert login() == "ute"
