"""The columns of an inventory: the names under which offices know them, and the ones that mvpc writes."""

from __future__ import annotations

import re
import unicodedata

TITLES = {
    "inventory_number": "Inventarnummer",
    "hostname": "Rechnername",
    "serial": "Seriennummer",
    "vendor": "Hersteller",
    "model": "Modell",
    "os": "Betriebssystem",
    "workplace": "Arbeitsplatzprofil",
    "authority": "Behörde",
    "site": "Standort",
    "room": "Raum",
    "state": "Status",
    "address": "Adresse",
    "host_key": "SSH-Schlüssel",
    "delivered": "Lieferdatum",
    "warranty_until": "Garantie bis",
}
"""Field of a device -> name of its column as mvpc writes it, in the order in which it writes them."""

REQUIRED = ("inventory_number", "hostname", "serial", "authority", "site")
"""What a new device must have."""

_ALIASES = {
    "inventory_number": "inventory number|inventory no|asset tag|asset number|Inventar-Nr|Inv-Nr|Inventarnr",
    "hostname": "host name|host|computer name|name|Hostname|Computername|Gerätename",
    "serial": "serial number|serial no|Serien-Nr|Seriennr|S/N|SN",
    "vendor": "manufacturer|maker",
    "model": "device model|Modellbezeichnung|Gerätemodell|Typ",
    "os": "operating system|OS|System",
    "workplace": "workplace profile|Arbeitsplatz|Profil",
    "authority": "agency|Dienststelle|Amt",
    "site": "location|Liegenschaft",
    "room": "Raumnummer|Zimmer",
    "state": "life cycle|lifecycle|Zustand|Gerätestatus",
    "address": "IP|IP address|IP-Adresse|Netzadresse",
    "host_key": "SSH host key|Hostkey|Host-Schlüssel|SSH-Hostschlüssel",
    "delivered": "delivered on|delivery date|geliefert am|Lieferung",
    "warranty_until": "warranty|warranty end|warranty until|Garantie-Ablaufdatum|Garantieende|Garantie",
}


def field_of(title: str) -> str | None:
    """The field of a device that a column of this name holds; None when the name is not known."""
    return _FIELDS.get(_folded(title))


def known_titles() -> tuple[str, ...]:
    """Every name that a column may have."""
    return (*TITLES.values(), *TITLES, *(alias for aliases in _ALIASES.values() for alias in aliases.split("|")))


def _folded(title: str) -> str:
    """A name without regard to case, blanks, punctuation and the way umlauts are written."""
    text = unicodedata.normalize("NFC", title).casefold()
    for letter, spelled in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        text = text.replace(letter, spelled)
    return re.sub(r"[^a-z0-9]", "", text)


_FIELDS = {
    _folded(name): field for field, title in TITLES.items() for name in (field, title, *_ALIASES[field].split("|"))
}
