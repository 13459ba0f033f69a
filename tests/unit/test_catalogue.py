from __future__ import annotations

from pathlib import Path

import pytest

from mvpc.catalogue import load_catalogue
from mvpc.errors import InputError

PROJECT = Path(__file__).parents[2]
GOOD = """\
name: CUPS
function: printing
licence: Apache-2.0
description: Printing on network printers.
packages: [cups, cups-client]
units: [cups.service]
"""


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


def test_a_product_has_packages_and_units(tmp_path: Path):
    product = load_catalogue(write(tmp_path, cups=GOOD))["cups"]
    assert product.packages_for("debian-13") == ("cups", "cups-client")
    assert product.units == ("cups.service",)


def test_packages_may_be_called_differently_on_a_release(tmp_path: Path):
    text = GOOD + "releases: {debian-12: [cups-old], ubuntu-24.04: []}\n"
    product = load_catalogue(write(tmp_path, cups=text))["cups"]
    assert product.packages_for("debian-12") == ("cups-old",)
    assert product.packages_for("ubuntu-24.04") == ()
    assert product.packages_for("debian-13") == ("cups", "cups-client")


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
        ("[cups, cups-client]", "[cups, 'a b']", "x.yml:5: packages.1: must be a name of a Debian package"),
        ("[cups, cups-client]", "cups", "x.yml:5: packages: must be a list. Write `[one, two]`"),
        (
            "[cups.service]",
            "[cups]",
            "x.yml:6: units.0: must be a full name of a systemd unit. For example: cups.service",
        ),
        ("printing", '""', "x.yml:2: function: must be one line of text"),
        ("printing", '"a\\nb"', "x.yml:2: function: must be one line of text"),
        ("CUPS", "[x]", "x.yml:1: name: must be text"),
        ("Apache-2.0", "free & easy", "x.yml:3: licence: must be an SPDX licence expression"),
    ],
)
def test_a_wrong_entry_is_refused_at_its_line(tmp_path: Path, old: str, new: str, said: str):
    write(tmp_path, x=GOOD.replace(old, new, 1))
    assert problems(tmp_path)[0].startswith(said)


def test_a_file_of_another_name_is_refused(tmp_path: Path):
    folder = write(tmp_path, cups=GOOD) / "profiles" / "catalogue"
    (folder / "Okular.yaml").write_text(GOOD)
    assert problems(tmp_path)[0].startswith("Okular.yaml:1: a file of the catalogue is called PRODUCT.yml")


def test_the_sample_catalogue_is_valid_and_says_what_each_product_is_for():
    catalogue = load_catalogue(PROJECT)
    assert {"cups", "libreoffice", "qpdf", "keepassxc"} <= catalogue.keys()
    assert all(product.packages and product.function and product.description for product in catalogue.values())
