"""What leaves a laptop beside its tunnel, as the profile says; the rules themselves are tried on real laptops."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mvpc.cli.status import _facts_line
from mvpc.device import resource_to_dict
from mvpc.device.converge.killswitch import kill_switch
from mvpc.device.converge.machine import Machine, Ran
from mvpc.device.converge.request import read_resource
from mvpc.device.converge.wayin import files_on_the_way_in, units_that_go_by
from mvpc.model import File, Identity, Package, Resource, Unit
from mvpc.render import vpn
from mvpc.render.pattern import ADDRESS, ADDRESS6
from mvpc.settings import Vpn
from mvpc.testing import NOON, a_device

RULES, UNIT = "/etc/nftables.d/mvpc-kill.nft", "/etc/systemd/system/mvpc-kill.service"
ON: dict[str, Any] = {"enabled": True, "portal_minutes": 0, "management": {"10.20.0.0/16": "present"}}
WIREGUARD: dict[str, Any] = {
    "provider": "wireguard",
    "gateway": {"endpoint": "192.0.2.10:51820", "public_key": "7Np3bO5PJbp7a1x4nE8YtYyaYFqNcv8uLdrsd3iJLzg="},
    "address_pool": "10.64.0.0/16",
    "dns": {"servers": {"10.1.0.53": "present"}},
    "kill_switch": ON,
}
IKEV2: dict[str, Any] = {
    "provider": "ikev2",
    "ikev2": {"address": "192.0.2.10", "identity": "vpn.mv.example"},
    "address_pool": "10.64.0.0/16",
    "dns": {"servers": {"10.1.0.53": "present"}},
    "kill_switch": {**ON, "revocation_servers": {"192.0.2.20": "present", "2001:db8::20": "present"}},
}
SPLIT = {"tunnel": "split", "routes": {"10.0.0.0/8": "present", "10.1.0.0/16": "present", "fd00::/16": "present"}}
ENROLLED = Identity(
    serial="1f",
    until=NOON,
    device_certificate="PEM\n",
    device_authorities="PEM\n",
    host_certificate="x",
    user_authority="x",
    trusted={"vpn-ca": "PEM\n"},
)


def resources(settings: Mapping[str, Any], *, enrolled: bool = True, ssh_port: int = 22) -> tuple[Resource, ...]:
    identity = ENROLLED if enrolled else None
    return vpn.resources(a_device(), Vpn.model_validate(settings), identity, ssh_port)


def files(settings: Mapping[str, Any], **how: Any) -> dict[str, str]:
    return {each.path: each.content for each in resources(settings, **how) if isinstance(each, File)}


def rules(settings: Mapping[str, Any], **how: Any) -> list[str]:
    """The lines of the rules, without indents and remarks."""
    return [line.strip() for line in files(settings, **how)[RULES].splitlines() if line.strip() and "# " not in line]


def accepted(settings: Mapping[str, Any], **how: Any) -> set[str]:
    """What the rules let out, apart from what gives the laptop its addresses."""
    basic = ("udp sport", "icmpv6 type")
    return {
        line.removesuffix(" accept")
        for line in rules(settings, **how)
        if line.endswith(" accept") and not line.startswith(basic)
    }


TRUSTED = ("oifname @trusted", "iifname @trusted")
"""Interfaces that have proved themselves; the set is empty until one does."""
WITNESS = {"address": "10.65.0.80", "name": "intern.mv.example", "authority": "/etc/mvpc/pki/mv-ca.pem"}


def test_without_the_word_of_the_profile_there_is_no_switch():
    plain = {**WIREGUARD, "kill_switch": {}}
    assert not [path for path in files(plain) if "kill" in path or "nftables" in path]


def test_a_wireguard_laptop_lets_out_its_tunnel_and_what_the_tunnel_is_made_of():
    assert accepted(WIREGUARD) == {
        'oifname { "lo", "wg-mvpc" }',
        'iifname "wg-mvpc"',
        *TRUSTED,
        "ip daddr { 192.0.2.10/32 } udp dport 51820",
        "ip daddr { 10.20.0.0/16 } tcp sport 22 tcp flags & (syn | ack) != syn",
    }


def test_an_ikev2_laptop_lets_out_what_ipsec_encrypts_and_roots_questions_about_revocation():
    assert accepted(IKEV2) == {
        'oifname { "lo" }',
        "rt ipsec exists",
        "meta ipsec exists",
        *TRUSTED,
        "ip daddr { 192.0.2.10/32 } udp dport { 500, 4500 }",
        "ip daddr { 192.0.2.10/32 } meta l4proto esp",
        "meta skuid 0 ip daddr { 192.0.2.20/32 } tcp dport { 80, 443 }",
        "meta skuid 0 ip6 daddr { 2001:db8::20/128 } tcp dport { 80, 443 }",
        "ip daddr { 10.20.0.0/16 } tcp sport 22 tcp flags & (syn | ack) != syn",
    }


def test_a_gateway_with_an_ipv6_address_is_let_through_as_such():
    gateway = {**WIREGUARD["gateway"], "endpoint": "[2001:db8::10]:51820"}
    assert "ip6 daddr { 2001:db8::10/128 } udp dport 51820" in accepted({**WIREGUARD, "gateway": gateway})


def test_sshd_answers_where_it_listens_and_nobody_without_a_management_network():
    port = "ip daddr { 10.20.0.0/16 } tcp sport 2222 tcp flags & (syn | ack) != syn"
    assert port in accepted(WIREGUARD, ssh_port=2222)
    assert not [
        rule for rule in accepted({**WIREGUARD, "kill_switch": {"enabled": True, "portal_minutes": 0}}) if "tcp" in rule
    ]


def test_people_may_reach_pages_and_names_while_a_portal_is_open_where_the_profile_lets_them():
    opened = {"oifname @portal tcp dport { 80, 443 }", "oifname @portal meta l4proto { tcp, udp } th dport 53"}
    allowed = {**WIREGUARD, "kill_switch": {**ON, "portal_minutes": 5}}
    assert accepted(allowed) - accepted(WIREGUARD) == opened
    assert accepted({**allowed, **SPLIT}) == accepted({**WIREGUARD, **SPLIT})
    for_people = {"/etc/sudoers.d/mvpc-portal", "/usr/local/bin/mvpc-portal"}
    assert for_people <= set(files(allowed))
    assert not for_people & set(files(WIREGUARD))
    assert "portal" in files(allowed)["/etc/sudoers.d/mvpc-portal"]


@pytest.mark.parametrize(
    ("others", "minutes"),
    [({}, 5), (SPLIT, 0), ({"kill_switch": {"enabled": False, "portal_minutes": 5}}, 0), ({"kill_switch": ON}, 0)],
)
def test_the_laptop_is_told_for_how_long_people_may_open_the_switch(others: Mapping[str, Any], minutes: int):
    settings = {**IKEV2, "kill_switch": {**IKEV2["kill_switch"], "portal_minutes": 5}, **others}
    if "kill_switch" in others:
        settings["kill_switch"] = {**IKEV2["kill_switch"], **others["kill_switch"]}
    text = files(settings)["/etc/mvpc/tunnel.json"].replace(ADDRESS6, "").replace(ADDRESS, "")
    assert json.loads(text)["portal_minutes"] == minutes


def test_root_alone_may_ask_outside_whether_the_network_is_trusted():
    trusting = {**WIREGUARD, "trusted_network": {"witness": WITNESS}}
    assert accepted(trusting) - accepted(WIREGUARD) == {"meta skuid 0 ip daddr { 10.65.0.80/32 } tcp dport 443"}


def test_the_laptop_is_told_what_proves_a_network_and_which_addresses_are_the_tunnels():
    trusted = {"wifi": {"lan-mv": "present", "old": "absent"}, "witness": WITNESS}
    text = files({**IKEV2, "trusted_network": trusted})["/etc/mvpc/tunnel.json"]
    told = json.loads(text.replace(ADDRESS, "10.64.0.123").replace(ADDRESS6, "fd6d:7670:6300::a40:7b"))
    assert told["trusted"] == {
        "connections": ["/etc/NetworkManager/system-connections/mvpc-wifi-lan-mv.nmconnection"],
        "witness": {**WITNESS, "port": 443},
    }
    assert told["addresses"] == ["10.64.0.123", "fd6d:7670:6300::a40:7b"]
    assert (told["provider"], told["kill_switch"]) == ("ikev2", True)


def test_a_wireguard_laptop_needs_nobody_to_look_after_it_unless_somebody_may_take_its_tunnel_down():
    plain = {**WIREGUARD, "kill_switch": {}}
    assert "/etc/mvpc/tunnel.json" not in files(plain)
    assert "/etc/mvpc/tunnel.json" in files({**plain, "trusted_network": {"witness": WITNESS}})
    assert "/etc/mvpc/tunnel.json" in files(WIREGUARD)


def test_a_proof_and_a_portal_are_void_before_another_network_is_up_and_the_tunnel_is_looked_after_at_once():
    found = [each for each in resources(IKEV2) if isinstance(each, File) and "dispatcher.d" in each.path]
    assert [each.path.removeprefix("/etc/NetworkManager/dispatcher.d/") for each in found] == [
        "50-mvpc-vpn",
        "pre-up.d/50-mvpc-vpn",
    ]
    for file in found:
        assert (file.mode, file.owner) == ("0755", "root")
        assert "*:pre-up) nft 'flush set inet mvpc_kill trusted; flush set inet mvpc_kill portal'" in file.content
        assert "systemctl --no-block start mvpc-vpn.service" in file.content


def test_a_full_tunnel_refuses_everything_else_and_a_split_one_only_what_is_inside():
    refused = "counter reject with icmpx admin-prohibited"
    assert [line for line in rules(WIREGUARD) if "reject" in line] == [refused]
    assert [line for line in rules({**WIREGUARD, **SPLIT}) if "reject" in line] == [
        f"ip daddr {{ 10.0.0.0/8 }} {refused}",
        f"ip6 daddr {{ fd00::/16 }} {refused}",
    ]


@pytest.mark.parametrize("settings", [WIREGUARD, IKEV2, {**WIREGUARD, **SPLIT}, {**IKEV2, **SPLIT}])
def test_both_hooks_drop_what_no_rule_knows(settings: Mapping[str, Any]):
    assert sum("policy drop;" in line for line in rules(settings)) == 2


def test_only_our_own_table_is_ever_replaced():
    for settings in (WIREGUARD, IKEV2):
        text = files(settings)[RULES] + files(settings)[UNIT]
        assert "flush" not in text
        assert text.count("delete table inet mvpc_kill") == text.count("delete table") == 4


def test_at_boot_nothing_goes_out_before_the_rules_are_loaded_and_nothing_if_they_cannot_be():
    lines = files(WIREGUARD)[UNIT].splitlines()
    first, second = (line for line in lines if line.startswith("ExecStart="))
    assert "policy drop; oifname lo accept;" in first
    assert "10.20.0.0/16 } tcp sport 22" in first
    assert "51820" not in first
    assert second == f"ExecStart=/usr/sbin/nft -f {RULES}"
    assert {"DefaultDependencies=no", "Before=network-pre.target", "WantedBy=sysinit.target"} <= set(lines)


def test_where_nft_itself_fails_at_boot_routing_refuses_people_until_the_rules_are_loaded():
    lines = files(WIREGUARD)[UNIT].splitlines()
    (shut,) = (line for line in lines if line.startswith("ExecStopPost="))
    (lifted,) = (line for line in lines if line.startswith("ExecStartPost="))
    assert "rule add pref 1 uidrange 1000-4294967294 prohibit" in shut
    assert "is-active network-pre.target ||" in shut
    assert "rule del pref 1 uidrange 1000-4294967294 prohibit" in lifted


def test_it_is_loaded_again_by_way_of_closed_and_never_by_way_of_open():
    lines = files(WIREGUARD)[UNIT].splitlines()
    [closed, _] = (line.partition("=")[2] for line in lines if line.startswith("ExecStart="))
    reloads = [line.partition("=")[2] for line in lines if line.startswith("ExecReload=")]
    assert reloads == [closed, f"/usr/sbin/nft -f {RULES}"]
    flushed = files(WIREGUARD)["/etc/systemd/system/nftables.service.d/mvpc-kill.conf"]
    assert flushed.count("systemctl --no-block reload mvpc-kill.service") == 3
    assert "restart" not in flushed


def test_a_change_that_was_taken_back_at_boot_leaves_no_switch():
    lines = files(WIREGUARD)[UNIT].splitlines()
    assert f"ConditionPathExists={UNIT}" in lines
    assert any(line.startswith("After=") and "mvpc-undo-boot.service" in line for line in lines)


def test_new_rules_are_checked_by_nft_and_loaded_in_one_step():
    made = resources(WIREGUARD)
    [file] = [each for each in made if isinstance(each, File) and each.path == RULES]
    assert file.validate == ("/usr/sbin/nft", "-c", "-f", "%s")
    assert file.notify == ("reload mvpc-kill.service",)
    assert Package(name="nftables") in made
    assert Unit(name="mvpc-kill.service") in made


def test_a_laptop_that_gets_no_tunnel_is_not_shut_in():
    assert resources(IKEV2, enrolled=False) == ()


@pytest.mark.skipif(not shutil.which("nft") or not shutil.which("unshare"), reason="needs nft and util-linux")
@pytest.mark.parametrize("settings", [WIREGUARD, IKEV2, {**WIREGUARD, **SPLIT}, {**IKEV2, **SPLIT}])
def test_nft_takes_the_rules_and_those_of_a_damaged_file(settings: Mapping[str, Any]):
    made = files(settings)
    [closed] = [line for line in made[UNIT].splitlines() if line.startswith("ExecStart=/usr/sbin/nft '")]
    for text in (made[RULES], closed.partition("'")[2].removesuffix("'")):
        _in_a_network_of_its_own(text)


def _in_a_network_of_its_own(text: str) -> None:
    argv = ["unshare", "--map-root-user", "--net", "nft", "-f", "-"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("no namespaces here")
    assert done.returncode == 0, done.stderr


# --- on the laptop


class Laptop(Machine):
    """A laptop on which nft says this."""

    said: Ran = Ran(1)

    def run(self, argv: Any, **_: Any) -> Ran:
        assert argv[:2] == ["nft", "--json"]
        return self.said


@pytest.fixture
def laptop(tmp_path: Any) -> Laptop:
    (tmp_path / UNIT[1:]).parent.mkdir(parents=True)
    (tmp_path / UNIT[1:]).touch()
    return Laptop(tmp_path)


@pytest.mark.parametrize(
    ("code", "said", "state"),
    [
        (0, '{"nftables": [{"chain": {"name": "output"}}]}', "on"),
        (0, '{"nftables": [{"metainfo": {}}, {"chain": {"name": "closed"}}]}', "closed"),
        (0, '{"nftables": [{"set": {"name": "portal"}}, {"set": {"name": "trusted"}}]}', "on"),
        (0, '{"nftables": [{"set": {"name": "trusted", "elem": ["wlan0"]}}]}', "trusted"),
        (
            0,
            '{"nftables": [{"set": {"name": "trusted", "elem": [1]}}, {"set": {"name": "portal", "elem": [1]}}]}',
            "portal",
        ),
        (1, "", "off"),
    ],
)
def test_the_laptop_tells_how_its_switch_is(laptop: Laptop, code: int, said: str, state: str):
    laptop.said = Ran(code, said)
    assert kill_switch(laptop) == {"state": state}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("on", "kill switch on"),
        ("off", "kill switch NOT LOADED"),
        ("portal", "kill switch open for a sign-in page"),
        ("trusted", "kill switch open, trusted network"),
        ("closed", "kill switch shut: its rules are damaged, roll out again"),
        ("\x1b[31m", "kill switch unknown"),
    ],
)
def test_the_helpdesk_sees_it_in_one_glance(state: str, words: str):
    assert _facts_line({"vpn": {"state": "up"}, "kill_switch": {"state": state}}) == f"vpn up · {words}"
    assert _facts_line({"vpn": {"state": "up"}, "kill_switch": None}) == "vpn up"


def test_a_laptop_without_a_switch_does_not_even_ask(laptop: Laptop):
    laptop.path(UNIT).unlink()
    assert kill_switch(laptop) is None


def test_the_way_back_covers_rules_and_unit_and_what_they_are_for(tmp_path: Path):
    sent = [each for each in resources(WIREGUARD) if isinstance(each, File)]
    received = [read_resource(json.loads(json.dumps(resource_to_dict(each)))) for each in sent]
    guarded = files_on_the_way_in(Machine(tmp_path), received)
    assert {RULES, UNIT} <= guarded.keys()
    assert "mvpc-kill.service" in units_that_go_by(guarded)
