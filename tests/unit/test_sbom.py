from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

from mvpc.model import InstalledFlatpak, InstalledPackage
from mvpc.report import Contents, sbom_json
from mvpc.report.sbom import purl
from mvpc.testing import NOON
from tests.unit.test_releases import A_FLATPAK
from tests.unit.test_software_trial import CATALOGUE

SERIAL = UUID("3e671687-395b-41f5-a30f-a58921a69b79")
PACKAGES = (
    InstalledPackage("qpdf", "12.2.0-1", "amd64"),
    InstalledPackage("libstdc++6", "14.2.0-19", "amd64"),
    InstalledPackage("libstdc++6", "14.2.0-19", "i386"),
    InstalledPackage("openssh-server", "1:10.0p1-7+b1", "amd64"),
)


def a_document(**fields: Any) -> Any:
    values = {"name": "nb-1", "kind": "device", "os": "debian-13", "packages": PACKAGES}
    return json.loads(sbom_json(Contents(**{**values, **fields}), CATALOGUE, made_at=NOON, serial=SERIAL))


def test_it_follows_the_main_rules_of_the_published_schema():
    # http://cyclonedx.org/schema/bom-1.6.schema.json: required fields, patterns, unique bom-refs.
    found = a_document()
    assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", found["serialNumber"])
    assert found["metadata"]["timestamp"] == "2026-11-23T12:00:00Z"
    references = [each["bom-ref"] for each in [found["metadata"]["component"], *found["components"]]]
    assert len(set(references)) == len(references) == 6
    assert all({"type", "name"} <= each.keys() for each in found["components"])


def test_every_package_is_listed_once_with_version_and_architecture():
    rows = [
        (each["name"], each["version"], each["properties"][0]["value"])
        for each in a_document(packages=PACKAGES * 2)["components"]
        if each["type"] == "library"
    ]
    assert rows == sorted((each.name, each.version, each.architecture) for each in PACKAGES)


def test_licences_are_those_of_the_catalogue_and_no_others():
    found = {each["name"]: each.get("licenses") for each in a_document()["components"]}
    assert (found["qpdf"], found["openssh-server"]) == ([{"expression": "MIT"}], None)


def test_a_flatpak_is_listed_with_its_version_commit_and_licence_and_so_is_its_runtime():
    flatpaks = (
        InstalledFlatpak("org.a.A", "1.2", "0123456789ab", "x86_64", "stable", "mv", is_runtime=False),
        InstalledFlatpak("org.b.B", "", "ba9876543210", "x86_64", "24", "mv", is_runtime=True),
    )
    catalogue = {**CATALOGUE, "reader": A_FLATPAK}
    text = sbom_json(
        Contents(name="nb-1", kind="device", os="debian-13", packages=(), flatpaks=flatpaks),
        catalogue,
        made_at=NOON,
        serial=SERIAL,
    )
    _, app, runtime = json.loads(text)["components"]
    assert (app["type"], app["name"], app["version"], app["licenses"]) == (
        *("application", "org.a.A", "1.2"),
        [{"expression": "MIT"}],
    )
    assert {each["name"]: each["value"] for each in app["properties"]} == {
        "mvpc:architecture": "x86_64",
        "mvpc:flatpak:branch": "stable",
        "mvpc:flatpak:commit": "0123456789ab",
        "mvpc:flatpak:remote": "mv",
    }
    assert (runtime["type"], runtime["version"], "licenses" in runtime) == ("framework", "ba9876543210", False)


def test_addresses_of_packages_are_encoded_as_the_standard_says():
    # package-url specification, character encoding: everything but letters, digits, `.-_~` and `:`.
    assert purl(PACKAGES[3], "debian-13") == (
        "pkg:deb/debian/openssh-server@1:10.0p1-7%2Bb1?arch=amd64&distro=debian-13"
    )
    assert purl(PACKAGES[1], "ubuntu-24.04").startswith("pkg:deb/ubuntu/libstdc%2B%2B6@14.2.0-19?")
