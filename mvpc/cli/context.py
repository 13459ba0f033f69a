"""What commands share: the project they work in, who is acting, and what time it is."""

from __future__ import annotations

import getpass
import os
import pwd
from contextvars import ContextVar
from datetime import UTC, date, datetime
from pathlib import Path

from mvpc.project import Project, find_project

_start: ContextVar[Path | None] = ContextVar("_start", default=None)


def use_project(folder: Path | None) -> None:
    """Let the commands of this call work in `folder`; None means the current folder."""
    _start.set(folder)


def current_project() -> Project:
    """The project folder of this call; raises InputError when there is none."""
    return find_project(_start.get() or Path.cwd())


def actor() -> str:
    """Who is acting, for the history: $MVPC_USER, else the person behind sudo, else the login name."""
    return os.environ.get("MVPC_USER") or os.environ.get("SUDO_USER") or getpass.getuser()


def login() -> str:
    """Whose login this is, as far as the system knows: what approvals count. No variable of ours can change it."""
    if os.getuid() == 0 and "SUDO_USER" in os.environ:
        return os.environ["SUDO_USER"]
    return pwd.getpwuid(os.getuid()).pw_name


def now() -> datetime:
    """The present moment in UTC. The only clock of the command line."""
    return datetime.now(tz=UTC)


def today() -> date:
    """The day on which this machine is: what the organisation is asked about."""
    return now().astimezone().date()
