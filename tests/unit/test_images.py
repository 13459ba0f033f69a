"""Image definitions, and where their packages come from."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from mvpc.errors import InputError, LabError, NotFoundError
from mvpc.images import Archive, ImageDefinition, build, find_image, load_definition
from mvpc.images.mmdebstrap import bootstrap
from mvpc.images.recipe import recipe_for
from mvpc.images.system import files
from mvpc.lab.onscreen import NEEDED

GOOD = """\
suite: trixie
packages: [systemd-sysv, openssh-server, python3, sudo]
accounts:
  mvpc-admin: {sudo: nopasswd}
"""
SHIPPED = sorted((Path(__file__).parents[2] / "images").glob("*/image.yml"))
OWN = ["http://deb.example/debian/ bookworm main", "http://deb.example/debian-security/ bookworm-security main"]


def definition(tmp_path: Path, text: str = GOOD, name: str = "standard") -> ImageDefinition:
    folder = tmp_path / "images" / name
    folder.mkdir(parents=True)
    (folder / "image.yml").write_text(text)
    return load_definition(folder)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        definition(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


def sources(image: ImageDefinition, targets: list[str]) -> tuple[Archive, ...]:
    return recipe_for(image, targets=targets, architecture="amd64").sources


def test_the_folder_gives_the_image_its_name_and_the_rest_has_defaults(tmp_path):
    image = definition(tmp_path, name="training-room")

    assert (image.name, image.os, image.variant, image.locale, image.mirror) == (
        "training-room",
        "debian-13",
        "minbase",
        "C.UTF-8",
        None,
    )


def test_the_shipped_standard_image_is_valid():
    image = load_definition(Path(__file__).parents[2] / "images" / "standard")

    assert image.mirror is None
    assert image.accounts["mvpc-admin"].sudo == "nopasswd"


@pytest.mark.parametrize(
    "text", [GOOD, *(path.read_text() for path in SHIPPED)], ids=["any", *(path.parent.name for path in SHIPPED)]
)
def test_every_image_has_what_a_laptop_makes_its_key_with_and_shows_it(tmp_path, text):
    needed = {"openssl", "qrencode", "tpm2-openssl", "tpm2-tools"}
    assert needed <= {*definition(tmp_path, text).all_packages}


def test_unknown_keys_and_wrong_values_are_all_reported_with_their_lines(tmp_path):
    text = GOOD.replace("suite: trixie", "suite: sid\ncolour: blue").replace("nopasswd", "always")

    assert problems(tmp_path, text) == [
        "images/standard/image.yml:1: suite: input should be 'bookworm' or 'trixie'.",
        "images/standard/image.yml:5: accounts.mvpc-admin.sudo: input should be 'nopasswd' or 'none'.",
        "images/standard/image.yml:2: colour is not known.",
    ]


def test_a_rejected_value_is_never_shown(tmp_path):
    assert "hunter2" not in str(problems(tmp_path, GOOD + "password: hunter2\n"))


@pytest.mark.parametrize("name", ["rm -rf", "-o=x", "Upper", "a,b"])
def test_package_names_that_apt_would_take_for_something_else_are_refused(tmp_path, name):
    text = GOOD.replace("sudo]", f'sudo, "{name}"]')

    assert problems(tmp_path, text)[0].startswith(
        "images/standard/image.yml:2: packages.4: this is no name of a Debian package"
    )


DESK = "desk: {address: mvpc.mv.example, host_key: ecdsa-sha2-nistp384 AAAA}\n"


def test_an_image_with_a_desk_brings_what_a_laptop_needs_at_its_first_boot(tmp_path):
    plain, with_desk = definition(tmp_path), definition(tmp_path, GOOD + DESK, name="other")
    brought = files(with_desk, ()).keys() - files(plain, ()).keys()

    assert brought == {"usr/local/lib/mvpc/enrol.py", "etc/systemd/system/mvpc-enrol.service"}
    assert "mvpc.mv.example" in files(with_desk, ())["usr/local/lib/mvpc/enrol.py"][0]


def test_a_desk_is_an_address_and_a_host_key_and_nothing_else(tmp_path):
    wrong = GOOD + DESK.replace("mvpc.mv.example", "-oProxyCommand=x").replace("AAAA}", "AAAA comment, token: t}")
    said = problems(tmp_path, wrong)

    assert [each.partition(": ")[2] for each in said] == [
        "desk.address: this is no hostname and no IP address.",
        "desk.host_key: a host key is its kind and its base64 text, as in ssh_host_ecdsa_key.pub without the comment.",
        "desk.token is not known.",
    ]


def test_a_package_that_mvpc_cannot_do_without_is_asked_for(tmp_path):
    text = GOOD.replace("python3, ", "")

    assert problems(tmp_path, text) == [
        "images/standard/image.yml:2: packages lacks python3, without which mvpc cannot manage the laptop. Add python3."
    ]


def test_a_locale_needs_its_package(tmp_path):
    text = GOOD + "locale: de_DE.UTF-8\n"

    assert problems(tmp_path, text)[0].startswith("images/standard/image.yml:5: locale de_DE.UTF-8 needs")


def test_a_name_in_the_file_is_refused(tmp_path):
    assert "The folder gives the image its name" in problems(tmp_path, GOOD + "name: other\n")[0]


def test_an_image_that_does_not_exist_names_those_that_do(tmp_path):
    definition(tmp_path)
    with pytest.raises(NotFoundError, match=r"no image named stndard\. Images here: standard"):
        load_definition(tmp_path / "images" / "stndard")


def test_the_controllers_own_archive_serves_the_suite_of_the_image(tmp_path):
    assert sources(definition(tmp_path), OWN) == (
        Archive("http://deb.example/debian", ("trixie", "trixie-updates")),
        Archive("http://deb.example/debian-security", ("trixie-security",)),
    )


def test_the_date_of_a_frozen_archive_is_cut_off_since_it_may_be_older_than_the_suite(tmp_path):
    frozen = [
        "http://snap.example/archive/debian/20250520T000000Z/ bookworm main",
        "http://snap.example/archive/debian-security/20250520T000000Z/ bookworm-security main",
    ]

    assert [source.uri for source in sources(definition(tmp_path), frozen)] == [
        "http://snap.example/debian",
        "http://snap.example/debian-security",
    ]


def test_sources_that_are_not_debian_are_passed_over(tmp_path):
    others = ["https://node.example/node_20.x/ nodistro main", "http://ubuntu.example/ubuntu/ noble main"]

    assert sources(definition(tmp_path), others + OWN) == sources(definition(tmp_path / "again"), OWN)


def test_a_controller_without_debian_asks_for_a_mirror_in_the_definition(tmp_path):
    with pytest.raises(LabError, match="mirror: https://") as caught:
        sources(definition(tmp_path), ["http://ubuntu.example/ubuntu/ noble main"])
    assert caught.value.problems[0].where == "images/standard/image.yml"


def test_a_mirror_of_the_definition_wins(tmp_path):
    image = definition(tmp_path, GOOD + 'mirror: "https://apt.mv.example/debian/"\n')

    assert [source.uri for source in sources(image, OWN)] == [
        "https://apt.mv.example/debian",
        "http://deb.example/debian-security",
    ]


@pytest.mark.parametrize("url", ["ftp://apt.example/debian", "http://apt.example/debian bullseye", "/srv/mirror"])
def test_a_mirror_must_be_one_http_address(tmp_path, url):
    assert problems(tmp_path, GOOD + f'mirror: "{url}"\n')[0].startswith(
        "images/standard/image.yml:5: mirror: this is no single http"
    )


def test_the_image_says_that_only_keys_log_in_and_that_each_laptop_makes_its_own_identity(tmp_path):
    image = definition(tmp_path)
    written = files(image, sources(image, OWN))

    assert written["etc/machine-id"] == ("", 0o444)
    assert "PasswordAuthentication no" in written["etc/ssh/sshd_config.d/50-image.conf"][0]
    assert written["etc/sudoers.d/50-mvpc-admin"] == ("mvpc-admin ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)


def test_an_account_without_sudo_gets_no_sudo_rule(tmp_path):
    image = definition(tmp_path, GOOD + "  guest: {}\n")

    assert "etc/sudoers.d/50-guest" not in files(image, sources(image, OWN))


def test_the_digest_changes_with_the_definition_the_archive_and_the_architecture(tmp_path):
    image = definition(tmp_path)
    more = definition(tmp_path / "more", GOOD.replace("sudo]", "sudo, less]"))
    here = recipe_for(image, targets=OWN, architecture="amd64").digest

    assert here == recipe_for(image, targets=OWN, architecture="amd64").digest
    assert here != recipe_for(more, targets=OWN, architecture="amd64").digest
    assert here != recipe_for(image, targets=OWN, architecture="arm64").digest
    assert here != recipe_for(image, targets=["http://other.example/debian bookworm main"], architecture="amd64").digest


@pytest.mark.parametrize(
    ("desktop", "session", "log_in"), [("gnome", "gnome-shell", "gdm3"), ("kde", "plasma-desktop", "sddm")]
)
def test_a_desktop_brings_its_session_and_a_log_in_screen(tmp_path, desktop, session, log_in):
    plain = definition(tmp_path)
    image = definition(tmp_path / "more", f"{GOOD}desktop: {desktop}\n")

    assert {session, log_in, *plain.all_packages} <= {*image.all_packages}
    assert len(image.all_packages) == len({*image.all_packages})


def test_a_desktop_changes_the_digest_and_none_does_not(tmp_path):
    def digest(place: str, text: str) -> str:
        return recipe_for(definition(tmp_path / place, text), targets=OWN, architecture="amd64").digest

    assert digest("a", GOOD) == digest("b", f"{GOOD}desktop: none\n")
    assert len({digest(name, f"{GOOD}desktop: {name}\n") for name in ("none", "gnome", "kde")}) == 3


def test_another_desktop_is_refused(tmp_path):
    assert problems(tmp_path, f"{GOOD}desktop: xfce\n") == [
        "images/standard/image.yml:5: desktop: input should be 'none', 'gnome' or 'kde'."
    ]


def test_the_shipped_desktop_image_is_valid_and_has_somebody_to_log_in():
    image = load_definition(Path(__file__).parents[2] / "images" / "desktop")

    assert image.desktop == "gnome"
    assert [account.sudo for name, account in image.accounts.items() if name != "mvpc-admin"] == ["none"]
    assert {*NEEDED.values()} <= {*image.packages}


ARCHIVE_OF_BAD_DAYS = """
attempts=$(cat attempts 2>/dev/null; echo .); echo "$attempts" >attempts
mkdir rootfs || exit 17
[ "$(wc -l <attempts)" -gt "$1" ] && exit 0
echo "E: $2"; exit 25
"""
"""mmdebstrap, which fails so often before all goes well."""


def bootstrapped(folder: Path, monkeypatch: pytest.MonkeyPatch, *, failures: int, reason: str) -> int:
    """How many attempts a bootstrap took; raises LabError when it failed."""
    argv = ["sh", "-c", f"cd {folder}; {ARCHIVE_OF_BAD_DAYS}", "sh", str(failures), reason]
    monkeypatch.setattr("mvpc.images.mmdebstrap._arguments", lambda *_: argv)
    monkeypatch.setattr("mvpc.images.mmdebstrap.PAUSE_S", 0)
    image = definition(folder)
    bootstrap(recipe_for(image, targets=OWN, architecture="amd64"), folder / "rootfs", log=folder / "log")
    return len((folder / "attempts").read_text().splitlines())


NOT_FETCHED = "Failed to fetch http://deb.example/x.deb  503  Service Unavailable"


def test_an_archive_that_fails_for_a_moment_is_asked_again(tmp_path, monkeypatch):
    assert bootstrapped(tmp_path, monkeypatch, failures=2, reason=NOT_FETCHED) == 3


@pytest.mark.parametrize(("reason", "attempts"), [(NOT_FETCHED, 3), ("Unable to locate package no-such-package", 1)])
def test_what_does_not_go_well_by_asking_again_is_reported(tmp_path, monkeypatch, reason, attempts):
    with pytest.raises(LabError, match=f"mmdebstrap failed: {reason}"):
        bootstrapped(tmp_path, monkeypatch, failures=9, reason=reason)
    assert len((tmp_path / "attempts").read_text().splitlines()) == attempts


def test_many_may_ask_for_an_image_that_is_there_while_another_asks_too(tmp_path, monkeypatch):
    image = definition(tmp_path)
    recipe = recipe_for(image, targets=OWN, architecture="amd64")
    building = import_module("mvpc.images.build")
    for name, told in (("check_requirements", None), ("apt_targets", OWN), ("architecture", "amd64")):
        monkeypatch.setattr(building, name, lambda told=told: told)
    target = tmp_path / "built" / "standard"
    target.mkdir(parents=True)
    (target / "image.json").write_text(json.dumps({"name": "standard", "os": image.os, "digest": recipe.digest}))
    said: list[str] = []

    with building._locked(building._beside(target, "lock")):
        build(image, target, on_step=said.append)
    assert said == ["image standard is up to date"]


def test_an_image_that_was_not_built_says_how_to_build_it(tmp_path):
    with pytest.raises(NotFoundError, match="mvpc image build standard"):
        find_image(tmp_path / "standard")
