from __future__ import annotations

from pathlib import Path

import pytest

from mvpc.catalogue import Choice, load_catalogue
from mvpc.errors import InputError
from mvpc.settings import Profile, Profiles, effective
from mvpc.software.missing import missing_products
from mvpc.testing import a_device

HEAD = "name: X\nfunction: pdf\nlicence: MIT\nsource: https://x.example/\ndescription: x\nverify: [{argv: [x]}]\n"
CATALOGUE = {
    "okular": HEAD + "packages: [okular]\ndesktop: okular.desktop\nopens: [application/pdf]\n",
    "evince": HEAD + "packages: [evince]\nreplaces: [okular]\n",
    "firefox": HEAD
    + "packages: [firefox-esr]\nsettings:\n"
    + "  homepage: {type: url, description: Page.}\n"
    + "  depth: {type: integer, minimum: 1, maximum: 9, default: 3, description: Depth.}\n"
    + "  mode: {type: choice, choices: [a, b], default: a, description: Mode.}\n"
    + "  marks: {type: urls, description: Marks.}\n",
    "viewer": HEAD + "packages: [viewer]\ndesktop: viewer.desktop\nopens: [image/tiff, application/pdf]\n",
    "flat": HEAD + "kind: flatpak\napp: org.x.X\nremote: mv\ndesktop: org.x.X.desktop\nopens: [application/pdf]\n",
    "snap": HEAD + "packages: [snap]\nreleases: {ubuntu-24.04: []}\n",
    "rival": HEAD + "packages: [rival]\nconflicts: [firefox]\n",
    "akte": "name: A\nkind: web\nfunction: records\ndescription: a\nurl: https://akte.example/\nrequires: [firefox]\n",
    "card": "name: C\nkind: web\nfunction: records\ndescription: c\nurl: https://c.example/\nsmart_card: true\n",
    "reader": HEAD.replace("function: pdf", "function: smart cards") + "packages: [opensc]\n",
    "kit": "name: K\nkind: kit\ndescription: k\nproducts: [firefox, okular]\n",
    "other-kit": "name: K\nkind: kit\ndescription: k\nproducts: [evince]\n",
}


def profile(root: Path, base: str, ressort: str = "") -> Profile:
    """What a laptop gets when base.yml and ressorts/fm.yml say this below `software`."""
    for name, text in CATALOGUE.items():
        path = root / "profiles" / "catalogue" / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "profiles" / "ressorts").mkdir()
    for file, text in {"base": base, "ressorts/fm": ressort}.items():
        (root / "profiles" / f"{file}.yml").write_text(text, encoding="utf-8")
    return Profiles(root).of(workplace="standard", ressort="fm", authority="zdmv", hostname="nb-1")


def software(root: Path, base: str, ressort: str = "") -> dict[str, Choice]:
    return dict(profile(root, _layer(base), _layer(ressort)).settings.software)


def problems(root: Path, base: str, ressort: str = "") -> list[str]:
    with pytest.raises(InputError) as caught:
        software(root, base, ressort)
    return [str(problem).replace("profiles/", "") for problem in caught.value.problems]


def _layer(software: str) -> str:
    return f"software:\n  {software}\n" if software else ""


def states(choices: dict[str, Choice]) -> dict[str, str | None]:
    return {name: choice.state for name, choice in choices.items()}


# --- states and settings ---------------------------------------------------------------------


def test_present_is_short_for_a_state_and_layers_can_mix_both_forms(tmp_path: Path):
    found = software(tmp_path, "firefox: present", "firefox: {depth: 5}")
    assert states(found) == {"firefox": "present"}
    assert found["firefox"].settings["depth"] == 5


def test_a_product_that_is_present_has_all_its_defaults(tmp_path: Path):
    settings = software(tmp_path, "firefox: present")["firefox"].settings
    assert settings == {"homepage": None, "depth": 3, "mode": "a", "marks": None}


def test_settings_alone_choose_nothing(tmp_path: Path):
    found = software(tmp_path, "firefox: {homepage: 'https://www.mv.example/'}")
    assert states(found) == {"firefox": None}


def test_a_map_of_a_setting_adds_up_over_layers(tmp_path: Path):
    found = software(
        tmp_path,
        "firefox: {state: present, marks: {one: 'https://1.example/'}}",
        "firefox: {marks: {two: 'https://2.example/'}}",
    )
    assert sorted(found["firefox"].settings["marks"]) == ["one", "two"]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("firefox: {depth: 10}", "base.yml:2: software.firefox.depth: must be at most 9."),
        ("firefox: {depth: '3'}", "base.yml:2: software.firefox.depth: must be a whole number."),
        ("firefox: {dept: 3}", "base.yml:2: software.firefox.dept: unknown key. Perhaps depth is meant."),
        ("firefox: {mode: c}", "base.yml:2: software.firefox.mode: must be 'a' or 'b'."),
        ("firefox: {homepage: 'file:///etc'}", "base.yml:2: software.firefox.homepage: must be an http or https"),
        ("firefox: [present]", "base.yml:2: software.firefox.state: must be 'present' or 'absent'."),
        ("akte: {url: javascript}", "base.yml:2: software.akte.url: must be an http or https address"),
        ("kit: {depth: 3}", "base.yml:2: software.kit.depth: unknown key. Known here: state."),
        ("okular: {autostart: 1}", "base.yml:2: software.okular.autostart: must be true or false."),
        ("firefox: {autostart: true}", "base.yml:2: software.firefox.autostart: unknown key."),
        (
            "firefox: {version: {debian-13: newest}}",
            "base.yml:2: software.firefox.version.debian-13: must be a whole version of a Debian package",
        ),
        ("firefox: {version: {debian-11: '1'}}", "base.yml:2: software.firefox.version.debian-11: must be one of"),
        ("akte: {version: {debian-13: '1'}}", "base.yml:2: software.akte.version: unknown key."),
        ("firefx: present", "base.yml:2: software.firefx: not in the catalogue. Perhaps firefox is meant."),
    ],
)
def test_what_a_product_does_not_know_is_refused_at_its_line(tmp_path: Path, choice: str, said: str):
    assert problems(tmp_path, choice)[0].startswith(said)


# --- kits ------------------------------------------------------------------------------------


def test_a_kit_brings_its_products_with_the_settings_that_layers_give_them(tmp_path: Path):
    found = software(tmp_path, "firefox: {depth: 5}", "kit: present")
    assert states(found) == {"firefox": "present", "kit": "present", "okular": "present"}
    assert (found["firefox"].kit, found["firefox"].settings["depth"]) == ("kit", 5)


def test_what_a_layer_says_of_a_product_itself_beats_every_kit(tmp_path: Path):
    assert states(software(tmp_path, "okular: absent", "kit: present"))["okular"] == "absent"


def test_a_kit_that_is_absent_brings_nothing(tmp_path: Path):
    assert states(software(tmp_path, "kit: present", "kit: absent")) == {"kit": "absent"}


def test_explain_names_the_kit_and_the_line_that_chose_it(tmp_path: Path):
    values = {each.path: each for each in effective(profile(tmp_path, "software: {kit: present}"))}
    assert values["software.okular.state"].place == "profiles/base.yml:1"
    assert values["software.okular.kit"].value == "kit"
    assert values["software.firefox.depth"].place == "default"


# --- replaces, conflicts, requires -----------------------------------------------------------


def test_a_product_takes_the_place_of_one_that_a_layer_above_chose(tmp_path: Path):
    found = software(tmp_path, "okular: present", "evince: present")
    assert states(found) == {"evince": "present", "okular": "absent"}
    assert found["okular"].replaced_by == "evince"


def test_a_replaced_product_is_removed_even_if_no_layer_names_it(tmp_path: Path):
    assert states(software(tmp_path, "evince: present")) == {"evince": "present", "okular": "absent"}


def test_a_product_that_is_named_beats_one_that_a_kit_brings(tmp_path: Path):
    found = states(software(tmp_path, "", "kit: present\n  evince: present"))
    assert (found["evince"], found["okular"]) == ("present", "absent")


def test_explain_says_who_took_the_place(tmp_path: Path):
    found = profile(tmp_path, "software: {okular: present}", "software: {evince: present}")
    state = next(each for each in effective(found) if each.path == "software.okular.state")
    assert (state.value, state.place) == ("absent", "profiles/ressorts/fm.yml:1")
    assert state.origin is not None
    assert [(value, str(place)) for value, place in state.origin.overrides] == [("present", "profiles/base.yml:1")]


@pytest.mark.parametrize(
    ("base", "ressort", "said"),
    [
        (
            "okular: present\n  evince: present",
            "",
            (
                "base.yml:2: software.okular.state: evince, chosen by base.yml:3, takes its place. "
                "Write evince: absent beside it."
            ),
        ),
        (
            "evince: present",
            "okular: present",
            (
                "ressorts/fm.yml:2: software.okular.state: evince, chosen by base.yml:2, takes its place. "
                "Write evince: absent beside it."
            ),
        ),
        (
            "firefox: present",
            "rival: present",
            (
                "ressorts/fm.yml:2: software.rival.state: rival conflicts with firefox, chosen by base.yml:2. "
                "Switch one of them off."
            ),
        ),
        (
            "akte: present",
            "",
            "base.yml:2: software.akte.state: akte needs firefox. Write firefox: present, or akte: absent.",
        ),
        (
            "okular: {state: present, preferred: true}",
            "viewer: {state: present, preferred: true}",
            (
                "ressorts/fm.yml:2: software.viewer.preferred: okular, preferred by base.yml:2, opens application/pdf "
                "as well. Write preferred: false for one of them."
            ),
        ),
        (
            "flat: {state: present, preferred: true}",
            "viewer: {state: present, preferred: true}",
            (
                "ressorts/fm.yml:2: software.viewer.preferred: flat, preferred by base.yml:2, opens application/pdf "
                "as well. Write preferred: false for one of them."
            ),
        ),
    ],
)
def test_choices_that_do_not_go_together_name_both_places(tmp_path: Path, base: str, ressort: str, said: str):
    assert problems(tmp_path, base, ressort) == [said]


def test_a_service_with_a_card_needs_any_product_that_reads_one(tmp_path: Path):
    said = "base.yml:2: software.card.state: card needs a product for smart cards."
    assert problems(tmp_path, "card: present")[0].startswith(said)


def test_a_service_with_a_card_is_content_with_a_reader(tmp_path: Path):
    assert states(software(tmp_path, "card: present\n  reader: present"))["card"] == "present"


# --- locks -----------------------------------------------------------------------------------


def test_a_setting_of_a_product_can_be_locked(tmp_path: Path):
    with pytest.raises(InputError, match=r"software\.firefox\.homepage: locked by profiles/base\.yml:1"):
        profile(
            tmp_path,
            "lock: [software.firefox.homepage]\nsoftware: {firefox: present}\n",
            "software: {firefox: {homepage: 'https://x.example/'}}\n",
        )


@pytest.mark.parametrize("lock", ["software.firefx", "software.firefox.hompage"])
def test_a_lock_on_what_no_product_has_is_refused(tmp_path: Path, lock: str):
    with pytest.raises(InputError, match="no setting is called"):
        profile(tmp_path, f"lock: [{lock}]\n")


# --- releases --------------------------------------------------------------------------------


def test_a_version_for_a_release_without_the_product_is_refused_at_its_line(tmp_path: Path):
    said = problems(tmp_path, 'snap: {state: present, version: {debian-13: "1.0-1", ubuntu-24.04: "1.0-1"}}')
    assert said == [
        "base.yml:2: software.snap.version.ubuntu-24.04: snap has no packages for ubuntu-24.04. Remove the version."
    ]


def test_a_version_without_its_release_is_refused_with_an_example(tmp_path: Path):
    assert problems(tmp_path, 'snap: {state: present, version: "1.0-1"}') == [
        'base.yml:2: software.snap.version: must say for which release. Write version: {debian-13: "12.2.0-1"}.'
    ]


def test_a_product_that_a_laptop_cannot_have_is_said_at_the_line_that_chose_it(tmp_path: Path):
    found = profile(tmp_path, _layer("kit: present"), _layer("snap: present"))
    ubuntu, debian = a_device("nb-1", os="ubuntu-24.04"), a_device("nb-2", os="debian-13")
    catalogue = load_catalogue(tmp_path)
    assert [str(each) for each in missing_products(ubuntu, found, catalogue)] == [
        (
            "profiles/ressorts/fm.yml:2: software.snap.state: snap has no packages for ubuntu-24.04, which nb-1 has. "
            "Write snap: absent for such laptops, or add the packages to profiles/catalogue/snap.yml."
        )
    ]
    assert [*missing_products(debian, found, catalogue)] == []
