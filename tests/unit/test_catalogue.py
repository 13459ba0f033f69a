from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mvpc.catalogue import FUNCTIONS, Kit, PackagedProduct, Verify, WebService, example, load_catalogue, place_in
from mvpc.errors import InputError
from mvpc.render.software.trial import template_problems

PROJECT = Path(__file__).parents[2]
GOOD = """\
name: CUPS
function: printing
licence: Apache-2.0
source: https://openprinting.github.io/cups/
description: Printing on network printers.
packages: [cups, cups-client]
units: [cups.service]
verify: [{argv: [lpstat, -r]}]
"""
SETTINGS = GOOD + "settings:\n  depth: {type: integer, minimum: 1, maximum: 9, default: 3, description: How deep.}\n"


def write(root: Path, **files: str) -> Path:
    folder = root / "profiles" / "catalogue"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return root


def problems(root: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_catalogue(root)
    return [str(problem).removeprefix("profiles/catalogue/") for problem in caught.value.problems]


def product(root: Path, text: str) -> PackagedProduct:
    found = load_catalogue(write(root, cups=text))["cups"]
    assert isinstance(found, PackagedProduct)
    return found


def test_a_product_has_packages_and_units(tmp_path: Path):
    found = product(tmp_path, GOOD)
    assert found.packages_for("debian-13") == ("cups", "cups-client")
    assert found.units == ("cups.service",)


def test_packages_may_be_called_differently_on_a_release(tmp_path: Path):
    found = product(tmp_path, GOOD + "releases: {debian-12: [cups-old], ubuntu-24.04: []}\n")
    assert found.packages_for("debian-12") == ("cups-old",)
    assert found.packages_for("ubuntu-24.04") == ()
    assert found.packages_for("debian-13") == ("cups", "cups-client")


def test_packages_of_a_language_come_with_it_and_only_where_the_product_exists(tmp_path: Path):
    found = product(tmp_path, GOOD + "releases: {ubuntu-24.04: []}\nlocales: {de: [cups-de], pl: [cups-pl]}\n")
    assert found.packages_for("debian-13", ("de",)) == ("cups", "cups-client", "cups-de")
    assert found.packages_for("ubuntu-24.04", ("de",)) == ()


def test_a_project_without_catalogue_has_no_products(tmp_path: Path):
    assert load_catalogue(tmp_path) == {}


def test_every_problem_of_every_file_is_found(tmp_path: Path):
    write(tmp_path, a=GOOD.replace("licence: Apache-2.0", "license: Apache-2.0"), b="name: 1.10\n", c="- x\n")
    assert problems(tmp_path) == [
        "a.yml:1: licence: is missing. Add it.",
        "a.yml:3: license: unknown key. Perhaps licence is meant.",
        "b.yml:1: YAML reads this as a decimal number and would drop zeros at its end, as in 1.10. Put it in quotes.",
        "c.yml:1: must be a map. Write `key: value` lines below it.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[cups, cups-client]", "[cups, 'a b']", "x.yml:6: packages.1: must be a name of a Debian package"),
        ("[cups, cups-client]", "cups", "x.yml:6: packages: must be a list. Write `[one, two]`"),
        ("[cups.service]", "[cups]", "x.yml:7: units.0: must be a full name of a systemd unit"),
        ("function: printing", "function: print", "x.yml:2: function: must be 'office', 'mail'"),
        ("CUPS", "[x]", "x.yml:1: name: must be text"),
        ("Apache-2.0", "free & easy", "x.yml:3: licence: must be an SPDX licence expression"),
        ("Apache-2.0", "Apache-2", "x.yml:3: licence: must be an SPDX licence expression"),
        ("https://openprinting.github.io/cups/", "ftp://x", "x.yml:4: source: must be an http or https address"),
        ("[{argv: [lpstat, -r]}]", "[]", "x.yml:8: verify: must have at least 1 entry. Add what is missing"),
        ("argv: [lpstat, -r]", "argv: [lpstat], output: '('", "x.yml:8: verify.0.output: is no regular expression"),
        ("units:", "kind: snap\nunits:", "x.yml:7: kind: must be one of package, flatpak, web, kit"),
        ("units:", "pins: [lp]\nunits:", "x.yml:7: pins: lp is none of its packages"),
        ("units:", "opens: [application/pdf]\nunits:", "x.yml:7: opens: needs desktop"),
        ("units:", "conflicts: [cupps]\nunits:", "x.yml:7: conflicts.0: cupps is not in the catalogue"),
        ("units:", "replaces: [x]\nunits:", "x.yml:7: replaces.0: names the product itself"),
        ("units:", "releases: {debian-14: [cups]}\nunits:", "x.yml:7: releases.debian-14: must be one of debian-12"),
        (
            "units:",
            "files: [{path: /home/anna/x, format: json, content: '{}'}]\nunits:",
            "x.yml:7: files.0.path: must be a path below /etc, /opt, /usr/share or /usr/lib",
        ),
        (
            "units:",
            "files: [{path: /etc/../home/x, format: json, content: '{}'}]\nunits:",
            "x.yml:7: files.0.path: must be a path below /etc, /opt, /usr/share or /usr/lib",
        ),
    ],
)
def test_a_wrong_entry_is_refused_at_its_line(tmp_path: Path, old: str, new: str, said: str):
    write(tmp_path, x=GOOD.replace(old, new, 1))
    assert problems(tmp_path)[0].startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("default: 3", "default: 10", "default: is no value that a profile could give"),
        ("default: 3", "default: three", "default: is no value that a profile could give"),
        ("type: integer", "type: number", "type: must be 'boolean', 'integer'"),
        ("type: integer", "type: text", "default: is no value that a profile could give"),
        ("minimum: 1, maximum: 9", "pattern: '('", "pattern: is no regular expression for a text"),
        ("default: 3", "choices: [a]", "choices: belongs to type choice"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, said: str):
    write(tmp_path, x=SETTINGS.replace(old, new, 1))
    assert problems(tmp_path)[0].startswith(f"x.yml:10: settings.depth.{said}")


@pytest.mark.parametrize("name", ["state", "services", "copy"])
def test_a_setting_cannot_take_a_name_that_means_something_else(tmp_path: Path, name: str):
    write(tmp_path, x=SETTINGS.replace("depth:", f"{name}:"))
    assert problems(tmp_path) == [f"x.yml:10: settings.{name}: this name is taken by mvpc. Use another one."]


def test_two_products_cannot_replace_each_other(tmp_path: Path):
    write(tmp_path, a=GOOD + "replaces: [b]\n", b=GOOD + "replaces: [a]\n")
    assert problems(tmp_path)[0] == "a.yml:9: replaces.0: b replaces a as well. Keep one of the two."


def test_a_file_of_another_name_is_refused(tmp_path: Path):
    folder = write(tmp_path, cups=GOOD) / "profiles" / "catalogue"
    (folder / "Okular.yaml").write_text(GOOD)
    assert problems(tmp_path)[0].startswith("Okular.yaml:1: a file of the catalogue is called PRODUCT.yml")


def test_a_check_accepts_what_it_asks_for_and_nothing_else():
    check = Verify(argv=("x",), exit=1, output="^ready")
    assert check.accepts(1, "so\nready\n")
    assert not check.accepts(0, "ready")
    assert not check.accepts(1, "not ready")


def test_the_place_of_a_key_is_found(tmp_path: Path):
    assert str(place_in(write(tmp_path, cups=SETTINGS), "cups", ("settings", "depth", "default"))) == (
        "profiles/catalogue/cups.yml:10"
    )


@pytest.mark.parametrize(
    ("format_", "content", "said"),
    [
        ("json", '{"a": {{ depth }}', ":14: files.0.content: the result is no JSON"),
        ("json", '{"a": {{ dept }}}', ":15: files.0.content: 'dept' is undefined"),
        ("plain", "{{ depth }}\n      {{ dept }}", ":16: files.0.content: 'dept' is undefined"),
        ("xml", "<a>{{ depth }}</b>", ":14: files.0.content: the result is no XML"),
        ("plain", "a\n      {% if depth %}", ":16: files.0.content: Unexpected end of template"),
        ("plain", "{{ none }}", ":15: files.0.content: the template fails (TypeError)"),
        ("plain", "{{ ''.__class__ }}", ":15: files.0.content: access to attribute '__class__'"),
    ],
)
def test_a_template_that_fails_is_named_before_a_laptop_needs_it(tmp_path: Path, format_: str, content: str, said: str):
    root = write(tmp_path, cups=SETTINGS + _files(format_, content))
    (found,) = template_problems(root, load_catalogue(root))
    assert said in str(found)


def _files(format_: str, content: str) -> str:
    return f"files:\n- path: /etc/x\n  format: {format_}\n  content: |\n      {content}\n"


# --- the samples -----------------------------------------------------------------------------


def test_the_sample_catalogue_is_valid_and_every_template_fills():
    catalogue = load_catalogue(PROJECT)
    assert list(template_problems(PROJECT, catalogue)) == []
    assert len([each for each in catalogue.values() if isinstance(each, PackagedProduct)]) >= 20
    assert {"e-akte", "video", "serviceportal", "cloud"} <= {
        name for name, each in catalogue.items() if isinstance(each, WebService)
    }
    assert any(isinstance(each, Kit) for each in catalogue.values())


def test_the_sample_catalogue_has_something_for_every_function():
    catalogue = load_catalogue(PROJECT)
    assert {each.function for each in catalogue.values() if isinstance(each, PackagedProduct | WebService)} == {
        *FUNCTIONS
    }


# --- examples --------------------------------------------------------------------------------


REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("name", load_catalogue(REPOSITORY))
def test_everything_that_an_example_offers_can_be_written_in_a_layer(name: str):
    product = load_catalogue(REPOSITORY)[name]
    text = example(name, product)
    assert yaml.safe_load(text) == {"software": {name: {"state": "present"}}}
    everything = yaml.safe_load(re.sub("^    # ", "    ", text, flags=re.MULTILINE))["software"][name]
    assert everything.keys() == product.choice_model.model_fields.keys()
    product.choice_model.model_validate(everything)


def test_an_example_says_what_a_setting_is_without_it():
    text = example("firefox", load_catalogue(REPOSITORY)["firefox"])
    assert re.search(r'^    # proxy: "system" +# default$', text, re.MULTILINE)
    assert re.search(r'^    # homepage: "https://intranet.mv.example/" +# example$', text, re.MULTILINE)
    assert re.search(r'^    # version: {"debian-13": "1.0-1"} +# exactly this version', text, re.MULTILINE)
