"""What a new laptop does at its first boot: make its key, ask the desk of its controller, show the key, wait.

One text with `keytools`, `tpmkey` and `keymaking` before it: Python >= 3.9, standard library, openssl, ssh, where there
is a TPM also tpm2-tools. It is part of an image and runs as root on the console, from mvpc-enrol.service. It holds no
secret; the token comes from a person.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mvpc.device.keymaking import PKI, certificate_request, fingerprint, generation, own_key, serial_number, show

LEFT = "etc/mvpc/token"
"""Where whoever images the laptop may put its token; it is removed when it is read."""
HOST_KEY = "etc/ssh/ssh_host_ecdsa_key"
DESK = "run/mvpc/desk"
AGAIN_S = 5
PATIENCE_S = 3600
"""As long as a token can be good."""


def first_boot(settings: dict[str, Any], root: Path = Path("/")) -> int:
    """Bring this laptop to its desk; 0 when it was enrolled."""
    os.umask(0o077)
    try:
        key, no_tpm = own_key(root, settings["curve"], tpm=settings["tpm"], fresh=False)
        say(f"mvpc: its key is in {f'a file: {no_tpm}' if no_tpm else 'its TPM'}")
        answer = accepted(root, settings, question(root, key) | {"no_tpm": no_tpm})
        let_in(root, answer["account"], answer["key"])
        show(root, answer["device"], fingerprint(key), settings["words"])
        say(f"mvpc: compare it at the controller: mvpc device enroll {answer['device']}")
        return wait(root)
    except (OSError, ValueError, KeyError) as problem:
        say(f"mvpc: this laptop was not enrolled: {problem}")
        return 1


def question(root: Path, key: Path) -> dict[str, Any]:
    """What the desk is asked, but for the token. The request names the serial number, the only name that we know."""
    serial = serial_number(root)
    say(f"mvpc: this laptop is new. Its serial number: {serial or 'unknown, write it to /etc/mvpc/serial'}")
    name = "".join(each if each.isalnum() else "\\" + each for each in serial[:64])
    request = certificate_request(key, name)
    return {"format": 1, "request": request, "serial": serial, "generation": generation(root)}


def accepted(root: Path, settings: dict[str, Any], asked: dict[str, Any]) -> dict[str, str]:
    """The desk's answer, once it accepts a token."""
    while True:
        answer = ask(root, settings, {**asked, "token": token(root)})
        if not answer["error"]:
            return answer
        say(f"mvpc: the controller refuses: {answer['error']}")


def token(root: Path) -> str:
    """The token from the file that was left for us, or from the person at the console."""
    file = root / LEFT
    if file.is_file():
        text = file.read_text(errors="replace").strip()
        file.unlink()
        return text
    sys.stdout.write("Token: ")
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        raise ValueError("there is no token, and nobody to type it")
    return line.strip()


def ask(root: Path, settings: dict[str, Any], asked: dict[str, Any]) -> dict[str, str]:
    """Log in at the desk with our SSH host key and believe nobody but the controller that the image names.

    An unreachable desk is tried again and again, since a network may take its time.
    """
    known = root / DESK
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(f"desk {settings['host_key']}\n")
    deadline, said = time.monotonic() + PATIENCE_S, ""
    while time.monotonic() < deadline:
        done = subprocess.run(
            call(root, settings), input=json.dumps(asked).encode() + b"\n", capture_output=True, check=False
        )
        if done.returncode == 0:
            return read_answer(done.stdout)
        problem = "".join(done.stderr.decode(errors="replace").strip().splitlines()[-1:])[:200]
        if problem != said:
            say(f"mvpc: the controller at {settings['address']} does not answer: {problem}")
            said = problem
        time.sleep(AGAIN_S)
    raise ValueError("the controller did not answer for an hour; to try again, start mvpc-enrol.service")


def call(root: Path, settings: dict[str, Any]) -> list[str]:
    """How ssh is called: with our own host key, believing the controller's alone, and no configuration."""
    options = (
        *("BatchMode=yes", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=none", "IdentitiesOnly=yes"),
        *("HostKeyAlias=desk", f"UserKnownHostsFile={root / DESK}", "ConnectTimeout=10", "ServerAliveInterval=15"),
    )
    flags = [part for option in options for part in ("-o", option)]
    where = ["-p", str(settings["port"]), "-l", settings["account"], "--", settings["address"]]
    return ["/usr/bin/ssh", "-F", "none", "-T", "-i", str(root / HOST_KEY), *flags, *where]


def read_answer(said: bytes) -> dict[str, str]:
    """The last line of what the desk says; raises ValueError when it is no answer."""
    data = json.loads(said.decode().rstrip().rpartition("\n")[2])
    answer = {name: data[name] for name in ("error", "device", "account", "key")}
    if not all(isinstance(value, str) and "\n" not in value for value in answer.values()):
        raise ValueError("the controller's answer has another format")
    return answer


def let_in(root: Path, account: str, key: str) -> None:
    """Let the controller log in, with the key that it names."""
    lines = (line.split(":") for line in (root / "etc/passwd").read_text().splitlines())
    found = next((fields for fields in lines if fields[0] == account), None)
    if found is None:
        raise ValueError(f"this image has no account {account}")
    folder = root / found[5].lstrip("/") / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    keys = folder / "authorized_keys"
    keys.write_text(key + "\n")
    for path in (folder, keys):
        os.chown(path, int(found[2]), int(found[3]))


def wait(root: Path) -> int:
    """Wait for the certificate, which the controller brings when a person has compared the key."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (root / PKI / "device.pem").is_file():
            say("mvpc: this laptop is enrolled.")
            return 0
        time.sleep(1)
    raise ValueError("nobody compared the key; to try again with a new token, start mvpc-enrol.service")


def say(text: str) -> None:
    """One line for the person at the console."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
