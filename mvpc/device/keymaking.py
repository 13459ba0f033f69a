"""What a laptop does when it is enrolled: make its own key, ask for a certificate, show the key's fingerprint as words.

One text that goes over stdin to `python3 -I -S -` as root, like the converge program: Python >= 3.9, standard library,
openssl. The last line of stdout is the answer, one JSON object. The private key never leaves the laptop.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    answer: dict[str, Any] = {"format": 1, "request": "", "serial": "", "generation": 0, "error": ""}
    try:
        answer["serial"] = serial_number(root)
        answer["generation"] = generation(root)
        key = own_key(root, request["curve"], fresh=request["fresh"])
        answer["request"] = openssl("req", "-new", "-key", str(key), "-subj", "/CN=" + request["device"]).decode()
        show(root, request["device"], fingerprint(key), request["words"])
    except (OSError, ValueError) as problem:
        answer["error"] = str(problem)[:300]
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def own_key(root: Path, curve: str, *, fresh: bool) -> Path:
    """The laptop's private key, which is made when there is none on this curve, or when it must be a new one."""
    folder = root / PKI
    folder.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        each.chmod(0o755)
    path = folder / "device.key"
    if fresh or not path.is_file() or OID[curve] not in public_key(path):
        new = folder / ".device.key.new"
        new.unlink(missing_ok=True)
        options = ("-pkeyopt", "ec_paramgen_curve:" + curve, "-pkeyopt", "ec_param_enc:named_curve")
        openssl("genpkey", "-algorithm", "EC", *options, "-out", str(new))
        with new.open("rb") as stream:
            os.fsync(stream.fileno())
        new.chmod(0o600)
        new.replace(path)
    return path


def public_key(path: Path) -> bytes:
    """SubjectPublicKeyInfo in DER; empty when the file holds no key."""
    try:
        return openssl("pkey", "-in", str(path), "-pubout", "-outform", "DER")
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


def openssl(*arguments: str) -> bytes:
    """What openssl prints; raises ValueError with its last words."""
    try:
        done = run("openssl", *arguments)
    except FileNotFoundError:
        raise ValueError("openssl is not installed: apt install openssl") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"openssl {arguments[0]}: {''.join(said)[:200]}")
    return done.stdout


def run(*argv: str) -> subprocess.CompletedProcess[bytes]:
    """A program of the system; raises FileNotFoundError where it is not installed, ValueError when it hangs."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    try:
        return subprocess.run(argv, capture_output=True, env=environment, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{argv[0]} did not end within 60 s") from None
