"""What the Ansible side says of itself. `make lint` runs ansible-lint and yamllint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted((ROOT / "playbooks/roles").iterdir())
BIN = Path(sys.executable).parent


def tool(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8", "NO_COLOR": "1"}
    return subprocess.run(
        arguments, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("kind", "name"), [("module", "converge"), ("callback", "events"), ("inventory", "inventory")])
def test_every_plugin_is_documented(tmp_path: Path, kind: str, name: str):
    ran = tool(tmp_path, "ansible-doc", "--playbook-dir", "playbooks", "-t", kind, f"mvpc.fleet.{name}")
    assert ran.returncode == 0, ran.stderr
    assert "OPTIONS" in ran.stdout
    assert ran.stderr == ""


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_defaults_of_a_role_are_those_of_its_argument_spec_and_its_readme(role: Path):
    spec = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    assert {name: option["default"] for name, option in spec.items()} == defaults
    readme = (role / "README.md").read_text()
    assert all(f"| `{name}` | {value} |" in readme for name, value in defaults.items())
