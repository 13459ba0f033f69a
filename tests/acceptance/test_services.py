"""Central services asked from a real laptop: reachable, answering badly, stopped, and with a wrong certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin
from tests.acceptance.certificates import Certificate, authority, issue
from tests.serving import serving

pytestmark = NEEDS_LAB

CONTROLLER = "10.118.0.1"
PORT = 8443
FILES = f"""\
name: Akte
kind: web
function: records
description: Electronic files.
url: https://{CONTROLLER}:{PORT}/
certificates: [/etc/mvpc/pki/lab-ca.pem]
reach: https://{CONTROLLER}:{PORT}/health
reach_status: [200]
reach_seconds: 60
"""
CLOUD = """\
name: Cloud
kind: web
function: files
description: Files of the state.
url: https://cloud.nowhere.example/
reach_seconds: 5
"""
TRUST = """\
name: Internal authority
function: encryption
licence: Zlib
source: https://pki.mv.example/
description: The certificate that programs on the laptop must trust.
packages: [ca-certificates]
files:
  - path: /etc/mvpc/pki/lab-ca.pem
    format: plain
    content: |
%s
verify:
  - {argv: [test, -r, /etc/mvpc/pki/lab-ca.pem]}
"""
LAYER = "software: {akte: present, cloud-nowhere: present, internal-authority: present}\n"


class Service(BaseHTTPRequestHandler):
    """Answers with `status`."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def service(certificate: Certificate, *, status: int = 200) -> AbstractContextManager[str]:
    """The service, on the controller's side of the lab's network."""
    Service.status = status
    return serving(Service, CONTROLLER, PORT, certificate=certificate)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def ours(pki: Path) -> Certificate:
    return authority(pki, "ours")


@pytest.fixture(scope="module")
def good(pki: Path, ours: Certificate) -> Certificate:
    return issue(ours, pki, "good", usage="serverAuth", subject=CONTROLLER)


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, ours: Certificate) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="svc", addresses="10.118.0.0/25") as person:
        catalogue = person.root / "profiles/catalogue"
        (catalogue / "akte.yml").write_text(FILES)
        (catalogue / "cloud-nowhere.yml").write_text(CLOUD)
        pem = "".join(f"      {line}\n" for line in ours.certificate.read_text().splitlines())
        (catalogue / "internal-authority.yml").write_text(TRUST % pem.rstrip("\n"))
        (person.root / "profiles/devices").mkdir(exist_ok=True)
        (person.root / "profiles/devices/lab-01.yml").write_text(LAYER)
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.boot(1)
        person.mvpc("rollout", "--device", "lab-01", "--yes")
        yield person


def asked(admin: Admin) -> str:
    """The screen of the laptop after it was asked now, in one line."""
    return " ".join(admin.mvpc("status", "lab-01", "--live").split())


def test_a_reachable_service_is_told_as_such_with_the_internal_authority_of_the_profile(
    admin: Admin, good: Certificate
):
    with service(good):
        screen = asked(admin)
    assert "Akte reachable (asked just now)" in screen
    assert "Cloud NOT reachable since " in screen
    assert ": name unknown (" in screen
    assert "Next: Cloud: see whether its tunnel is up, then compare its name servers" in screen


def test_the_records_say_it_without_asking_again(admin: Admin, good: Certificate):
    with service(good):
        asked(admin)
    assert "Akte reachable (asked " in admin.mvpc("status", "lab-01")
    services = {each["name"]: each for each in admin.json("status")["services"]}
    assert (services["Akte"]["reachable"], services["Akte"]["not_reachable"]) == (1, 0)
    assert services["Cloud"]["why"] == {"name unknown": 1}


def test_a_service_that_answers_badly_is_told_with_its_answer(admin: Admin, good: Certificate):
    with service(good, status=503):
        assert ": answered 503 (asked just now)" in asked(admin)


def test_a_stopped_service_keeps_the_time_since_which_it_is_away(admin: Admin, good: Certificate):
    with service(good, status=503):
        asked(admin)
    before = {each["name"]: each for each in admin.json("status", "lab-01")["services"]}
    assert "Akte NOT reachable since " in asked(admin)
    after = {each["name"]: each for each in admin.json("status", "lab-01")["services"]}
    assert (before["Akte"]["state"], after["Akte"]["state"]) == ("status", "refused")
    assert before["Akte"]["since"] == after["Akte"]["since"] < after["Akte"]["at"]


def test_a_certificate_of_another_authority_is_not_trusted(admin: Admin, pki: Path):
    wrong = issue(authority(pki, "theirs"), pki, "wrong", usage="serverAuth", subject=CONTROLLER)
    with service(wrong):
        screen = asked(admin)
    assert "Akte NOT reachable since " in screen
    assert ": certificate not trusted (" in screen


def test_asking_for_software_asks_for_services_too(admin: Admin, good: Certificate):
    with service(good):
        told = admin.json("software", "ask", "--device", "lab-01")
    assert {each["product"]: each["error"][:27] for each in told["failed"]} == {
        "cloud-nowhere": "not reachable: name unknown"
    }
    assert "Akte reachable" in admin.mvpc("status", "lab-01")


def test_an_ordinary_question_asks_no_service(admin: Admin):
    before = admin.json("status", "lab-01")["services"]
    admin.mvpc("plan", "--device", "lab-01")
    assert admin.json("status", "lab-01")["services"] == before
