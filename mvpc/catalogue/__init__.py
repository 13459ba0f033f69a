"""The software catalogue: `profiles/catalogue/<product>.yml`, one product each, by what people use it for.

A product says what it is made of, which settings profiles may give it, and how a laptop shows that it works. Three
kinds: packages of the distribution, services that are used in the browser, and kits (named sets of other products).
"""

from __future__ import annotations

from mvpc.catalogue.choosing import Choice, choose
from mvpc.catalogue.kinds import FUNCTIONS, LANGUAGES, Language, Presence, ProductName
from mvpc.catalogue.products import FileTemplate, Kit, PackagedProduct, Product, Verify, WebService
from mvpc.catalogue.reading import load_catalogue, place_in
from mvpc.catalogue.settings import Setting

__all__ = [
    "FUNCTIONS",
    "LANGUAGES",
    "Choice",
    "FileTemplate",
    "Kit",
    "Language",
    "PackagedProduct",
    "Presence",
    "Product",
    "ProductName",
    "Setting",
    "Verify",
    "WebService",
    "choose",
    "load_catalogue",
    "place_in",
]
