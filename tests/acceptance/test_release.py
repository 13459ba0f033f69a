"""Versions that go from ring to ring on real laptops: what pilot proved is what broad gets, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin
from tests.acceptance.repository import COMPANION, PACKAGE, Repository, Signer, a_signer, served

pytestmark = NEEDS_LAB

CONTROLLER, PORT = "10.118.0.129", 8088
PILOT, BROAD = "lab-01", "lab-02"
RINGS = f"""
[[rollout.ring]]
name = "pilot"
percent = 50
devices = ["{PILOT}"]
[[rollout.ring]]
name = "broad"
percent = 100
devices = ["{BROAD}"]
"""
HELLO = f"""\
name: Hello
function: data
licence: Zlib
source: https://hello.example/
description: A program of the site itself.
packages: [{PACKAGE}]
verify:
  - {{argv: [{PACKAGE}], output: '^{PACKAGE} '}}
"""
LAYER = """\
base:
  apt:
    sources:
      lab:
        url: %s
        suite: ./
        key: |
%s
software: {hello: present}
"""


def indented(key: str) -> str:
    """A key as it stands in a layer."""
    return "\n".join(f"          {line}".rstrip() for line in key.splitlines())


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    with a_signer(tmp_path_factory.mktemp("key") / "ours") as made:
        yield made


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Repository:
    made = Repository(tmp_path_factory.mktemp("archive") / "lab")
    made.offer(["1.0"], signer)
    return made


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, repository: Repository, signer: Signer) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="rel", addresses="10.118.0.128/25") as person:
        with (person.root / "mvpc.toml").open("a") as config:
            config.write(RINGS)
        (person.root / "profiles/catalogue/hello.yml").write_text(HELLO)
        layers = person.root / "profiles/devices"
        layers.mkdir(exist_ok=True)
        for name in (PILOT, BROAD):
            (layers / f"{name}.yml").write_text(LAYER % (f"http://{CONTROLLER}:{PORT}/lab", indented(signer.public)))
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.boot(2)
        person.mvpc("secret", "set", "wifi/guest-psk", answer="correct horse battery staple\n")
        with served(repository.folder.parent, CONTROLLER, PORT):
            yield person


def versions(admin: Admin) -> dict[str, str]:
    """Laptop -> version of the package and of what it brings along, as its own dpkg says."""
    said = admin.on_all(f"dpkg-query -Wf '${{Version}} ' {PACKAGE} {COMPANION}")
    return {name: text.strip() for name, text in said.items()}


def update(admin: Admin, laptop: str) -> None:
    """What automatic updates do."""
    admin.on(laptop, "sudo apt-get -qq update && sudo apt-get -qqy dist-upgrade >/dev/null", timeout_s=900)


def let_lists_age(admin: Admin, laptop: str) -> None:
    """Some hours later."""
    admin.on(laptop, "sudo touch -d '7 hours ago' /var/lib/mvpc/apt-updated")


def pin(admin: Admin, laptop: str, version: str) -> None:
    """Let the laptop's own layer hold a version."""
    layer = admin.root / f"profiles/devices/{laptop}.yml"
    held = f"hello: {{state: present, version: {{debian-13: '{version}'}}}}"
    layer.write_text(re.sub(r"hello: (?:present|\{.*?\}\})", held, layer.read_text()))


def error(admin: Admin) -> str:
    """Why the component software failed in a rollout to the pilot laptop."""
    results = admin.json("rollout", "--device", PILOT, "--yes", expect=3)["rollout"]["results"]
    return next(str(each["error"]) for each in results if each["component"] == "software")


def test_without_a_release_laptops_get_what_the_source_of_their_profile_has(admin: Admin):
    admin.mvpc("rollout", "--all", "--yes")
    assert versions(admin) == {PILOT: "1.0 1.0", BROAD: "1.0 1.0"}


def test_a_release_is_written_from_what_the_ring_before_runs(admin: Admin):
    told = admin.json("software", "release", "broad", "--name", "Spring")
    assert told["proved"] == {"ring": "pilot", "rollout": 1, "laptops": 1, "of": 1}
    assert told["versions"]["debian-13"]["hello"] == {PACKAGE: "1.0", COMPANION: "1.0"}
    assert f'      {PACKAGE}: "1.0"\n' in (admin.root / "profiles/releases/broad.yml").read_text()
    admin.mvpc("rollout", "--all", "--yes")


def test_updates_leave_held_laptops_alone(admin: Admin, repository: Repository, signer: Signer):
    repository.offer(["1.0", "1.1"], signer)
    update(admin, PILOT)
    update(admin, BROAD)
    assert versions(admin) == {PILOT: "1.1 1.1", BROAD: "1.0 1.0"}
    assert admin.json("rollout", "--all", "--yes")["plan"]["changes"] == []


def test_what_no_source_has_any_more_is_said_before_anything_is_touched(
    admin: Admin, repository: Repository, signer: Signer
):
    admin.mvpc("software", "release", "broad")
    repository.offer(["1.2"], signer)
    let_lists_age(admin, BROAD)
    before = admin.newest_rollout()
    said = admin.mvpc("rollout", "--all", "--yes", expect=2)
    line = admin.json("plan", "--no-ask", "--device", BROAD)["changes"][0]["source"]
    assert f"{line}: hello: no package source of {BROAD} has {PACKAGE} 1.1." in said
    assert "snapshot mirror" in said
    assert admin.newest_rollout() == before
    assert versions(admin)[BROAD] == "1.0 1.0"


def test_broad_gets_exactly_what_pilot_proved_although_there_is_something_newer(
    admin: Admin, repository: Repository, signer: Signer
):
    repository.offer(["1.0", "1.1", "1.2"], signer)
    let_lists_age(admin, BROAD)
    plan = admin.json("plan", "--all")
    assert {each["device"] for each in plan["changes"]} == {BROAD}
    edits = {each["path"]: (each["old"], each["new"]) for group in plan["edits"].values() for each in group}
    assert edits[f"release.hello.{PACKAGE}"] == ("1.0", "1.1")
    admin.mvpc("rollout", "--all", "--yes")
    update(admin, BROAD)
    assert versions(admin) == {PILOT: "1.1 1.1", BROAD: "1.1 1.1"}


def test_why_a_laptop_has_its_version_is_said_with_the_line(admin: Admin):
    said = admin.mvpc("plan", "--why", BROAD)
    assert "for versions it counts as ring broad: release " in said
    assert "proved by ring pilot after rollout 1" in said
    assert "hello 1.1  profiles/releases/broad.yml:" in said
    assert "it has what its mirror has" in admin.mvpc("plan", "--why", PILOT)


def test_what_does_not_work_on_the_ring_before_is_not_released(admin: Admin):
    before = (admin.root / "profiles/releases/broad.yml").read_text()
    admin.on(PILOT, f"sudo chmod -x /usr/bin/{PACKAGE}")
    try:
        said = admin.mvpc("software", "release", "broad", expect=2)
    finally:
        admin.on(PILOT, f"sudo chmod +x /usr/bin/{PACKAGE}")
    assert f"{PILOT}: hello does not work: " in said
    assert (admin.root / "profiles/releases/broad.yml").read_text() == before


def test_a_source_that_another_key_signs_is_refused_with_the_next_step(
    admin: Admin, repository: Repository, tmp_path: Path
):
    with a_signer(tmp_path / "theirs") as theirs:
        repository.offer(["1.3"], theirs)
    pin(admin, PILOT, "1.3")
    let_lists_age(admin, PILOT)
    said = error(admin)
    assert said.startswith(f"source http://{CONTROLLER}:{PORT}/lab is refused (")
    assert "key" in said.partition("(")[2].partition(")")[0]
    assert ": give it the key that signs it, or take it away; apt-get install: " in said
    assert f"FAILED software: source http://{CONTROLLER}" in " ".join(admin.mvpc("status", PILOT).split())


def test_a_source_that_nobody_signs_is_refused_too(admin: Admin, repository: Repository):
    repository.offer(["1.3"], None)
    pin(admin, PILOT, "1.3")
    let_lists_age(admin, PILOT)
    said = error(admin)
    assert said.startswith(f"source http://{CONTROLLER}:{PORT}/lab is refused (The repository ")
    assert "signed)" in said
    assert versions(admin)[PILOT] == "1.1 1.1"
