from __future__ import annotations

from pathlib import Path

import pytest

from mvpc.errors import InputError, Problem
from mvpc.model import Source
from mvpc.profiles import Layers, flatten, in_order, merge, read_layer, stray_files

FOLDERS = "Layers are base.yml and files in workplaces/, ressorts/, authorities/, devices/"
DEVICE = {"workplace": "mobile", "ressort": "fm", "authority": "fa-schwerin", "hostname": "nb-000123"}


def build(root: Path, **files: str) -> Path:
    """Write `base="..."` to profiles/base.yml and `ressorts__fm="..."` to profiles/ressorts/fm.yml."""
    for name, text in files.items():
        path = root / "profiles" / f"{name.replace('__', '/').replace('_', '-')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def problems(error: InputError) -> list[str]:
    return [str(problem) for problem in error.problems]


def test_layers_are_found_in_the_order_of_precedence(tmp_path: Path):
    build(tmp_path, base="", workplaces__mobile="", ressorts__fm="", authorities__fa_schwerin="", devices__nb_000123="")
    assert list(Layers(tmp_path).stack(**DEVICE)) == [
        "profiles/base.yml",
        "profiles/workplaces/mobile.yml",
        "profiles/ressorts/fm.yml",
        "profiles/authorities/fa-schwerin.yml",
        "profiles/devices/nb-000123.yml",
    ]


def test_only_the_base_layer_must_exist(tmp_path: Path):
    build(tmp_path, base="", ressorts__im="")
    assert Layers(tmp_path).stack(**DEVICE) == ("profiles/base.yml",)


def test_a_project_without_base_layer_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"profiles/base\.yml: the file does not exist"):
        Layers(tmp_path).stack(**DEVICE)


@pytest.mark.parametrize("code", ["../fm", "FM", "", "a/b", ".."])
def test_a_code_cannot_leave_its_folder(tmp_path: Path, code: str):
    with pytest.raises(InputError, match="cannot be the name of a layer"):
        Layers(build(tmp_path, base="")).stack(**(DEVICE | {"ressort": code}))


def test_each_file_is_read_once_and_each_stack_merged_once(tmp_path: Path):
    layers = Layers(build(tmp_path, base="vpn: {mtu: 1380}"))
    first = layers.merged(layers.stack(**DEVICE))
    (tmp_path / "profiles" / "base.yml").write_text("broken: [")
    assert layers.merged(layers.stack(**(DEVICE | {"hostname": "nb-000124"}))) is first


def test_problems_of_all_layers_come_at_once(tmp_path: Path):
    layers = Layers(build(tmp_path, base="a: NO\n", ressorts__fm="b: [\n"))
    with pytest.raises(InputError) as caught:
        layers.merged(layers.stack(**DEVICE))
    assert [problem.where for problem in caught.value.problems] == ["profiles/base.yml:1", "profiles/ressorts/fm.yml:2"]


@pytest.mark.parametrize("text", ["lock: vpn", "lock: []", "lock: [vpn, vpn]", "lock: [1]", "lock: {vpn: true}"])
def test_a_lock_is_a_list_of_different_paths(tmp_path: Path, text: str):
    root = build(tmp_path, base=f"\n{text}\n")
    with pytest.raises(InputError, match=r"profiles/base\.yml:2: lock: must be a list of different paths"):
        read_layer(root / "profiles" / "base.yml", root=root)


def test_a_layer_is_a_map(tmp_path: Path):
    root = build(tmp_path, base="- vpn\n")
    with pytest.raises(InputError, match=r"profiles/base\.yml:1: a layer must be a map"):
        read_layer(root / "profiles" / "base.yml", root=root)


def test_a_value_is_explained_with_everyone_that_it_overrode(tmp_path: Path):
    layers = Layers(build(tmp_path, base="vpn: {tunnel: full}", ressorts__fm="\nvpn: {tunnel: split}"))
    origin = layers.merged(layers.stack(**DEVICE)).origins["vpn", "tunnel"]
    assert (origin.value, str(origin.source)) == ("split", "profiles/ressorts/fm.yml:2")
    assert origin.overrides == (("full", Source("profiles/base.yml", 1)),)


def test_a_component_is_flattened_to_paths_and_values(tmp_path: Path):
    text = "wifi: {networks: {guest: {psk: {secret: wifi/guest-psk}}}}\nvpn: {mtu: 1380}"
    layers = Layers(build(tmp_path, base=text))
    assert flatten(layers.merged(layers.stack(**DEVICE)), "wifi") == {
        "wifi.networks.guest.psk.secret": "wifi/guest-psk"
    }


def test_a_path_that_nobody_wrote_stands_where_it_would_belong(tmp_path: Path):
    root = build(tmp_path, base="vpn:\n  dns:\n    servers: {10.0.0.1: present}\n")
    merged = merge([read_layer(root / "profiles" / "base.yml", root=root)])
    assert str(merged.place(("vpn", "dns", "domains"))) == "profiles/base.yml:2"
    assert str(merged.place(("wifi", "networks"))) == "profiles/base.yml:1"


def test_problems_come_once_and_by_line_number():
    given = [Problem("b.yml:2", "x"), Problem("a.yml:10", "x"), Problem("a.yml:9", "x"), Problem("b.yml:2", "x")]
    assert [problem.where for problem in in_order(given)] == ["a.yml:9", "a.yml:10", "b.yml:2"]


def test_files_that_hold_for_nobody_are_reported(tmp_path: Path):
    build(tmp_path, base="", ressorts__fm="", ressorts__fmm="", workplaces__mobil="", devices__nb_9="", places__x="")
    for name in (
        "ressorts/IM.yml",
        "ressorts/jm.yaml",
        "extra.yml",
        "README.md",
        "ressorts/.fm.yml.swp",
        "schema.json",
        "catalogue/x.yml",
    ):
        path = tmp_path / "profiles" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    found = stray_files(tmp_path, ressorts={"fm", "im"}, authorities=set(), devices={"nb-1"})
    unused, misnamed = "no device uses this file", "no device uses a file of this name"
    assert [(problem.where, problem.what, problem.hint) for problem in found] == [
        (
            "profiles/devices/nb-9.yml:1",
            f"{unused}: the inventory (mvpc device list) has no nb-9",
            "Perhaps nb-1 is meant",
        ),
        ("profiles/extra.yml:1", unused, FOLDERS),
        ("profiles/places/x.yml:1", unused, FOLDERS),
        ("profiles/ressorts/IM.yml:1", misnamed, "Name it CODE.yml, in lower case"),
        ("profiles/ressorts/fmm.yml:1", f"{unused}: inventory/organisation.yml has no fmm", "Perhaps fm is meant"),
        ("profiles/ressorts/jm.yaml:1", misnamed, "Name it CODE.yml, in lower case"),
        (
            "profiles/workplaces/mobil.yml:1",
            f"{unused}: mvpc (standard, mobile, performance, special) has no mobil",
            "Perhaps mobile is meant",
        ),
    ]


def test_device_layers_are_not_compared_with_an_unknown_inventory(tmp_path: Path):
    build(tmp_path, base="", devices__nb_9="")
    assert stray_files(tmp_path, ressorts=(), authorities=(), devices=None) == []
