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
from mvpc.catalogue import FlatpakProduct, PackagedProduct, Product
from mvpc.model import InstalledFlatpak, InstalledPackage


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Everything that is installed on one laptop or in one image."""

    name: str
    kind: Literal["device", "operating-system"]
    """What it is, in the words of the standard: a laptop or an image."""
    os: str
    """As in the inventory: `debian-13`."""
    packages: tuple[InstalledPackage, ...]
    flatpaks: tuple[InstalledFlatpak, ...] = ()


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
        "components": [
            *_system(os),
            *(_component(each, os, licences) for each in sorted(set(contents.packages))),
            *(_flatpak(each, licences) for each in sorted(set(contents.flatpaks))),
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _licences(os: str, catalogue: Mapping[str, Product]) -> dict[str, str]:
    """Package or application -> licence, of those that are a product's own; translations may have other ones."""
    packaged = {
        package: product.licence
        for product in catalogue.values()
        if isinstance(product, PackagedProduct)
        for package in product.packages_for(os)
    }
    return packaged | {each.app: each.licence for each in catalogue.values() if isinstance(each, FlatpakProduct)}


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


def _flatpak(flatpak: InstalledFlatpak, licences: Mapping[str, str]) -> dict[str, Any]:
    """An application or a runtime. It has no purl: there is no such type, and a made-up one matches nothing."""
    properties = {
        "mvpc:architecture": flatpak.architecture,
        "mvpc:flatpak:branch": flatpak.branch,
        "mvpc:flatpak:commit": flatpak.commit,
        "mvpc:flatpak:remote": flatpak.remote,
    }
    found = {
        "type": "framework" if flatpak.is_runtime else "application",
        "bom-ref": f"flatpak:{flatpak.name}/{flatpak.architecture}/{flatpak.branch}",
        "name": flatpak.name,
        "version": flatpak.version or flatpak.commit,
        "properties": [{"name": name, "value": value} for name, value in properties.items()],
    }
    if flatpak.name in licences:
        found["licenses"] = [{"expression": licences[flatpak.name]}]
    return found


def purl(package: InstalledPackage, os: str) -> str:
    """A package's address: `pkg:deb/debian/NAME@VERSION?arch=...&distro=...` (package-url.github.io, type deb)."""
    name, version = quote(package.name, safe=""), quote(package.version, safe=":~")
    return f"pkg:deb/{os.partition('-')[0]}/{name}@{version}?arch={package.architecture}&distro={os}"
