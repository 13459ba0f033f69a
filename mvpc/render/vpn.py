"""Component vpn: the tunnel into the state's network, by the provider that the profile names."""

from __future__ import annotations

from mvpc.model import Device, Identity, Resource
from mvpc.render import ikev2, keeping, killswitch, wireguard
from mvpc.render.pattern import ADDRESS, ADDRESS6
from mvpc.render.tunnel import addresses
from mvpc.settings import Vpn


def resources(device: Device, settings: Vpn, identity: Identity | None, ssh_port: int = 22) -> tuple[Resource, ...]:
    """All resources of the component, for all laptops with these settings that are enrolled, or not, like this one.

    There are none when the profile wants no tunnel, so that an old one is removed, and no kill switch without
    a tunnel.

    Raises:
        InputError: laptops do not know the gateway's authority.
    """
    provider = provider_of(settings, identity)
    tunnel = _tunnel(device, settings, identity, provider)
    if not tunnel:
        return ()
    switch = killswitch.resources(settings, provider, ssh_port)
    return (*tunnel, *switch, *keeping.resources(settings, provider))


def _tunnel(device: Device, settings: Vpn, identity: Identity | None, provider: str) -> tuple[Resource, ...]:
    if provider == "none" or settings.pool is None:
        return ()
    if provider == "ikev2" and settings.ikev2 and identity:
        return ikev2.resources(device, settings, settings.ikev2, identity)
    return wireguard.resources(settings, settings.gateway) if settings.gateway else ()


def own(device: Device, settings: Vpn, identity: Identity | None) -> dict[str, str]:
    """What one laptop has of its own in the tunnel; raises InputError when the pool has no address for it."""
    if provider_of(settings, identity) == "none" or settings.pool is None:
        return {}
    places = (ADDRESS, ADDRESS6)
    return dict(zip(places, map(str, addresses(device, settings, settings.pool)), strict=False))


def provider_of(settings: Vpn, identity: Identity | None) -> str:
    """Which tunnel this laptop gets. Without a certificate it keeps WireGuard, where the profile describes that too."""
    if settings.provider == "ikev2" and identity is None:
        return "wireguard" if settings.gateway else "none"
    return settings.provider
