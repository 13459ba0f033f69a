from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mvpc.errors import InputError
from mvpc.profiles.revision import at_revision


def git(folder: Path, *arguments: str) -> None:
    person = {"NAME": "A", "EMAIL": "a@mv.example"}
    names = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
    environment = {**os.environ, **names, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(("git", *arguments), cwd=folder, check=True, capture_output=True, env=environment)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder below the top of a repository, with one commit."""
    root = tmp_path / "fleet"
    (root / "profiles" / "ressorts").mkdir(parents=True)
    (root / "profiles" / "base.yml").write_text("vpn: {mtu: 1380}\n")
    (root / "profiles" / "ressorts" / "fm.yml").write_text("# fm\n")
    (root / "profiles" / "link.yml").symlink_to("/etc/passwd")
    (root / "other.txt").write_text("x")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return root


def test_the_profiles_of_a_revision_are_there_for_a_while(project: Path):
    (project / "profiles" / "base.yml").write_text("vpn: {mtu: 1340}\n")
    with at_revision(project, "HEAD") as folder:
        found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
        assert (folder / "profiles" / "base.yml").read_text() == "vpn: {mtu: 1380}\n"
    assert found == ["profiles/base.yml", "profiles/ressorts/fm.yml"]
    assert not folder.exists()


@pytest.mark.parametrize("revision", ["nothing", "--help", "HEAD~5", ""])
def test_an_unknown_revision_is_refused(project: Path, revision: str):
    with pytest.raises(InputError, match="git knows no revision"), at_revision(project, revision):
        pass


def test_a_folder_without_git_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="is in no git repository"), at_revision(tmp_path, "HEAD"):
        pass
