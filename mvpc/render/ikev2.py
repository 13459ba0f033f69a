"""An IKEv2 tunnel: strongSwan with the laptop's certificate, as swanctl.conf(5) wants it.

The tunnel starts at boot and again whenever it breaks. A gateway that refuses the laptop, be it only for a minute, ends
strongSwan's attempts for good, so `mvpc.render.keeping` makes more. No trap policies: they would also catch answers to
those who reach the laptop from outside the tunnel, as mvpc does (ADR 18).
"""

from __future__ import annotations

from pathlib import PurePosixPath

from mvpc.editions import edition
from mvpc.errors import InputError
from mvpc.model import Device, File, Identity, Package, Resource, Unit
from mvpc.render.identity import PKI
from mvpc.render.pattern import ADDRESS, ADDRESS6, DEVICE_CERTIFICATE, HOSTNAME
from mvpc.render.template import fill
from mvpc.render.tunnel import has_ipv6, networks
from mvpc.settings import Ikev2, Vpn, present

KEY_PLACE = "@DEVICE_PRIVATE_KEY@"
"""Stands in the key file where the laptop puts the key of its certificate."""
_LOAD = ("restart strongswan.service",)
_SERVICE = "/etc/systemd/system/strongswan.service.d/mvpc.conf"
_NAMES = ("restart systemd-resolved.service", "reload NetworkManager.service")
_PACKAGES = ("charon-systemd", "libstrongswan-extra-plugins", "libstrongswan-standard-plugins", "strongswan-swanctl")
"""The daemon, CRLs over HTTP (curl) and keys in a TPM (tpm), AES-GCM and ECDSA (openssl), and the tool."""
KEY_HANDLE = "81006d76"
"""Under which a key in the TPM lies, as strongSwan writes it: `mvpc.device.tpmkey.HANDLE`."""


def resources(device: Device, settings: Vpn, gateway: Ikev2, identity: Identity) -> tuple[Resource, ...]:
    """All resources of the tunnel, for all enrolled laptops with these settings.

    Raises:
        InputError: laptops do not know the gateway's authority.
    """
    return (
        *(Package(name=name) for name in _PACKAGES),
        File(path="/etc/swanctl/x509/mvpc.pem", content=DEVICE_CERTIFICATE, notify=_LOAD),
        *(() if identity.tpm_curve else (_key_file(),)),
        File(path="/etc/swanctl/x509ca/mvpc-vpn.pem", content=_authority(device, gateway, identity), notify=_LOAD),
        File(
            path="/etc/swanctl/conf.d/mvpc.conf",
            content=_connection(settings, gateway, identity),
            mode="0640",
            notify=_LOAD,
        ),
        File(
            path=_SERVICE,
            content=fill("strongswan-service", in_tpm=bool(identity.tpm_curve)),
            notify=("daemon-reload", *_LOAD),
        ),
        File(path="/etc/strongswan.d/mvpc.conf", content=fill("strongswan"), notify=_LOAD),
        Unit(name="strongswan.service"),
        *_name_resolution(settings),
    )


def _authority(device: Device, gateway: Ikev2, identity: Identity) -> str:
    path = PurePosixPath(gateway.authority)
    known = {f"{PKI}/{name}.pem": pem for name, pem in identity.trusted.items()}
    if str(path) not in known:
        raise InputError(
            f"vpn.ikev2.authority is {path}, which mvpc does not bring to the laptop",
            where=device.hostname,
            hint=f"Put the certificate of the gateway's authority into inventory/trust/{path.name}",
        )
    return known[str(path)]


def _key_file() -> File:
    """A copy of the laptop's key, since AppArmor lets strongSwan read nothing outside /etc/swanctl."""
    return File(
        path="/etc/swanctl/private/mvpc.pem",
        content=f"{KEY_PLACE}\n",
        mode="0600",
        notify=_LOAD,
        device_keys={KEY_PLACE: "device"},
    )


def _connection(settings: Vpn, gateway: Ikev2, identity: Identity) -> str:
    return fill(
        "swanctl",
        hostname=HOSTNAME,
        gateway=gateway.address,
        identity=gateway.identity,
        revocation=gateway.revocation,
        addresses=f"{ADDRESS}, {ADDRESS6}" if has_ipv6(settings) else ADDRESS,
        networks=", ".join(networks(settings)),
        rules=edition(gateway.crypto).ikev2,
        handle=KEY_HANDLE if identity.tpm_curve else "",
    )


def _name_resolution(settings: Vpn) -> tuple[Resource, ...]:
    """systemd-resolved asks the servers inside for their domains only; NetworkManager hands it the others."""
    servers = present(settings.dns.servers)
    if not servers:
        return ()
    domains = ("~.",) if settings.tunnel == "full" else tuple(f"~{name}" for name in present(settings.dns.domains))
    content = fill("resolved", servers=" ".join(servers), domains=" ".join(domains))
    return (
        Package(name="systemd-resolved"),
        File(path="/etc/systemd/resolved.conf.d/mvpc-vpn.conf", content=content, notify=_NAMES),
        Unit(name="systemd-resolved.service"),
    )
