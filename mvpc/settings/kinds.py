"""Kinds of text that settings hold: each with a pattern for editors, and an example for people."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import PlainValidator, WithJsonSchema

from mvpc.catalogue import Presence
from mvpc.secret import REFERENCE
from mvpc.strict import Kind, refuse


def _ssid(text: str) -> None:
    if len(text.encode()) > 32:
        raise ValueError


def _network(text: str) -> None:
    ip_network(text)


def _pool(text: str) -> None:
    IPv4Network(text)


def _endpoint(text: str) -> None:
    host, _, port = text.rpartition(":")
    if host.startswith("["):
        ip_address(host.strip("[]"))
    if not 0 < int(port) < 65536:
        raise ValueError


def _wireguard_key(text: str) -> None:
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        size = 0
    if size != 32:
        raise ValueError


def _timezone(text: str) -> None:
    """Look it up; where no time zone data is installed, only the pattern counts."""
    try:
        ZoneInfo(text)
    except ZoneInfoNotFoundError as error:
        try:
            ZoneInfo("Etc/UTC")
        except ZoneInfoNotFoundError:
            return
        raise ValueError from error


def _sysctl_value(value: object) -> int | str:
    if type(value) is int:
        return value
    if isinstance(value, str) and re.fullmatch(_SYSCTL_TEXT, value):
        return value
    raise refuse("must be a whole number or plain text", "For example: 0")


_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_SYSCTL_TEXT = r"[A-Za-z0-9 |/%._-]{1,200}"

Host = Annotated[str, Kind("a host name or address", "ntp.mv.example", f"^(?:{_HOST}|[0-9a-fA-F:]*:[0-9a-fA-F:.]+)$")]
Domain = Annotated[str, Kind("a domain name", "mv.example", f"^{_HOST}$")]
Endpoint = Annotated[
    str, Kind("host:port", "vpn.mv.example:51820", rf"^(?:{_HOST}|\[[0-9a-fA-F:.]+\]):[0-9]{{1,5}}$", _endpoint)
]
Address = Annotated[str, Kind("an IP address", "10.65.0.53", r"^[0-9a-fA-F:.]+$", ip_address)]
Network = Annotated[
    str, Kind("a network range without host bits", "10.0.0.0/8", r"^[0-9a-fA-F:.]+/[0-9]{1,3}$", _network)
]
Pool = Annotated[str, Kind("an IPv4 network range without host bits", "10.64.0.0/16", r"^[0-9.]+/[0-9]{1,2}$", _pool)]
WireGuardKey = Annotated[
    str,
    Kind(
        "a WireGuard public key (32 bytes in base64)",
        "the output of `wg pubkey`",
        "^[A-Za-z0-9+/]{43}=$",
        _wireguard_key,
    ),
]
_ARMOUR = r"-----{} PGP PUBLIC KEY BLOCK-----"
ArchiveKey = Annotated[
    str,
    Kind(
        "an OpenPGP public key as text, from its BEGIN to its END line",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ...\n-----END PGP PUBLIC KEY BLOCK-----\n",
        rf"^{_ARMOUR.format('BEGIN')}\n(?:[ -~]*\n)+{_ARMOUR.format('END')}\n?$",
        limit=1 << 15,
    ),
]
SourceName = Annotated[str, Kind("a name of a package source", "own-packages", "^[a-z0-9][a-z0-9-]{0,40}$")]
Suite = Annotated[
    str,
    Kind(
        "a suite of a package source, or a path that ends with /", "trixie", "^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*/?$"
    ),
]
SourceComponent = Annotated[str, Kind("a component of a package source", "main", "^[A-Za-z0-9._-]+$")]
Url = Annotated[
    str,
    Kind(
        "an http or https address without user and password",
        "http://apt.mv.example/debian",
        rf"^https?://{_HOST}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~/-]*)?$",
    ),
]
AbsolutePath = Annotated[
    str,
    Kind(
        "an absolute path without spaces, and without .. in it",
        "/etc/mvpc/pki/radius-ca.pem",
        r"^(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._@+-]+)+$",
    ),
]
TimeZone = Annotated[
    str,
    Kind(
        "a time zone of the IANA database",
        "Europe/Berlin",
        r"^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*$",
        _timezone,
    ),
]
TimeOfDay = Annotated[str, Kind("a time of day in quotes", '"20:00"', "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$")]
Account = Annotated[str, Kind("a name of a Linux account", "mvpc-admin", "^[a-z_][a-z0-9_-]{0,31}$")]
SysctlName = Annotated[
    str, Kind("a name of a kernel parameter", "kernel.sysrq", "^[a-z][a-z0-9_]*(?:[./][A-Za-z0-9_*-]+)+$")
]
SysctlValue = Annotated[
    int | str,
    PlainValidator(_sysctl_value),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": f"^{_SYSCTL_TEXT}$"}]}),
]
NetworkName = Annotated[
    str, Kind("a short name (a-z, 0-9 and -, at most 32)", "lan-mv", "^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$")
]
Ssid = Annotated[str, Kind("a network name of 1 to 32 bytes", "LAN-MV", r"^[^\u0000-\u001f\u007f]*$", _ssid)]
Identity = Annotated[
    str,
    Kind(
        "an identity; {hostname} stands for the device",
        "host/{hostname}.mv.example",
        r"^[A-Za-z0-9@./_-]*(?:\{hostname\})?[A-Za-z0-9@./_-]*$",
    ),
]
SecretName = Annotated[str, Kind("a name of a secret", "wifi/guest-psk", REFERENCE.pattern)]

RoleName = Annotated[str, Kind("a role of playbooks/local/", "printers", "^[a-z][a-z0-9_]{0,39}$")]


def present(entries: Mapping[Any, Presence]) -> tuple[str, ...]:
    """Names of the entries that are switched on, sorted, so that equal settings render equally."""
    return tuple(sorted(name for name, state in entries.items() if state == "present"))
