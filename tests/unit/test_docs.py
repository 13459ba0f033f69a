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
def test_links_lead_to_files_and_headings_that_exist(page: Path):
    assert [link for link in _links(page) if not _leads_somewhere(page, link)] == []


def test_a_link_to_a_heading_that_is_gone_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# The words of `mvpc status`\n\n```console\n# not a heading\n```\n", encoding="utf-8")

    assert _leads_somewhere(page, "#the-words-of-mvpc-status")
    assert _leads_somewhere(page, "page.md#the-words-of-mvpc-status")
    assert not _leads_somewhere(page, "page.md#not-a-heading")
    assert not _leads_somewhere(page, "gone.md")


def test_the_index_leads_to_every_page():
    index = ROOT / "docs/README.md"
    pages = {page for page in ROOT.glob("docs/**/*.md") if page.parent.name != "adr" and page != index}
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in _links(index)}
    assert {str(page.relative_to(ROOT)) for page in pages - linked} == set()


def test_the_list_of_decisions_leads_to_every_decision():
    folder = ROOT / "docs/adr"
    assert {page.name for page in folder.glob("0*.md")} - set(_links(folder / "README.md")) == set()


def test_the_changelog_sorts_its_entries_under_headings():
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    headings = [line for line in lines if line.startswith("#")]
    kinds = [line.removeprefix("### ") for line in headings if line.startswith("### ")]
    first_entry = next(number for number, line in enumerate(lines) if line.startswith("- "))

    assert headings[:3] == ["# Changelog", "## Unreleased", "### Added"]
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert lines.index("### Added") < first_entry


def _links(page: Path) -> list[str]:
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    return re.findall(r"\]\((?!https?:|mailto:)([^)]+)\)", text)


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, heading = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not heading or heading in _headings(target))


def _headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub and Gitea make them: small letters, no punctuation, hyphens for spaces."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in re.findall(r"(?m)^#+ (.+)$", text)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_pages_name_exist(page: Path):
    known = {name.split()[1] for name, _ in commands(app) if " " in name}
    named = set(re.findall(r"(?:`|\$ )mvpc ([a-z]+)", page.read_text(encoding="utf-8")))
    assert named <= known
