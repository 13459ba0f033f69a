"""What a laptop does when it is enrolled: make its own key, ask for a certificate, show the key's fingerprint as words.

One text with `keytools` and `tpmkey` before it, which goes over stdin to `python3 -I -S -` as root, like the converge
program: Python >= 3.9, standard library, openssl, where there is a TPM also tpm2-tools. The last line of stdout is the
answer, one JSON object. The private key never leaves the laptop.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mvpc.device.keytools import openssl, run
from mvpc.device.tpmkey import in_tpm, keep_in_tpm, lacking, make_in_tpm, providers, without_parameters

PKI = "etc/mvpc/pki"
SERIAL_FILE = "etc/mvpc/serial"
"""For machines whose firmware knows no serial number; whoever images them writes it."""
FIRMWARE = "sys/class/dmi/id/product_serial"
SCREENS = ("dev/tty1", "dev/console")
CONSOLES = "sys/class/tty/console/active"
SHOWN = "run/mvpc/enrolment"
LEDGER = "var/lib/mvpc/ledger.json"
OID = {
    "P-256": bytes.fromhex("06082a8648ce3d030107"),
    "P-384": bytes.fromhex("06052b81040022"),
    "P-521": bytes.fromhex("06052b81040023"),
}
"""How curves are named in a public key (RFC 5480)."""
NO_SERIALS = {"", "none", "to be filled by o.e.m.", "system serial number", "default string", "not specified", "0"}


def main(request: dict[str, Any], root: Path = Path("/")) -> int:
    """Answer a request on stdout; the exit code is 0 whenever there is an answer."""
    os.umask(0o077)
    answer: dict[str, Any] = {"format": 1, "request": "", "serial": "", "generation": 0, "no_tpm": "", "error": ""}
    try:
        answer["serial"] = serial_number(root)
        answer["generation"] = generation(root)
        key, answer["no_tpm"] = own_key(root, request["curve"], tpm=request["tpm"], fresh=request["fresh"])
        answer["request"] = certificate_request(key, request["device"])
        show(root, request["device"], fingerprint(key), request["words"])
    except (OSError, ValueError) as problem:
        answer["error"] = str(problem)[:300]
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def own_key(root: Path, curve: str, *, tpm: str, fresh: bool) -> tuple[Path, str]:
    """The laptop's private key, and why it is in no TPM; that is empty when it is.

    One is made when there is none that is good, or when it must be a new one.

    Args:
        root: where the laptop's files are.
        curve: of the key. A TPM that does not know it makes one on P-256, which every TPM 2.0 knows.
        tpm: whether the key should be in a TPM: `prefer`, `require`, `never`.
        fresh: whether a key that is there already must not be used any more.

    Raises:
        ValueError: it cannot be made, or not in a TPM although it must be.
    """
    folder = root / PKI
    folder.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        each.chmod(0o755)
    path = folder / "device.key"
    good = not fresh and is_good(path, curve)
    why = "its settings want it in a file" if tpm == "never" else lacking(root)
    why = why or why_not_in_tpm(path, curve, good=good, stay=tpm == "prefer")
    if why and tpm == "require":
        raise ValueError(f"its key must be in a TPM: {why}")
    if why and (not good or in_tpm(path)):
        named = ("-pkeyopt", f"ec_paramgen_curve:{curve}", "-pkeyopt", "ec_param_enc:named_curve")
        replace_key(path, lambda new: openssl("genpkey", "-algorithm", "EC", *named, "-out", str(new)))
    return path, why


def why_not_in_tpm(path: Path, curve: str, *, good: bool, stay: bool) -> str:
    """See to it that the key is in the TPM; why that cannot be, or empty.

    With `stay` a good key in a file stays if the laptop has a certificate for it, with which it works until then.
    """
    if stay and good and not in_tpm(path) and path.with_name("device.pem").is_file():
        return "it has a key in a file from before"
    try:
        if good and in_tpm(path):
            keep_in_tpm(path)
        else:
            replace_key(path, lambda new: make_in_tpm(new, (curve, "P-256")))
    except ValueError as problem:
        return str(problem)
    return ""


def replace_key(path: Path, make: Callable[[Path], object]) -> None:
    """Let a new key be made beside the old one, and put it in its place at once."""
    new = path.with_name(".device.key.new")
    new.unlink(missing_ok=True)
    make(new)
    with new.open("rb") as stream:
        os.fsync(stream.fileno())
    new.chmod(0o600)
    new.replace(path)


def is_good(path: Path, curve: str) -> bool:
    """Whether there is a key on this curve, or, of the TPM, on P-256."""
    known = public_key(path)
    return OID[curve] in known or (in_tpm(path) and OID["P-256"] in known)


def certificate_request(key: Path, name: str) -> str:
    """A request for a certificate of this key, in PEM; `name` is what it calls itself."""
    made = openssl("req", "-new", *providers(key), "-key", str(key), "-subj", f"/CN={name}").decode()
    return without_parameters(made) if in_tpm(key) else made


def public_key(path: Path) -> bytes:
    """SubjectPublicKeyInfo in DER; empty when the file holds no key."""
    try:
        return openssl("pkey", *providers(path), "-in", str(path), "-pubout", "-outform", "DER")
    except ValueError:
        return b""


def fingerprint(path: Path) -> str:
    """SHA-256 of the public key, hexadecimal."""
    return hashlib.sha256(public_key(path)).hexdigest()


def words(fingerprint: str, known: list[str]) -> str:
    """The first 66 bits as six words, as `mvpc.identity.words` does it."""
    start = int(fingerprint, 16) >> (4 * len(fingerprint) - 66)
    return " ".join(known[start >> shift & 2047] for shift in range(55, -1, -11))


def show(root: Path, device: str, fingerprint: str, known: list[str]) -> None:
    """Put the fingerprint where a person before the laptop sees it; a screen that is not there does not matter."""
    text, code = words(fingerprint, known), "SHA256:" + fingerprint.upper()
    file = root / SHOWN
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o755)
    file.write_text(f"{text}\n{code}\n")
    file.chmod(0o644)
    lines = [*drawn(code), f"mvpc enrols {device}. Its key: {text}"]
    for name in screens(root):
        try:
            screen = os.open(root / name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            continue
        with os.fdopen(screen, "wb", buffering=0) as stream:
            try:
                stream.write("".join(f"\r\n{line}" for line in lines).encode() + b"\r\n")
            except OSError:
                continue


def screens(root: Path) -> tuple[str, ...]:
    """Where people look; once where the console is the first screen, as on most laptops (proc(5), console(4))."""
    try:
        active = (root / CONSOLES).read_text().split()
    except OSError:
        active = []
    return SCREENS[:1] if active[-1:] == ["tty0"] else SCREENS


def drawn(code: str) -> list[str]:
    """A QR code for the console, as `mvpc.identity.words` makes it; nothing where qrencode is not installed."""
    try:
        done = run("qrencode", "-t", "ANSIUTF8", "-l", "L", "-m", "4", "--", code)
    except (OSError, ValueError):
        return []
    return done.stdout.decode().splitlines() if done.returncode == 0 else []


def serial_number(root: Path) -> str:
    """The serial number that this laptop has; empty when nothing knows it."""
    for name in (SERIAL_FILE, FIRMWARE):
        try:
            found = (root / name).read_text(errors="replace").strip()[:100]
        except OSError:
            continue
        if found.lower() not in NO_SERIALS:
            return found
    return ""


def generation(root: Path) -> int:
    """The generation in the ledger; 0 when nothing was ever applied."""
    try:
        return int(json.loads((root / LEDGER).read_bytes())["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
