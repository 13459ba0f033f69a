"""What a profile may say. Every key, its meaning and its default stand here and in the modules of the components.

`profiles/schema.json` is made from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import model_validator

from mvpc.catalogue import Choice, ProductName
from mvpc.settings.base import Base, Day
from mvpc.settings.kinds import RoleName, present
from mvpc.settings.local import RoleChoice
from mvpc.settings.vpn import Vpn
from mvpc.settings.wifi import Wifi
from mvpc.strict import Finding, StrictModel, refuse_all

__all__ = ["Day", "Settings"]


class Settings(StrictModel):
    """The merged, validated truth for all devices that share a stack of layers. Equal only to itself."""

    base: Base = Base()
    """What every laptop has: time, SSH, kernel parameters, updates."""
    vpn: Vpn = Vpn()
    """The tunnel into the state's network."""
    wifi: Wifi = Wifi()
    """Wireless networks, and the same log-in by cable."""
    software: Mapping[ProductName, Choice] = {}
    """Products of profiles/catalogue/ by name: `present`, `absent`, or a map with a state and settings."""
    local: Mapping[RoleName, RoleChoice] = {}
    """The site's own Ansible roles, by the name of their folder below playbooks/local/."""

    @model_validator(mode="after")
    def _trusts_only_what_proves_itself(self) -> Self:
        findings = []
        for name in present(self.vpn.trusted_network.wifi):
            network = self.wifi.networks.get(name)
            if network is None or not network.security.startswith("wpa-eap"):
                what = "is no network of wifi.networks with a certificate (wpa-eap), so it proves nothing"
                findings.append(Finding(("vpn", "trusted_network", "wifi", name), what, "Name one, or write absent"))
        refuse_all(findings)
        return self

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of all secrets that laptops with these settings need, sorted."""
        networks = self.wifi.networks.values()
        return tuple(sorted({each.psk.secret for each in networks if each.state == "present" and each.psk}))
