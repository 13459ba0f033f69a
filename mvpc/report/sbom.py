"""A software bill of materials of one laptop or image: CycloneDX 1.6 as JSON (cyclonedx.org/docs/1.6/json)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from mvpc import __version__
from mvpc.catalogue import PackagedProduct, Product
from mvpc.model import InstalledPackage


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Everything that is installed on one laptop or in one image."""

    name: str
    kind: Literal["device", "operating-system"]
    """What it is, in the words of the standard: a laptop or an image."""
    os: str
    """As in the inventory: `debian-13`."""
    packages: tuple[InstalledPackage, ...]


def sbom_json(contents: Contents, catalogue: Mapping[str, Product], *, made_at: datetime, serial: UUID) -> str:
    """The whole document.

    Args:
        contents: what it lists.
        catalogue: products whose licences are known.
        made_at: when the packages were looked at.
        serial: a number that no other document has.
    """
    name, os = contents.name, contents.os
    licences = _licences(os, catalogue)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial.urn,
        "version": 1,
        "metadata": {
            "timestamp": made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {"components": [{"type": "application", "name": "mvpc", "version": __version__}]},
            "component": {"type": contents.kind, "bom-ref": name, "name": name},
        },
        "components": [*_system(os), *(_component(each, os, licences) for each in sorted(set(contents.packages)))],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _licences(os: str, catalogue: Mapping[str, Product]) -> dict[str, str]:
    """Package -> licence, of the packages that are a product's own; translations may have other ones."""
    return {
        package: product.licence
        for product in catalogue.values()
        if isinstance(product, PackagedProduct)
        for package in product.packages_for(os)
    }


def _system(os: str) -> Iterator[dict[str, Any]]:
    family, _, release = os.partition("-")
    yield {"type": "operating-system", "bom-ref": os, "name": family, "version": release}


def _component(package: InstalledPackage, os: str, licences: Mapping[str, str]) -> dict[str, Any]:
    address = purl(package, os)
    found = {
        "type": "library",
        "bom-ref": address,
        "name": package.name,
        "version": package.version,
        "purl": address,
        "properties": [{"name": "mvpc:architecture", "value": package.architecture}],
    }
    if package.name in licences:
        found["licenses"] = [{"expression": licences[package.name]}]
    return found


def purl(package: InstalledPackage, os: str) -> str:
    """A package's address: `pkg:deb/debian/NAME@VERSION?arch=...&distro=...` (package-url.github.io, type deb)."""
    name, version = quote(package.name, safe=""), quote(package.version, safe=":~")
    return f"pkg:deb/{os.partition('-')[0]}/{name}@{version}?arch={package.architecture}&distro={os}"
