"""The addresses that laptops have in the tunnel: the same with either provider, so that gateways can be told them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address

from mvpc.errors import InputError
from mvpc.model import Device
from mvpc.settings import Vpn, present

_V6_RANGE = IPv6Address("fd6d:7670:6300::")
"""Unique local range (RFC 4193) in which every laptop mirrors its IPv4 tunnel address."""


def tunnel_address(device: Device, pool: IPv4Network) -> IPv4Address:
    """The laptop's address in the tunnel: the pool's first address plus the device's number.

    Raises:
        InputError: the device has no number yet, or the pool is too small for it.
    """
    if not 0 < device.number < pool.num_addresses - 1:
        raise InputError(
            f"vpn.address_pool {pool} has no address for device number {device.number}",
            where=device.hostname,
            hint="Make the range larger",
        )
    return pool.network_address + device.number


def mirrored(address: IPv4Address) -> IPv6Address:
    """The IPv6 address that a laptop has beside its IPv4 address."""
    return _V6_RANGE + int(address)


def networks(settings: Vpn) -> tuple[str, ...]:
    """What is reached through the tunnel. A full one without IPv6 would be the usual leak."""
    return ("0.0.0.0/0", "::/0") if settings.tunnel == "full" else present(settings.routes)


def has_ipv6(settings: Vpn) -> bool:
    """Whether IPv6 goes into the tunnel as well."""
    return any(":" in network for network in networks(settings))


def addresses(device: Device, settings: Vpn, pool: IPv4Network) -> tuple[IPv4Address | IPv6Address, ...]:
    """The laptop's addresses in the tunnel, IPv4 first; raises InputError."""
    own = tunnel_address(device, pool)
    return (own, mirrored(own)) if has_ipv6(settings) else (own,)
