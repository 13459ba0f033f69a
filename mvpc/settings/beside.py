"""What may go beside the tunnel."""

from __future__ import annotations

from collections.abc import Mapping

from mvpc.catalogue import Presence
from mvpc.settings.kinds import Address, Network
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
