"""The folder of authorities, `mvpc ca`, and what `mvpc device` does with both."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from mvpc.cli.app import app
from mvpc.cli.authorities import authorities
from mvpc.cli.context import now
from mvpc.editions import edition
from mvpc.identity.ssh import public_line
from mvpc.identity.x509 import certify_oneself
from mvpc.inventory.difference import difference
from mvpc.model import Certificate
from mvpc.project import load_project
from mvpc.store.read import Reader
from mvpc.store.register import Register
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None or shutil.which("ssh-keygen") is None, reason="needs openssl and ssh-keygen"
)

WORDS = "correct horse battery staple"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose authorities were made once for all tests."""
    root = tmp_path_factory.mktemp("project")
    a_project(root)
    done = CliRunner().invoke(app, ["--project", str(root), "ca", "init", "--name", "MV"])
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "p")
    monkeypatch.chdir(tmp_path / "p")
    return tmp_path / "p"


def a_project(root: Path) -> None:
    (root / "mvpc.toml").write_text('[identity]\npassphrase_file = "words"\n')
    (root / "words").touch(mode=0o600)
    (root / "words").write_text(f"{WORDS}\n")


def mvpc(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ca", *arguments])


def test_the_keys_are_encrypted_and_private(project: Path):
    for name in ("devices", "ssh-hosts", "ssh-users"):
        key = project / ".mvpc/ca" / f"{name}.key"
        assert key.stat().st_mode & 0o777 == 0o600
        assert key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        shown = subprocess.run(["openssl", "asn1parse", "-in", key], capture_output=True, text=True, check=True).stdout
        assert "PBES2" in shown
        assert "scrypt" in shown


def test_the_three_authorities_have_three_keys(project: Path):
    devices = x509.load_pem_x509_certificate(mvpc("export", "devices").stdout.encode())
    assert devices.subject.rfc4514_string() == "CN=MV devices"
    assert isinstance(devices.public_key(), ec.EllipticCurvePublicKey)
    hosts, users = mvpc("export", "ssh-hosts").stdout, mvpc("export", "ssh-users").stdout
    assert hosts.startswith("ecdsa-sha2-nistp384 ")
    assert hosts.split()[1] != users.split()[1]
    assert mvpc("export", "ssh-hosts", "--known-hosts").stdout == f"@cert-authority * {hosts}"


def test_authorities_are_never_made_twice(project: Path):
    before = (project / ".mvpc/ca/devices.key").read_bytes()
    assert "there are authorities already" in mvpc("init").stderr
    assert (project / ".mvpc/ca/devices.key").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "mode", "said"),
    [("short", 0o600, "at least 16 characters"), (WORDS, 0o644, "readable by others")],
)
def test_a_bad_passphrase_makes_no_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, mode: int, said: str
):
    a_project(tmp_path)
    (tmp_path / "words").write_text(words)
    (tmp_path / "words").chmod(mode)
    monkeypatch.chdir(tmp_path)
    assert said in mvpc("init").stderr
    assert not list((tmp_path / ".mvpc").glob("*"))


def test_without_a_terminal_and_a_file_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mvpc.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert "passphrase_file" in mvpc("init").stderr


def test_a_wrong_passphrase_signs_nothing(project: Path):
    (project / "words").write_text("some other long passphrase\n")
    refused = mvpc("sign-user")
    assert (refused.exit_code, "passphrase of the authorities is wrong" in refused.stderr) == (2, True)
    assert not (project / ".mvpc/ssh/id_ecdsa-cert.pub").exists()


def test_a_superior_authority_can_certify_ours(project: Path):
    rules = edition("bsi-tr-02102-2026-01").certificates
    request = x509.load_pem_x509_csr(mvpc("export", "devices", "--request").stdout.encode())
    assert request.is_signature_valid
    foreign = certify_oneself(ec.generate_private_key(ec.SECP384R1()), "x", rules, now=NOON)
    (project / "foreign.pem").write_bytes(foreign.public_bytes(Encoding.PEM))
    before = mvpc("export", "devices").stdout
    refused = mvpc("import", "foreign.pem")
    assert (refused.exit_code, "none of its certificates is for the key" in refused.stderr) == (2, True)
    assert mvpc("export", "devices").stdout == before
    (project / "own.pem").write_text(before)
    assert mvpc("import", "own.pem").exit_code == 0


def test_the_controllers_own_key_gets_a_certificate_for_a_day(project: Path):
    signed = mvpc("sign-user", "--hours", "2", "--source", "10.1.0.0/16")
    assert signed.exit_code == 0, signed.output
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", ".mvpc/ssh/id_ecdsa-cert.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert "user certificate" in shown
    assert "mvpc-admin" in shown
    assert "source-address 10.1.0.0/16" in shown
    assert "forwarding" not in shown
    (listed,) = json.loads(mvpc("list", "--json").stdout)["certificates"]
    assert (listed["kind"], listed["state"]) == ("ssh_user", "valid")


def test_what_is_revoked_is_in_the_published_krl(project: Path):
    mvpc("sign-user")
    (listed,) = json.loads(mvpc("list", "--json").stdout)["certificates"]
    assert revoked_by_krl(project) is None
    done = mvpc("revoke", listed["serial"][:10], "--reason", "left")
    assert done.exit_code == 0, done.output
    assert revoked_by_krl(project) is True
    assert json.loads(mvpc("list", "--json").stdout)["certificates"][0]["reason"] == "left"
    crl = x509.load_der_x509_crl((project / ".mvpc/published/devices.crl").read_bytes())
    assert list(crl) == []


def revoked_by_krl(project: Path) -> bool | None:
    """What ssh-keygen says of the controller's certificate; None without a KRL."""
    krl = project / ".mvpc/published/ssh-users.krl"
    if not krl.exists():
        return None
    argv = ["ssh-keygen", "-Q", "-f", str(krl), str(project / ".mvpc/ssh/id_ecdsa-cert.pub")]
    return subprocess.run(argv, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    "arguments",
    [["export", "nobody"], ["export", "ssh-users", "--request"], ["revoke", ""], ["revoke", "abc"], ["import", "no"]],
    ids=" ".join,
)
def test_what_makes_no_sense_is_said_in_one_sentence(project: Path, arguments: list[str]):
    refused = mvpc(*arguments)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)


# --- tokens, renewals and losses in the register

SAMPLE = Path(__file__).parents[2] / "inventory/organisation.yml"


@pytest.fixture
def inventory(project: Path) -> Path:
    """The project with one laptop in use."""
    (project / "inventory").mkdir()
    shutil.copy(SAMPLE, project / "inventory")
    Store(project / ".mvpc/mvpc.db").save(difference([], [a_device()]), actor="t", at=NOON, action="add")
    return project


def on_device(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["device", *arguments], input=answer)


def certify(project: Path, *, days_ago: int) -> list[Certificate]:
    """Certificates of the laptop that were issued some days ago."""
    signers = authorities(load_project(project))
    then, key = now() - timedelta(days=days_ago), ec.generate_private_key(ec.SECP384R1()).public_key()
    made = [
        signers.devices.issue(a_device(), key, now=then),
        signers.ssh_hosts.issue_host("nb-000123", public_line(key), now=then),
    ]
    Register(project / ".mvpc/mvpc.db", actor="t").record(made, at=then, action="enrol")
    return made


def test_a_token_is_shown_once_and_kept_as_a_hash(inventory: Path):
    shown = json.loads(on_device("token", "nb-000123", "--json").stdout)["token"]
    stored = b"".join(path.read_bytes() for path in (inventory / ".mvpc").glob("mvpc.db*"))
    assert len(shown.replace("-", "")) == 32
    assert shown.encode() not in stored
    assert shown.replace("-", "").encode() not in stored
    assert shown not in on_device("show", "nb-000123", "--json").stdout


def test_no_token_is_made_for_a_laptop_that_would_not_be_enrolled(inventory: Path):
    assert on_device("lost", "nb-000123", "--yes", "--reason", "left in a train").exit_code == 0
    refused = on_device("token", "nb-000123")
    assert (refused.exit_code, "a device in state lost is not enrolled" in refused.stderr) == (1, True)
    with Reader(inventory / ".mvpc/mvpc.db") as reader:
        assert reader.token("nb-000123") is None


def test_a_new_token_makes_the_older_one_void(inventory: Path):
    on_device("token", "nb-000123")
    with Reader(inventory / ".mvpc/mvpc.db") as reader:
        older = reader.token("nb-000123")
    on_device("token", "nb-000123")
    assert older is not None
    assert not Register(inventory / ".mvpc/mvpc.db", actor="t").use_token(older, at=NOON)


def test_a_token_can_be_used_once(inventory: Path):
    on_device("token", "nb-000123")
    with Reader(inventory / ".mvpc/mvpc.db") as reader:
        token = reader.token("nb-000123")
    assert token is not None
    register = Register(inventory / ".mvpc/mvpc.db", actor="t")
    assert [register.use_token(token, at=NOON) for _ in range(2)] == [True, False]


def test_an_authority_that_has_certified_laptops_keeps_its_name(inventory: Path):
    (inventory / "own.csr").write_text(mvpc("export", "devices", "--request").stdout)
    (inventory / "extensions").write_text("basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n")
    root = "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout root.key -out root.pem -subj /CN=root"
    sign = "-CA root.pem -CAkey root.key -CAcreateserial -extfile extensions -subj /O=MV/CN=devices -out signed.pem"
    for command in (f"req -x509 {root}", f"x509 -req -in own.csr {sign}"):
        subprocess.run(["openssl", *command.split()], capture_output=True, check=True)
    (inventory / "chain.pem").write_text((inventory / "signed.pem").read_text() + (inventory / "root.pem").read_text())
    certify(inventory, days_ago=1)
    refused = mvpc("import", "chain.pem")
    assert (refused.exit_code, "laptops have certificates from CN=MV devices" in refused.stderr) == (2, True)


def test_what_is_due_is_renewed_once(inventory: Path):
    certify(inventory, days_ago=70)
    assert "2 certificates renewed" in mvpc("renew").stdout
    assert mvpc("renew").stdout == "0 certificates renewed\n"
    shown = json.loads(mvpc("show", "--json").stdout)["authorities"]
    assert [(row["valid"], row["due"]) for row in shown] == [(2, 0), (2, 0), (0, 0)]


def test_the_status_says_how_long_the_certificate_holds(inventory: Path):
    status = ["status", "nb-000123"]
    assert "certificate" not in CliRunner().invoke(app, status).stdout
    certify(inventory, days_ago=29)
    assert "certificate 60 d" in CliRunner().invoke(app, status).stdout


def test_a_lost_laptop_is_in_the_lists_of_both_authorities(inventory: Path):
    device, _ = certify(inventory, days_ago=1)
    done = on_device("lost", "nb-000123", "--yes", "--reason", "left in a train")
    assert done.exit_code == 0, done.output
    crl = x509.load_der_x509_crl((inventory / ".mvpc/published/devices.crl").read_bytes())
    assert [each.serial_number for each in crl] == [int(device.serial, 16)]
    listed = json.loads(mvpc("list", "--device", "nb-000123", "--json").stdout)["certificates"]
    assert {(each["state"], each["reason"]) for each in listed} == {("revoked", "left in a train")}
    assert "left in a train" in on_device("show", "nb-000123").stdout


def test_a_loss_is_asked_about_by_name_and_a_no_changes_nothing(inventory: Path):
    certify(inventory, days_ago=1)
    done = on_device("lost", "nb-000123", answer="n\n")
    assert done.exit_code == 1
    assert "Is nb-000123 (" in done.stdout
    assert "2 certificates would be revoked for good. [y/N]" in done.stdout
    assert {each["state"] for each in json.loads(mvpc("list", "--json").stdout)["certificates"]} == {"valid"}
    assert "2 certificates revoked" in on_device("lost", "nb-000123", answer="y\n").stdout


def test_a_loss_as_json_asks_nothing_and_prints_nothing_else(inventory: Path):
    certify(inventory, days_ago=1)
    assert "Add --yes" in on_device("lost", "nb-000123", "--json").output
    done = json.loads(on_device("lost", "nb-000123", "--json", "--yes").stdout)
    published = str((inventory / ".mvpc/published").resolve())
    assert done == {"device": "nb-000123", "revoked": 2, "published": published, "handed_over": False}


def test_without_a_hook_a_loss_says_who_must_be_told(inventory: Path):
    certify(inventory, days_ago=1)
    said = on_device("lost", "nb-000123", "--yes").stdout
    assert "devices.crl to RADIUS servers and VPN gateways" in said
    assert "mvpc vpn gateway" in said


def test_a_hook_hands_every_new_list_over_and_knows_whom_it_is_about(inventory: Path):
    certify(inventory, days_ago=1)
    a_hook(inventory, 'ls "$MVPC_PUBLISHED" >got; echo "revoked: $MVPC_REVOKED"; echo "[$MVPC_REVOKED]" >>calls')
    assert "handed over by" in mvpc("publish").stdout
    done = on_device("lost", "nb-000123", "--yes")
    assert "handed over by" in done.stdout
    assert "must be told" not in done.stdout
    assert (inventory / "calls").read_text() == "[]\n[nb-000123]\n"
    assert {"devices.crl", "ssh-hosts.krl"} <= set((inventory / "got").read_text().split())


def test_a_hook_that_fails_says_what_holds_and_how_to_repeat_it(inventory: Path):
    certify(inventory, days_ago=1)
    a_hook(inventory, "exit 3")
    done = on_device("lost", "nb-000123", "--yes")
    assert done.exit_code == 1
    assert "the publish_hook failed (exit code 3)" in done.stderr
    assert "Mend it, then run: mvpc ca publish" in done.stderr
    assert {each["state"] for each in json.loads(mvpc("list", "--json").stdout)["certificates"]} == {"revoked"}
    (inventory / "hook").unlink()
    assert "cannot be started (No such file or directory)" in mvpc("publish").stderr


def a_hook(project: Path, body: str) -> None:
    hook = project / "hook"
    hook.write_text(f"#!/bin/sh\n{body}\n")
    hook.chmod(0o755)
    with (project / "mvpc.toml").open("a") as config:
        config.write('publish_hook = "hook"\n')


def test_without_the_passphrase_a_loss_is_registered_and_the_krl_published_and_the_rest_is_said(inventory: Path):
    certify(inventory, days_ago=1)
    (inventory / "words").write_text("some other long passphrase\n")
    done = on_device("lost", "nb-000123", "--yes")
    assert done.exit_code == 2
    assert "Run: mvpc ca publish" in done.stderr
    assert (inventory / ".mvpc/published/ssh-hosts.krl").exists()
    assert {each["state"] for each in json.loads(mvpc("list", "--json").stdout)["certificates"]} == {"revoked"}


def test_before_there_are_authorities_nobody_is_enrolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    a_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "Make them: mvpc ca init" in on_device("token", "nb-000123").stderr
