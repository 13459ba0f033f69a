"""What commands share: the project they work in, who is acting, and what time it is."""

from __future__ import annotations

import getpass
import os
import pwd
import sys
from contextvars import ContextVar
from datetime import UTC, date, datetime
from pathlib import Path

from mvpc.project import Project, find_project
from mvpc.text import safe

_start: ContextVar[Path | None] = ContextVar("_start", default=None)
_simulated: ContextVar[bool] = ContextVar("_simulated", default=False)


def use_project(folder: Path | None) -> None:
    """Let the commands of this call work in `folder`; None means the current folder."""
    _start.set(folder)
    _simulated.set(False)


def current_project() -> Project:
    """The project folder of this call; raises InputError when there is none.

    The first time, it says so on stderr when the fleet is simulated: no command can be taken for one on real laptops.
    """
    project = find_project(_start.get() or Path.cwd())
    if project.chances and not _simulated.get():
        _simulated.set(True)
        sys.stderr.write(f"SIMULATED: no laptop of {safe(project.root)} is real, none is called\n")
    return project


def is_simulated() -> bool:
    """Whether the project of this call holds a simulated fleet; False before it was looked for."""
    return _simulated.get()


def actor() -> str:
    """Who is acting, for the history: $MVPC_USER, else the person behind sudo, else the login name."""
    return os.environ.get("MVPC_USER") or os.environ.get("SUDO_USER") or getpass.getuser()


def login() -> str:
    """Whose login this is, as far as the system knows: what approvals count. No variable of ours can change it.

    The kernel remembers who logged in, whatever became of the user since by sudo or su (pam_loginuid(8)). Where nobody
    has logged in, as in a service or a container, it is the person behind sudo, or the user.
    """
    if person := _logged_in():
        return person
    if os.getuid() == 0 and "SUDO_USER" in os.environ:
        return os.environ["SUDO_USER"]
    return pwd.getpwuid(os.getuid()).pw_name


def _logged_in() -> str | None:
    try:
        number = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
        return pwd.getpwuid(number).pw_name
    except (OSError, ValueError, KeyError, OverflowError):  # no audit in this kernel, or nobody has logged in (-1)
        return None


def now() -> datetime:
    """The present moment in UTC. The only clock of the command line."""
    return datetime.now(tz=UTC)


def today() -> date:
    """The day on which this machine is: what the organisation is asked about."""
    return now().astimezone().date()
