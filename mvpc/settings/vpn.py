"""The tunnel into the state's network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, ip_address
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mvpc.catalogue import Presence
from mvpc.settings.beside import KillSwitch, TrustedNetwork
from mvpc.settings.kinds import AbsolutePath, Address, Domain, Endpoint, Network, Pool, WireGuardKey, present
from mvpc.strict import Finding, StrictModel, refuse_all


class Gateway(StrictModel):
    """The other end of a WireGuard tunnel."""

    endpoint: Endpoint
    """Public name or address and UDP port."""
    public_key: WireGuardKey
    """Public WireGuard key of the gateway."""


class Ikev2(StrictModel):
    """The other end of an IKEv2 tunnel, and how laptop and gateway prove themselves to each other."""

    address: Address
    """Outer address of the gateway. No name: before the tunnel nobody resolves it."""
    identity: Domain
    """Name in the gateway's certificate (subjectAltName)."""
    authority: AbsolutePath = "/etc/mvpc/pki/vpn-ca.pem"
    """Certificate of the authority that signed the gateway's; inventory/trust/vpn-ca.pem becomes this file."""
    revocation: Literal["strict", "ifuri", "relaxed"] = "strict"
    """strict: no tunnel without a fresh answer on whether the gateway's certificate is revoked; ifuri: only where the
    certificate says whom to ask; relaxed: unless it is known to be revoked."""
    crypto: Literal["bsi-tr-02102-2026-01", "openssh-modern"] = "bsi-tr-02102-2026-01"
    """Edition of algorithms and key lifetimes: BSI TR-02102-3 (edition 2026-01), or what is modern elsewhere."""


class Dns(StrictModel):
    """Name resolution inside the tunnel."""

    servers: Mapping[Address, Presence] = {}
    """Addresses of the name servers."""
    domains: Mapping[Domain, Presence] = {}
    """Domains that these servers answer for; with a full tunnel they answer for everything."""


class Vpn(StrictModel):
    """The tunnel into the state's network."""

    provider: Literal["ikev2", "wireguard", "none"] = "none"
    """ikev2: strongSwan with the device certificate; wireguard: a key of the laptop's own; none: no tunnel. A laptop
    that is not enrolled yet has no certificate: with ikev2 it gets WireGuard until then, where gateway is written."""
    tunnel: Literal["full", "split"] = "full"
    """full: everything goes through the tunnel (BSI's rule); split: only `routes`."""
    gateway: Gateway | None = None
    """The other end of a WireGuard tunnel; provider wireguard needs it."""
    ikev2: Ikev2 | None = None
    """The other end of an IKEv2 tunnel, and how laptop and gateway prove themselves; provider ikev2 needs it."""
    address_pool: Pool | None = None
    """Range that laptops get their tunnel address from: the first address plus the number of the device. Every tunnel
    needs it."""
    routes: Mapping[Network, Presence] = {}
    """Networks behind a split tunnel, which needs one at least."""
    dns: Dns = Dns()
    """Name resolution inside the tunnel."""
    mtu: Annotated[int, Field(ge=1280, le=1500)] = 1380
    """Largest packet in bytes (WireGuard; IKEv2 finds it out itself); 1380 fits mobile networks and IPv6."""
    keepalive_seconds: Annotated[int, Field(ge=0, le=3600)] = 25
    """How often an idle tunnel shows life, so that routers keep it open; 0 means never."""
    kill_switch: KillSwitch = KillSwitch()
    trusted_network: TrustedNetwork = TrustedNetwork()

    @property
    def pool(self) -> IPv4Network | None:
        """`address_pool`, parsed."""
        return _parsed(self.address_pool) if self.address_pool else None

    @property
    def lets_sign_in(self) -> bool:
        """Whether people may open the kill switch for a while. With a split tunnel there is nothing to open."""
        return self.kill_switch.enabled and self.tunnel == "full" and self.kill_switch.portal_minutes > 0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "none":
            refuse_all(self._needless())
            return self
        name, key = _NEEDS[self.provider]
        needed = {key: getattr(self, key), "address_pool": self.address_pool}
        step = "Add it, or write vpn.provider: none"
        findings = [
            Finding((key,), f"is missing, {name} needs it", step) for key, value in needed.items() if value is None
        ]
        if self.tunnel == "split" and not present(self.routes):
            findings.append(
                Finding(
                    ("tunnel",), "split needs routes", "Write below vpn, for example: routes: {10.0.0.0/8: present}"
                )
            )
        refuse_all([*findings, *self._servers_in_pool(), *self._shut_out()])
        return self

    def _needless(self) -> list[Finding]:
        """A switch that would let nothing out, ever."""
        step = "Choose a provider, or write false"
        path = ("kill_switch", "enabled")
        return [Finding(path, "needs a tunnel, and provider is none", step)] if self.kill_switch.enabled else []

    def _shut_out(self) -> list[Finding]:
        """What the tunnel or its users need, and could not reach behind the kill switch."""
        if not self.kill_switch.enabled:
            return []
        found = []
        if self.gateway and not _is_address(self.gateway.endpoint):
            what = "is a name, which nobody resolves behind the kill switch"
            found.append(Finding(("gateway", "endpoint"), what, "Write the address: 192.0.2.10:51820"))
        asks = self.provider == "ikev2" and self.ikev2 is not None and self.ikev2.revocation != "relaxed"
        if asks and not present(self.kill_switch.revocation_servers):
            what = "is empty, so nobody says behind the kill switch whether the gateway is revoked"
            step = "Add their addresses: 192.0.2.20: present"
            found.append(Finding(("kill_switch", "revocation_servers"), what, step))
        if self.tunnel == "full" and not present(self.dns.servers):
            what = "is empty, so nobody resolves names behind the kill switch"
            found.append(Finding(("dns", "servers"), what, "Add a name server that is reached through the tunnel"))
        return [*found, *self._longer_than_allowed()]

    def _longer_than_allowed(self) -> list[Finding]:
        """An opening that its own limit would cut short."""
        once, hourly = self.kill_switch.portal_minutes, self.kill_switch.portal_minutes_per_hour
        what = f"is {once}, more than portal_minutes_per_hour allows ({hourly})"
        return [Finding(("kill_switch", "portal_minutes"), what, "Lower it, or allow more")] if once > hourly else []

    def _servers_in_pool(self) -> list[Finding]:
        """Some laptop would get the address of the name server, or of the gateway."""
        found: list[tuple[tuple[str, ...], str]] = [
            (("dns", "servers", server), server) for server in present(self.dns.servers)
        ]
        if self.ikev2:
            found.append((("ikev2", "address"), self.ikev2.address))
        return [
            Finding(place, "lies in address_pool, so a laptop would get it too", "Keep them apart")
            for place, address in found
            if self.pool and ip_address(address) in self.pool
        ]


_parsed = cache(IPv4Network)
"""Laptops of a fleet share few ranges."""


def _is_address(endpoint: str) -> bool:
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


_NEEDS = {"ikev2": ("IKEv2", "ikev2"), "wireguard": ("WireGuard", "gateway")}
"""Provider -> its name, and the block that it cannot do without."""
