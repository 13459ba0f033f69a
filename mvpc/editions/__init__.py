"""Editions of crypto settings. They are data files in this folder, so that the next edition needs no code."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateRules:
    """What keys and signatures of certificates must be like. Curves are named as NIST does: `P-384`."""

    authority_curve: str
    """Of the keys of certificate authorities."""
    device_curve: str
    """Of the keys that laptops make."""
    accepted_curves: tuple[str, ...]
    """Of keys that are certified at all."""
    hash: str
    """Of X.509 signatures, as hashlib calls it. SSH signatures have the hash of their curve (RFC 5656, 6.2.1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ikev2Rules:
    """What an IKEv2 tunnel may agree on, as swanctl.conf(5) names it, best first."""

    ike_proposals: tuple[str, ...]
    esp_proposals: tuple[str, ...]
    ike_life: str
    """When the IKE SA makes new keys. strongSwan drops one that could not after another tenth."""
    esp_life: str
    """The same for the ESP SA."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """The algorithms of one edition."""

    title: str
    host_keys: tuple[str, ...]
    """Types of SSH host keys that laptops offer."""
    sshd: Mapping[str, str]
    """Option of sshd_config(5) -> value."""
    certificates: CertificateRules
    ikev2: Ikev2Rules


@cache
def edition(name: str) -> Edition:
    """One edition by its name; raises KeyError when there is no such file."""
    path = _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise KeyError(name)
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    rules = data["certificates"] | {"accepted_curves": tuple(data["certificates"]["accepted_curves"])}
    tunnel: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data["ikev2"].items()
    }
    return Edition(
        title=data["title"],
        host_keys=tuple(data["host_keys"]),
        sshd=data["sshd"],
        certificates=CertificateRules(**rules),
        ikev2=Ikev2Rules(**tunnel),
    )


def editions() -> tuple[str, ...]:
    """Names of all editions."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
