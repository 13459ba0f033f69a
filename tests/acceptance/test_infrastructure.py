"""Gateway and RADIUS server of the lab without any laptop: said again, after a crash, and gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mvpc.lab import Trust, missing_requirements
from mvpc.lab.journal import Journal, Kind
from mvpc.lab.servers import ServerAuthority
from tests.acceptance.admin import NEEDS_GATEWAY, Admin, an_admin
from tests.acceptance.driver import leftovers

pytestmark = NEEDS_GATEWAY

SWANCTL = "# Written by hand\nconnections {\n}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="infra", addresses="10.114.0.128/25") as person:
        yield person


@pytest.fixture
def admin(project: Admin) -> Iterator[Admin]:
    yield project
    project.mvpc("lab", "down")


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    """A device authority, and its list of revoked certificates."""
    made = ServerAuthority(tmp_path / "devices")
    made.make()
    made.write_list(tmp_path / "list")
    return Trust(authority=made.certificate.read_text(), revoked=(tmp_path / "list").read_bytes())


def processes(admin: Admin, owner: str) -> list[int]:
    entries = Journal(admin.lab.home / "journal.jsonl").entries()
    return [int(made.name) for made in entries if made.owner == owner and made.kind is Kind.PROCESS]


def killed_at(argv: list[str], admin: Admin, owner: str, number: int) -> None:
    """Start a controller, and kill it as soon as it has noted so many programs, if it lives that long."""
    controller = subprocess.Popen(argv, cwd=admin.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while controller.poll() is None and len(processes(admin, owner)) < number:
        time.sleep(0.005)
    controller.kill()
    assert controller.wait() in {0, -signal.SIGKILL}


@pytest.mark.parametrize("number", [1, 3])
def test_a_controller_killed_while_it_starts_the_gateway_leaves_nothing_after_down(admin: Admin, number: int):
    killed_at([sys.executable, "-m", "mvpc", "lab", "gateway"], admin, "gateway", number)
    admin.mvpc("lab", "down")
    assert leftovers(admin.lab) == []


def test_what_a_killed_controller_began_is_made_whole_by_the_next(admin: Admin):
    killed_at([sys.executable, "-m", "mvpc", "lab", "gateway"], admin, "gateway", 2)
    told = admin.json("lab", "gateway")
    assert len(processes(admin, "gateway")) == 4
    assert admin.json("lab", "gateway") == told, "said again, nothing changes"


def test_a_gateway_with_a_dead_program_is_started_anew_under_the_same_authority(admin: Admin):
    told = admin.json("lab", "gateway")
    authority = Path(told["authority"]).read_bytes()
    os.kill(processes(admin, "gateway")[0], signal.SIGKILL)
    again = admin.json("lab", "gateway")
    assert again["public_key"] != told["public_key"]
    assert Path(again["authority"]).read_bytes() == authority


def test_strongswan_takes_a_folder_and_says_which_files_are_missing(admin: Admin, trust: Trust):
    folder = admin.root / "known-files/swanctl"
    for name, content in (
        ("conf.d/mvpc.conf", SWANCTL.encode()),
        ("x509ca/mvpc-devices.pem", trust.authority.encode()),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    said = admin.mvpc("lab", "gateway", "known-files", expect=2)
    assert "lack x509crl/mvpc-devices.crl" in said and "mvpc vpn gateway -o" in said
    (folder / "x509crl").mkdir()
    (folder / "x509crl/mvpc-devices.crl").write_bytes(trust.revoked)
    admin.mvpc("lab", "gateway", "known-files")
    gateway = admin.lab.raise_gateway()
    assert "CN=vpn.mv.example" in gateway.swanctl("--list-certs")
    assert "CN=mvpc lab servers" in gateway.swanctl("--list-certs", "--type", "x509_crl")


@pytest.mark.skipif("hostapd" in missing_requirements("air"), reason="the RADIUS server needs hostapd")
def test_the_radius_server_is_started_anew_with_other_names_and_keeps_its_secret(admin: Admin, trust: Trust):
    first = admin.lab.raise_radius(["radius.mv.example"], trust)
    before = processes(admin, "radius")
    second = admin.lab.raise_radius(["radius.fm.mv.example"], trust)
    assert len(before) == len(processes(admin, "radius")) == 1 and before != processes(admin, "radius")
    assert first.secret == second.secret
    shown = subprocess.run(
        ["openssl", "x509", "-in", admin.lab.home / "radius/server.pem", "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "DNS:radius.fm.mv.example" in shown.stdout
    admin.mvpc("lab", "down")
    assert leftovers(admin.lab) == []
