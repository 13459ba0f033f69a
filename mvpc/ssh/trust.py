"""Which host keys are believed: the one in the inventory, or a certificate of our authority. Never one on first use.

paramiko knows no host certificates (its issue 2277). It can carry them: this asks for them first, and judges what
comes by `mvpc.identity.ssh.distrust`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import paramiko
from paramiko.pkey import UnknownKeyType

from mvpc.identity.ssh import REVOKED, distrust
from mvpc.model import Device

_CERTIFICATES = tuple(f"ecdsa-sha2-nistp{size}-cert-v01@openssh.com" for size in (384, 256, 521))
_KINDS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""Kind of key -> signature algorithms, where they differ (RFC 8332)."""


class DistrustedError(paramiko.SSHException):
    """The host is not the laptop that we know; says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostAuthority:
    """The authority of host certificates, and which of them were revoked."""

    public_key: str
    """One line of OpenSSH's format."""
    now: Callable[[], datetime]
    revoked: Collection[str] = field(default=())
    """Serial numbers, hexadecimal."""


class HostTrust(paramiko.MissingHostKeyPolicy):
    """What one laptop must prove. paramiko asks it, since known_hosts stays empty.

    Raises:
        DistrustedError: nothing could ever prove that it is this laptop.
    """

    def __init__(self, device: Device, authority: HostAuthority | None) -> None:
        self._hostname = device.hostname
        self._authority = authority
        self._pinned = _pinned(device)
        if self._pinned is None and authority is None:
            raise DistrustedError("the inventory holds no usable SSH host key for it")

    def transport(self, connection: Any, /, **options: Any) -> paramiko.Transport:
        """A transport that asks for what can be believed, certificates first."""
        made = _Transport(connection, **options)
        pinned = self._pinned.get_name() if self._pinned else ""
        made.kinds = (*(_CERTIFICATES if self._authority else ()), *_KINDS.get(pinned, (pinned,) if pinned else ()))
        return made

    def missing_host_key(self, client: object, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002 - paramiko calls it
        """Called with every host key; raises DistrustedError unless it is believed."""
        reason = "its SSH host key is not the one in the inventory: not the laptop we know"
        if self._authority and key.public_blob:
            text = f"{key.public_blob.key_type} {base64.b64encode(key.public_blob.key_blob).decode()}"
            reason = distrust(
                text,
                self._authority.public_key,
                self._hostname,
                self._authority.revoked,
                now=self._authority.now(),
            )
        # An expired certificate must not lock us out: the key in the inventory still counts. A revoked one does.
        if reason and (key != self._pinned or reason == REVOKED):
            raise DistrustedError(reason)


class _Transport(paramiko.Transport):
    kinds: tuple[str, ...] = ()

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Algorithms of host keys that are asked for, best first."""
        return self.kinds


def _pinned(device: Device) -> paramiko.PKey | None:
    try:
        kind, encoded = device.host_key.split()[:2]
        return paramiko.PKey.from_type_string(kind, base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error, paramiko.SSHException, UnknownKeyType):
        return None
