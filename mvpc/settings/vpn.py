"""The tunnel into the state's network."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, ip_address
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mvpc.catalogue import Presence
from mvpc.settings.kinds import Address, Domain, Endpoint, Network, Pool, WireGuardKey, present
from mvpc.strict import Finding, StrictModel, refuse_all


class Gateway(StrictModel):
    """The other end of the tunnel."""

    endpoint: Endpoint
    """Public name or address and UDP port."""
    public_key: WireGuardKey
    """Public WireGuard key of the gateway."""


class Dns(StrictModel):
    """Name resolution inside the tunnel."""

    servers: Mapping[Address, Presence] = {}
    """Addresses of the name servers."""
    domains: Mapping[Domain, Presence] = {}
    """Domains that these servers answer for; with a full tunnel they answer for everything."""


class Vpn(StrictModel):
    """The tunnel into the state's network."""

    provider: Literal["wireguard", "none"] = "none"
    """Kind of tunnel; none means that the laptop gets no tunnel."""
    tunnel: Literal["full", "split"] = "full"
    """full: everything goes through the tunnel (BSI's rule); split: only `routes`."""
    gateway: Gateway | None = None
    """The other end of the tunnel."""
    address_pool: Pool | None = None
    """Range that laptops get their tunnel address from: the first address plus the number of the device."""
    routes: Mapping[Network, Presence] = {}
    """Networks behind a split tunnel."""
    dns: Dns = Dns()
    """Name resolution inside the tunnel."""
    mtu: Annotated[int, Field(ge=1280, le=1500)] = 1380
    """Largest packet in bytes; 1380 fits mobile networks and IPv6."""
    keepalive_seconds: Annotated[int, Field(ge=0, le=3600)] = 25
    """How often an idle tunnel shows life, so that routers keep it open; 0 means never."""

    @property
    def pool(self) -> IPv4Network | None:
        """`address_pool`, parsed."""
        return IPv4Network(self.address_pool) if self.address_pool else None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "none":
            return self
        needed = {"gateway": self.gateway, "address_pool": self.address_pool}
        step = "Add it, or write vpn.provider: none"
        findings = [
            Finding((key,), "is missing, WireGuard needs it", step) for key, value in needed.items() if value is None
        ]
        if self.tunnel == "split" and not present(self.routes):
            findings.append(
                Finding(("routes",), "a split tunnel needs routes", "Write for example: 10.0.0.0/8: present")
            )
        refuse_all([*findings, *self._servers_in_pool()])
        return self

    def _servers_in_pool(self) -> list[Finding]:
        """Some laptop would get the address of the name server."""
        return [
            Finding(("dns", "servers", server), "lies in address_pool, so a laptop would get it too", "Keep them apart")
            for server in present(self.dns.servers)
            if self.pool and ip_address(server) in self.pool
        ]
