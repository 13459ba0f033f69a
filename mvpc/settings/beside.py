"""What may go beside the tunnel: nothing (kill switch), or everything where a network proves to be the state's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from mvpc.catalogue import Presence
from mvpc.settings.kinds import AbsolutePath, Address, Domain, Network, NetworkName
from mvpc.strict import StrictModel


class KillSwitch(StrictModel):
    """Packet filter that keeps traffic from going beside the tunnel, IPv4 and IPv6."""

    enabled: bool = False
    """Whether it is there. With a full tunnel nothing leaves the laptop but through it; with a split one nothing that
    belongs to `routes` or to the name servers inside does."""
    management: Mapping[Network, Presence] = {}
    """Networks that sshd may answer beside the tunnel. Empty: mvpc gets in through the tunnel alone."""
    revocation_servers: Mapping[Address, Presence] = {}
    """Servers that say outside the tunnel whether the gateway's certificate is revoked (HTTP and HTTPS); IKEv2 only."""
    portal_minutes: Annotated[int, Field(ge=0, le=60)] = 10
    """For how long people may open it to sign in to the network of a hotel or a train; 0: they may not."""
    portal_minutes_per_hour: Annotated[int, Field(ge=1, le=60)] = 20
    """For how long it may be open in any hour, however often they do so; a log-in that failed may need a second go."""


class Witness(StrictModel):
    """A server that is reached from inside alone, and proves itself by its certificate (TLS)."""

    address: Address
    """Address of the server. No name: others answer for names."""
    port: Annotated[int, Field(ge=1, le=65535)] = 443
    """Its TCP port."""
    name: Domain
    """Name in its certificate (subjectAltName)."""
    authority: AbsolutePath
    """Certificate of the authority that must have signed it; no other one is believed."""


class TrustedNetwork(StrictModel):
    """Where a laptop needs no tunnel, and the kill switch is open.

    A proof counts for the interface it came over; names of networks are none.
    """

    wifi: Mapping[NetworkName, Presence] = {}
    """Networks of `wifi.networks` with a certificate (802.1X): the access point proved itself when it let us in."""
    witness: Witness | None = None
    """A server that is reached from inside alone; its certificate (TLS) proves that the network is the state's."""
