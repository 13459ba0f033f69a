"""Who belongs where, and since when: ressorts, authorities, sites and operators of `inventory/organisation.yml`.

Ministries are cut anew from time to time (Ressortumbildung). So an authority belongs to a ressort from a day to
a day, and every question names the day that it is about.
"""

from __future__ import annotations

from mvpc.organisation.reading import load_organisation
from mvpc.organisation.tree import FILE, Authority, Organisation, Period, Ressort, Site, Span, folded, nearest

__all__ = [
    "FILE",
    "Authority",
    "Organisation",
    "Period",
    "Ressort",
    "Site",
    "Span",
    "folded",
    "load_organisation",
    "nearest",
]
