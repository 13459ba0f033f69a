"""Component identity: the laptop's certificates, whom it trusts, and what its sshd makes of both.

Its private keys are its own and no resources: they are made when it is enrolled (`mvpc.device.keymaking`).
"""

from __future__ import annotations

from mvpc.model import File, Identity, Resource
from mvpc.render.pattern import DEVICE_CERTIFICATE, HOST_CERTIFICATE
from mvpc.render.template import fill

PKI = "/etc/mvpc/pki"
"""For EAP-TLS and IKEv2; `settings.wifi.Eap` names the same paths."""
SSH = "/etc/mvpc/ssh"

_RELOAD = ("reload ssh.service",)


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
    )


def shared(identity: Identity) -> tuple[object, ...]:
    """What laptops of one fleet have in common: the authorities that they are to know."""
    return identity.device_authorities, identity.user_authority, tuple(sorted(identity.trusted.items()))


def own(identity: Identity) -> dict[str, str]:
    """What one laptop has of its own."""
    return {DEVICE_CERTIFICATE: identity.device_certificate, HOST_CERTIFICATE: identity.host_certificate}
