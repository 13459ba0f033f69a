"""Component wifi: one NetworkManager connection for each network (BSI IT-Grundschutz NET.2.1, WPA3/WPA2 only).

The log-in by cable is the same 802.1X, so it is here as well.
"""

from __future__ import annotations

from collections.abc import Callable

from mvpc.errors import InputError
from mvpc.keyfile import ssid, to_text
from mvpc.model import Connection, Package, Resource
from mvpc.render.pattern import HOSTNAME, UUID
from mvpc.secret import Secret
from mvpc.settings import Eap, Wifi, WifiNetwork, Wired

PSK_LENGTHS = range(20, 64)
"""NET.2.1.A3 wants at least 20 characters; IEEE 802.11 allows at most 63."""

_PHASE1_FLAGS = "259"
"""TLS 1.0 and 1.1 off, 1.3 on: 0x1, 0x2 and 0x100 of NetworkManager's 802-1x.phase1-auth-flags."""


_ADDRESSES = {
    "ipv4": {"method": "auto"},
    "ipv6": {"method": "auto", "addr-gen-mode": "stable-privacy", "ip6-privacy": "2"},
}


def resources(settings: Wifi, secrets: Callable[[str], Secret]) -> tuple[Resource, ...]:
    """All resources of the component, for all laptops with these settings.

    Networks that are absent are left out, so that laptops forget them.
    """
    networks = {name: network for name, network in sorted(settings.networks.items()) if network.state == "present"}
    connections = [_connection(name, network, secrets) for name, network in networks.items()]
    connections += _wired(settings.wired)
    return (Package(name="wpasupplicant"), *connections) if connections else ()


def connection_id(name: str) -> str:
    """What NetworkManager calls a network of the profile."""
    return f"mvpc-wifi-{name}"


def _connection(name: str, network: WifiNetwork, secrets: Callable[[str], Secret]) -> Connection:
    id_ = connection_id(name)
    keyfile: dict[str, dict[str, str]] = {
        "connection": {
            "id": id_,
            "uuid": UUID,
            "type": "wifi",
            "autoconnect": _flag(network.autoconnect),
            "autoconnect-priority": str(network.priority),
        },
        "wifi": {
            "mode": "infrastructure",
            "ssid": ssid(network.ssid),
            **({"hidden": "true"} if network.hidden else {}),
        },
        **_security(network, secrets),
        **_ADDRESSES,
    }
    return Connection(id=id_, uuid=UUID, content=to_text(keyfile))


def _wired(wired: Wired | None) -> list[Connection]:
    """The log-in, and for other ports a connection that is tried when that went wrong once."""
    if wired is None or wired.state == "absent" or wired.eap is None:
        return []
    log_in = {"autoconnect-priority": "20", "autoconnect-retries": "1"}
    made = [_cable("mvpc-wired", log_in, {"802-1x": _eap(wired.eap) | {"optional": "false"}})]
    if wired.other_ports:
        made.append(_cable("mvpc-wired-other", {"autoconnect-priority": "-20"}, {}))
    return made


def _cable(id_: str, about: dict[str, str], security: dict[str, dict[str, str]]) -> Connection:
    keyfile = {"connection": {"id": id_, "uuid": UUID, "type": "ethernet", **about}, **security, **_ADDRESSES}
    return Connection(id=id_, uuid=UUID, content=to_text(keyfile))


def _security(network: WifiNetwork, secrets: Callable[[str], Secret]) -> dict[str, dict[str, str]]:
    if network.eap is not None:
        return {"wifi-security": _enterprise(network), "802-1x": _eap(network.eap)}
    assert network.psk is not None  # noqa: S101 - the settings guarantee one of the two
    key = _checked_psk(network.psk.secret, secrets(network.psk.secret))
    common = {"key-mgmt": network.security, "psk": key.reveal()}
    # With WPA2-PSK, which exists for devices that cannot do better, protected frames can only be asked for.
    return {"wifi-security": common | {"pmf": "3" if network.security == "sae" else "2"}}


def _enterprise(network: WifiNetwork) -> dict[str, str]:
    """NetworkManager chooses GCMP-256 itself for the 192-bit suite, so pairwise and group are left out there."""
    ciphers = {} if network.security == "wpa-eap-suite-b-192" else {"pairwise": "ccmp;", "group": "ccmp;"}
    return {"key-mgmt": network.security, "proto": "rsn;", **ciphers, "pmf": "3"}


def _eap(eap: Eap) -> dict[str, str]:
    return {
        "eap": "tls;",
        "identity": eap.identity.replace("{hostname}", HOSTNAME),
        "ca-cert": eap.ca_certificate,
        "domain-match": eap.domain_match,
        "client-cert": eap.client_certificate,
        "private-key": eap.private_key,
        "private-key-password-flags": "4",
        "phase1-auth-flags": _PHASE1_FLAGS,
    }


def _checked_psk(reference: str, secret: Secret) -> Secret:
    value = secret.reveal()
    if len(value) not in PSK_LENGTHS or not value.isascii() or not value.isprintable():
        raise InputError(
            f"secret {reference} is no good Wi-Fi key: it needs 20 to 63 printable ASCII characters (NET.2.1.A3)",
            hint=f"Store a better one with: mvpc secret set {reference}",
        )
    return secret


def _flag(value: bool) -> str:
    return "true" if value else "false"
