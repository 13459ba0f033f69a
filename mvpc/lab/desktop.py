"""The desktop of a lab laptop on a screen of its own, since a container has none: seen over VNC, or as a picture."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path

from mvpc.errors import LabError
from mvpc.text import safe

PORT = 5901
"""Of the VNC server. It has a password and no encryption: the lab's bridge ends on this machine."""
SECONDS = 100
"""A desktop takes its time where no graphics card helps."""
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Screen:
    """What a laptop tells of its desktop."""

    person: str
    """Account that is logged in."""
    session: str
    """Program that is its desktop: gnome-session, startplasma-x11."""
    password: str
    """For the VNC viewer."""
    picture: bytes = b""
    """PNG; empty where none was asked for."""


def desktop_program(*, picture: bool) -> str:
    """The program that the laptop runs: log a person in on a new screen, or find the one that is there."""
    source = Path(__file__).with_name("onscreen.py").read_text(encoding="utf-8")
    return f"{source}\nmain(picture={picture!r})\n"


def parse_screen(text: str) -> Screen:
    """Read what the program printed; raises LabError when there is no desktop, or no answer that makes sense."""
    try:
        told = json.loads(text)
        if "error" in told:
            raise LabError(safe(told["error"], limit=300), hint=safe(told["hint"], limit=300))
        picture = base64.b64decode(told["picture"], validate=True)
        screen = Screen(safe(told["person"]), safe(told["session"]), safe(told["password"]), picture)
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise LabError("the laptop did not say what is on its screen") from error
    if picture and not picture.startswith(_PNG):
        raise LabError("the laptop sent no picture")
    return screen
