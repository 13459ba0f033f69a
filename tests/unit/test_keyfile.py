from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvpc.keyfile import connection_uuid, lint, parse, ssid, to_text

ENTERPRISE = {
    "connection": {"id": "mvpc-wifi-lan-mv", "uuid": connection_uuid("nb-1", "lan-mv"), "type": "wifi"},
    "wifi": {"mode": "infrastructure", "ssid": "LAN-MV"},
    "wifi-security": {"key-mgmt": "wpa-eap", "pmf": "3"},
    "802-1x": {
        "eap": "tls;",
        "identity": "host/nb-1.mv.example",
        "ca-cert": "/etc/mvpc/pki/radius-ca.pem",
        "domain-match": "radius.mv.example",
        "client-cert": "/etc/mvpc/pki/device.pem",
        "private-key": "/etc/mvpc/pki/device.key",
        "private-key-password-flags": "4",
    },
}
GUEST = {
    "connection": {"id": "mvpc-wifi-guest", "uuid": connection_uuid("nb-1", "guest"), "type": "wifi"},
    "wifi": {"mode": "infrastructure", "ssid": "Gast"},
    "wifi-security": {"key-mgmt": "sae", "pmf": "3", "psk": "a long enough passphrase"},
}


def without(keyfile, section: str, key: str):
    return {name: {k: v for k, v in values.items() if (name, k) != (section, key)} for name, values in keyfile.items()}


def changed(keyfile, section: str, **values: str):
    return keyfile | {section: keyfile[section] | {key.replace("_", "-"): value for key, value in values.items()}}


def test_good_keyfiles_pass():
    assert lint(to_text(ENTERPRISE), mode="0600") == []
    assert lint(to_text(GUEST), mode="0600") == []


@pytest.mark.parametrize(
    ("keyfile", "complaint"),
    [
        (without(ENTERPRISE, "802-1x", "ca-cert"), "ca-cert"),
        (without(ENTERPRISE, "802-1x", "domain-match"), "domain-match"),
        (changed(ENTERPRISE, "802-1x", private_key="bad"), "private-key must be an absolute path"),
        (changed(ENTERPRISE, "wifi-security", pmf="1"), "pmf must be 3"),
        (changed(ENTERPRISE, "wifi-security", key_mgmt="none"), "nothing below WPA2"),
        (changed(GUEST, "wifi-security", key_mgmt="wpa-psk", psk="short"), "shorter than 20"),
        (without(GUEST, "connection", "uuid"), "uuid"),
    ],
)
def test_what_networkmanager_lets_pass_is_found_here(keyfile, complaint: str):
    assert any(complaint in found for found in lint(to_text(keyfile), mode="0600"))


def test_a_keyfile_that_others_can_read_is_refused():
    assert "0600" in lint(to_text(GUEST), mode="0644")[0]


def test_a_wireguard_peer_needs_endpoint_and_networks():
    keyfile = {
        "connection": {"id": "mvpc-vpn", "uuid": "u", "type": "wireguard"},
        "wireguard": {"private-key": "@KEY@"},
        "wireguard-peer.abc": {"endpoint": "vpn.mv.example:51820"},
    }
    assert lint(to_text(keyfile), mode="0600") == ["a peer has no allowed-ips"]


def test_a_value_cannot_add_a_section():
    text = to_text({"wifi": {"ssid": "x\n[vpn]\nservice-type=evil"}})
    assert parse(text) == {"wifi": {"ssid": "x\n[vpn]\nservice-type=evil"}}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_every_value_survives_writing_and_reading(value: str):
    assert parse(to_text({"a": {"b": value}})) == {"a": {"b": value}}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("LAN-MV", "LAN-MV"),
        ("Gäste", "71;195;164;115;116;101;"),
        ("76;65;", "55;54;59;54;53;59;"),
        ("1234", "49;50;51;52;"),
    ],
)
def test_names_that_networkmanager_could_misread_are_written_as_bytes(name: str, written: str):
    assert ssid(name) == written


def test_the_uuid_is_stable_and_differs_between_laptops():
    assert connection_uuid("nb-1", "lan-mv") == connection_uuid("nb-1", "lan-mv") != connection_uuid("nb-2", "lan-mv")
