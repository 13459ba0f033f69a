"""NetworkManager keyfiles: write them by GLib's rules, read them back, and lint what NetworkManager itself lets pass.

Sources: nm-settings-keyfile(5), the Key-value file parser of GLib, and BSI IT-Grundschutz NET.2.1.A3 and NET.3.3.A4.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

Keyfile = Mapping[str, Mapping[str, str]]
"""Section -> key -> value as meant, not as escaped."""

_NAMESPACE = uuid.UUID("6f1c9c0e-6f0a-5f6e-9d1e-6d7670632d31")
_PLAIN_SSID = re.compile(r"^(?=.*[A-Za-z_])[A-Za-z0-9 _.-]+$")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_UNESCAPES = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t", "s": " ", ";": ";"}


def connection_uuid(device: str, connection: str) -> str:
    """The same UUID for the same connection of the same laptop, every time (RFC 9562, version 5)."""
    return str(uuid.uuid5(_NAMESPACE, f"{device}/{connection}"))


def to_text(keyfile: Keyfile) -> str:
    """The file's text. Values may hold any character; sections and keys come from mvpc itself."""
    parts = []
    for section, values in keyfile.items():
        lines = [f"{key}={_escape(value)}\n" for key, value in values.items()]
        parts.append(f"[{section}]\n" + "".join(lines))
    return "\n".join(parts)


def parse(text: str) -> dict[str, dict[str, str]]:
    """Read a keyfile back, values unescaped. Comments and blank lines are skipped.

    Raises:
        ValueError: a line belongs to no section or is no `key=value`.
    """
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], {})
            continue
        key, equals, value = line.partition("=")
        if current is None or not equals:
            raise ValueError(f"line {number} is neither a section nor key=value")
        current[key.strip()] = _unescape(value)
    return sections


def ssid(name: str) -> str:
    """A network's name as a keyfile value: as text where that is unambiguous, else as a list of byte values."""
    if _PLAIN_SSID.match(name) and name == name.strip():
        return name
    return "".join(f"{byte};" for byte in name.encode())


def lint(text: str, *, mode: str) -> list[str]:
    """What is dangerous in a keyfile although NetworkManager accepts it. Empty when nothing is.

    Args:
        text: the keyfile.
        mode: its file mode in octal digits.
    """
    try:
        keyfile = parse(text)
    except ValueError as error:
        return [str(error)]
    found = [] if mode == "0600" else [f"mode {mode}: NetworkManager ignores keyfiles that others can read; use 0600"]
    found += [f"connection.{key} is missing" for key in ("id", "uuid", "type") if not _get(keyfile, "connection", key)]
    return found + _lint_wifi(keyfile) + _lint_8021x(keyfile) + _lint_wireguard(keyfile)


def _lint_wifi(keyfile: Keyfile) -> list[str]:
    if _get(keyfile, "connection", "type") != "wifi":
        return []
    management = _get(keyfile, "wifi-security", "key-mgmt")
    if management not in {"wpa-eap", "wpa-eap-suite-b-192", "sae", "wpa-psk"}:
        return [f"wifi-security.key-mgmt={management or 'none'}: nothing below WPA2 (NET.2.1.A3)"]
    found = []
    if management != "wpa-psk" and _get(keyfile, "wifi-security", "pmf") != "3":
        found.append("wifi-security.pmf must be 3: without protected management frames anyone can disconnect laptops")
    if management == "wpa-psk" and len(_get(keyfile, "wifi-security", "psk")) < 20:
        found.append("wifi-security.psk is shorter than 20 characters (NET.2.1.A3)")
    if management.startswith("wpa-eap") and "802-1x" not in keyfile:
        found.append("[802-1x] is missing")
    return found


def _lint_8021x(keyfile: Keyfile) -> list[str]:
    if "802-1x" not in keyfile:
        return []
    found = []
    if not _get(keyfile, "802-1x", "ca-cert").startswith("/"):
        found.append("802-1x.ca-cert is missing: any access point could pose as ours")
    if not _get(keyfile, "802-1x", "domain-match"):
        found.append("802-1x.domain-match is missing: any certificate of the CA could pose as the RADIUS server")
    if _get(keyfile, "802-1x", "eap").rstrip(";") == "tls":
        found += [
            f"802-1x.{key} must be an absolute path"
            for key in ("client-cert", "private-key")
            if not _get(keyfile, "802-1x", key).startswith(("/", "pkcs11:"))
        ]
    return found


def _lint_wireguard(keyfile: Keyfile) -> list[str]:
    if _get(keyfile, "connection", "type") != "wireguard":
        return []
    peers = [values for section, values in keyfile.items() if section.startswith("wireguard-peer.")]
    found = [] if peers else ["[wireguard-peer.*] is missing"]
    found += [f"a peer has no {key}" for peer in peers for key in ("endpoint", "allowed-ips") if not peer.get(key)]
    if not _get(keyfile, "wireguard", "private-key"):
        found.append("wireguard.private-key is missing")
    return found


def _get(keyfile: Keyfile, section: str, key: str) -> str:
    return keyfile.get(section, {}).get(key, "")


def _escape(value: str) -> str:
    escaped = value.translate(_ESCAPES)
    return "\\s" + escaped[1:] if escaped.startswith(" ") else escaped


def _unescape(value: str) -> str:
    bare = value.lstrip(" \t")
    return re.sub(r"\\(.)", lambda match: _UNESCAPES.get(match[1], match[0]), bare) if "\\" in bare else bare
