"""Enrolment: what a laptop gets, and how everybody else is refused and recorded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import paramiko
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mvpc.cli.console import draw_code
from mvpc.device.enrolment import KeyRequest, enrolment_program, parse_key_request
from mvpc.editions import edition
from mvpc.enrolment import Applicant, EnrolmentError, Seams, enrol
from mvpc.errors import MvpcError
from mvpc.identity.keys import fingerprint
from mvpc.identity.ssh import SshAuthority, public_line
from mvpc.identity.tokens import make_token
from mvpc.identity.words import code_modules, code_of, word_list, words_of
from mvpc.identity.x509 import DeviceAuthority, certify_oneself
from mvpc.model import Certificate, CertificateKind, Device, LifeCycle, Token, TpmRule
from mvpc.secret import Secret
from mvpc.ssh.trust import DistrustedError, HostAuthority, HostTrust
from mvpc.testing import NOON, a_device

RULES = edition("bsi-tr-02102-2026-01").certificates
CA_KEY = ec.generate_private_key(ec.SECP384R1())
DEVICES = DeviceAuthority(key=CA_KEY, certificate=certify_oneself(CA_KEY, "MV", RULES, now=NOON), rules=RULES)
HOSTS = SshAuthority(key=ec.generate_private_key(ec.SECP384R1()), rules=RULES)
LAPTOP_KEY = ec.generate_private_key(ec.SECP384R1())
HOST_KEY = paramiko.ECDSAKey.generate(bits=384)
LAPTOP = a_device("nb-000123", serial="PF-1", host_key=f"{HOST_KEY.get_name()} {HOST_KEY.get_base64()}")


def a_request(name: str = "nb-000123", key: ec.EllipticCurvePrivateKey = LAPTOP_KEY) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


ASKED = KeyRequest(request=a_request(), serial="pf-1", generation=7, no_tpm="it has no TPM 2.0")


@dataclass
class FakeRegister:
    """Keeps everything in lists."""

    used: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    recorded: list[Certificate] = field(default_factory=list)
    revoked: list[Certificate] = field(default_factory=list)

    def use_token(self, token: Token, *, at: datetime) -> bool:
        fresh = token.id not in self.used
        self.used.add(token.id)
        return fresh

    def refuse(self, hostname: str, reason: str, *, at: datetime) -> None:
        self.refused.append(reason)

    def record(self, certificates: Sequence[Certificate], *, at: datetime, action: str) -> None:
        self.recorded += certificates

    def revoke(self, certificates: Sequence[Certificate], reason: str, *, at: datetime) -> None:
        self.revoked += certificates


SHOWN, KEPT = make_token(LAPTOP, "fm", now=NOON)
APPLICANT = Applicant(device=LAPTOP, ressort="fm", presented=SHOWN, token=KEPT)


def says(asked: KeyRequest | MvpcError = ASKED) -> Callable[[Device], KeyRequest]:
    def ask(_: object) -> KeyRequest:
        if isinstance(asked, MvpcError):
            raise asked
        return asked

    return ask


def seams(register: FakeRegister, *, agree: bool = True, tpm: TpmRule = TpmRule.PREFER) -> Seams:
    return Seams(
        same_key=lambda shown: agree and shown == fingerprint(LAPTOP_KEY.public_key()),
        devices=DEVICES,
        ssh_hosts=HOSTS,
        recorder=register,
        rules=RULES,
        tpm=tpm,
        now=lambda: NOON,
    )


def test_a_laptop_gets_a_device_certificate_and_a_host_certificate_of_its_own_keys():
    register = FakeRegister()
    assert enrol(APPLICANT, seams(register), says()) == ASKED
    device, host = register.recorded
    assert (device.kind, host.kind) == (CertificateKind.DEVICE, CertificateKind.SSH_HOST)
    assert device.fingerprint == fingerprint(LAPTOP_KEY.public_key())
    assert register.refused == []
    assert register.used == {KEPT.id}


@pytest.mark.parametrize(("no_tpm", "in_tpm"), [("", True), ("it has no TPM 2.0", False)])
def test_its_certificate_remembers_where_its_key_is(no_tpm: str, *, in_tpm: bool):
    register = FakeRegister()
    enrol(APPLICANT, seams(register), says(replace(ASKED, no_tpm=no_tpm)))
    assert [each.in_tpm for each in register.recorded] == [in_tpm, False]


def test_a_key_in_a_file_is_refused_where_it_must_be_in_a_tpm():
    register = FakeRegister()
    with pytest.raises(
        EnrolmentError, match=r"must be in a TPM \(\[identity\] tpm in mvpc\.toml\): it has no TPM 2\.0"
    ):
        enrol(APPLICANT, seams(register, tpm=TpmRule.REQUIRE), says())
    assert register.recorded == []
    enrol(APPLICANT, seams(FakeRegister(), tpm=TpmRule.REQUIRE), says(replace(ASKED, no_tpm="")))


REVOKED = replace(DEVICES.issue(LAPTOP, LAPTOP_KEY.public_key(), now=NOON), revoked_at=NOON, reason="lost")
ATTACKS: dict[str, tuple[Applicant, KeyRequest | MvpcError, bool, str]] = {
    "replayed token": (replace(APPLICANT, token=replace(KEPT, used_at=NOON)), ASKED, True, "was used before"),
    "guessed token": (replace(APPLICANT, presented=Secret("aaaa-bbbb")), ASKED, True, "not the one"),
    "no token": (replace(APPLICANT, token=None), ASKED, True, "no token was made"),
    "other ressort": (replace(APPLICANT, ressort="im"), ASKED, True, "belonged to ressort fm"),
    "foreign name": (APPLICANT, replace(ASKED, request=a_request("nb-000999")), True, "names another device"),
    "weak key": (
        APPLICANT,
        replace(ASKED, request=a_request(key=ec.generate_private_key(ec.SECP192R1()))),
        True,
        "too weak",
    ),
    "wrong serial": (APPLICANT, replace(ASKED, serial="PF-2"), True, "another serial number"),
    "no serial": (APPLICANT, replace(ASKED, serial=""), True, "another serial number"),
    "revoked key": (replace(APPLICANT, issued=[REVOKED]), ASKED, True, "a key that was revoked"),
    "other words": (APPLICANT, ASKED, False, "words on its screen"),
    "swapped host key": (APPLICANT, EnrolmentError("its SSH host key is not the one"), True, "SSH host key"),
}


@pytest.mark.parametrize("case", ATTACKS, ids=str)
def test_an_attack_is_refused_and_recorded_and_nothing_is_certified(case: str):
    applicant, asked, agree, reason = ATTACKS[case]
    register = FakeRegister()
    with pytest.raises(EnrolmentError, match=reason):
        enrol(applicant, seams(register, agree=agree), says(asked))
    assert [reason in each for each in register.refused] == [True]
    assert register.recorded == []


def test_of_two_who_use_a_token_at_the_same_time_one_is_refused():
    register = FakeRegister()
    enrol(APPLICANT, seams(register), says())
    with pytest.raises(EnrolmentError, match="used before"):
        enrol(APPLICANT, seams(register), says())
    assert len(register.recorded) == 2


def test_a_laptop_that_sleeps_uses_up_no_token():
    register = FakeRegister()
    with pytest.raises(MvpcError, match="no answer"):
        enrol(APPLICANT, seams(register), says(MvpcError("no answer on port 22")))
    assert (register.used, register.refused) == (set(), [])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"os": "windows-11"}, "not managed"),
        ({"state": LifeCycle.LOST}, "state lost"),
        ({"host_key": ""}, "no SSH host key"),
        ({"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDp2c6YkWTyXBZjmzYkIyMbdgyIBXfEdyCgEIiOAb3xw"}, "kind"),
    ],
    ids=["Windows", "lost", "no host key", "host key that the edition does not list"],
)
def test_what_cannot_be_enrolled_is_said_before_anything_is_used_up(fields: dict[str, object], said: str):
    register = FakeRegister()
    device = replace(LAPTOP, **fields)  # type: ignore[arg-type]
    with pytest.raises(MvpcError, match=said):
        enrol(replace(APPLICANT, device=device), seams(register), says())
    assert (register.used, register.recorded) == (set(), [])


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (LifeCycle.DELIVERED, "mvpc device set nb-000123 state=imaged."),
        (LifeCycle.LOST, "mvpc device set nb-000123 state=returned, then state=spare."),
    ],
)
def test_the_next_step_towards_a_state_that_is_enrolled_is_one_that_the_inventory_allows(state: LifeCycle, step: str):
    with pytest.raises(MvpcError) as refused:
        enrol(replace(APPLICANT, device=replace(LAPTOP, state=state)), seams(FakeRegister()), says())
    assert str(refused.value).endswith(f"When it is ready: {step}")


def test_whoever_made_no_token_is_told_to_make_one():
    with pytest.raises(EnrolmentError) as refused:
        enrol(replace(APPLICANT, token=None), seams(FakeRegister()), says())
    assert str(refused.value) == "nb-000123: no token was made for it. Make one: mvpc device token nb-000123."


def test_enrolling_again_replaces_what_was_issued_before():
    register = FakeRegister()
    old = DEVICES.issue(LAPTOP, LAPTOP_KEY.public_key(), now=NOON - timedelta(days=10))
    enrol(replace(APPLICANT, issued=[old]), seams(register), says())
    assert register.revoked == [old]


def test_after_a_loss_the_laptop_must_make_a_new_key():
    assert replace(APPLICANT, issued=[REVOKED]).needs_fresh_key
    assert not APPLICANT.needs_fresh_key


# --- on the laptop


def run_program(root: Path, *, tpm: str = "prefer", fresh: bool = False) -> KeyRequest:
    """What the program answers on a laptop whose files lie in `root`. Whatever it does, it never gives its key away."""
    source = enrolment_program("nb-000123", "P-384", word_list(), tpm=tpm, fresh=fresh)
    source = source.replace('root: Path = Path("/")', f"root: Path = Path({str(root)!r})")
    done = subprocess.run([sys.executable, "-I", "-"], input=source, capture_output=True, text=True, check=True)
    assert not [line for line in secrets_of(root) if line in done.stdout + done.stderr]
    return parse_key_request(done.stdout)


def secrets_of(root: Path) -> set[str]:
    """The lines of the laptop's private key."""
    text = (root / "etc/mvpc/pki/device.key").read_text()
    return {line for line in text.splitlines() if "-----" not in line}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc/mvpc").mkdir(parents=True)
    (tmp_path / "etc/mvpc/serial").write_text("PF-1\n")
    return tmp_path


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@needs_openssl
def test_the_laptop_makes_its_own_key_and_shows_the_words_of_it(root: Path):
    (root / "etc/mvpc").chmod(0o700)
    answer = run_program(root)
    request = x509.load_pem_x509_csr(answer.request.encode())
    assert request.subject.rfc4514_string() == "CN=nb-000123"
    assert (answer.serial, answer.generation) == ("PF-1", 0)
    shown = fingerprint(request.public_key())
    assert (root / "run/mvpc/enrolment").read_text() == f"{words_of(shown)}\n{code_of(shown)}\n"
    key = root / "etc/mvpc/pki/device.key"
    assert [each.stat().st_mode & 0o777 for each in (key, key.parent, key.parent.parent)] == [0o600, 0o755, 0o755]
    assert "PRIVATE" not in answer.request


def scanned(screen: str, folder: Path) -> str:
    """What a phone reads from a screen full of half blocks, whose ink is what is light."""
    ink = {" ": (0, 0), "▄": (0, 255), "▀": (255, 0), "█": (255, 255)}
    lines = re.findall(r"m([ ▀▄█]{29,})", screen)
    rows = [bytes(ink[each][half] for each in line for _ in range(4)) for line in lines for half in (0, 1)]
    picture = folder / "screen.pgm"
    pixels = b"".join(row for row in rows for _ in range(4))
    picture.write_bytes(b"P5 %d %d 255\n" % (len(rows[0]), 4 * len(rows)) + pixels)
    done = subprocess.run(["zbarimg", "-q", "--raw", picture], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@needs_openssl
@pytest.mark.skipif(not all(map(shutil.which, ("qrencode", "zbarimg"))), reason="needs qrencode and zbar-tools")
def test_a_phone_reads_the_same_fingerprint_from_both_screens(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (root / "dev").mkdir()
    (root / "dev/tty1").touch()
    request = x509.load_pem_x509_csr(run_program(root).request.encode())
    own = fingerprint(request.public_key())
    screen = (root / "dev/tty1").read_text()
    assert words_of(own) in screen
    assert scanned(screen, root) == code_of(own)
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": ""}.items():
        monkeypatch.setenv(name, value)
    draw_code(code_modules(own))
    assert scanned(capsys.readouterr().out, root) == code_of(own)


@needs_openssl
def test_the_key_stays_until_it_must_be_a_new_one(root: Path):
    first = run_program(root)
    key = (root / "etc/mvpc/pki/device.key").read_text()
    run_program(root)
    assert (root / "etc/mvpc/pki/device.key").read_text() == key
    (root / "etc/mvpc/pki/device.key").write_text("torn")
    assert run_program(root).request != first.request
    before = (root / "etc/mvpc/pki/device.key").read_text()
    run_program(root, fresh=True)
    assert (root / "etc/mvpc/pki/device.key").read_text() != before


@needs_openssl
def test_a_laptop_without_a_tpm_says_why_its_key_is_in_a_file(root: Path):
    assert run_program(root).no_tpm == "it has no TPM 2.0"
    assert run_program(root, tpm="never").no_tpm == "its settings want it in a file"


@needs_openssl
def test_a_laptop_without_a_tpm_makes_no_key_where_it_must_be_in_one(root: Path):
    (root / "etc/mvpc/pki").mkdir()
    (root / "etc/mvpc/pki/device.key").touch()
    with pytest.raises(ValueError, match=r"its key must be in a TPM: it has no TPM 2\.0"):
        run_program(root, tpm="require")
    assert (root / "etc/mvpc/pki/device.key").read_text() == ""


@needs_openssl
def test_the_serial_number_of_the_firmware_counts_unless_it_says_nothing(root: Path):
    (root / "etc/mvpc/serial").unlink()
    (root / "sys/class/dmi/id").mkdir(parents=True)
    firmware = root / "sys/class/dmi/id/product_serial"
    firmware.write_text("PF3XYZ \n")
    assert run_program(root).serial == "PF3XYZ"
    firmware.write_text("To Be Filled By O.E.M.\n")
    assert run_program(root).serial == ""


GOOD = {"format": 1, "request": "x", "serial": "s", "generation": 1, "no_tpm": "", "error": ""}


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "nonsense",
        json.dumps(GOOD | {"more": 1}),
        json.dumps(GOOD | {"generation": True}),
        json.dumps(GOOD | {"generation": -1}),
        json.dumps(GOOD | {"no_tpm": False}),
        json.dumps(GOOD | {"format": 2}),
        json.dumps(GOOD | {"request": "x" * (1 << 16)}),
        json.dumps(GOOD | {"error": "openssl is not installed"}),
        "[" * 5000,
    ],
)
def test_a_hostile_answer_is_no_request(said: str):
    with pytest.raises(ValueError, match=r"answer|openssl"):
        parse_key_request(said)


def test_the_reason_of_a_hostile_laptop_is_short_and_steers_no_terminal():
    reason = parse_key_request(json.dumps(GOOD | {"no_tpm": "\x1b[2J" + "x" * 5000})).no_tpm
    assert reason.startswith("\\x1b[2Jxxx")
    assert len(reason) < 250


def test_what_a_laptop_prints_before_its_answer_does_not_matter():
    assert parse_key_request(f"motd\n{json.dumps(GOOD)}\n").serial == "s"


# --- whom we believe afterwards

AUTHORITY = HostAuthority(public_key=public_line(HOSTS.key.public_key()), now=lambda: NOON)


def presented(device: str = "nb-000123", moment: datetime = NOON) -> tuple[paramiko.PKey, Certificate]:
    """A host key as paramiko hands it over, with its certificate."""
    key = paramiko.ECDSAKey.generate(bits=384)
    made = HOSTS.issue_host(device, f"{key.get_name()} {key.get_base64()}", now=moment)
    key.load_certificate(paramiko.Message(paramiko.pkey.PublicBlob.from_string(made.text).key_blob))
    return key, made


def test_a_host_certificate_is_believed_although_the_inventory_has_another_key():
    key, _ = presented()
    HostTrust(LAPTOP, AUTHORITY).missing_host_key(None, "nb-000123", key)


def test_a_laptop_without_certificate_is_known_by_the_key_in_the_inventory():
    HostTrust(LAPTOP, AUTHORITY).missing_host_key(None, "nb-000123", HOST_KEY)
    HostTrust(LAPTOP, None).missing_host_key(None, "nb-000123", HOST_KEY)


@pytest.mark.parametrize("authority", [AUTHORITY, None], ids=["with authority", "without"])
def test_a_swapped_host_key_is_refused(authority: HostAuthority | None):
    with pytest.raises(DistrustedError, match="not the laptop we know"):
        HostTrust(LAPTOP, authority).missing_host_key(None, "nb-000123", paramiko.ECDSAKey.generate(bits=384))


def test_the_certificate_of_another_laptop_is_refused():
    key, _ = presented("nb-000999")
    with pytest.raises(DistrustedError, match="for another device"):
        HostTrust(LAPTOP, AUTHORITY).missing_host_key(None, "nb-000123", key)


def test_an_expired_certificate_does_not_lock_us_out_of_the_key_that_we_know():
    key, _ = presented(moment=NOON - timedelta(days=200))
    own = replace(LAPTOP, host_key=f"{key.get_name()} {key.get_base64()}")
    HostTrust(own, AUTHORITY).missing_host_key(None, "nb-000123", key)
    with pytest.raises(DistrustedError, match="not valid now"):
        HostTrust(LAPTOP, AUTHORITY).missing_host_key(None, "nb-000123", key)


def test_a_revoked_certificate_is_refused_whatever_the_inventory_says():
    key, made = presented()
    own = replace(LAPTOP, host_key=f"{key.get_name()} {key.get_base64()}")
    with pytest.raises(DistrustedError, match="revoked"):
        HostTrust(own, replace(AUTHORITY, revoked={made.serial})).missing_host_key(None, "nb-000123", key)


def test_without_a_key_and_without_an_authority_nobody_is_believed():
    with pytest.raises(DistrustedError, match="no usable SSH host key"):
        HostTrust(replace(LAPTOP, host_key=""), None)


def test_certificates_are_asked_for_first():
    transport = HostTrust(LAPTOP, AUTHORITY).transport(_FakeSocket())
    assert transport.preferred_keys[0] == "ecdsa-sha2-nistp384-cert-v01@openssh.com"
    assert transport.preferred_keys[-1] == "ecdsa-sha2-nistp384"


class _FakeSocket:
    """Enough of a socket for a transport that is never started."""

    def settimeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass
