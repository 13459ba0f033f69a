from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mvpc.errors import RolloutError
from mvpc.model import Bundle, Component, ComponentResult, File, HostWork, Outcome, RoleRun
from mvpc.playbook.edition import refuse_other
from mvpc.playbook.folder import bundle_data, fill
from mvpc.playbook.hosts import Login, host_variables, inert, inventory, role_variables, unfit
from mvpc.playbook.shard import Shard
from mvpc.playbook.tally import Tally
from mvpc.testing import a_bundle, a_device

LOGIN = Login(user="mvpc-admin", port=22, key=Path("/keys/id_ed25519"))


def work_for(*components: str, hostname: str = "nb-000123") -> HostWork:
    return HostWork(device=a_device(hostname), bundle=a_bundle(hostname, wifi="w"), components=components, generation=7)


def event(component: str, outcome: str, *, host: str = "nb-000123", **fields: object) -> bytes:
    told = {"event": "result", "at": "2026-11-23T12:00:00.000+00:00", "host": host, "component": component}
    return json.dumps({**told, "outcome": outcome, "changes": [], "digest": "", "error": "", **fields}).encode()


def lost(outcome: str, error: str) -> bytes:
    told = {"event": "lost", "at": "2026-11-23T12:00:00.000+00:00", "host": "nb-000123"}
    return json.dumps({**told, "outcome": outcome, "error": error}).encode()


def taken(tally: Tally, *lines: bytes) -> list[ComponentResult]:
    return [result for line in lines for result in tally.take(line)]


# --- hosts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("hostname", "-oProxyCommand=id", "its hostname is not allowed"),
        ("hostname", "nb-1\n", "its hostname is not allowed"),
        ("address", "-oProxyCommand=touch", "its address is neither a name nor an IP address"),
        ("address", "`id`", "its address is neither a name nor an IP address"),
        ("address", "10.0.0.1 -v", "its address is neither a name nor an IP address"),
        ("address", "{{ x }}", "its address is neither a name nor an IP address"),
        ("host_key", "", "the inventory holds no usable SSH host key for it"),
        ("host_key", 'ssh-ed25519 AAAA" -o ProxyCommand="id', "the inventory holds no usable SSH host key for it"),
        ("host_key", "ssh-ed25519 AAAA\n* ssh-rsa BBBB", "the inventory holds no usable SSH host key for it"),
        ("os", "windows-11", "windows-11 is not managed by mvpc"),
    ],
)
def test_ansible_is_never_pointed_at_what_ssh_could_misread(field: str, value: str, reason: str):
    device = a_device(**{field: value})
    assert unfit(device) == reason
    with pytest.raises(ValueError, match=re.escape(reason)):
        host_variables(device, LOGIN)


@pytest.mark.parametrize("address", ["", "192.0.2.7", "2001:db8::1", "::1", "nb-000123.mv.example"])
def test_names_and_addresses_of_both_families_are_fit(address: str):
    assert unfit(a_device(address=address)) == ""


def test_the_hostname_is_the_address_of_a_device_without_one():
    assert host_variables(a_device(address=""), LOGIN)["ansible_host"] == "nb-000123"


def test_only_the_key_of_the_inventory_counts_and_its_comment_stays_out():
    arguments = host_variables(a_device(host_key="ssh-ed25519 AAAA root@nb-000123"), LOGIN)["ansible_ssh_common_args"]
    assert '-o "KnownHostsCommand=/bin/echo nb-000123 ssh-ed25519 AAAA"' in arguments
    assert "-o StrictHostKeyChecking=yes" in arguments
    assert "-o UserKnownHostsFile=none" in arguments
    assert "-o ForwardAgent=no" in arguments


def test_certificates_of_our_authority_count_beside_the_key_of_the_inventory():
    login = replace(LOGIN, host_authority="ecdsa-sha2-nistp384 BBBB")
    arguments = host_variables(a_device(host_key="ssh-ed25519 AAAA"), login)["ansible_ssh_common_args"]
    command = shlex.split(arguments)[-1].removeprefix("KnownHostsCommand=")
    printed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed == "nb-000123 ssh-ed25519 AAAA\n@cert-authority nb-000123 ecdsa-sha2-nistp384 BBBB\n"


def test_every_string_of_an_inventory_is_inert_at_any_depth():
    attack = "{{ lookup('pipe', 'id') }}"
    unsafe = {"__ansible_unsafe": attack}
    assert inert({"a": [attack, 1, (True, attack)], "b": {"c": attack}}) == {
        "a": [unsafe, 1, [True, unsafe]],
        "b": {"c": unsafe},
    }
    assert inventory({"nb-1": {"room": attack}})["all"]["hosts"] == {"nb-1": {"room": unsafe}}


def test_laptops_that_run_roles_of_the_site_are_a_group_with_the_variables_of_their_roles():
    runs = (
        RoleRun(role="audio", variables={"audio_volume": 3}),
        RoleRun(role="printers", tasks="remove", variables={"printers_server": "{{ x }}"}),
    )
    told = inventory({"nb-1": role_variables(runs), "nb-2": role_variables(())})["all"]
    assert told["children"] == {"mvpc_local": {"hosts": {"nb-1": {}}}}
    assert told["hosts"]["nb-2"] == {}
    variables = told["hosts"]["nb-1"]
    assert variables["audio_volume"] == 3
    assert variables["printers_server"] == {"__ansible_unsafe": "{{ x }}"}
    assert [entry["component"]["__ansible_unsafe"] for entry in variables["mvpc_local_roles"]] == [
        "local-audio",
        "local-printers",
    ]


# --- folder ----------------------------------------------------------------------------------


def test_a_bundle_holds_only_the_components_of_the_work():
    file = File(path="/etc/x", content="secret", validate=("visudo", "-c", "%s"))
    parts = tuple(Component(name=name, digest="d", resources=(file,), inputs={"a": 1}) for name in ("base", "wifi"))
    bundle = Bundle(device="nb-000123", components=parts)
    data = bundle_data(HostWork(device=a_device(), bundle=bundle, components=("wifi",), generation=7))
    assert (data["device"], data["generation"]) == ("nb-000123", 7)
    [component] = data["components"]
    assert component.keys() == {"name", "digest", "resources"}
    assert component["resources"][0]["kind"] == "file"


def test_what_is_written_for_ansible_is_private_and_the_inventory_has_no_secret(tmp_path: Path):
    file = File(path="/etc/x", content="top-secret")
    bundle = Bundle(device="nb-000123", components=(Component(name="wifi", digest="d", resources=(file,)),))
    fill(
        tmp_path,
        [HostWork(device=a_device(), bundle=bundle, components=("wifi",), generation=7)],
        LOGIN,
        seconds=60,
    )
    assert "top-secret" in (tmp_path / "bundles/nb-000123.json").read_text()
    assert "top-secret" not in (tmp_path / "inventory.json").read_text()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.json")} == {0o600}
    with pytest.raises(FileExistsError):
        fill(tmp_path, [], LOGIN, seconds=60)


def test_roles_and_built_in_components_are_converged_by_different_plays(tmp_path: Path):
    role = Component(name="local-printers", digest="d", resources=(), role=RoleRun(role="printers"))
    bundle = Bundle(device="nb-000123", components=(Component(name="base", digest="d", resources=()), role))
    work = HostWork(device=a_device(), bundle=bundle, components=("base", "local-printers"), generation=7)
    fill(tmp_path, [work], LOGIN, seconds=60)
    variables = json.loads((tmp_path / "inventory.json").read_text())["all"]["hosts"]["nb-000123"]
    assert variables["mvpc_components"] == [{"__ansible_unsafe": "base"}]
    assert [entry["role"] for entry in variables["mvpc_local_roles"]] == [{"__ansible_unsafe": "printers"}]


# --- edition ---------------------------------------------------------------------------------


def test_playbooks_of_another_version_are_refused_with_the_way_out(tmp_path: Path):
    folder = tmp_path / "collections/ansible_collections/mvpc/fleet"
    folder.mkdir(parents=True)
    (folder / "galaxy.yml").write_text("name: fleet\nversion: 0.0.9\n")
    with pytest.raises(RolloutError, match=r"belong to mvpc 0\.0\.9, and this is mvpc .* Put the folder playbooks/"):
        refuse_other(tmp_path)


def test_playbooks_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(RolloutError, match=r"galaxy\.yml: the playbooks cannot be read"):
        refuse_other(tmp_path)


def test_the_playbooks_of_this_source_are_those_of_this_version():
    refuse_other(Path(__file__).parents[2] / "playbooks")


# --- tally -----------------------------------------------------------------------------------


def test_a_result_is_passed_on_once():
    tally = Tally.of([work_for("wifi")])
    line = event("wifi", "changed", digest="w", changes=["file /etc/x updated"])
    assert taken(tally, line, line) == [
        ComponentResult(
            device="nb-000123",
            component="wifi",
            outcome=Outcome.CHANGED,
            digest="w",
            at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
            changes=("file /etc/x updated",),
        )
    ]
    assert list(tally.rest("over")) == []


def test_an_unreachable_laptop_is_unreachable_in_all_components_that_are_left():
    tally = Tally.of([work_for("base", "vpn", "wifi"), work_for("base", hostname="nb-000124")])
    error = (
        'Task failed: Data could not be sent to remote host "192.0.2.7". Make sure this host can be reached over ssh: '
        "ssh: connect to host 192.0.2.7 port 22: No route to host\r\n"
    )
    results = taken(tally, event("base", "unchanged", digest="a"), lost("unreachable", error))
    assert [(r.component, r.outcome) for r in results] == [
        ("base", Outcome.UNCHANGED),
        ("vpn", Outcome.UNREACHABLE),
        ("wifi", Outcome.UNREACHABLE),
    ]
    assert results[1].error == "ssh: connect to host 192.0.2.7 port 22: No route to host"
    assert list(tally.waiting) == [("nb-000124", "base")]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@ Host key verification failed.", "not the laptop"),
        ("No ED25519 host key is known for nb-1. Host key verification failed.", "another kind of SSH host key"),
        ("mvpc-admin@192.0.2.7: Permission denied (publickey).", "log in"),
    ],
)
def test_a_laptop_that_refuses_or_is_a_stranger_is_failed_not_unreachable(said: str, told: str):
    [result] = taken(Tally.of([work_for("base")]), lost("unreachable", said))
    assert result.outcome is Outcome.FAILED
    assert result.error.startswith("refused: ")
    assert told in result.error


def test_a_laptop_that_gave_no_answer_has_failed_in_all_components_that_are_left():
    results = taken(Tally.of([work_for("base", "wifi")]), lost("failed", "Task failed: no valid answer"))
    assert [(r.component, r.outcome, r.error) for r in results] == [
        ("base", Outcome.FAILED, "no valid answer"),
        ("wifi", Outcome.FAILED, "no valid answer"),
    ]


def test_a_laptop_whose_ledger_shows_something_else_is_failed():
    [result] = taken(Tally.of([work_for("wifi")]), event("wifi", "unchanged", digest="old"))
    assert (result.outcome, result.error) == (Outcome.FAILED, "the laptop's ledger does not show what was sent")


def test_what_got_no_result_is_failed_with_the_reason_or_with_its_own_trouble():
    tally = Tally.of([work_for("base"), work_for("base", hostname="nb-000124")])
    trouble = {"event": "trouble", "host": "nb-000124", "text": "worker died"}
    assert taken(tally, json.dumps({"event": "start"}).encode(), json.dumps(trouble).encode()) == []
    assert tally.begun
    assert [(r.device, r.outcome, r.error) for r in tally.rest("no result in time")] == [
        ("nb-000123", Outcome.FAILED, "no result in time"),
        ("nb-000124", Outcome.FAILED, "worker died"),
    ]


@pytest.mark.parametrize(
    "line",
    [b"", b"\xff\xfe", b"[]", b"null", b"{", b'{"event": 5}', b'{"event": "result", "host": ["nb-000123"]}'],
)
def test_a_line_that_is_no_event_is_passed_over(line: bytes):
    tally = Tally.of([work_for("base")])
    assert taken(tally, line) == []
    assert len(tally.waiting) == 1


def test_control_characters_of_a_laptop_are_made_visible_and_long_texts_are_cut():
    line = event("wifi", "failed", error="\x1b[31m" + "x" * 5000, changes=["\u202efile"], at="yesterday")
    [result] = taken(Tally.of([work_for("wifi")]), line)
    assert result.error.startswith("\\x1b[31mxxx")
    assert len(result.error) < 410
    assert result.changes == ("\\u202efile",)
    assert result.at.tzinfo is UTC


def test_a_complaint_of_several_lines_becomes_one():
    line = event("wifi", "failed", error="Could not find 'printers.j2'\nSearched in:\n\t/srv/a\n\t/srv/b")
    [result] = taken(Tally.of([work_for("wifi")]), line)
    assert result.error == "Could not find 'printers.j2' Searched in: /srv/a /srv/b"


class Ansible:
    """Still runs, and has said one thing after the other."""

    def __init__(self, *said: bytes) -> None:
        self.said = list(said)

    def lines(self) -> list[bytes]:
        return [self.said.pop(0)]


def test_nobody_waits_for_ansible_once_every_result_is_there():
    wifi, base = (event(name, "failed", error="no room") for name in ("wifi", "base"))
    shard = Shard(
        ansible=Ansible(wifi, base),  # type: ignore[arg-type]
        tally=Tally.of([work_for("base", "wifi")]),
        deadline=time.monotonic() + 600,
        belongings=ExitStack(),
    )
    assert [result.component for result in shard.take()] == ["wifi"]
    assert not shard.over
    assert [result.component for result in shard.take()] == ["base"]
    assert shard.over
