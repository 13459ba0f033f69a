"""The software catalogue: `profiles/catalogue/<product>.yml`, one product each, by what people use it for.

A product says what it is made of, which settings profiles may give it, and how a laptop shows that it works. Four
kinds: packages of the distribution, Flatpaks from a remote of one's own, services that are used in the browser, and
kits (named sets of other products).
"""

from __future__ import annotations

from mvpc.catalogue.choosing import Choice, choose
from mvpc.catalogue.example import example
from mvpc.catalogue.kinds import FUNCTIONS, Language, Presence, ProductName, RemoteName
from mvpc.catalogue.products import (
    KINDS,
    FileTemplate,
    FlatpakProduct,
    Kit,
    PackagedProduct,
    Product,
    Program,
    Verify,
    WebService,
)
from mvpc.catalogue.reading import load_catalogue, place_in
from mvpc.catalogue.settings import Setting

__all__ = [
    "FUNCTIONS",
    "KINDS",
    "Choice",
    "FileTemplate",
    "FlatpakProduct",
    "Kit",
    "Language",
    "PackagedProduct",
    "Presence",
    "Product",
    "ProductName",
    "Program",
    "RemoteName",
    "Setting",
    "Verify",
    "WebService",
    "choose",
    "example",
    "load_catalogue",
    "place_in",
]
