from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mvpc.errors import RolloutError
from mvpc.job import make_job
from mvpc.model import ComponentResult, ComponentState, Outcome, Plan, Reach, RolloutRecord, RolloutRow, RolloutState
from mvpc.plan import Subject, Thoroughness, make_plan
from mvpc.testing import NOON, a_bundle, a_device, a_probe


def subject(name: str, **fields: Any) -> Subject:
    values: dict[str, Any] = {
        "ressort": "fm",
        "operator": "zdmv",
        "bundle": a_bundle(name),
        "probe": a_probe(name, digests={}),
    }
    return Subject(device=a_device(name), **values | fields)


def test_a_plan_that_still_fits_becomes_a_job():
    subjects = [subject("nb-1"), subject("nb-2")]
    job = make_job(make_plan("all", subjects), subjects, actor="anna")
    assert (sorted(job.devices), job.skip, job.asleep) == (["nb-1", "nb-2"], frozenset(), ())


def test_a_plan_made_before_the_profile_changed_is_refused():
    before, after = [subject("nb-1")], [subject("nb-1", bundle=a_bundle("nb-1", wifi="other"))]
    with pytest.raises(RolloutError, match="no longer fits"):
        make_job(make_plan("all", before), after, actor="anna")


def test_a_plan_made_before_a_device_came_or_went_is_refused():
    with pytest.raises(RolloutError, match="no longer fits"):
        make_job(make_plan("all", [subject("nb-1")]), [subject("nb-1"), subject("nb-2")], actor="anna")


def test_a_plan_of_another_project_names_a_laptop_that_is_not_here():
    plan = make_plan("all", [subject("nb-1"), subject("nb-2"), subject("nb-3")])
    with pytest.raises(RolloutError, match="this inventory lacks 2 of its devices, such as nb-2") as refused:
        make_job(plan, [subject("nb-1")], actor="anna")
    assert "another project" in refused.value.problems[0].hint


def test_what_the_laptop_proves_is_not_done_again_and_drift_is():
    plan = make_plan("all", [subject("nb-1")])
    now = subject("nb-1", probe=a_probe("nb-1", drift={"base": ("file /etc/hosts differs",)}))
    assert make_job(plan, [now], actor="anna").skip == {("nb-1", name) for name in ("vpn", "wifi", "software")}


def test_a_laptop_that_fell_asleep_after_the_plan_waits_with_all_that_is_missing():
    plan = make_plan("all", [subject("nb-1")])
    applied = ComponentState(device="nb-1", component="base", outcome=Outcome.CHANGED, digest="a", at=NOON, rollout=1)
    asleep = replace(subject("nb-1", probe=a_probe("nb-1", reach=Reach.UNREACHABLE)), recorded={"base": applied})
    job = make_job(plan, [asleep], actor="anna")
    assert [change.component for change in job.asleep] == ["vpn", "wifi", "software"]
    assert len(job.skip) == 4


def test_the_generation_is_above_the_highest_that_a_laptop_knows():
    subjects = [subject("nb-1", probe=a_probe("nb-1", generation=41))]
    assert make_job(make_plan("all", subjects), subjects, actor="anna").highest_generation == 41


def interrupted(plan: Plan, *results: ComponentResult) -> RolloutRecord:
    row = RolloutRow(
        id=7,
        started=NOON,
        ended=NOON,
        state=RolloutState.INTERRUPTED,
        reason="",
        ring=0,
        actor="anna",
        scope="all",
        plan_hash=plan.hash,
        counts={},
    )
    return RolloutRecord(row=row, plan=plan, results=results)


def test_work_in_full_is_not_skipped_although_the_laptop_proves_everything():
    subjects = [subject("nb-1", probe=a_probe("nb-1"))]
    plan = make_plan("all", subjects, thoroughness=Thoroughness(full=True))
    assert make_job(plan, subjects, actor="anna").skip == frozenset()


def test_carried_on_work_in_full_is_not_done_twice():
    subjects = [subject("nb-1", probe=a_probe("nb-1"))]
    plan = make_plan("all", subjects, thoroughness=Thoroughness(full=True))
    results = [
        ComponentResult(device="nb-1", component=name, outcome=outcome, at=NOON)
        for name, outcome in (("base", Outcome.UNCHANGED), ("vpn", Outcome.FAILED))
    ]
    job = make_job(plan, subjects, actor="anna", earlier=interrupted(plan, *results))
    assert job.skip == {("nb-1", "base")}
    assert (job.resume, job.first_ring) == (7, 0)


def test_a_laptop_of_the_sample_that_differs_by_now_is_left_to_the_next_rollout():
    plan = make_plan("all", [subject("nb-1", probe=a_probe("nb-1"))], thoroughness=Thoroughness(sample_percent=100))
    drifted = a_probe("nb-1", drift={"base": ("file /etc/hosts differs",)})
    assert make_job(plan, [subject("nb-1", probe=drifted)], actor="anna").skip == {("nb-1", "base")}
