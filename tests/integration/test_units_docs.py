"""The systemd units of the documentation are such that systemd takes them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs/how-to/roll-out-in-rings.md"

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The two files, for a project that exists here."""
    program = Path(sys.executable).with_name("mvpc")
    block = GUIDE.read_text().split("```ini\n")[1].split("```")[0]
    for part in block.split("# /etc/systemd/system/")[1:]:
        name, _, text = part.partition("\n")
        text = text.replace("/srv/fleet/.venv/bin/mvpc", str(program)).replace("/srv/fleet", str(tmp_path))
        (tmp_path / name).write_text(text.replace("User=mvpc", "User=root"))
    return sorted(tmp_path.glob("mvpc-watch.*"))


def test_service_and_timer_are_as_systemd_wants_them(units: list[Path]):
    assert [unit.name for unit in units] == ["mvpc-watch.service", "mvpc-watch.timer"]
    argv = ["systemd-analyze", "verify", *map(str, units)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "mvpc-watch" in line]
    assert (done.returncode, about_ours) == (0, []), done.stderr


def test_what_the_service_starts_is_a_command_of_mvpc(units: list[Path]):
    [line] = [line for line in units[0].read_text().splitlines() if line.startswith("ExecStart=")]
    argv = [*line.removeprefix("ExecStart=").split(), "--help"]
    assert "--once" in subprocess.run(argv, capture_output=True, text=True, check=True).stdout
