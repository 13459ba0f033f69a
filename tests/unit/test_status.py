from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from mvpc.model import (
    COMPONENTS,
    ComponentState,
    Deferred,
    DeviceSeen,
    LifeCycle,
    Outcome,
    Reach,
    Reachability,
    RolloutRow,
    RolloutState,
    ServiceSeen,
)
from mvpc.status import Knowledge, Verdict, device_status
from mvpc.testing import NOON, a_device

HOUR = timedelta(hours=1)


ERRORS = {
    Outcome.FAILED: "apt-get failed",
    Outcome.ROLLED_BACK: "taken back: the tunnel mvpc-vpn did not come up",
    Outcome.NEEDS_REPAIR: "vendor-driver broken",
}


def states(at=NOON, **outcomes: Outcome) -> dict[str, ComponentState]:
    return {
        name: ComponentState(
            device="nb-000123",
            component=name,
            outcome=outcomes.get(name, Outcome.CHANGED),
            digest="a",
            at=at,
            rollout=1,
            error=ERRORS.get(outcomes.get(name, Outcome.CHANGED), ""),
        )
        for name in COMPONENTS
    }


def seen(**fields: Any) -> DeviceSeen:
    values: dict[str, Any] = {"device": "nb-000123", "at": NOON, "reach": Reach.REACHED, "last_seen": NOON}
    return DeviceSeen(**values | fields)


def judge(now: datetime = NOON, **known: Any) -> tuple[Verdict, str]:
    values: dict[str, Any] = {"device": a_device()}
    status = device_status(Knowledge(**values | known), now)
    return status.verdict, status.reason


def test_a_laptop_that_was_asked_after_its_rollout_is_ok():
    assert judge(states=states(NOON - HOUR), seen=seen())[0] is Verdict.OK


def test_a_laptop_that_gave_no_answer_is_still_ok_but_says_so_and_what_to_do_if_it_is_on():
    known = Knowledge(
        device=a_device(),
        states=states(NOON - HOUR),
        seen=seen(at=NOON + HOUR, reach=Reach.UNREACHABLE, last_seen=NOON),
    )
    found = device_status(known, NOON + HOUR)

    assert (found.verdict, found.last_seen, found.unanswered) == (Verdict.OK, NOON, NOON + HOUR)
    assert "if it is on, no network reaches it" in found.next_step
    assert "mvpc status nb-000123 --live" in found.next_step


def test_a_laptop_that_answered_was_not_asked_in_vain():
    assert device_status(Knowledge(device=a_device(), states=states(), seen=seen()), NOON).unanswered is None


def test_applied_without_a_later_answer_is_not_called_ok():
    assert judge(states=states(NOON), seen=seen(at=NOON - HOUR, last_seen=NOON - HOUR))[0] is Verdict.APPLIED


def test_drift_names_the_component():
    verdict = judge(states=states(NOON - HOUR), seen=seen(drift={"base": ("file /etc/hosts differs",), "vpn": ()}))
    assert verdict == (Verdict.DRIFTED, "base differs from its profile")


def test_a_drifted_laptop_that_is_off_now_is_not_to_be_repaired_now():
    away = seen(drift={"base": ("file /etc/hosts differs",)}, reach=Reach.UNREACHABLE)
    step = device_status(Knowledge(device=a_device(), states=states(), seen=away), NOON).next_step
    assert step == "it does not answer now; when it is on: mvpc rollout --device nb-000123"


def test_a_laptop_that_let_us_in_but_is_broken_is_not_taken_for_another_one():
    broken = seen(reach=Reach.BROKEN, detail="its answer is longer than 1 MiB")
    step = device_status(Knowledge(device=a_device(), states=states(), seen=broken), NOON).next_step
    assert step.startswith("it is the laptop we know: see to its disk, sudo and python3")


def test_a_failure_names_component_and_cause():
    assert judge(states=states(software=Outcome.FAILED), seen=seen()) == (Verdict.FAILED, "software: apt-get failed")


def test_a_laptop_that_only_a_person_can_mend_says_so_and_how():
    known = Knowledge(device=a_device(), states=states(wifi=Outcome.FAILED, software=Outcome.NEEDS_REPAIR), seen=seen())
    status = device_status(known, NOON)
    assert (status.verdict, status.reason) == (Verdict.NEEDS_REPAIR, "software: vendor-driver broken")
    assert status.next_step.startswith("on the laptop, as root: dpkg --configure -a, then apt-get --fix-broken install")


def test_a_change_that_waits_for_a_sleeping_laptop_makes_it_outdated():
    waits = Deferred(device="nb-000123", component="wifi", since=NOON - HOUR, rollout=7)
    asleep = seen(reach=Reach.UNREACHABLE, last_seen=NOON - HOUR)
    status = device_status(Knowledge(device=a_device(), states=states(NOON - HOUR), seen=asleep, waits=[waits]), NOON)
    assert (status.verdict, status.reason, status.since) == (Verdict.OUTDATED, "wifi waits for it", NOON - HOUR)


def test_something_else_at_its_address_is_the_worst_news():
    strange = seen(reach=Reach.REFUSED, detail="its SSH host key is not the one in the inventory")
    assert judge(states=states(software=Outcome.FAILED), seen=strange)[0] is Verdict.REFUSED


@pytest.mark.parametrize(
    ("detail", "step"),
    [
        ("it does not let mvpc-admin in", "compare `[ssh]` of mvpc.toml with accounts and keys on the laptop"),
        ("its SSH host key is not the one in the inventory", "find out whether it was reinstalled or replaced"),
        ("its SSH host certificate was revoked", "find out whether it was reinstalled or replaced"),
    ],
)
def test_a_key_that_is_not_let_in_calls_for_another_step_than_a_strange_laptop(detail: str, step: str):
    known = Knowledge(device=a_device(), states=states(), seen=seen(reach=Reach.REFUSED, detail=detail))
    assert step in device_status(known, NOON).next_step


def test_a_laptop_that_no_rollout_reached_is_new():
    assert judge()[0] is Verdict.NEW


def test_a_laptop_that_has_been_silent_for_a_month_is_worth_a_question():
    assert judge(now=NOON + timedelta(days=31), states=states(NOON - HOUR), seen=seen())[0] is Verdict.SILENT


def test_windows_lost_and_unknown_laptops_are_unmanaged_with_the_reason():
    assert judge(device=a_device(os="windows-11")) == (Verdict.UNMANAGED, "windows-11 is not managed by mvpc")
    assert judge(device=a_device(state=LifeCycle.LOST)) == (Verdict.UNMANAGED, "state lost")
    assert judge(device=a_device(host_key=""))[1].startswith("no SSH host key")


def test_a_change_that_was_taken_back_is_told_with_its_reason_and_the_next_step():
    known = Knowledge(device=a_device(), states=states(vpn=Outcome.ROLLED_BACK, software=Outcome.FAILED), seen=seen())
    status = device_status(known, NOON)
    assert (status.verdict, status.reason) == (Verdict.ROLLED_BACK, f"vpn: {ERRORS[Outcome.ROLLED_BACK]}")
    assert status.next_step == "it is as it was before: correct the profile, then: mvpc rollout --device nb-000123"


def test_a_laptop_that_a_rollout_works_on_just_now_is_left_to_it():
    row = RolloutRow(
        id=7,
        started=NOON,
        ended=None,
        state=RolloutState.RUNNING,
        reason="",
        ring=0,
        actor="ute",
        scope="all",
        plan_hash="a",
        counts={},
    )
    found = device_status(Knowledge(device=a_device(), states=states(wifi=Outcome.FAILED), at_work=row), NOON)
    assert found.verdict is Verdict.FAILED
    assert (found.at_work, found.next_step) == (7, "wait for rollout 7, which works on it just now")


def test_every_verdict_has_a_next_step():
    cases: list[dict[str, Any]] = [
        {"states": states(NOON - HOUR), "seen": seen()},
        {"states": states(software=Outcome.FAILED)},
        {"states": states(software=Outcome.NEEDS_REPAIR)},
        {"states": states(vpn=Outcome.ROLLED_BACK)},
        {"device": a_device(os="windows-11")},
        {"device": a_device(state=LifeCycle.LOST)},
        {},
    ]
    for known in cases:
        values: dict[str, Any] = {"device": a_device()}
        assert device_status(Knowledge(**values | known), NOON).next_step


def service(state: Reachability) -> ServiceSeen:
    head = {"device": "nb-000123", "product": "e-akte", "name": "E-Akte", "url": "https://akte.mv.example/"}
    return ServiceSeen(**head, state=state, at=NOON, since=NOON)


def next_step(*services: ServiceSeen, **known: Any) -> str:
    values: dict[str, Any] = {"device": a_device(), "states": states(NOON - HOUR), "seen": seen()}
    return device_status(Knowledge(**values | known, services=services), NOON).next_step


def test_a_service_that_is_not_reachable_is_the_next_step_of_a_laptop_that_is_all_right():
    assert next_step(service(Reachability.REACHABLE)) == "nothing to do"
    assert "profiles/catalogue/e-akte.yml" in next_step(service(Reachability.UNTRUSTED))
    assert "tell those who run it: https://akte.mv.example/" in next_step(service(Reachability.STATUS))
    assert "vpn.dns" in next_step(service(Reachability.NAME_UNKNOWN))


def test_trouble_with_the_laptop_itself_comes_before_its_services():
    drifted = seen(drift={"base": ("file /etc/hosts differs",)})
    assert next_step(service(Reachability.NO_ROUTE), seen=drifted).startswith("to repair it: ")
