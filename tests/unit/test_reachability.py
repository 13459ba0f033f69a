"""Central services: what a laptop finds out, how it says so, and what becomes of it."""

from __future__ import annotations

import errno
import json
import socket
import ssl
import subprocess
import sys
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from mvpc.catalogue import Choice, WebService
from mvpc.device.converge.machine import Ran
from mvpc.device.converge.request import Survey, read_order
from mvpc.device.converge.services import services
from mvpc.device.converge.software import APART
from mvpc.device.converge.words import Refused
from mvpc.device.reachability import connect, of_error, reached
from mvpc.device.services import parse_services, services_request
from mvpc.model import Reachability
from mvpc.settings import Settings
from mvpc.software import ServiceQuestion, service_questions
from tests.acceptance.certificates import Certificate, authority, issue
from tests.serving import serving


class Answering(BaseHTTPRequestHandler):
    """Answers with the status code that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.rpartition("/")[2].partition("?")[0]))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def service(certificate: Certificate | None = None) -> AbstractContextManager[str]:
    """A web server on this machine; its address without the path."""
    return serving(Answering, "localhost", certificate=certificate)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def ours(folder: Path) -> Certificate:
    return authority(folder, "ours")


def question(url: str, *, certificates: tuple[str, ...] = (), **fields: Any) -> ServiceQuestion:
    values = {"product": "e-akte", "name": "E-Akte", "statuses": (200, 302), "smart_card": False, "seconds": 5}
    return ServiceQuestion(**{**values, **fields}, url=url, certificates=certificates)


def asked(url: str, **fields: Any) -> tuple[str, str]:
    return reached(question(url, **fields).model_dump())


# --- on the laptop ---------------------------------------------------------------------------


def test_a_service_with_a_certificate_of_our_authority_is_reachable(folder: Path, ours: Certificate):
    with service(issue(ours, folder, "good", usage="serverAuth", subject="localhost")) as address:
        assert asked(f"{address}/200", certificates=(str(ours.certificate),)) == ("reachable", "")


def test_a_certificate_without_key_identifiers_is_as_good_as_it_is_for_browsers(monkeypatch: pytest.MonkeyPatch):
    strict = ssl.create_default_context()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of Python 3.13
    monkeypatch.setattr("mvpc.device.reachability.ssl.create_default_context", lambda: strict)
    connect("https", "localhost", 443, question("https://localhost/").model_dump())
    assert not strict.verify_flags & ssl.VERIFY_X509_STRICT


def test_a_redirection_is_an_answer_and_is_not_followed():
    with service() as address:
        assert asked(f"{address}/302?to=500") == ("reachable", "")


def test_another_status_code_is_told():
    with service() as address:
        assert asked(f"{address}/503") == ("status", "503")


def test_a_certificate_of_another_authority_is_not_trusted(folder: Path, ours: Certificate):
    theirs = authority(folder, "theirs")
    with service(issue(theirs, folder, "bad", usage="serverAuth", subject="localhost")) as address:
        state, detail = asked(f"{address}/200", certificates=(str(ours.certificate),))
    assert (state, detail) == ("untrusted", "unable to get local issuer certificate")


def test_a_certificate_for_another_name_is_not_trusted(folder: Path, ours: Certificate):
    with service(issue(ours, folder, "other", usage="serverAuth", subject="other.mv.example")) as address:
        state, detail = asked(f"{address}/200", certificates=(str(ours.certificate),))
    assert (state, detail[:17]) == ("untrusted", "Hostname mismatch")


def test_a_laptop_without_the_certificate_of_the_authority_says_which_file_it_lacks(folder: Path, ours: Certificate):
    with service(issue(ours, folder, "good", usage="serverAuth", subject="localhost")) as address:
        said = asked(f"{address}/200", certificates=("/etc/mvpc/pki/no-such.pem",))
    assert said == ("untrusted", "/etc/mvpc/pki/no-such.pem is not on the laptop")


def test_a_stopped_service_is_one_where_nobody_listens():
    with service() as address:
        pass
    assert asked(f"{address}/200") == ("refused", "")


def test_a_service_that_hangs_is_given_up_after_its_time():
    with socket.create_server(("localhost", 0)) as silent:
        address = f"http://localhost:{silent.getsockname()[1]}"
        assert asked(f"{address}/", seconds=1) == ("silent", "within 1 s")


def test_what_speaks_no_tls_is_no_proper_answer():
    with service() as address:
        assert asked(f"{address.replace('http', 'https')}/200") == ("broken", "wrong version number")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(-2, "Name or service not known"), ("name-unknown", "Name or service not known")),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), ("no-route", "")),
        (OSError(errno.EHOSTUNREACH, "No route to host"), ("no-route", "")),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), ("broken", "Connection reset by peer")),
    ],
)
def test_an_error_of_the_network_says_where_the_way_ends(error: OSError, expected: tuple[str, str]):
    assert of_error(question("https://akte.mv.example/").model_dump(), error) == expected


def test_a_service_that_wants_the_certificate_of_a_card_is_there():
    wants = ssl.SSLError(1, "alert")
    wants.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    with_card = question("https://akte.mv.example/", smart_card=True).model_dump()
    assert of_error(with_card, wants) == ("reachable", "")
    assert of_error({**with_card, "smart_card": False}, wants)[0] == "broken"


def test_all_services_are_asked_by_one_program_and_one_that_hangs_costs_the_others_nothing():
    with service() as address, socket.create_server(("localhost", 0)) as silent:
        questions = (
            question(f"{address}/200"),
            question(f"http://localhost:{silent.getsockname()[1]}/", product="cloud", seconds=1),
        )
        text = services_request(questions)["program"]
        done = subprocess.run([sys.executable, "-I", "-"], input=text, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"e-akte": ["reachable", ""], "cloud": ["silent", "within 1 s"]}


class Laptop:
    """A laptop on which the program ends as given."""

    def __init__(self, ran: Ran) -> None:
        self.ran = ran

    def run(self, argv: list[str], *, stdin: str, **_: object) -> Ran:
        assert tuple(argv[: len(APART)]) == APART
        assert (argv[-3:], stdin) == (["python3", "-I", "-"], "PROGRAM")
        return self.ran


@pytest.mark.parametrize(
    ("ran", "expected"),
    [
        (Ran(0, "{}\n"), {"said": "{}\n", "error": ""}),
        (Ran(1, "", "no python\nmore"), {"said": "", "error": "no python"}),
        (Ran(124), {"said": "", "error": "not done within 7 s"}),
    ],
)
def test_the_program_runs_as_an_ordinary_account_and_what_it_said_is_passed_on(ran: Ran, expected: dict[str, str]):
    assert services(Laptop(ran), Survey("PROGRAM", 7)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "odd", [None, {"program": "x"}, {"program": 1, "seconds": 1}, {"program": "x", "seconds": "1"}]
)
def test_an_odd_question_is_refused_before_anything_is_run(odd: object):
    head = {"format": 1, "action": "probe", "device": "nb-1", "generation": 0, "diff": False, "updates": False}
    with pytest.raises(Refused):
        read_order({**head, "undo": "", "components": [], "services": odd})


# --- the answer ------------------------------------------------------------------------------


ASKED = (question("https://akte.mv.example/"),)


def parsed(said: object, error: str = "") -> tuple[Reachability, str]:
    [answer] = parse_services({"said": json.dumps(said), "error": error}, ASKED)
    return answer.state, answer.why


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["reachable", ""], (Reachability.REACHABLE, "")),
        (["status", "503"], (Reachability.STATUS, "answered 503")),
        (["untrusted", "expired"], (Reachability.UNTRUSTED, "certificate not trusted (expired)")),
        (["no-route", ""], (Reachability.NO_ROUTE, "no route")),
        (["name-unknown", "\x1b[2J"], (Reachability.NAME_UNKNOWN, r"name unknown (\x1b[2J)")),
    ],
)
def test_an_answer_becomes_plain_words(said: list[str], expected: tuple[Reachability, str]):
    assert parsed({"e-akte": said}) == expected


def test_a_laptop_that_could_not_ask_says_why():
    assert parsed({}, "no python") == (Reachability.UNASKED, "the laptop could not ask (no python)")


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {"said": "{}"},
        {"said": "{", "error": ""},
        {"said": "[" * 100_000, "error": ""},
        {"said": "{}", "error": ""},
        {"said": '{"e-akte": ["reachable"]}', "error": ""},
        {"said": '{"e-akte": ["splendid", ""]}', "error": ""},
        {"said": '{"e-akte": ["unasked", ""]}', "error": ""},
        {"said": '{"e-akte": ["reachable", 1]}', "error": ""},
    ],
)
def test_an_answer_of_another_shape_is_refused(odd: object):
    with pytest.raises(ValueError, match=r"^services: "):
        parse_services(odd, ASKED)


# --- what is asked ---------------------------------------------------------------------------

AKTE = WebService(
    kind="web",
    name="E-Akte",
    function="records",
    description="Files.",
    url="https://akte.mv.example/",
    reach="https://akte.mv.example/health",
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://akte.mv.example/", "https://akte.mv.example/health"),
        ("https://akte.fm.mv.example/", "https://akte.fm.mv.example/"),
    ],
)
def test_an_office_with_an_address_of_its_own_is_asked_about_that(url: str, expected: str):
    settings = Settings(software={"e-akte": Choice(state="present", settings={"url": url})})
    assert [each.url for each in service_questions(settings, {"e-akte": AKTE})] == [expected]


def test_a_service_that_was_not_chosen_is_not_asked_about():
    settings = Settings(software={"e-akte": Choice(state="absent")})
    assert service_questions(settings, {"e-akte": AKTE}) == ()
