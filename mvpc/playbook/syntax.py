"""Let Ansible read the site's own roles before any laptop is touched: one that it cannot read ends a whole run."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mvpc.errors import Problem
from mvpc.localroles import FOLDER, LocalRole
from mvpc.playbook.process import clean_environment, program
from mvpc.text import safe

_SECONDS = 120


def syntax_problems(root: Path, roles: Mapping[str, LocalRole]) -> Iterator[Problem]:
    """Every role of a project folder that Ansible cannot read, with file and line.

    What a role includes only while it runs is not looked at.

    Raises:
        RolloutError: there is no ansible-playbook.
    """
    if roles and _complaint(root, roles):
        for name, role in roles.items():
            if complaint := _complaint(root, {name: role}):
                yield _problem(root, name, complaint)


def _complaint(root: Path, roles: Mapping[str, LocalRole]) -> str:
    """What Ansible says against these roles; empty when it can read them all."""
    with tempfile.TemporaryDirectory(prefix="mvpc-syntax-") as folder:
        book, hosts = Path(folder) / "syntax.yml", Path(folder) / "hosts.yml"
        book.write_text(_playbook(roles), encoding="utf-8")
        hosts.write_text("all: {hosts: {localhost: null}}\n", encoding="utf-8")
        done = subprocess.run(
            [program(), f"--inventory={hosts}", "--syntax-check", "--", str(book)],
            cwd=folder,
            env={
                **clean_environment(Path(folder), root / "playbooks" / "ansible.cfg"),
                "ANSIBLE_ROLES_PATH": str(root / FOLDER),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    return done.stderr or done.stdout or "it cannot be read" if done.returncode else ""


def _playbook(roles: Mapping[str, LocalRole]) -> str:
    lines = ["- hosts: all", "  gather_facts: false", "  tasks:"]
    for name, role in roles.items():
        lines.append(f"    - ansible.builtin.import_role: {{name: {name}}}")
        if role.can_be_removed:
            lines.append(f"    - ansible.builtin.import_role: {{name: {name}, tasks_from: remove}}")
    return "\n".join(lines) + "\n"


def _problem(root: Path, name: str, complaint: str) -> Problem:
    said = re.search(r"\[ERROR\]: (.*)", complaint)
    origin = re.search(rf"{re.escape(str(root))}/({FOLDER}/\S+?:\d+)", complaint)
    words = said[1] if said else complaint.strip().splitlines()[0]
    return Problem(origin[1] if origin else f"{FOLDER}/{name}", f"Ansible cannot read it: {safe(words, limit=300)}")
