"""Component identity: the laptop's certificates, whom it trusts, and what its sshd makes of both.

Its private keys are its own and no resources: they are made when it is enrolled (`mvpc.device.keymaking`).
"""

from __future__ import annotations

from mvpc.model import File, Identity, Resource
from mvpc.render.template import fill

PKI = "/etc/mvpc/pki"
"""For EAP-TLS and IKEv2; `settings.wifi.Eap` names the same paths."""
SSH = "/etc/mvpc/ssh"

_RELOAD = ("reload ssh.service",)


def resources(identity: Identity) -> tuple[Resource, ...]:
    """All resources of the component, which only enrolled laptops have."""
    host_certificate, user_authority = f"{SSH}/host-cert.pub", f"{SSH}/user-ca.pub"
    return (
        File(path=f"{PKI}/device.pem", content=identity.device_certificate),
        File(path=f"{PKI}/ca.pem", content=identity.device_authorities),
        *(File(path=f"{PKI}/{name}.pem", content=pem) for name, pem in sorted(identity.trusted.items())),
        File(path=host_certificate, content=f"{identity.host_certificate}\n", notify=_RELOAD),
        File(path=user_authority, content=f"{identity.user_authority}\n"),
        File(
            path="/etc/ssh/sshd_config.d/05-mvpc-identity.conf",
            content=fill("sshd-identity", host_certificate=host_certificate, user_authority=user_authority),
            mode="0600",
            validate=("/usr/sbin/sshd", "-t", "-f", "%s"),
            notify=_RELOAD,
        ),
    )
