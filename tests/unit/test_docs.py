"""Documentation is tested like code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from docs.generate import cli_reference, commands
from mvpc.cli.app import COMMANDS, app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("images/**/*.md"), *ROOT.glob("playbooks/**/*.md")]
)


def test_the_command_line_reference_is_current():
    assert (ROOT / "docs/reference/cli.md").read_text() == cli_reference(), "run: make docs"


@pytest.mark.parametrize(("name", "command"), [pytest.param(name, command, id=name) for name, command in commands(app)])
def test_every_command_and_option_is_explained(name: str, command: Any):
    assert command.help, f"{name} has no help"
    unexplained = [
        option.name for option in command.params if not getattr(option, "help", "") and option.name != "help"
    ]
    assert not unexplained


def test_short_help_fits_one_line():
    assert [command.name for command in COMMANDS if len(command.help or "") > 66] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_pages_name_exist(page: Path):
    known = {name.split()[1] for name, _ in commands(app) if " " in name}
    named = set(re.findall(r"(?:`|\$ )mvpc ([a-z]+)", page.read_text(encoding="utf-8")))
    assert named <= known
