from __future__ import annotations

from typing import Any

import pytest

from mvpc.errors import InputError
from mvpc.model import Identity
from mvpc.settings import Settings
from mvpc.testing import NOON, a_device
from mvpc.tunnels import (
    Laptop,
    Peer,
    Said,
    common_ikev2,
    difference,
    faults,
    ikev2_file,
    peers_of,
    read_gateway,
    wireguard_file,
)

KEY, OTHER = "7Np3bO5PJbp7a1x4nE8YtYyaYFqNcv8uLdrsd3iJLzg=", "58pVtkDKii3Yf1dpLgbr8J7vuArGTFJw/dHRNDHTznU="
POOL: dict[str, Any] = {"address_pool": "10.64.0.0/16", "tunnel": "split", "routes": {"10.1.0.0/16": "present"}}
WIREGUARD = POOL | {"provider": "wireguard", "gateway": {"endpoint": "vpn.example:51820", "public_key": OTHER}}
IKEV2 = POOL | {
    "provider": "ikev2",
    "ikev2": {"address": "192.0.2.10", "identity": "vpn.example"},
}
ENROLLED = Identity(
    serial="1f", until=NOON, device_certificate="x", device_authorities="x", host_certificate="x", user_authority="x"
)
SAS = """\
nb-1: #1, ESTABLISHED, IKEv2, 2b4877fbbe29620c_i d65b90629537d292_r*
  local  'vpn.example' @ 192.0.2.10[4500]
  remote 'nb-1' @ 198.51.100.13[4500] [10.64.0.1]
  AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384
  established 5s ago, rekeying in 28515s
  mvpc: #1, reqid 1, INSTALLED, TUNNEL-in-UDP, ESP:AES_GCM_16-256
    installed 5s ago, rekeying in 3454s, expires in 3955s
    local  10.65.0.0/24
    remote 10.64.0.1/32
"""
CONNS = """\
nb-1: IKEv2, no reauthentication, rekeying every 28800s, dpd delay 30s
  local:  %any
  remote: %any
  local public key authentication:
    id: vpn.example
    certs: CN=vpn.example
  remote public key authentication:
    id: nb-1
    cacerts: CN=MV devices
  mvpc: TUNNEL, rekeying every 3600s, dpd action is none
    local:  0.0.0.0/0 ::/0
    remote: dynamic
"""
DUMP = f"wg0\tcHJpdmF0ZQ==\tpublic\t51820\toff\nwg0\t{KEY}\t(none)\t(none)\t10.64.0.1/32\t0\t0\t0\toff\n"


def a_laptop(name: str = "nb-1", vpn: dict[str, Any] | None = None, *, number: int = 1, **known: Any) -> Laptop:
    settings = Settings.model_validate({"vpn": WIREGUARD if vpn is None else vpn}).vpn
    return Laptop(device=a_device(name, number=number), vpn=settings, **known)


def by_wireguard(name: str = "nb-1", key: str = KEY, address: str = "10.64.0.1") -> Peer:
    return Peer(device=name, provider="wireguard", addresses=(address,), public_key=key)


def by_ikev2(name: str = "nb-1", address: str = "10.64.0.1") -> Peer:
    return Peer(device=name, provider="ikev2", addresses=(address,))


# --- who is let in


def test_a_laptop_is_let_in_by_the_key_it_told_with_the_address_of_its_profile():
    assert peers_of([a_laptop(told_key=KEY)]) == ((by_wireguard(),), ())


def test_a_full_tunnel_has_an_ipv6_address_as_well():
    [peer], _ = peers_of([a_laptop(vpn=WIREGUARD | {"tunnel": "full"}, told_key=KEY)])
    assert peer.addresses == ("10.64.0.1", "fd6d:7670:6300::a40:1")


def test_an_enrolled_laptop_is_let_in_by_its_name():
    assert peers_of([a_laptop(vpn=IKEV2, identity=ENROLLED)]) == ((by_ikev2(),), ())


def test_a_laptop_that_is_not_enrolled_waits_or_keeps_wireguard_where_the_profile_has_it():
    peers, waiting = peers_of([a_laptop(vpn=IKEV2), a_laptop("nb-2", WIREGUARD | IKEV2, number=2, told_key=KEY)])
    assert [(peer.device, peer.provider) for peer in peers] == [("nb-2", "wireguard")]
    assert [(each.device, each.why) for each in waiting] == [("nb-1", "not enrolled: mvpc device token")]


def test_a_laptop_without_a_tunnel_is_neither_let_in_nor_waiting():
    assert peers_of([a_laptop(vpn={})]) == ((), ())


@pytest.mark.parametrize(
    "told",
    ["", "x", KEY + "\n", KEY[:-2] + "h=", f"{KEY}\nAllowedIPs = 0.0.0.0/0", 7, [KEY], "\u00e4" * 44, "A" * 43 + "\n"],
)
def test_what_is_no_key_never_comes_into_a_file_of_the_gateway(told: object):
    peers, waiting = peers_of([a_laptop(told_key=told)])
    assert (peers, [each.why for each in waiting]) == (
        (),
        ["what it told is no WireGuard key: mvpc status nb-1 --live"],
    )


def test_a_key_that_two_laptops_tell_lets_in_neither():
    peers, waiting = peers_of([a_laptop(told_key=KEY), a_laptop("nb-2", number=2, told_key=KEY)])
    assert peers == ()
    assert {each.why for each in waiting} == {"another laptop told the same key"}


def test_two_ikev2_gateways_in_one_file_are_refused():
    other = IKEV2 | {"ikev2": IKEV2["ikev2"] | {"identity": "other.example"}}
    laptops = [a_laptop(vpn=IKEV2), a_laptop("nb-2", other)]
    with pytest.raises(InputError, match=r"several IKEv2 gateways: other\.example, vpn.example"):
        common_ikev2(laptops)
    assert common_ikev2([a_laptop()]) is None


# --- files


def test_the_wireguard_file_is_what_wg_reads():
    assert wireguard_file([by_wireguard(), by_ikev2("nb-2")]).splitlines()[1:] == [
        "# laptop nb-1",
        "[Peer]",
        f"PublicKey = {KEY}",
        "AllowedIPs = 10.64.0.1/32",
    ]


def test_each_laptop_has_an_ikev2_connection_of_its_own_that_knows_its_name_and_its_only_address():
    settings = common_ikev2([a_laptop(vpn=IKEV2)])
    assert settings
    text = ikev2_file([by_ikev2(), by_wireguard("nb-2")], settings)
    assert "  nb-1 : mvpc-laptop {\n    pools = nb-1-4\n    remote {\n      id = nb-1\n" in text
    assert "  nb-1-4 {\n    addrs = 10.64.0.1/32\n" in text
    assert "revocation = strict" in text
    assert "nb-2" not in text


def test_what_changed_between_two_files_is_told_by_laptop():
    before = wireguard_file([by_wireguard("nb-1"), by_wireguard("nb-2", OTHER)])
    after = wireguard_file([by_wireguard("nb-2", OTHER, "10.64.0.9"), by_wireguard("nb-3", KEY)])
    changed = difference(before, after)
    assert (changed.added, changed.removed, changed.changed) == (("nb-3",), ("nb-1",), ("nb-2",))
    assert difference(after, after) == difference("", "")


def test_a_frame_of_the_ikev2_file_that_changed_is_no_change_of_its_last_laptop():
    settings = common_ikev2([a_laptop(vpn=IKEV2)])
    assert settings
    other = settings.model_copy(update={"identity": "other.example"})
    assert difference(ikev2_file([by_ikev2()], settings), ikev2_file([by_ikev2()], other)) == difference("", "")


# --- what the gateway says


@pytest.mark.parametrize(
    ("said", "peer"),
    [(DUMP, by_wireguard()), (DUMP.replace("wg0\t", ""), by_wireguard()), (SAS, by_ikev2()), (CONNS, by_ikev2())],
)
def test_a_gateway_that_agrees_has_no_faults(said: str, peer: Peer):
    assert read_gateway(said).laptops
    assert faults([peer], read_gateway(said)) == ()


@pytest.mark.parametrize(
    ("said", "peers", "found"),
    [
        (DUMP, [], [("unknown", KEY)]),
        (SAS, [], [("unknown", "nb-1")]),
        (CONNS, [], [("unknown", "nb-1")]),
        (DUMP, [by_wireguard(), by_wireguard("nb-2", OTHER)], [("missing", "nb-2")]),
        (CONNS, [by_ikev2(), by_ikev2("nb-2")], [("missing", "nb-2")]),
        (SAS, [by_ikev2(), by_ikev2("nb-2")], []),
        (DUMP, [by_wireguard(address="10.64.0.2")], [("addresses", "nb-1")]),
        (DUMP.replace("10.64.0.1/32", "10.64.0.1/32,0.0.0.0/0"), [by_wireguard()], [("addresses", "nb-1")]),
        (DUMP.replace("10.64.0.1/32", "(none)"), [by_wireguard()], [("addresses", "nb-1")]),
        (SAS, [by_ikev2(address="10.64.0.2")], [("addresses", "nb-1")]),
        (DUMP + SAS, [by_wireguard(), by_ikev2("nb-2")], [("unknown", "nb-1")]),
    ],
)
def test_every_disagreement_is_found(said: str, peers: list[Peer], found: list[tuple[str, str]]):
    assert [(each.kind, each.who) for each in faults(peers, read_gateway(said))] == found


def test_an_interface_without_peers_misses_everybody():
    empty = DUMP.splitlines()[0] + "\n"
    assert [each.kind for each in faults([by_wireguard()], read_gateway(empty))] == ["missing"]


def test_the_private_key_in_a_dump_is_kept_nowhere():
    assert "cHJpdmF0ZQ==" not in repr(read_gateway(DUMP))


@pytest.mark.parametrize("text", ["", "\n", "interface: wg0\n", "a: b\n", "\x00\x1b[31m", "nb-1: IKEv2\n"])
def test_what_no_gateway_says_is_refused(text: str):
    with pytest.raises(InputError, match="no output of a gateway"):
        read_gateway(text)


def test_a_laptop_cannot_hide_behind_the_name_of_another():
    text = SAS.replace("'nb-1' @", "'nb-1' @ x' @").replace("[10.64.0.1]", "[10.64.0.2]")
    assert faults([by_ikev2()], read_gateway(text)) != ()


def test_peers_are_in_the_order_of_their_names():
    laptops = [a_laptop("nb-2", number=2, told_key=OTHER), a_laptop("nb-1", told_key=KEY)]
    assert [peer.device for peer in peers_of(laptops)[0]] == ["nb-1", "nb-2"]


def test_a_laptop_with_two_addresses_in_the_tunnel_is_read_with_both():
    said = """\
vm-01: #1, ESTABLISHED, IKEv2, 8cc881525ab71dae_i 560f7c65930fe2e3_r*
  local  'vpn.mv.example' @ 10.114.0.2[4500]
  remote 'vm-01' @ 10.114.0.11[4500] [10.64.0.1 fd6d:7670:6300::a40:1]
  mvpc: #1, reqid 1, INSTALLED, TUNNEL-in-UDP, ESP:AES_GCM_16-256
    local  0.0.0.0/0 ::/0
    remote 10.64.0.1/32 fd6d:7670:6300::a40:1/128
"""
    [laptop] = read_gateway(said).laptops
    assert laptop == Said(source="sas", name="vm-01", addresses=frozenset({"10.64.0.1", "fd6d:7670:6300::a40:1"}))
