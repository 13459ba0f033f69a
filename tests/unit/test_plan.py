from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mvpc.model import Action, Bundle, Component, ComponentState, LifeCycle, Outcome, Plan, Reach, RoleRun, Skip, Source
from mvpc.plan import Subject, Thoroughness, make_plan, proofs, waiting
from mvpc.planfile import from_data, made_by, read_plan, to_data
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
    newer = subject(probe=a_probe(reach=Reach.UNREACHABLE), recorded=recorded(base="a", vpn="a"))
    assert only_skip(make_plan("all", [newer])) == (Skip.UNREACHABLE, "wifi, software wait")


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
    work, other = subject(probe=a_probe(digests={})), {"device": a_device("nb-000124"), "bundle": a_bundle("nb-000124")}
    awake = subject(**other, probe=a_probe("nb-000124"))
    asleep = subject(**other, probe=a_probe("nb-000124", reach=Reach.UNREACHABLE))
    assert make_plan("all", [work, awake]).hash == make_plan("all", [work, asleep]).hash
    assert make_plan("all", [work]).hash != make_plan("all", [subject(probe=a_probe())]).hash


def test_the_hash_covers_who_made_the_plan_and_what_sleeping_laptops_will_get():
    asleep = subject(probe=a_probe(reach=Reach.UNREACHABLE))
    assert made_by("ute", make_plan("all", [asleep])).hash != made_by("jan", make_plan("all", [asleep])).hash
    assert make_plan("all", [asleep]).hash != make_plan("all", [replace(asleep, bundle=a_bundle(wifi="b"))]).hash


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


def fleet(number: int, *, generation: int = 7, changing: int = 0) -> list[Subject]:
    """Laptops that have just proved to be unchanged, but for the first few."""
    names = [f"nb-{each:06}" for each in range(number)]
    return [
        subject(
            device=a_device(name),
            bundle=a_bundle(name),
            probe=a_probe(name, digests={}) if position < changing else a_probe(name, generation=generation),
        )
        for position, name in enumerate(names)
    ]


def sampled(subjects: list[Subject], percent: float = 2) -> Plan:
    return make_plan("all", subjects, thoroughness=Thoroughness(sample_percent=percent))


def test_asked_for_in_full_every_component_is_walked_whatever_the_laptop_proves():
    drifted = a_probe(drift={"base": ("file /etc/hosts differs",)})
    plan = make_plan("all", [subject(probe=drifted)], thoroughness=Thoroughness(full=True))
    assert [(c.component, c.action, c.reason) for c in plan.changes] == [
        ("base", Action.REPAIR, "drift: file /etc/hosts differs"),
        ("vpn", Action.FULL, "asked for in full"),
        ("wifi", Action.FULL, "asked for in full"),
        ("software", Action.FULL, "asked for in full"),
    ]


def test_asked_for_in_full_a_sleeping_laptop_still_waits_only_for_what_it_lacks():
    asleep = subject(
        probe=a_probe(reach=Reach.UNREACHABLE), recorded=recorded(base="a", vpn="a", wifi="a", software="a")
    )
    plan = make_plan("all", [asleep], thoroughness=Thoroughness(full=True))
    assert only_skip(plan) == (Skip.UNREACHABLE, "nothing waits for it")


def test_what_is_not_managed_is_not_walked_in_full_either():
    lost = subject(device=a_device(state=LifeCycle.LOST))
    assert only_skip(make_plan("all", [lost], thoroughness=Thoroughness(full=True)))[0] is Skip.NOT_IN_SERVICE


def test_a_sample_of_the_unchanged_laptops_is_walked_in_full_in_the_last_ring():
    plan = sampled(fleet(200, changing=50))
    assert len(plan.sample) == 3
    assert plan.rings[-1].devices[-3:] == plan.sample
    assert {(c.action, c.reason) for c in plan.changes if c.device in plan.sample} == {
        (Action.FULL, "sample: must report no change")
    }
    assert not {skip.device for skip in plan.skipped} & set(plan.sample)


def test_a_sample_alone_is_a_plan_with_the_last_ring_only():
    plan = sampled(fleet(100))
    assert [(ring.name, ring.devices) for ring in plan.rings] == [("broad", plan.sample)]
    assert "in the sample of unchanged laptops with salt" in plan.places[plan.sample[0]]


def test_the_sample_is_part_of_the_plan_and_its_hash():
    plan = sampled(fleet(100))
    assert from_data(to_data(plan)) == plan
    assert plan.hash != sampled(fleet(100), percent=0).hash


def test_the_sample_stays_until_it_was_rolled_out_to_and_then_others_are_drawn():
    before = sampled(fleet(1000))
    assert sampled(fleet(1000)).hash == before.hash
    after = [
        replace(each, probe=a_probe(each.device.hostname, generation=8))
        if each.device.hostname in before.sample
        else each
        for each in fleet(1000)
    ]
    assert sampled(after).sample != before.sample


def test_who_was_not_asked_or_sleeps_is_not_in_the_sample():
    known = recorded(base="a", vpn="a", wifi="a", software="a")
    silent = [replace(each, probe=None, recorded=known) for each in fleet(50)]
    asleep = [
        replace(each, probe=a_probe(each.device.hostname, reach=Reach.UNREACHABLE), recorded=known)
        for each in fleet(50)
    ]
    assert sampled(silent, percent=100).sample == sampled(asleep, percent=100).sample == ()


def with_role(run: RoleRun, *, before: dict[str, str], now: dict[str, str], digest: str = "b") -> Subject:
    """A laptop that had the role with digest `a`, ten days ago, and now is to have it with another one."""
    part = Component(name=run.component, digest=digest, resources=(), inputs=now, role=run)
    state = recorded(**{run.component: "a"})[run.component]
    return subject(
        bundle=Bundle(device="nb-000123", components=(*a_bundle().components, part)),
        probe=a_probe(digests=dict.fromkeys(("base", "vpn", "wifi", "software", run.component), "a")),
        recorded={run.component: replace(state, inputs=before, at=NOON - timedelta(days=10))},
        sources={"local.printers.state": Source("profiles/base.yml", 7)},
    )


def test_a_changed_role_says_which_of_its_files():
    files = {f"playbooks/local/printers/{name}": "1" for name in ("tasks/main.yml", "files/old")}
    after = {"playbooks/local/printers/tasks/main.yml": "2", "playbooks/local/printers/files/new": "1"}
    for now, words in (
        (files | {"playbooks/local/printers/tasks/main.yml": "2"}, "role printers changed: tasks/main.yml"),
        (after, "role printers lacks: files/old (+2 more)"),
        (files | {"ansible-core": "2.20.1"}, "ansible-core: 2.19.1 -> 2.20.1"),
    ):
        before = files | {"ansible-core": "2.19.1"}
        laptop = with_role(RoleRun(role="printers"), before=before, now={"ansible-core": "2.19.1", **now})
        [change] = make_plan("all", [laptop]).changes
        assert (change.component, change.action, change.reason) == ("local-printers", Action.UPDATE, words)


def test_a_role_that_is_taken_off_says_so_and_where():
    gone = with_role(RoleRun(role="printers", tasks=""), before={"local.printers.variables.x": "1"}, now={})
    [change] = make_plan("all", [gone]).changes
    assert (change.reason, change.source) == ("role printers is taken off", "profiles/base.yml:7")


def test_a_role_that_is_older_than_it_may_be_is_run_again():
    for days, reasons in ((10, ["last run 10 days ago"]), (11, []), (0, [])):
        laptop = with_role(RoleRun(role="printers", max_age_days=days), before={}, now={}, digest="a")
        changes = make_plan("all", [laptop], thoroughness=Thoroughness(now=NOON)).changes
        assert [change.reason for change in changes] == reasons


# --- what changes, setting by setting --------------------------------------------------------


def updated(old: dict[str, Any], new: dict[str, Any], hostname: str = "nb-000123") -> Subject:
    """A laptop whose Wi-Fi was made from `old` and will be made from `new`."""
    state = recorded(base="a", vpn="a", wifi="old", software="a")
    state["wifi"] = replace(state["wifi"], inputs=old)
    lines = {path: Source("profiles/base.yml", number) for number, path in enumerate(new, start=1)}
    bundle = a_bundle(hostname, wifi="new", inputs=new)
    return subject(device=a_device(hostname), bundle=bundle, recorded=state, sources=lines)


def edits_of(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(edit) for edit in make_plan("all", [updated(old, new)]).changes[0].edits]


def test_every_setting_that_differs_is_in_the_plan_and_what_leaves_the_laptop_comes_first():
    old = {"wifi.a": 1, "wifi.b": "x", "wifi.gone": True, "wifi.tool": "present"}
    new = {"wifi.a": 2, "wifi.b": "x", "wifi.tool": "absent", "wifi.new": 3}
    assert edits_of(old, new) == [
        "- wifi.gone = True",
        "- wifi.tool: present -> absent",
        "wifi.a: 1 -> 2",
        "+ wifi.new = 3",
    ]


def test_a_setting_has_the_line_that_sets_it_and_a_removed_one_has_none():
    [gone, new] = make_plan("all", [updated({"wifi.gone": 1}, {"wifi.new": 1})]).changes[0].edits
    assert (gone.old, gone.source, new.source) == (1, "", "profiles/base.yml:1")


def test_the_same_number_of_another_kind_is_a_change():
    assert edits_of({"wifi.a": 1}, {"wifi.a": True}) == ["wifi.a: 1 -> True"]


def test_a_map_that_comes_or_goes_as_a_whole_is_named():
    kept = {"wifi.networks.lan.ssid": "LAN", "wifi.networks.lan.priority": 1}
    old = kept | {"wifi.networks.old.ssid": "OLD", "wifi.networks.old.eap.identity": "x"}
    new = {**kept, "wifi.networks.new.ssid": "NEW", "wifi.networks.lan.hidden": True}
    found = make_plan("all", [updated(old, new)]).changes[0].edits
    assert {edit.path: edit.whole for edit in found} == {
        "wifi.networks.old.ssid": "wifi.networks.old",
        "wifi.networks.old.eap.identity": "wifi.networks.old",
        "wifi.networks.new.ssid": "wifi.networks.new",
        "wifi.networks.lan.hidden": "",
    }


def test_all_drift_is_in_the_plan():
    drift = "file /etc/hosts differs (content)", "unit ssh.service is stopped"
    assert make_plan("all", [subject(probe=a_probe(drift={"base": drift}))]).changes[0].drift == drift


def test_where_records_are_lost_the_plan_does_not_guess_what_changed():
    plan = make_plan("all", [subject(bundle=a_bundle(wifi="b"), probe=a_probe())])
    assert plan.changes[0].reason == "it is not what it should be; our records do not know how it was made"


def test_the_hash_covers_every_edit():
    one, other = ({"wifi.a": 1, "wifi.b": value} for value in (1, 2))
    hashes = {make_plan("all", [updated({"wifi.a": 0, "wifi.b": 0}, new)]).hash for new in (one, other)}
    assert len(hashes) == 2


def test_a_plan_survives_its_file(tmp_path):
    laptops = [updated({"wifi.a": 1, "wifi.gone": None}, {"wifi.a": 2}, f"nb-{number}") for number in range(3)]
    plan = make_plan("all", [*laptops, subject(probe=a_probe(reach=Reach.UNREACHABLE))])
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(to_data(plan)))
    assert read_plan(path) == plan


def test_what_many_changes_have_in_common_is_written_once():
    laptops = [updated({"wifi.a": 1}, {"wifi.a": 2}, f"nb-{number}") for number in range(3)]
    data = to_data(make_plan("all", laptops))
    [key] = data["edits"]
    assert [row["edits"] for row in data["changes"]] == [key] * 3
    assert data["edits"][key][0]["path"] == "wifi.a"
