"""One cell of an inventory: from text to value, or what is wrong with it and how to mend it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import struct
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from mvpc.model import HOSTNAME, LifeCycle, Workplace
from mvpc.organisation import folded, nearest
from mvpc.text import safe

MAX_LENGTH = 200
_MAX_KEY_LENGTH = 4000

_TEMPLATE = re.compile(r"\{[{%#]")
"""Text that Ansible would take as a template and run on the controller."""

_SPREADSHEET_ERROR = re.compile(r"#(?:[A-ZÜ]+/?[A-Z0-9]*[!?]|N/A|NV)\Z")
"""What Excel and LibreOffice, in English or German, show where a formula has no value: #NAME?, #DIV/0!, #WERT!, #NV."""

_GUARDED = re.compile(r"'['\s]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")

_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}


class CellError(Exception):
    """A cell that cannot be taken as it is."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def parse(field: str, text: str) -> Any:
    """The value of a cell that is not empty. Authority and site stay text: the organisation knows them.

    Raises:
        CellError: it is not a valid value of that field.
    """
    plain = unicodedata.normalize("NFC", text[1:] if _GUARDED.match(text) else text).strip()
    _refuse_dangerous(plain, _MAX_KEY_LENGTH if field == "host_key" else MAX_LENGTH)
    return _PARSERS[field](plain)


def shown(text: str) -> str:
    """A cell as a message quotes it."""
    return f"'{safe(text, limit=60)}'"


def _refuse_dangerous(text: str, limit: int) -> None:
    if len(text) > limit:
        raise CellError(f"the text has {len(text)} characters", f"At most {limit} are allowed")
    plain = text.isascii() and text.isprintable()  # quick, and true of almost every cell
    if not plain and safe(text, limit=limit) != text:
        raise CellError(f"{shown(text)} holds control or invisible characters", "Type the cell anew")
    if _SPREADSHEET_ERROR.match(text):
        raise CellError(f"{shown(text)} is an error of the spreadsheet", "Mend its formula, or type the value itself")
    if found := _TEMPLATE.search(text):
        raise CellError(f"{shown(text)} holds {found[0]}, which Ansible would take as a program", "Remove it")


# --- names and numbers -----------------------------------------------------------------------

_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/#:-]*\Z")
_SCIENTIFIC = re.compile(r"\d[.,]?\d*E\+\d+\Z", re.IGNORECASE)


def _number(text: str) -> str:
    """Inventory number or serial: kept as it stands, leading zeros too."""
    if _SCIENTIFIC.match(text):
        hint = "A spreadsheet has shortened it. Format the column as text and enter the number again"
        raise CellError(f"{shown(text)} is no number of a device", hint)
    if not _NUMBER.match(text):
        hint = "Use letters A-Z, digits, blanks and . _ / # : -, beginning with a letter or digit"
        raise CellError(f"{shown(text)} is not allowed", hint)
    return text


def _hostname(text: str) -> str:
    name = text.lower()
    if HOSTNAME.match(name):
        return name
    raise CellError(f"{shown(text)} is no hostname", _hostname_hint(name))


def _hostname_hint(name: str) -> str:
    first, dot, _ = name.partition(".")
    if dot and HOSTNAME.match(first):
        return f"Write only {first}, without the domain"
    spelled = "".join(_UMLAUTS.get(letter, letter) for letter in name).replace("_", "-").replace(" ", "-")
    if HOSTNAME.match(spelled):
        return f"Write {spelled}"
    if len(spelled) > 15:
        return f"It has {len(spelled)} characters, at most 15 are allowed"
    return "Use a-z, digits and hyphens, beginning with a letter, not ending with a hyphen"


def _any_text(text: str) -> str:
    return text


# --- choices ---------------------------------------------------------------------------------

_WORKPLACES = {
    Workplace.STANDARD: ("Standard", "Standardarbeitsplatz"),
    Workplace.MOBILE: ("Mobil", "mobiler Arbeitsplatz"),
    Workplace.PERFORMANCE: ("Leistung", "Leistungsarbeitsplatz"),
    Workplace.SPECIAL: ("Sonder", "Sonderarbeitsplatz"),
}
_STATES = {
    LifeCycle.ORDERED: ("bestellt",),
    LifeCycle.DELIVERED: ("geliefert",),
    LifeCycle.IMAGED: ("betankt",),
    LifeCycle.IN_USE: ("übergeben", "uebergeben", "in use", "in Betrieb", "im Einsatz"),
    LifeCycle.IN_REPAIR: ("in Reparatur", "Reparatur", "in repair"),
    LifeCycle.SPARE: ("Ersatz", "Ersatzgerät", "Reserve"),
    LifeCycle.RETURNED: ("zurückgenommen", "zurueckgenommen"),
    LifeCycle.ERASED: ("gelöscht", "geloescht"),
    LifeCycle.RETIRED: ("ausgesondert",),
    LifeCycle.LOST: ("verloren",),
}
"""Value -> words for it, the one that mvpc writes first."""

_Choice = TypeVar("_Choice", bound=StrEnum)


def in_german(value: object) -> str | None:
    """The word for a kind of workplace or a state in German forms; None for anything else."""
    words: Mapping[Any, tuple[str, ...]] = {**_WORKPLACES, **_STATES}
    return words[value][0] if isinstance(value, (Workplace, LifeCycle)) else None


def _choice(words: Mapping[_Choice, tuple[str, ...]]) -> Callable[[str], _Choice]:
    """A parser for one of some values, under its own name or a German one."""
    known = {folded(name): value for value, names in words.items() for name in (str(value), *names)}

    def parse_choice(text: str) -> _Choice:
        value = known.get(folded(text))
        if value is None:
            raise CellError(f"{shown(text)} is not known", nearest(text, known) or f"Known: {', '.join(words)}")
        return value

    return parse_choice


_FAMILIES = {
    "debian": "debian",
    "debian gnu/linux": "debian",
    "ubuntu": "ubuntu",
    "windows": "windows",
    "microsoft windows": "windows",
    "win": "windows",
}
_RELEASE = re.compile(r"([a-z/ ]*?)[ -]*([0-9]+)(\.[0-9]+)?(?:\.[0-9]+)*(?:[ (,].*)?\Z")


def _os(text: str) -> str:
    """`Debian GNU/Linux 13.2 (trixie)` -> `debian-13`, `Windows 11 Pro` -> `windows-11`."""
    match = _RELEASE.match(folded(text))
    family = _FAMILIES.get(match[1].strip()) if match else None
    if match is None or family is None:
        raise CellError(f"{shown(text)} is no known system", "Write for example debian-13, ubuntu-24.04 or windows-11")
    if family == "ubuntu" and not match[3]:
        raise CellError(f"{shown(text)} lacks the month of the release", "Write for example ubuntu-24.04")
    return f"{family}-{match[2]}{match[3] if family == 'ubuntu' else ''}"


def _day(text: str) -> date:
    """ISO 8601 or dd.mm.yyyy, with or without the midnight that spreadsheets add."""
    plain = re.sub(r"[ T]00:00(:00)?\Z", "", text)
    german = re.match(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\Z", plain)
    try:
        if german:
            return date(int(german[3]), int(german[2]), int(german[1]))
        if re.match(r"\d{4}-\d{2}-\d{2}\Z", plain):
            return date.fromisoformat(plain)
    except ValueError as error:
        raise CellError(f"{shown(text)} is not in the calendar") from error
    if re.match(r"\d{5}\Z", plain):
        raise CellError(f"{shown(text)} is a spreadsheet's count of days", "Format the column as a date")
    raise CellError(f"{shown(text)} is no date", "Write 06.12.2026 or 2026-12-06")


# --- network ---------------------------------------------------------------------------------

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")


def _address(text: str) -> str:
    """A DNS name (RFC 1123) or an IP address; never an option of ssh."""
    name = text.lower()
    try:
        return str(ipaddress.ip_address(name)) if "%" not in name else _refuse_address(text)
    except ValueError:
        only_digits = re.fullmatch(r"[0-9.]+", name)
        return name if _NAME.match(name) and len(name) <= 253 and not only_digits else _refuse_address(text)


def _refuse_address(text: str) -> str:
    raise CellError(f"{shown(text)} is neither a host name nor an IP address", "Leave it empty to use the hostname")


_KEY_TYPES = frozenset({"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"})


def _host_key(text: str) -> str:
    """`type base64` of sshd(8) known_hosts; a comment is dropped. Never shown in messages: it may be a private key."""
    words = text.split()
    if "PRIVATE KEY" in text:
        raise CellError("this is a private key", "Delete it here. mvpc wants the public one, /etc/ssh/*.pub")
    if len(words) < 2 or words[0] not in _KEY_TYPES:
        raise CellError("this is no public SSH host key", "Write it as `ssh-ed25519 AAAA...`, without a host name")
    if not _holds_its_type(words[0], words[1]):
        raise CellError("the SSH host key is damaged", "Copy it once more from /etc/ssh/ssh_host_ed25519_key.pub")
    return f"{words[0]} {words[1]}"


def _holds_its_type(kind: str, encoded: str) -> bool:
    """An SSH key begins with its own type, as a length and text (RFC 4253 section 6.6)."""
    try:
        data = base64.b64decode(encoded, validate=True)
        (length,) = struct.unpack_from(">I", data)
    except (binascii.Error, ValueError, struct.error):
        return False
    return data[4 : 4 + length] == kind.encode() and len(data) >= 4 + length + 4 + 32


_PARSERS: dict[str, Callable[[str], Any]] = {
    "inventory_number": _number,
    "hostname": _hostname,
    "serial": _number,
    "vendor": _any_text,
    "model": _any_text,
    "os": _os,
    "workplace": _choice(_WORKPLACES),
    "authority": _any_text,
    "site": _any_text,
    "room": _any_text,
    "state": _choice(_STATES),
    "address": _address,
    "host_key": _host_key,
    "delivered": _day,
    "warranty_until": _day,
}
