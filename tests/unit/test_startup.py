"""Commands that people type all day must not wait for libraries that they do not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = {"sqlmodel", "sqlalchemy", "alembic", "paramiko", "jinja2", "pydantic", "yaml", "ansible", "cryptography"}


def imported_by(*arguments: str, cwd) -> set[str]:
    code = (
        "import sys; sys.argv = ['mvpc', *sys.argv[1:]]\n"
        "from mvpc.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('\\nIMPORTED', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=30, cwd=cwd, check=True
    )
    return set(done.stdout.rsplit("IMPORTED", 1)[1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status", "--help"]])
def test_help_imports_nothing_slow(arguments, tmp_path):
    assert not imported_by(*arguments, cwd=tmp_path) & SLOW
