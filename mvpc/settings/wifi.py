"""Wireless networks, and the same log-in by cable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mvpc.catalogue import Presence
from mvpc.settings.kinds import AbsolutePath, Domain, Identity, NetworkName, SecretName, Ssid
from mvpc.strict import Finding, StrictModel, refuse, refuse_all


class SecretRef(StrictModel):
    """The name of a secret. The secret itself is stored with `mvpc secret set NAME` and never stands in a profile."""

    secret: SecretName
    """Name of the secret, such as wifi/guest-psk."""

    @model_validator(mode="before")
    @classmethod
    def _reference_only(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            hint = "Write {secret: wifi/NAME} here and store it with: mvpc secret set wifi/NAME"
            raise refuse("must be the name of a secret, never the secret itself", hint)
        return value


class Eap(StrictModel):
    """Log-in with a certificate (802.1X, EAP-TLS). The device's own key is made on the laptop and stays there."""

    method: Literal["tls"] = "tls"
    """Only EAP-TLS: nothing that a person could type into a false network."""
    identity: Identity = "host/{hostname}"
    """What the laptop calls itself; {hostname} stands for its name. A device, never a person."""
    ca_certificate: AbsolutePath
    """Certificate of the authority that signed the RADIUS server's. Without it any access point could pose as ours."""
    domain_match: Domain
    """Name in the RADIUS server's certificate. Without it any certificate of that authority would do."""
    client_certificate: AbsolutePath = "/etc/mvpc/pki/device.pem"
    """Certificate of the laptop."""
    private_key: AbsolutePath = "/etc/mvpc/pki/device.key"
    """Private key of the laptop."""


class WifiNetwork(StrictModel):
    """A wireless network. Protected management frames are always on; nothing below WPA2 exists here."""

    state: Presence = "present"
    """absent: laptops forget this network."""
    ssid: Ssid = ""
    """Name that the network sends out, at most 32 bytes. Every network that is present needs it."""
    security: Literal["wpa-eap", "wpa-eap-suite-b-192", "sae", "wpa-psk"] = "wpa-eap"
    """wpa-eap: certificate, WPA2 or WPA3; wpa-eap-suite-b-192: certificate, WPA3 192 bit; sae: shared key, WPA3;
    wpa-psk: shared key, WPA2, only for what cannot do better."""
    hidden: bool = False
    """The network does not send out its name. Laptops then call for it everywhere: avoid it."""
    priority: Annotated[int, Field(ge=-999, le=999)] = 0
    """Of several networks in reach the highest priority wins."""
    autoconnect: bool = True
    """Connect without being asked."""
    eap: Eap | None = None
    """Log-in with a certificate (802.1X, EAP-TLS), which security wpa-eap and wpa-eap-suite-b-192 need. The
    device's own key is made on the laptop and stays there."""
    psk: SecretRef | None = None
    """Shared key, which security sae and wpa-psk need."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.state == "absent":
            return self
        needed, useless = ("eap", "psk") if self.security.startswith("wpa-eap") else ("psk", "eap")
        findings = [] if self.ssid else [Finding(("ssid",), "is missing", "Add the name of the network")]
        if getattr(self, needed) is None:
            findings.append(Finding((needed,), f"is missing, security {self.security} needs it", _HOW[needed]))
        if getattr(self, useless) is not None:
            findings.append(Finding((useless,), f"has no use with security {self.security}", "Remove one of the two"))
        refuse_all(findings)
        return self


_HOW = {
    "eap": "Add eap with ca_certificate and domain_match",
    "psk": "Write psk: {secret: wifi/NAME}",
}


class Wired(StrictModel):
    """The network by cable, at ports that want a log-in (802.1X)."""

    state: Presence = "present"
    """absent: laptops forget it, and use every port without a log-in."""
    eap: Eap | None = None
    """Log-in with a certificate, as at a wireless network. Needed unless the state is absent."""
    other_ports: bool = True
    """Use ports without a log-in too, as at home; after the log-in was tried in vain for half a minute."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.state == "present" and self.eap is None:
            refuse_all([Finding(("eap",), "is missing, a log-in by cable needs it", _HOW["eap"])])
        return self


class Wifi(StrictModel):
    """Wireless networks, and the same log-in by cable."""

    networks: Mapping[NetworkName, WifiNetwork] = {}
    """Networks by a short name, which becomes the name of the connection on the laptop."""
    wired: Wired | None = None
    """The network by cable, at ports that want a log-in (802.1X). Without it laptops use every port as it is."""
