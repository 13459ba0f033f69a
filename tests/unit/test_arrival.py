"""The desk: what a new laptop brings, how it is taken down or refused, and what becomes of it."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from mvpc.arrival import Desk, arrive
from mvpc.cli.app import app
from mvpc.device.desk import DeskAddress, answer, first_boot_files, read_question
from mvpc.device.enrolment import KeyRequest
from mvpc.device.firstboot import first_boot, let_in, read_answer
from mvpc.enrolment import Applicant, EnrolmentError, enrol_arrived
from mvpc.errors import MvpcError
from mvpc.identity.requests import read_request
from mvpc.identity.ssh import public_line
from mvpc.identity.tokens import make_token
from mvpc.identity.words import word_list
from mvpc.inventory.difference import difference
from mvpc.model import Arrival, Device, LifeCycle, TpmRule
from mvpc.secret import Secret
from mvpc.store.read import Reader
from mvpc.store.register import Register
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device
from tests.unit.test_enrolment import REVOKED, RULES, FakeRegister, a_request, seams

LAPTOP = a_device("nb-000123", serial="PF-1", host_key="", address="")
HOST_KEY = public_line(ec.generate_private_key(ec.SECP384R1()).public_key())
SHOWN, KEPT = make_token(LAPTOP, "fm", now=NOON)
APPLICANT = Applicant(device=LAPTOP, ressort="fm", presented=SHOWN, token=KEPT)
ASKED = KeyRequest(request=a_request("pf-1"), serial="pf-1", generation=0, no_tpm="it has no TPM 2.0")
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDp2c6YkWTyXBZjmzYkIyMbdgyIBXfEdyCgEIiOAb3xw"


@dataclass
class FakeDeskRegister(FakeRegister):
    """Keeps arrivals in a list, too."""

    arrived: list[Arrival] = field(default_factory=list)

    def keep_arrival(self, arrival: Arrival) -> None:
        self.arrived.append(arrival)


def come(
    register: FakeDeskRegister,
    applicant: Applicant = APPLICANT,
    asked: KeyRequest = ASKED,
    *,
    host_key: str = HOST_KEY,
    others: tuple[Device, ...] = (LAPTOP,),
    tpm: TpmRule = TpmRule.PREFER,
) -> Arrival:
    desk = Desk(recorder=register, rules=RULES, tpm=tpm, others=others, now=lambda: NOON)
    return arrive(applicant, asked, host_key=host_key, address="10.1.2.3", desk=desk)


def test_a_new_laptop_brings_its_address_and_its_host_key():
    register = FakeDeskRegister()
    arrival = come(register)
    assert register.arrived == [arrival]
    assert (arrival.device, arrival.address, arrival.host_key) == ("nb-000123", "10.1.2.3", HOST_KEY)
    assert register.used == {KEPT.id}
    assert register.recorded == [], "certified before anybody compared its key"


TWIN = a_device("nb-000999", serial="PF-9", host_key=f"{HOST_KEY} copied")
ATTACKS = {
    "replayed token": ({"applicant": replace(APPLICANT, token=replace(KEPT, used_at=NOON))}, "was used before"),
    "guessed token": ({"applicant": replace(APPLICANT, presented=Secret("aaaa-bbbb"))}, "not the one"),
    "no token": ({"applicant": replace(APPLICANT, token=None)}, "no token was made"),
    "foreign name": ({"asked": replace(ASKED, request=a_request("pf-2"))}, "names another device"),
    "weak key": (
        {"asked": replace(ASKED, request=a_request("pf-1", ec.generate_private_key(ec.SECP192R1())))},
        "too weak",
    ),
    "revoked key": ({"applicant": replace(APPLICANT, issued=[REVOKED])}, "a key that was revoked"),
    "other serial": ({"asked": replace(ASKED, serial="PF-2", request=a_request("PF-2"))}, "another serial number"),
    "weak host key": ({"host_key": ED25519}, "host key cannot be certified"),
    "cloned disk": ({"others": (LAPTOP, TWIN)}, "nb-000999 has the same SSH host key"),
}


@pytest.mark.parametrize("case", ATTACKS, ids=str)
def test_an_attack_at_the_desk_is_refused_and_recorded_and_nothing_is_kept(case: str):
    given, reason = ATTACKS[case]
    register = FakeDeskRegister()
    with pytest.raises(EnrolmentError, match=reason):
        come(register, **given)  # type: ignore[arg-type]
    assert [reason in each for each in register.refused] == [True]
    assert register.arrived == []


@pytest.mark.parametrize("fields", [{"os": "windows-11"}, {"state": LifeCycle.LOST}], ids=["Windows", "lost"])
def test_what_is_not_in_service_uses_up_no_token(fields: dict[str, object]):
    register = FakeDeskRegister()
    with pytest.raises(MvpcError):
        come(register, replace(APPLICANT, device=replace(LAPTOP, **fields)))  # type: ignore[arg-type]
    assert (register.used, register.arrived) == (set(), [])


def test_after_a_person_compared_it_both_keys_that_it_brought_are_certified():
    register = FakeDeskRegister()
    arrival = come(register)
    known = replace(APPLICANT, device=replace(LAPTOP, host_key=arrival.host_key))
    enrol_arrived(known, arrival, seams(register))
    device, host = register.recorded
    assert HOST_KEY.split()[1][:40] not in device.text
    assert host.name == device.name == "nb-000123"


def test_when_the_words_differ_nothing_is_certified():
    register = FakeDeskRegister()
    arrival = come(register)
    known = replace(APPLICANT, device=replace(LAPTOP, host_key=arrival.host_key))
    with pytest.raises(EnrolmentError, match="words on its screen"):
        enrol_arrived(known, arrival, seams(register, agree=False))
    assert register.recorded == []
    assert len(register.refused) == 1


# --- what sshd starts


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one laptop, and with authorities in name only, since the desk needs no key of theirs."""
    (tmp_path / "mvpc.toml").touch()
    (tmp_path / ".mvpc/ca").mkdir(parents=True)
    (tmp_path / "inventory").mkdir()
    shutil.copy(Path(__file__).parents[2] / "inventory/organisation.yml", tmp_path / "inventory")
    Store(tmp_path / ".mvpc/mvpc.db").save(difference([], [LAPTOP]), actor="t", at=NOON, action="add")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def device(*arguments: str, answer: str | bytes = "") -> Result:
    return CliRunner().invoke(app, ["device", *arguments], input=answer)


def at_the_desk(question: str | bytes, *, proof: str = f"publickey {HOST_KEY}") -> dict[str, str]:
    done = device("desk", "--proof", proof, "--address", "10.1.2.3", answer=question)
    assert done.exit_code == 0, done.output
    found: dict[str, str] = json.loads(done.stdout)
    return found


def question(token: str, *, serial: str = "PF-1", request: str = "") -> str:
    told = {"serial": serial, "generation": 0, "no_tpm": "it has no TPM 2.0"}
    data = {"format": 1, "token": token, "request": request or a_request(serial), **told}
    return json.dumps(data) + "\n"


def a_token() -> str:
    return str(json.loads(device("token", "nb-000123", "--json").stdout)["token"])


def test_the_desk_tells_a_new_laptop_its_name_and_whom_to_let_in(project: Path):
    said = at_the_desk(question(a_token()))
    assert (said["error"], said["device"], said["account"]) == ("", "nb-000123", "mvpc-admin")
    assert said["key"].startswith("ecdsa-sha2-nistp384 ")
    waiting = json.loads(device("arrivals", "--json").stdout)["arrivals"]
    assert [(each["device"], each["address"], each["in_tpm"]) for each in waiting] == [("nb-000123", "10.1.2.3", False)]
    assert "came to the desk from 10.1.2.3" in device("show", "nb-000123").stdout
    with Reader(project / ".mvpc/mvpc.db") as reader:
        assert reader.find("nb-000123").host_key == "", "believed before anybody compared its key"


def test_the_desk_takes_no_key_in_a_file_where_it_must_be_in_a_tpm():
    register = FakeDeskRegister()
    with pytest.raises(EnrolmentError, match="its key is in a file and must be in a TPM"):
        come(register, tpm=TpmRule.REQUIRE)
    assert register.arrived == []
    assert come(FakeDeskRegister(), asked=replace(ASKED, no_tpm=""), tpm=TpmRule.REQUIRE).no_tpm == ""


def test_a_replayed_token_is_refused_at_the_desk_and_stands_in_the_history(project: Path):
    token = a_token()
    at_the_desk(question(token))
    assert at_the_desk(question(token))["error"] == "the token was used before"
    assert "refused: the token was used before" in device("show", "nb-000123").stdout


def test_a_flood_of_the_same_refusal_stands_in_the_history_once_a_minute(project: Path):
    register = Register(project / ".mvpc/mvpc.db", actor="t")
    for seconds in (0, 5, 59, 60, 61):
        register.refuse("nb-000123", "no token was made for it", at=NOON + timedelta(seconds=seconds))
    register.refuse("nb-000123", "the token has expired", at=NOON + timedelta(seconds=62))
    with Reader(project / ".mvpc/mvpc.db") as reader:
        refused = [each for each in reader.events("nb-000123") if each.action == "refuse"]
    assert [((each.at - NOON).seconds, each.changes["enrolment"][1]) for each in refused] == [
        (62, "refused: the token has expired"),
        (60, "refused: no token was made for it"),
        (0, "refused: no token was made for it"),
    ]


@pytest.mark.parametrize(
    ("said", "proof", "error"),
    [
        ("", f"publickey {HOST_KEY}", "not valid JSON"),
        ("[" * 9000, f"publickey {HOST_KEY}", "not valid JSON"),
        (b"\xff\x00", f"publickey {HOST_KEY}", "not valid JSON"),
        ("{}", f"publickey {HOST_KEY}", "not the right fields"),
        (question("x").replace('"format": 1', '"format": 2'), f"publickey {HOST_KEY}", "another format"),
        (question("x").replace('"generation": 0', '"generation": true'), f"publickey {HOST_KEY}", "right fields"),
        (question("x", request="\ud800"), f"publickey {HOST_KEY}", "not ASCII"),
        ("x" * (1 << 17), f"publickey {HOST_KEY}", "too long"),
        (question("x", serial="PF-404"), f"publickey {HOST_KEY}", "no device with its serial number"),
        (question("x", serial="", request="-"), f"publickey {HOST_KEY}", "no device with its serial number"),
        (question("x"), "", "sshd has not said"),
        (question("x"), f"password {HOST_KEY}", "sshd has not said"),
        (question("x"), f"publickey {HOST_KEY}", "no token was made"),
    ],
    ids=[
        "nothing",
        "deep",
        "binary",
        "empty",
        "format",
        "bool",
        "half a letter",
        "flood",
        "foreign",
        "no serial",
        "no key",
        "password",
        "token",
    ],
)
def test_a_hostile_laptop_gets_one_line_and_leaves_nothing(project: Path, said: str | bytes, proof: str, error: str):
    assert error in at_the_desk(said, proof=proof)["error"]
    assert json.loads(device("arrivals", "--json").stdout)["arrivals"] == []


# --- on the laptop

DESK = DeskAddress(
    address="desk.mv.example", port=22, account="mvpc-enrol", host_key=HOST_KEY, curve="P-384", tpm="prefer"
)


def test_an_image_carries_one_program_that_needs_nothing_of_mvpc_and_no_secret():
    found = first_boot_files(DESK, word_list())
    program, _ = found["usr/local/lib/mvpc/enrol.py"]
    compile(program, "enrol.py", "exec")
    assert "import mvpc" not in program
    assert not re.search(r"^from mvpc", program, re.MULTILINE)
    assert program.index("def own_key") < program.index("def first_boot")
    assert "ConditionPathExists=!/etc/mvpc/pki/device.pem" in found["etc/systemd/system/mvpc-enrol.service"][0]


def test_what_the_desk_says_is_read_from_its_last_line():
    said = f"motd\n{answer(device='nb-000123', account='mvpc-admin', key='ecdsa AAAA')}\n"
    assert read_answer(said.encode())["device"] == "nb-000123"
    with pytest.raises(ValueError, match="another format"):
        read_answer(answer(key="one\ntwo").encode())
    with pytest.raises((ValueError, KeyError)):
        read_answer(b"{}")


def test_the_controller_is_let_in_by_the_key_that_it_named(tmp_path: Path):
    (tmp_path / "etc").mkdir()
    owner = f"{tmp_path.stat().st_uid}:{tmp_path.stat().st_gid}"
    (tmp_path / "etc/passwd").write_text(f"mvpc-admin:x:{owner}::/home/a:/bin/bash\n")
    (tmp_path / "home/a").mkdir(parents=True)
    let_in(tmp_path, "mvpc-admin", "ecdsa AAAA")
    keys = tmp_path / "home/a/.ssh/authorized_keys"
    assert keys.read_text() == "ecdsa AAAA\n"
    with pytest.raises(ValueError, match="no account root2"):
        let_in(tmp_path, "root2", "ecdsa AAAA")


class FakeSsh:
    """Stands for ssh: keeps what is said to the desk, and gives one answer after the other."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.said: list[bytes] = []
        self.run = subprocess.run

    def __call__(self, argv: Sequence[str], **more: Any) -> subprocess.CompletedProcess[bytes]:
        if argv[0] != "/usr/bin/ssh":
            return self.run(argv, **more)
        self.said.append(more["input"])
        code, text = self.answers.pop(0)
        return subprocess.CompletedProcess(argv, code, text.encode(), b"ssh: no route to host\n")


def test_a_new_laptop_asks_until_it_is_accepted_and_never_gives_its_key_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for folder in ("etc/mvpc/pki", "home/a"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/mvpc/serial").write_text("PF 1/+2\n")
    (tmp_path / "etc/mvpc/token").write_text("left-here\n")
    owner = f"{tmp_path.stat().st_uid}:{tmp_path.stat().st_gid}"
    (tmp_path / "etc/passwd").write_text(f"mvpc-admin:x:{owner}::/home/a:/bin/bash\n")
    (tmp_path / "etc/mvpc/pki/device.pem").write_text("brought later by the controller")
    accepted = answer(device="nb-000123", account="mvpc-admin", key="ecdsa AAAA")
    ssh = FakeSsh((255, ""), (0, answer(error="the token has expired")), (0, accepted))
    monkeypatch.setattr("subprocess.run", ssh)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("sys.stdin", io.StringIO("typed\n"))

    settings = {"address": "desk", "port": 22, "account": "a", "host_key": HOST_KEY, "curve": "P-384", "tpm": "prefer"}
    assert first_boot(settings | {"words": word_list()}, tmp_path) == 0
    assert [read_question(each.decode())[0].reveal() for each in ssh.said] == ["left-here", "left-here", "typed"]
    _, asked = read_question(ssh.said[-1].decode())
    key = read_request(asked.request, "PF 1/+2", RULES)
    assert key.public_numbers().y > 0
    lines = (tmp_path / "etc/mvpc/pki/device.key").read_bytes().split(b"\n")
    assert not [line for line in lines if len(line) > 20 and any(line in each for each in ssh.said)]
    shown = capsys.readouterr().out
    assert "does not answer: ssh: no route to host" in shown
    assert "the controller refuses: the token has expired" in shown
    assert "this laptop is enrolled" in shown
    assert "its key is in a file: it has no TPM 2.0" in shown
    assert asked.no_tpm == "it has no TPM 2.0"


def test_without_a_token_a_new_laptop_says_so_and_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "etc/mvpc").mkdir(parents=True)
    (tmp_path / "etc/mvpc/serial").write_text("PF-1\n")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert first_boot({"curve": "P-384", "tpm": "prefer", "words": word_list()}, tmp_path) == 1
    assert "Its serial number: PF-1" in capsys.readouterr().out
    assert not (tmp_path / "run/mvpc/enrolment").exists()
