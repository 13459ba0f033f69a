"""Kinds of text that products hold, and what they are for."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import BeforeValidator

from mvpc.strict import Kind

Function = Literal[
    "office",
    "mail",
    "chat",
    "video",
    "files",
    "browser",
    "passwords",
    "pdf",
    "images",
    "media",
    "notes",
    "archives",
    "encryption",
    "smart cards",
    "printing",
    "scanning",
    "screenshots",
    "remote support",
    "backup",
    "accessibility",
    "desktop",
    "data",
    "records",
    "portal",
]
"""What people use a product for at a workplace. The first thing by which a ressort looks for one."""
FUNCTIONS: tuple[str, ...] = get_args(Function)

Language = Literal["de", "en", "nds", "dsb", "hsb", "pl", "da"]
"""Languages of the state and its neighbours: German, English, Low German, both Sorbian ones, Polish, Danish."""

Presence = Literal["present", "absent"]
"""How an entry of a map keyed by name is switched on or off by any layer."""

RELEASES = ("debian-12", "debian-13", "ubuntu-24.04")
"""Operating systems whose package names the catalogue knows."""


def as_tuple(value: Any) -> Any:
    """YAML knows lists, frozen values hold tuples."""
    return tuple(value) if isinstance(value, list) else value


def _spdx(text: str) -> None:
    """Look every licence up in the SPDX list (spdx.org/licenses), which comes with the packaging library."""
    try:
        canonical = canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        raise ValueError from error
    if canonical != text:
        raise ValueError


_LINE = r"^[^\u0000-\u001f\u007f-\u009f]*\S[^\u0000-\u001f\u007f-\u009f]*$"
_LICENCE = r"^[A-Za-z0-9.+()-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+()-]+)*$"
_UNIT = r"^[A-Za-z0-9:_.@-]+\.(?:service|socket|timer|path)$"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_URL = rf"^https?://{_HOST}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~/?&=%#:@+,;-]*)?$"
_FILE = r"^/(?:etc|opt|usr/share|usr/lib)(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._@+-]+)+$"
_PATH = r"^(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._@+-]+)+$"

Words = Annotated[str, Kind("one line of text", "Reads and signs PDF files.", _LINE)]
Text = Annotated[str, Kind("text", "several lines", r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$", limit=1 << 16)]
Licence = Annotated[
    str, Kind("an SPDX licence expression in canonical form", "GPL-3.0-or-later", _LICENCE, check=_spdx)
]
ProductName = Annotated[str, Kind("a product of profiles/catalogue/", "libreoffice", "^[a-z0-9][a-z0-9+-]*$")]
PackageName = Annotated[str, Kind("a name of a Debian package", "libreoffice-writer", "^[a-z0-9][a-z0-9+.-]+$")]
Version = Annotated[
    str,
    Kind("a whole version of a Debian package (deb-version(7))", "12.2.0-1", r"^(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*$"),
]
UnitName = Annotated[str, Kind("a full name of a systemd unit", "cups.service", _UNIT)]
Release = Annotated[str, Kind(f"one of {', '.join(RELEASES)}", "debian-13", f"^(?:{'|'.join(RELEASES)})$")]
SettingName = Annotated[str, Kind("a name of a setting", "default_format", "^[a-z][a-z0-9_]{0,40}$")]
Url = Annotated[str, Kind("an http or https address without user and password", "https://akte.mv.example/", _URL)]
Path = Annotated[str, Kind("an absolute path without spaces, and without .. in it", "/etc/mvpc/pki/mv-ca.pem", _PATH)]
FilePath = Annotated[
    str, Kind("a path below /etc, /opt, /usr/share or /usr/lib", "/etc/firefox/policies/policies.json", _FILE)
]
DesktopFile = Annotated[
    str, Kind("a file name in /usr/share/applications", "thunderbird.desktop", r"^[A-Za-z0-9._-]+\.desktop$")
]
IconName = Annotated[str, Kind("an icon name or path", "folder-remote", r"^[A-Za-z0-9._/@+-]+$")]
MimeType = Annotated[str, Kind("a MIME type", "application/pdf", r"^[a-z]+(?:-[a-z]+)*/[A-Za-z0-9][A-Za-z0-9.+_-]*$")]
AppId = Annotated[
    str,
    Kind(
        "a name of a Flatpak application",
        "org.libreoffice.LibreOffice",
        r"^(?:[A-Za-z_][A-Za-z0-9_]*\.){2,}[A-Za-z_][A-Za-z0-9_-]*$",
    ),
]
RemoteName = Annotated[str, Kind("a name of a Flatpak remote", "mv", r"^[a-z][a-z0-9-]{0,40}$")]
Branch = Annotated[str, Kind("a Flatpak branch", "stable", r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

Paths = Annotated[tuple[Path, ...], BeforeValidator(as_tuple)]
PackageNames = Annotated[tuple[PackageName, ...], BeforeValidator(as_tuple)]
ProductNames = Annotated[tuple[ProductName, ...], BeforeValidator(as_tuple)]
UnitNames = Annotated[tuple[UnitName, ...], BeforeValidator(as_tuple)]
MimeTypes = Annotated[tuple[MimeType, ...], BeforeValidator(as_tuple)]
