"""Releases: what a ring proved, as a file, and what becomes of it on the laptops of the next ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mvpc.catalogue import Choice, FlatpakProduct, PackagedProduct, Verify
from mvpc.errors import InputError
from mvpc.model import Device, File, InstalledPackage, Package, Ring
from mvpc.plan import Subject, missing_versions
from mvpc.releases import Proved, Release, ReleaseFile, load_releases, release_text
from mvpc.render.software import resources
from mvpc.rings import standing
from mvpc.settings import Settings
from mvpc.software import Pin, Prover, pins, proven_versions, wishes
from mvpc.testing import a_device, a_probe

RINGS = (Ring(name="pilot", percent=1, devices=("nb-1",), authorities=("zdmv",)), Ring(name="broad", percent=100))
NAMES = [ring.name for ring in RINGS]


def a_product(*packages: str) -> PackagedProduct:
    values: dict[str, Any] = {"name": "x", "description": "x", "function": "pdf", "licence": "MIT"}
    return PackagedProduct(
        **values, packages=packages, source="https://x.example/", verify=(Verify(argv=(packages[0],)),)
    )


A_FLATPAK = FlatpakProduct(
    kind="flatpak",
    name="x",
    description="x",
    function="pdf",
    licence="MIT",
    source="https://x.example/",
    app="org.a.A",
    remote="mv",
    verify=(Verify(argv=("flatpak", "list")),),
)
CATALOGUE = {"qpdf": a_product("qpdf"), "office": a_product("office-writer", "office-calc"), "reader": A_FLATPAK}
VERSIONS = {"debian-13": {"qpdf": {"qpdf": "12-1", "libqpdf30": "12-1"}}}
CONTENT = ReleaseFile(
    name="Spring", date="2026-11-25", proved=Proved(ring="pilot", rollout=42, laptops=5, of=6), versions=VERSIONS
)


def written(root: Path, text: str, name: str = "broad.yml") -> dict[str, Release]:
    """The releases of a project with this one file."""
    (root / "profiles/releases").mkdir(parents=True, exist_ok=True)
    (root / "profiles/releases" / name).write_text(text)
    return load_releases(root, CATALOGUE, NAMES)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return written(tmp_path, release_text("broad", CONTENT))["broad"]


def settings(**software: Any) -> Settings:
    return Settings(software={name: Choice(state="present", **fields) for name, fields in software.items()})


# --- the file --------------------------------------------------------------------------------


def test_what_is_written_is_read_again(release: Release):
    assert release.content == CONTENT


def test_a_name_cannot_break_out_of_its_line(tmp_path: Path):
    named = CONTENT.model_copy(update={"name": 'Spring "of" \\ 2026: #1'})
    assert written(tmp_path, release_text("broad", named))["broad"].content == named


def test_every_package_has_a_line_of_its_own(release: Release):
    assert str(release.place(("debian-13", "qpdf", "libqpdf30"))) == "profiles/releases/broad.yml:12"


def test_a_project_without_releases_has_none(tmp_path: Path):
    assert load_releases(tmp_path, CATALOGUE, NAMES) == {}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "braod.yml",
            "",
            "profiles/releases/braod.yml:1: A release file is called RING.yml, and there is no such ring.",
        ),
        ("broad.yaml", "", "profiles/releases/broad.yaml:1: A release file is called RING.yml"),
        ("broad.yml", 'name: "x"\ndate: "2026-02-30"\nversions: {}\n', "broad.yml:2: Date: must be a day in quotes"),
        ("broad.yml", 'name: x\ndate: "2026-11-25"\nversions: {debian-7: {}}\n', "broad.yml:3: Versions.debian-7"),
        (
            "broad.yml",
            'name: x\ndate: "2026-11-25"\nversions:\n  debian-13:\n    gpdf: {}\n',
            "broad.yml:5: Versions.debian-13.gpdf: no product with packages has this name. Perhaps qpdf is meant.",
        ),
        (
            "broad.yml",
            'name: x\ndate: "2026-11-25"\nversions:\n  debian-13:\n    qpdf:\n      qpdf: newest\n',
            "broad.yml:6: Versions.debian-13.qpdf.qpdf: must be a whole version of a Debian package",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, name: str, text: str, expected: str):
    with pytest.raises(InputError) as error:
        written(tmp_path, text, name)
    assert expected.lower() in str(error.value).lower()


# --- which ring a laptop follows ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("hostname", "authority", "ring"),
    [("nb-1", "lung", "pilot"), ("nb-2", "zdmv", "pilot"), ("nb-2", "lung", "broad")],
)
def test_a_laptop_follows_the_ring_that_names_it_and_else_the_last(hostname: str, authority: str, ring: str):
    assert standing(hostname, authority, RINGS) == ring


# --- versions of a laptop ----------------------------------------------------------------------


def held(chosen: Settings, release: Release | None, **device: Any) -> dict[str, tuple[str, str]]:
    found = pins(a_device(**device), chosen, CATALOGUE, release)
    return {each.package: (each.version, str(each.source or each.path)) for each in found}


def test_a_release_holds_the_chosen_products_with_what_they_bring_along(release: Release):
    assert held(settings(qpdf={}, office={}), release) == {
        "qpdf": ("12-1", "profiles/releases/broad.yml:13"),
        "libqpdf30": ("12-1", "profiles/releases/broad.yml:12"),
    }


def test_a_product_that_was_not_chosen_is_not_held(release: Release):
    assert held(settings(office={}), release) == {}


def test_another_operating_system_is_not_held(release: Release):
    assert held(settings(qpdf={}), release, os="debian-12") == {}


def test_what_a_profile_pins_itself_counts_before_the_release(release: Release):
    chosen = settings(qpdf={"version": {"debian-13": "11-1"}})
    assert held(chosen, release) == {"qpdf": ("11-1", "software.qpdf.version.debian-13")}


def test_apt_is_told_of_all_of_them_and_only_own_packages_are_installed(release: Release):
    parts = resources(a_device(), settings(qpdf={}), CATALOGUE, release)
    assert {each.name: each.version for each in parts if isinstance(each, Package) and each.version} == {"qpdf": "12-1"}
    [preferences] = [each.content for each in parts if isinstance(each, File) and "preferences" in each.path]
    assert "\nPackage: libqpdf30\nPin: version 12-1\nPin-Priority: 1001\n" in preferences


def test_a_report_wants_the_version_of_the_release(release: Release):
    assert wishes(a_device(), settings(qpdf={}), CATALOGUE, release)["qpdf"].version == "12-1"


# --- proof -------------------------------------------------------------------------------------


def prover(number: int, packages: Mapping[str, str], chosen: Sequence[str] = ("qpdf",), **device: Any) -> Prover:
    laptop = a_device(f"nb-{number}", **device)
    wanted = wishes(laptop, settings(**{name: {} for name in chosen}), CATALOGUE)
    source = {"libqpdf30": "qpdf"}
    rows = [InstalledPackage(name, version, "amd64", source.get(name, name)) for name, version in packages.items()]
    return Prover(device=laptop, wanted=wanted, packages=rows)


def proven(*laptops: Prover, quorum: float = 80) -> tuple[Any, list[str]]:
    versions, problems = proven_versions(laptops, quorum_percent=quorum)
    return versions, [f"{each.where}: {each.what}" for each in problems]


def test_packages_of_the_same_source_are_proved_with_the_product_and_others_are_not():
    laptop = prover(1, {"qpdf": "12-1", "libqpdf30": "12-1", "libc6": "2.41-12"})
    assert proven(laptop) == ({"debian-13": {"qpdf": {"qpdf": "12-1", "libqpdf30": "12-1"}}}, [])


def test_a_flatpak_follows_its_branch_and_is_in_no_release():
    laptop = prover(1, {"qpdf": "12-1"}, chosen=("qpdf", "reader"))
    assert proven(laptop) == ({"debian-13": {"qpdf": {"qpdf": "12-1"}}}, [])


def test_the_newest_version_that_a_quorum_has_is_proved():
    laptops = [prover(number, {"qpdf": "12.10-1"}) for number in range(1, 5)]
    assert proven(*laptops, prover(5, {"qpdf": "12.9-1"})) == ({"debian-13": {"qpdf": {"qpdf": "12.10-1"}}}, [])


def test_a_version_that_too_few_have_is_not_proved_and_laptops_are_named():
    versions, problems = proven(*(prover(number, {"qpdf": f"12.{number}-1"}) for number in (9, 10, 10)))
    assert versions == {}
    assert problems == [
        "qpdf: its laptops (debian-13) do not agree on a version: 12.9-1 on nb-9; 12.10-1 on nb-10 and 1 more"
    ]


def test_one_laptop_that_lies_holds_no_package_that_the_others_do_not_have():
    honest = [prover(number, {"qpdf": "12-1", "libqpdf30": "12-1"}) for number in (1, 2)]
    sudo = InstalledPackage("sudo", "1.8-1", "amd64", "qpdf")
    liar = replace(honest[0], device=a_device("nb-3"), packages=(*honest[0].packages, sudo))
    assert proven(*honest, liar) == ({"debian-13": {"qpdf": {"qpdf": "12-1", "libqpdf30": "12-1"}}}, [])


def test_of_a_package_that_comes_along_the_newest_version_that_a_quorum_has_is_proved():
    libraries = ("12-1", "12-1", "12-2", "12-2", "99-1")
    laptops = [prover(at, {"qpdf": "12-1", "libqpdf30": version}) for at, version in enumerate(libraries)]
    versions, _ = proven(*laptops, quorum=40)
    assert versions == {"debian-13": {"qpdf": {"qpdf": "12-1", "libqpdf30": "12-2"}}}


def test_operating_systems_prove_their_versions_apart():
    versions, _ = proven(prover(1, {"qpdf": "12-1"}), prover(2, {"qpdf": "11-1"}, os="debian-12"))
    assert versions == {"debian-12": {"qpdf": {"qpdf": "11-1"}}, "debian-13": {"qpdf": {"qpdf": "12-1"}}}


# --- versions that are gone --------------------------------------------------------------------


def subject(name: str, release: Release, on_offer: Mapping[str, bool] | None, **device: Any) -> Subject:
    laptop: Device = a_device(name, **device)
    found = pins(laptop, settings(qpdf={}), CATALOGUE, release)
    sources = {pin.path: pin.source for pin in found if pin.source}
    probe = a_probe(name, on_offer=on_offer)
    return Subject(device=laptop, ressort="fm", operator="zdmv", pins=found, sources=sources, probe=probe)


def test_a_version_that_no_source_has_is_told_once_for_its_product_with_line_and_laptops(release: Release):
    gone = [subject(f"nb-{number}", release, {"qpdf": False, "libqpdf30": False}) for number in range(1, 6)]
    [problem] = missing_versions(gone)
    assert problem.where == "profiles/releases/broad.yml:12"
    assert problem.what == "qpdf: no package source of nb-1, nb-2, nb-3 and 2 more has libqpdf30 12-1"
    assert "snapshot mirror" in problem.hint


def test_a_version_that_one_source_still_has_is_no_problem_of_the_fleet(release: Release):
    assert missing_versions([subject("nb-1", release, {"qpdf": False}), subject("nb-2", release, {"qpdf": True})]) == []


def test_laptops_that_could_not_tell_or_need_nothing_are_no_problem(release: Release):
    assert missing_versions([subject("nb-1", release, None), subject("nb-2", release, {})]) == []


def test_a_version_that_a_profile_pins_is_told_at_its_own_line():
    path = "software.qpdf.version.debian-13"
    pin = Pin(product="qpdf", package="qpdf", version="9-1", is_own=True, path=path, source=None)
    [problem] = missing_versions(
        [
            Subject(
                device=a_device("nb-1"),
                ressort="fm",
                operator="zdmv",
                pins=[pin],
                probe=a_probe("nb-1", on_offer={"qpdf": False}),
            )
        ]
    )
    assert problem.hint.endswith("or write a version that is there")
