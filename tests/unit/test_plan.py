from __future__ import annotations

from dataclasses import replace
from typing import Any

from mvpc.model import Action, ComponentState, LifeCycle, Outcome, Reach, Skip, Source
from mvpc.plan import Subject, make_plan, proofs, waiting
from mvpc.testing import NOON, a_bundle, a_device, a_probe


def subject(**fields: Any) -> Subject:
    values: dict[str, Any] = {"device": a_device(), "ressort": "fm", "operator": "zdmv", "bundle": a_bundle()}
    return Subject(**values | fields)


def recorded(**digests: str) -> dict[str, ComponentState]:
    return {
        name: ComponentState(
            device="nb-000123", component=name, outcome=Outcome.CHANGED, digest=digest, at=NOON, rollout=1
        )
        for name, digest in digests.items()
    }


def only_skip(plan):
    assert plan.changes == ()
    return plan.skipped[0].why, plan.skipped[0].detail


def test_a_laptop_that_proves_every_digest_is_unchanged():
    plan = make_plan("all", [subject(probe=a_probe())])
    assert only_skip(plan) == (Skip.VERIFIED, "verified just now")


def test_a_component_that_the_laptop_never_had_is_created():
    probe = a_probe(digests={"base": "a", "vpn": "a", "software": "a"})
    plan = make_plan("all", [subject(probe=probe)])
    assert [(c.component, c.action, c.reason) for c in plan.changes] == [("wifi", Action.CREATE, "never applied")]


def test_a_changed_setting_is_named_with_its_line():
    state = recorded(base="a", vpn="a", wifi="old", software="a")
    bundle = a_bundle(wifi="new", inputs={"wifi.networks.fm.ssid": "FM-Intern"})
    plan = make_plan(
        "all",
        [
            subject(
                bundle=bundle, recorded=state, sources={"wifi.networks.fm.ssid": Source("profiles/ressorts/fm.yml", 12)}
            )
        ],
    )
    assert [(c.component, c.action) for c in plan.changes] == [("wifi", Action.UPDATE)]
    assert plan.changes[0].reason == "+ wifi.networks.fm.ssid = FM-Intern"
    assert plan.changes[0].source == "profiles/ressorts/fm.yml:12"


def test_a_rotated_secret_is_an_update_although_no_setting_changed():
    plan = make_plan("all", [subject(bundle=a_bundle(wifi="b"), probe=a_probe(), recorded=recorded(wifi="a"))])
    assert plan.changes[0].reason == "a secret, template or catalogue entry changed"


def test_drift_is_repaired_and_says_what_differs():
    probe = a_probe(drift={"base": ("file /etc/hosts differs (content)", "unit ssh.service is stopped")})
    plan = make_plan("all", [subject(probe=probe)])
    assert (plan.changes[0].action, plan.changes[0].reason) == (
        Action.REPAIR,
        "drift: file /etc/hosts differs (content) (+1 more)",
    )


def test_an_attempt_that_did_not_finish_is_repeated():
    probe = a_probe(digests={"base": "", "vpn": "a", "wifi": "a", "software": "a"})
    plan = make_plan("all", [subject(probe=probe)])
    assert plan.changes[0].reason == "the last attempt did not finish"


def test_a_sleeping_laptop_is_no_failure_and_the_plan_says_what_waits():
    asleep = subject(probe=a_probe(reach=Reach.UNREACHABLE), recorded=recorded(base="a", vpn="a", wifi="a"))
    assert only_skip(make_plan("all", [asleep])) == (Skip.UNREACHABLE, "software waits")
    assert [change.component for change in waiting([asleep])] == ["software"]


def test_a_laptop_with_a_strange_host_key_is_refused_with_the_reason():
    probe = a_probe(reach=Reach.REFUSED, detail="its SSH host key is not the one in the inventory")
    assert only_skip(make_plan("all", [subject(probe=probe)]))[0] is Skip.REFUSED


def test_windows_is_never_rolled_out_to():
    assert only_skip(make_plan("all", [subject(device=a_device(os="windows-11"), bundle=None)])) == (
        Skip.NOT_LINUX,
        "windows-11 is not managed by mvpc",
    )


def test_a_lost_laptop_is_not_rolled_out_to():
    assert only_skip(make_plan("all", [subject(device=a_device(state=LifeCycle.LOST))]))[0] is Skip.NOT_IN_SERVICE


def test_a_laptop_of_another_operator_is_left_to_it():
    assert only_skip(make_plan("all", [subject(operator="police", bundle=None)])) == (
        Skip.OTHER_OPERATOR,
        "operated by police",
    )


def test_without_asking_the_records_decide_and_the_plan_says_so():
    state = recorded(base="a", vpn="a", wifi="a", software="a")
    why, detail = only_skip(make_plan("all", [subject(recorded=state)]))
    assert (why, detail) == (Skip.RECORDED, "by our records of 2026-11-23 12:00")


def test_the_hash_stays_when_someone_else_falls_asleep_and_changes_with_the_work():
    work = subject(probe=a_probe(digests={}))
    asleep = subject(device=a_device("nb-000124"), bundle=a_bundle("nb-000124"), probe=a_probe(reach=Reach.UNREACHABLE))
    assert make_plan("all", [work]).hash == make_plan("all", [work, asleep]).hash
    assert make_plan("all", [work]).hash != make_plan("all", [subject(probe=a_probe())]).hash


def test_what_a_laptop_proves_outweighs_what_we_remember():
    failed = recorded(base="a", vpn="a", wifi="")
    failed["wifi"] = replace(failed["wifi"], outcome=Outcome.FAILED)
    proved = proofs([subject(probe=a_probe(), recorded=failed)])
    assert [(each.component, each.outcome, each.digest) for each in proved] == [
        ("wifi", Outcome.UNCHANGED, "a"),
        ("software", Outcome.UNCHANGED, "a"),
    ]


def test_a_laptop_that_has_drifted_or_sleeps_proves_nothing():
    drifted = subject(probe=a_probe(drift=dict.fromkeys(("base", "vpn", "wifi", "software"), ("file /etc/x differs",))))
    assert list(proofs([drifted, subject(probe=a_probe(reach=Reach.UNREACHABLE)), subject()])) == []


def test_drift_that_was_seen_waits_for_a_laptop_that_has_gone_to_sleep():
    asleep = subject(
        probe=a_probe(reach=Reach.UNREACHABLE),
        recorded=recorded(base="a", vpn="a", wifi="a", software="a"),
        drift={"base": ("file /etc/hosts differs (content)",)},
    )
    [waits] = waiting([asleep])
    assert (waits.component, waits.reason) == (
        "base",
        "drift when it was last asked: file /etc/hosts differs (content)",
    )
