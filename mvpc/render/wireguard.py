"""A WireGuard tunnel: a NetworkManager connection whose private key is made on the laptop and never leaves it."""

from __future__ import annotations

from ipaddress import ip_address

from mvpc.keyfile import to_text
from mvpc.model import Connection, Package, Resource
from mvpc.render.pattern import ADDRESS, ADDRESS6, UUID
from mvpc.render.tunnel import has_ipv6, networks
from mvpc.settings import Gateway, Vpn, present

ID = "mvpc-vpn"
INTERFACE = "wg-mvpc"
KEY_PLACE = "@WIREGUARD_PRIVATE_KEY@"
"""Stands in the keyfile where the laptop puts the key that it made itself."""
_MARK = "51820"


def resources(settings: Vpn, gateway: Gateway) -> tuple[Resource, ...]:
    """The connection, and what makes its key, for all laptops with these settings."""
    keyfile = {
        "connection": _connection(),
        "wireguard": _wireguard(settings),
        f"wireguard-peer.{gateway.public_key}": _peer(settings, gateway),
        "ipv4": _ipv4(settings),
        "ipv6": _ipv6(settings),
    }
    return (
        Package(name="wireguard-tools"),
        Connection(
            id=ID,
            uuid=UUID,
            content=to_text(keyfile),
            device_keys={KEY_PLACE: "wireguard"},
        ),
    )


def _connection() -> dict[str, str]:
    return {
        "id": ID,
        "uuid": UUID,
        "type": "wireguard",
        "interface-name": INTERFACE,
        "autoconnect-priority": "100",
        "autoconnect-retries": "0",
    }


def _wireguard(settings: Vpn) -> dict[str, str]:
    default_route = "1" if settings.tunnel == "full" else "0"
    return {
        "private-key": KEY_PLACE,
        "fwmark": _MARK,
        "mtu": str(settings.mtu),
        "ip4-auto-default-route": default_route,
        "ip6-auto-default-route": default_route,
    }


def _peer(settings: Vpn, gateway: Gateway) -> dict[str, str]:
    return {
        "endpoint": gateway.endpoint,
        "allowed-ips": "".join(f"{network};" for network in networks(settings)),
        "persistent-keepalive": str(settings.keepalive_seconds),
    }


def _ipv4(settings: Vpn) -> dict[str, str]:
    return {"method": "manual", "address1": f"{ADDRESS}/32", **_dns(settings, 4)}


def _ipv6(settings: Vpn) -> dict[str, str]:
    """With a full tunnel IPv6 must go in as well; a tunnel without it is the usual leak."""
    if not has_ipv6(settings):
        return {"method": "disabled"}
    return {"method": "manual", "address1": f"{ADDRESS6}/128", **_dns(settings, 6)}


def _dns(settings: Vpn, version: int) -> dict[str, str]:
    """Full tunnel: these servers answer for everything, all others are shut out. Split: only for the domains."""
    servers = [server for server in present(settings.dns.servers) if ip_address(server).version == version]
    full = settings.tunnel == "full"
    domains = ("~.",) if full else tuple(f"~{domain}" for domain in present(settings.dns.domains))
    if not servers:
        return {"dns-priority": "-50"} if full else {}
    return {
        "dns": "".join(f"{server};" for server in servers),
        "dns-search": "".join(f"{domain};" for domain in domains),
        "dns-priority": "-50" if full else "50",
    }
