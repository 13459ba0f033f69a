"""A laptop's key in a TPM, with the real tools and swtpm in place of the chip; each test has a TPM of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mvpc.device import keytools, tpmkey
from mvpc.device.keymaking import certificate_request, own_key, public_key
from mvpc.editions import edition
from mvpc.identity.requests import read_request

RULES = edition("bsi-tr-02102-2026-01").certificates
TOOLS = ("openssl", "swtpm", "tpm2_load")
PROVIDER = list(Path("/usr/lib").glob("*/ossl-modules/tpm2.so"))

pytestmark = pytest.mark.skipif(
    not (all(map(shutil.which, TOOLS)) and PROVIDER), reason="needs swtpm, tpm2-tools and tpm2-openssl"
)


@dataclass
class Chip:
    """A TPM that runs."""

    folder: Path
    """What it keeps, and where it listens: a path of its own, where a port may be somebody else's a moment later."""
    process: subprocess.Popen[bytes] | None = None
    unknown: str = ""
    """A curve that it does not know, as tpm2-tools are told."""

    @property
    def socket(self) -> Path:
        """Where it takes commands; the control channel is beside it, as tpm2-tss wants it."""
        return self.folder / "socket"

    def switch_on(self) -> None:
        """Start it with what it kept."""
        server = ("--server", f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={self.socket}.ctrl")
        state = ("--tpmstate", f"dir={self.folder}", "--flags", "not-need-init,startup-clear")
        self.process = subprocess.Popen(["swtpm", "socket", "--tpm2", *state, *server])
        deadline = time.monotonic() + 120
        while not (answers(self.socket) and answers(self.socket.with_suffix(".ctrl"))):
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def switch_off(self) -> None:
        """End it."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def clear(self) -> None:
        """Make it a new one, as in another laptop."""
        self.switch_off()
        for kept in self.folder.iterdir():
            kept.unlink()
        self.switch_on()

    def run(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        """Run a program with this TPM."""
        if self.unknown and self.unknown in argv:
            return subprocess.CompletedProcess(argv, 1, b"", b"unknown curve\n")
        where = f"swtpm:path={self.socket}"
        environment = {"PATH": keytools.PROGRAMS, "TPM2TOOLS_TCTI": where, "TPM2OPENSSL_TCTI": where}
        done = subprocess.run(argv, capture_output=True, env=environment, timeout=60, check=False)
        # The kernel's /dev/tpmrm0 does that after each program.
        subprocess.run(["tpm2_flushcontext", "-t"], env=environment, capture_output=True, check=False)
        return done


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as attempt:
        return attempt.connect_ex(str(path)) == 0


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chip]:
    # Not below tmp_path: the path of a socket may have a hundred characters only (unix(7)).
    with tempfile.TemporaryDirectory(prefix="mvpc-tpm-") as folder:
        found = Chip(Path(folder))
        monkeypatch.setattr(keytools, "run", found.run)
        monkeypatch.setattr(tpmkey, "provider_version", lambda: "1.3.0")
        try:
            found.switch_on()
            yield found
        finally:
            found.switch_off()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the files of the laptop lie, among them the device of its TPM."""
    (tmp_path / "root/dev").mkdir(parents=True)
    (tmp_path / "root/dev/tpmrm0").touch()
    return tmp_path / "root"


def made(root: Path, *, tpm: str = "prefer", fresh: bool = False) -> Path:
    path, why = own_key(root, "P-384", tpm=tpm, fresh=fresh)
    assert why == ""
    return path


def at_handle(folder: Path) -> bytes:
    return tpmkey.public_key_at_handle(folder)


def test_the_key_is_on_the_curve_of_the_edition_and_its_request_is_accepted(chip: Chip, root: Path):
    path = made(root)
    key = read_request(certificate_request(path, "nb-000123"), "nb-000123", RULES)
    assert isinstance(key.curve, ec.SECP384R1)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_holds_no_key_that_another_tpm_could_use(chip: Chip, root: Path):
    path = made(root)
    assert path.read_text().startswith("-----BEGIN TSS2 PRIVATE KEY----- \n")
    chip.clear()
    assert public_key(path) == b""


def test_strongswan_finds_the_same_key_under_its_handle_and_it_stays(chip: Chip, root: Path, tmp_path: Path):
    path = made(root)
    before, text = at_handle(tmp_path), path.read_text()
    assert before == public_key(path) != b""
    assert made(root, tpm="require").read_text() == text
    chip.switch_off()
    chip.switch_on()
    assert at_handle(tmp_path) == before


@pytest.mark.parametrize("lies_there", ["nothing", "another key"])
def test_what_lies_under_the_handle_after_a_power_cut_is_mended(
    chip: Chip, root: Path, tmp_path: Path, lies_there: str
):
    path = made(root)
    kept = path.read_text()
    if lies_there == "nothing":
        assert chip.run("tpm2_evictcontrol", "-C", "o", "-c", tpmkey.HANDLE).returncode == 0
    else:
        made(root, fresh=True)
        path.write_text(kept)
    assert at_handle(tmp_path) != public_key(path)
    assert made(root).read_text() == kept
    assert at_handle(tmp_path) == public_key(path) != b""


def test_a_cleared_tpm_makes_a_new_key(chip: Chip, root: Path, tmp_path: Path):
    before = made(root).read_text()
    chip.clear()
    path = made(root)
    assert path.read_text() != before
    assert at_handle(tmp_path) == public_key(path) != b""


def test_a_tpm_that_does_not_know_the_curve_makes_a_key_on_p_256(chip: Chip, root: Path):
    chip.unknown = "ecc384:ecdsa-sha384"
    path = made(root)
    kept = path.read_text()
    assert isinstance(read_request(certificate_request(path, "x"), "x", RULES).curve, ec.SECP256R1)
    assert made(root).read_text() == kept


def test_a_key_in_a_file_that_has_a_certificate_stays_until_it_must_move(chip: Chip, root: Path):
    path, why = own_key(root, "P-384", tpm="never", fresh=False)
    path.with_name("device.pem").write_text("its certificate")
    kept = path.read_text()
    assert "BEGIN PRIVATE KEY" in kept
    assert own_key(root, "P-384", tpm="prefer", fresh=False) == (path, "it has a key in a file from before")
    assert path.read_text() == kept
    assert "TSS2" in made(root, fresh=True).read_text()
    assert own_key(root, "P-384", tpm="never", fresh=False) == (path, why)
    assert "BEGIN PRIVATE KEY" in path.read_text()


def test_a_tpm_that_does_not_answer_leaves_a_key_in_a_file_and_says_why(chip: Chip, root: Path):
    chip.switch_off()
    path, why = own_key(root, "P-384", tpm="prefer", fresh=False)
    assert why.startswith("its TPM makes no key (P-384: tpm2_createprimary: ERROR: ")
    assert "BEGIN PRIVATE KEY" in path.read_text()
    with pytest.raises(ValueError, match="its key must be in a TPM: its TPM makes no key"):
        own_key(root, "P-384", tpm="require", fresh=True)


@pytest.mark.parametrize(
    ("version", "why"),
    [("", "tpm2-openssl is not installed"), ("1.1.1", "tpm2-openssl 1.1.1 is too old, 1.3 is needed"), ("1.10", "")],
)
def test_tools_that_are_missing_or_too_old_are_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, version: str, why: str
):
    monkeypatch.setattr(tpmkey, "provider_version", lambda: version)
    assert tpmkey.lacking(root) == why
