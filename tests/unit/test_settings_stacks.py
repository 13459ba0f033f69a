from __future__ import annotations

from pathlib import Path

from mvpc.errors import SecretError
from mvpc.profiles import Codes
from mvpc.settings import Profiles, Side, check, compare, effective

WIFI = "wifi: {networks: {guest: {ssid: G, security: sae, psk: {secret: wifi/guest-psk}}}}\n"
PRODUCT = """\
name: X
function: pdf
licence: MIT
source: https://x.example/
description: x
packages: [xx]
verify: [{argv: [x]}]
"""


def build(root: Path, files: dict[str, str]) -> Profiles:
    for name, text in files.items():
        path = root / "profiles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Profiles(root)


def codes(hostname: str, *, ressort: str = "fm") -> Codes:
    return Codes(workplace="standard", ressort=ressort, authority="zdmv", hostname=hostname)


def missing(name: str) -> None:
    raise SecretError(f"secret {name} cannot be read", hint="Store it")


def test_a_check_counts_layers_and_distinct_stacks(tmp_path: Path):
    profiles = build(tmp_path, {"base.yml": "", "ressorts/fm.yml": ""})
    report = check(profiles, [codes("nb-1"), codes("nb-2"), codes("nb-3", ressort="im")])
    assert (report.layers, report.stacks, report.problems) == (2, 2, ())


def test_a_check_finds_what_is_wrong_in_every_stack_once(tmp_path: Path):
    files = {
        "base.yml": "vpn: {mtu: 1}\n",
        "ressorts/fm.yml": "vpn: {tunnel: x}\n",
        "ressorts/jm.yml": "a: [\n",
        "catalogue/x.yml": "name: x\n",
    }
    report = check(build(tmp_path, files), [codes("nb-1"), codes("nb-2"), codes("nb-3", ressort="im")])
    places = [problem.where for problem in report.problems]
    assert "profiles/ressorts/jm.yml:2" in places
    assert places == sorted(places)
    assert len(set(report.problems)) == len(report.problems)
    repaired = build(tmp_path, {"catalogue/x.yml": PRODUCT})
    assert [str(problem).partition(": m")[0] for problem in check(repaired, [codes("nb-1")]).problems] == [
        "profiles/base.yml:1: vpn.mtu",
        "profiles/ressorts/fm.yml:1: vpn.tunnel",
        "profiles/ressorts/jm.yml:2: this is not valid YAML.",
    ]


def test_a_check_names_secrets_that_are_missing_but_only_when_asked(tmp_path: Path):
    profiles = build(tmp_path, {"base.yml": f"\n{WIFI}"})
    assert check(profiles, [codes("nb-1")]).problems == ()
    assert [str(problem) for problem in check(profiles, [codes("nb-1")], secrets=missing).problems] == [
        "profiles/base.yml:2: wifi.networks.guest.psk.secret: secret wifi/guest-psk cannot be read. Store it."
    ]


def test_effective_settings_include_defaults_and_say_so(tmp_path: Path):
    profiles = build(tmp_path, {"base.yml": "lock: [vpn.mtu]\nvpn: {mtu: 1400}\n"})
    values = {each.path: each for each in effective(profiles.of(**codes("nb-1")))}
    assert (values["vpn.mtu"].value, values["vpn.mtu"].place) == (1400, "profiles/base.yml:2")
    assert str(values["vpn.mtu"].lock) == "('vpn.mtu', Source(file='profiles/base.yml', line=1))"
    assert (values["vpn.tunnel"].value, values["vpn.tunnel"].place) == ("full", "default")
    assert "vpn.gateway" not in values


def test_a_comparison_groups_devices_by_the_same_difference(tmp_path: Path):
    old = build(tmp_path / "old", {"base.yml": "vpn: {mtu: 1400}\n", "devices/nb-9.yml": "vpn: {mtu: 1300}\n"})
    new = build(tmp_path / "new", {"base.yml": "\nvpn: {mtu: 1350}\n", "devices/nb-9.yml": "vpn: {mtu: 1300}\n"})
    found = compare(old, new, [codes("nb-2"), codes("nb-1"), codes("nb-9")])
    (difference,) = found
    assert difference.path == "vpn.mtu"
    assert difference.old == Side(1400, "profiles/base.yml:1")
    assert difference.new == Side(1350, "profiles/base.yml:2")
    assert found[difference] == ("nb-1", "nb-2")


def test_a_value_that_only_moved_changes_nothing(tmp_path: Path):
    old = build(tmp_path / "old", {"base.yml": "vpn: {mtu: 1400}\n"})
    new = build(tmp_path / "new", {"base.yml": "", "ressorts/fm.yml": "# moved\nvpn: {mtu: 1400}\n"})
    assert compare(old, new, [codes("nb-1")]) == {}


def test_what_appears_and_what_falls_back_to_its_default_is_a_difference(tmp_path: Path):
    old = build(tmp_path / "old", {"base.yml": "vpn: {mtu: 1400}\n"})
    new = build(tmp_path / "new", {"base.yml": "software: {x: present}\n", "catalogue/x.yml": PRODUCT})
    found = {each.path: (each.old, each.new) for each in compare(old, new, [codes("nb-1")])}
    assert found == {
        "software.x.state": (Side(None), Side("present", "profiles/base.yml:1")),
        "vpn.mtu": (Side(1400, "profiles/base.yml:1"), Side(1380, "default")),
    }


def test_other_packages_of_a_chosen_product_are_a_difference(tmp_path: Path):
    files = {"base.yml": "software: {x: present}\n", "ressorts/im.yml": "software: {x: absent}\n"}
    old = build(tmp_path / "old", {**files, "catalogue/x.yml": PRODUCT})
    new = build(tmp_path / "new", {**files, "catalogue/x.yml": PRODUCT.replace("[xx]", "[xx, yy]")})
    (difference,) = compare(old, new, [codes("nb-1")])
    assert (difference.path, difference.old.value, difference.new.value) == ("catalogue.x.packages", "xx", "xx, yy")
