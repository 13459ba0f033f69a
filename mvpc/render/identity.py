"""Component identity: the laptop's certificates, whom it trusts, and what its sshd makes of both.

Its private keys are its own and no resources: they are made when it is enrolled (`mvpc.device.keymaking`).
"""

from __future__ import annotations

from mvpc.model import File, Identity, Package, Resource
from mvpc.render.pattern import DEVICE_CERTIFICATE, HOST_CERTIFICATE
from mvpc.render.template import fill

PKI = "/etc/mvpc/pki"
"""For EAP-TLS and IKEv2; `settings.wifi.Eap` names the same paths."""
SSH = "/etc/mvpc/ssh"

_RELOAD = ("reload ssh.service",)
_HASHES = {"P-256": "SHA256", "P-384": "SHA384", "P-521": "SHA512"}
"""Curve of a key in the TPM -> the only hash that it signs, as `mvpc.device.tpmkey` makes it."""
_SUPPLICANT = "/etc/systemd/system/wpa_supplicant.service.d/mvpc.conf"


def resources(identity: Identity) -> tuple[Resource, ...]:
    """All resources of the component, which only enrolled laptops have: those that know the same authorities."""
    host_certificate, user_authority = f"{SSH}/host-cert.pub", f"{SSH}/user-ca.pub"
    return (
        File(path=f"{PKI}/device.pem", content=DEVICE_CERTIFICATE),
        File(path=f"{PKI}/ca.pem", content=identity.device_authorities),
        *(File(path=f"{PKI}/{name}.pem", content=pem) for name, pem in sorted(identity.trusted.items())),
        File(path=host_certificate, content=f"{HOST_CERTIFICATE}\n", notify=_RELOAD),
        File(path=user_authority, content=f"{identity.user_authority}\n"),
        File(
            path="/etc/ssh/sshd_config.d/05-mvpc-identity.conf",
            content=fill("sshd-identity", host_certificate=host_certificate, user_authority=user_authority),
            mode="0600",
            validate=("/usr/sbin/sshd", "-t", "-f", "%s"),
            notify=_RELOAD,
        ),
        *(_for_tpm(identity.tpm_curve) if identity.tpm_curve else ()),
    )


def _for_tpm(curve: str) -> tuple[Resource, ...]:
    """What it takes to use a key in the TPM. Only wpa_supplicant gets OpenSSL's provider for it."""
    settings = f"{PKI}/openssl.cnf"
    again = ("daemon-reload", "restart wpa_supplicant.service")
    return (
        *(Package(name=name) for name in ("tpm2-openssl", "tpm2-tools")),
        File(path=settings, content=fill("openssl-tpm", hash=_HASHES[curve]), notify=again),
        File(path=_SUPPLICANT, content=fill("supplicant-service", settings=settings), notify=again),
    )


def shared(identity: Identity) -> tuple[object, ...]:
    """What alike laptops have in common: the authorities that they are to know, and where their keys are."""
    trusted = tuple(sorted(identity.trusted.items()))
    return identity.device_authorities, identity.user_authority, identity.tpm_curve, trusted


def own(identity: Identity) -> dict[str, str]:
    """What one laptop has of its own."""
    return {DEVICE_CERTIFICATE: identity.device_certificate, HOST_CERTIFICATE: identity.host_certificate}
