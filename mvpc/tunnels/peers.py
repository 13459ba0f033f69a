"""Which laptops a gateway lets in, by which key or certificate, and with which addresses."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mvpc.errors import InputError
from mvpc.model import Device, Identity
from mvpc.render.tunnel import addresses
from mvpc.render.vpn import provider_of
from mvpc.settings import Ikev2, Vpn


@dataclass(frozen=True, kw_only=True, slots=True)
class Laptop:
    """One laptop in service, as inventory, profile and last probe know it."""

    device: Device
    vpn: Vpn
    identity: Identity | None = None
    """None as long as it is not enrolled."""
    told_key: object = None
    """The public WireGuard key that it told: foreign data."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Peer:
    """One laptop as a gateway must know it."""

    device: str
    provider: str
    """`wireguard` or `ikev2`."""
    addresses: tuple[str, ...]
    """Its addresses in the tunnel, IPv4 first."""
    public_key: str = ""
    """Of WireGuard. With IKEv2 the laptop proves its hostname by its certificate."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Waiting:
    """A laptop that shall have a tunnel and cannot be let in yet."""

    device: str
    why: str


def peers_of(laptops: Iterable[Laptop]) -> tuple[tuple[Peer, ...], tuple[Waiting, ...]]:
    """The laptops to let in and those that have to wait, by hostname.

    A key that two laptops tell lets in neither: one of them would get the packets of the other.

    Raises:
        InputError: an address pool is too small.
    """
    found: list[Peer] = []
    waiting: list[Waiting] = []
    for laptop in laptops:
        made = _peer(laptop)
        if isinstance(made, Waiting):
            waiting.append(made)
        elif made:
            found.append(made)
    told = Counter(peer.public_key for peer in found if peer.public_key)
    twins = [peer for peer in found if told[peer.public_key] > 1]
    waiting += [Waiting(device=peer.device, why="another laptop told the same key") for peer in twins]
    return tuple(sorted(set(found) - set(twins))), tuple(sorted(waiting))


def common_ikev2(laptops: Iterable[Laptop]) -> Ikev2 | None:
    """What all laptops with an IKEv2 tunnel say of their gateway; None when there are none.

    Raises:
        InputError: they name more than one gateway.
    """
    used = [laptop.vpn.ikev2 for laptop in laptops if laptop.vpn.provider == "ikev2" and laptop.vpn.ikev2]
    named = {each.identity: each for each in used}
    rules = {each.crypto for each in used}
    if len(named) > 1 or len(rules) > 1:
        raise InputError(
            f"these laptops have several IKEv2 gateways: {', '.join(sorted(named))}",
            hint="Write the files for one after the other: select its laptops with --ressort or --authority",
        )
    return next(iter(named.values()), None)


def is_wireguard_key(text: object) -> bool:
    """Whether it is a public key of WireGuard: 32 bytes in base64, in their only spelling."""
    if not isinstance(text, str) or len(text) != 44:
        return False
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(key) == 32 and base64.b64encode(key).decode() == text


def _peer(laptop: Laptop) -> Peer | Waiting | None:
    """None when the profile wants no tunnel."""
    name, settings = laptop.device.hostname, laptop.vpn
    provider = provider_of(settings, laptop.identity)
    if settings.provider == "none" or settings.pool is None:
        return None
    if provider == "none":
        return Waiting(device=name, why="not enrolled: mvpc device token")
    own = tuple(map(str, addresses(laptop.device, settings, settings.pool)))
    if provider == "ikev2":
        return Peer(device=name, provider=provider, addresses=own)
    if not is_wireguard_key(laptop.told_key):
        why = "its key is not known yet" if laptop.told_key is None else "what it told is no WireGuard key"
        return Waiting(device=name, why=f"{why}: mvpc status {name} --live")
    return Peer(device=name, provider=provider, addresses=own, public_key=str(laptop.told_key))
