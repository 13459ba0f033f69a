"""Runs on a lab laptop as root: logs a person in on a virtual screen, and takes its picture. Standard library only."""

from __future__ import annotations

import base64
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DISPLAY = ":1"
SOCKET = Path("/tmp/.X11-unix/X1")  # noqa: S108 - where X servers listen, X(7)
SCREEN = ("Xtigervnc", DISPLAY, "-SecurityTypes", "VncAuth", "-geometry", "1280x800", "-depth", "24")
NEEDED = {"Xtigervnc": "tigervnc-standalone-server", "tigervncpasswd": "tigervnc-tools", "scrot": "scrot"}
SECRETS = Path("/run/mvpc-screen")
"""The password of the screen, and the same as the server wants it. Both are gone after a restart."""
SESSIONS = {"gnome-session": "GNOME", "startplasma-x11": "KDE"}
"""Program that is the desktop -> what XDG_CURRENT_DESKTOP calls it."""
EMPTY = 20_000
"""A picture of fewer bytes shows next to nothing."""
PATIENCE_SECONDS = 60.0


class MissingError(Exception):
    """What is not there, and what to do."""


def main(*, picture: bool) -> None:
    """Print what is on the screen, or what is missing, as one line of JSON."""
    try:
        person, session = somebody(), desktop()
        password = password_of_screen(person)
        switch_on(person, session)
        shown = base64.b64encode(taken(person)).decode() if picture else ""
        told = {"person": person.pw_name, "session": session, "password": password, "picture": shown}
    except MissingError as missing:
        told = dict(zip(("error", "hint"), missing.args, strict=True))
    sys.stdout.write(json.dumps(told) + "\n")


def somebody() -> pwd.struct_passwd:
    """The first account of a person that is not ours."""
    admin = os.environ.get("SUDO_USER", "")
    people = [each for each in pwd.getpwall() if 1000 <= each.pw_uid < 60000 and each.pw_name != admin]
    if not people:
        raise MissingError("nobody can log in at the desktop", "Add an account to image.yml, as images/desktop has")
    return min(people, key=lambda each: each.pw_uid)


def desktop() -> str:
    """The program that is the desktop of this laptop."""
    found = [session for session in SESSIONS if shutil.which(session)]
    if not found:
        raise MissingError("the laptop has no desktop", "Boot one that has: mvpc lab up 1 --image desktop")
    for program, package in NEEDED.items():
        if not shutil.which(program):
            raise MissingError(f"the laptop has no {program}", f"Add {package} to the packages of image.yml")
    return found[0]


def password_of_screen(person: pwd.struct_passwd) -> str:
    """What a viewer must say; the same as long as the laptop is on."""
    plain, server = SECRETS / "plain", SECRETS / "vnc"
    if not server.exists():
        SECRETS.mkdir(mode=0o755, exist_ok=True)
        plain.touch(mode=0o600)
        plain.write_text(secrets.token_hex(4), encoding="ascii")  # VNC takes eight characters, and no more
        made = subprocess.run(["tigervncpasswd", "-f"], input=plain.read_bytes(), stdout=subprocess.PIPE, check=True)
        server.touch(mode=0o600)
        server.write_bytes(made.stdout)
        os.chown(server, person.pw_uid, person.pw_gid)
    return plain.read_text(encoding="ascii")


def switch_on(person: pwd.struct_passwd, session: str) -> None:
    """Start the screen and the session, where they are not there yet."""
    begin("mvpc-screen", person, (), (*SCREEN, "-PasswordFile", str(SECRETS / "vnc")))
    until(SOCKET.exists, 15)
    variables = {"DISPLAY": DISPLAY, "XDG_SESSION_TYPE": "x11", "XDG_SESSION_CLASS": "user", "GDK_BACKEND": "x11"}
    variables |= {"XDG_CURRENT_DESKTOP": SESSIONS[session], "LANG": language()}
    # As a log-in screen does it: logind and the person's own systemd take part.
    properties = ("--property=PAMName=login", f"--property=WorkingDirectory={person.pw_dir}", "--property=UMask=0022")
    begin(
        "mvpc-desktop", person, (*properties, *(f"--setenv={'='.join(each)}" for each in variables.items())), (session,)
    )


def begin(unit: str, person: pwd.struct_passwd, properties: Sequence[str], argv: Sequence[str]) -> None:
    """Run a program as the person, in a unit of its own, unless it runs."""
    if subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode:
        head = ("systemd-run", "--quiet", "--collect", f"--unit={unit}", f"--property=User={person.pw_name}")
        subprocess.run([*head, *properties, "--", *argv], check=True)


def language() -> str:
    """The language that the laptop speaks (locale.conf(5))."""
    lines = Path("/etc/default/locale").read_text(encoding="utf-8").splitlines()
    return next((line[5:].strip('"') for line in lines if line.startswith("LANG=")), "C.UTF-8")


def taken(person: pwd.struct_passwd) -> bytes:
    """A picture of the screen, once there is something on it and it has come to rest."""
    shots = [b""]

    def settled() -> bool:
        shots.append(shot(person))
        return len(shots[-1]) > EMPTY and len(shots[-1]) == len(shots[-2])

    until(settled, PATIENCE_SECONDS, every=2)
    return shots[-1]


def shot(person: pwd.struct_passwd) -> bytes:
    """The screen as it is now, as PNG; empty when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, person.pw_uid, person.pw_gid)
        path = Path(folder, "screen.png")
        argv = ["runuser", "-u", person.pw_name, "--", "env", f"DISPLAY={DISPLAY}", "scrot", str(path)]
        subprocess.run(argv, stderr=subprocess.DEVNULL, check=False)
        return path.read_bytes() if path.exists() else b""


def until(condition: Callable[[], bool], seconds: float, every: float = 0.2) -> None:
    """Wait for something, but not for ever."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(every)
