"""How programs of the system are called by those who make a laptop's key. Stands before `tpmkey` and `keymaking`."""

from __future__ import annotations

import subprocess

PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"


def openssl(*arguments: str) -> bytes:
    """What openssl prints; raises ValueError with its last words."""
    return said_by("openssl", *arguments)


def said_by(*argv: str) -> bytes:
    """What a program prints; raises ValueError with its last words, or because it is not installed."""
    try:
        done = run(*argv)
    except FileNotFoundError:
        package = "tpm2-tools" if argv[0].startswith("tpm2_") else argv[0]
        raise ValueError(f"{argv[0]} is not installed: apt install {package}") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        # tpm2-tools end with that they could not run, behind the line that says why.
        why = [line for line in said if not line.startswith("ERROR: Unable to run")][-1:]
        called = " ".join(word for word in argv[:2] if word != "-Q")
        raise ValueError(f"{called}: {''.join(why)[:200]}")
    return done.stdout


def run(*argv: str) -> subprocess.CompletedProcess[bytes]:
    """A program of the system; raises FileNotFoundError where it is not installed, ValueError when it hangs."""
    environment = {"PATH": PROGRAMS, "LC_ALL": "C"}
    try:
        return subprocess.run(argv, capture_output=True, env=environment, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{argv[0]} did not end within 60 s") from None
