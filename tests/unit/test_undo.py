"""The program that takes back what nobody confirmed, on a laptop that is a temporary folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mvpc.device.undo import main

SSHD = "/etc/ssh/sshd_config.d/10-mvpc.conf"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "undo").mkdir()
    (tmp_path / "root/etc/ssh/sshd_config.d").mkdir(parents=True)
    return tmp_path / "root"


def undo(root: Path, *files: dict[str, Any], notify: list[list[str]] | None = None, booting: bool = False) -> Path:
    folder = root.parent / "undo"
    manifest = {"generation": 7, "files": list(files), "notify": notify or []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert main(folder, root, booting=booting) == 0
    return folder


def a_file(path: str = SSHD, mode: int = 0o640) -> dict[str, Any]:
    return {"path": path, "kind": "file", "copy": "0", "mode": mode, "uid": os.getuid(), "gid": os.getgid()}


def test_a_file_gets_back_its_content_and_mode(root: Path):
    (root.parent / "undo/0").write_text("before")
    (root / SSHD[1:]).write_text("after")
    undo(root, a_file())
    assert (root / SSHD[1:]).read_text() == "before"
    assert (root / SSHD[1:]).stat().st_mode & 0o777 == 0o640


def test_what_was_not_there_goes_and_what_was_deleted_comes_back(root: Path):
    (root.parent / "undo/0").write_text("before")
    (root / "etc/new").write_text("after")
    undo(root, a_file("/etc/gone/with/its/folder"), {"path": "/etc/new", "kind": "absent"})
    assert not (root / "etc/new").exists()
    assert (root / "etc/gone/with/its/folder").read_text() == "before"


def test_a_link_points_again_where_it_did(root: Path):
    (root / "etc/resolv.conf").write_text("after")
    undo(root, {"path": "/etc/resolv.conf", "kind": "link", "target": "/run/systemd/resolve/stub-resolv.conf"})
    assert os.fspath((root / "etc/resolv.conf").readlink()) == "/run/systemd/resolve/stub-resolv.conf"


def test_nothing_happens_when_somebody_has_confirmed(root: Path):
    (root / SSHD[1:]).write_text("after")
    assert main(root.parent / "undo", root) == 0
    assert (root / SSHD[1:]).read_text() == "after"


def test_it_tells_what_it_took_back_and_does_so_once(root: Path):
    folder = undo(root, {"path": "/etc/new", "kind": "absent"})
    told = json.loads((folder / "undone.json").read_text())
    assert (told["generation"], told["booting"]) == (7, False)
    assert not (folder / "manifest.json").exists()


def test_services_are_told_unless_the_laptop_boots(root: Path):
    undo(root, notify=[["touch", str(root / "told")], ["/no/such/program"], ["touch", str(root / "last")]])
    assert (root / "told").exists()
    assert (root / "last").exists()
    undo(root, notify=[["touch", str(root / "booting")]], booting=True)
    assert not (root / "booting").exists()


def test_a_run_that_died_half_way_is_finished_by_the_next(root: Path):
    (root.parent / "undo/0").write_text("before")
    (root / SSHD[1:]).write_text("after")
    folder = root.parent / "undo"
    files = [a_file(), {"path": "/etc/new", "kind": "no such kind", "copy": "missing", "mode": 0, "uid": 0, "gid": 0}]
    (folder / "manifest.json").write_text(json.dumps({"generation": 7, "files": files, "notify": []}))
    with pytest.raises(FileNotFoundError):
        main(folder, root)
    assert (folder / "manifest.json").exists()
    undo(root, a_file(), {"path": "/etc/new", "kind": "absent"})
    assert (root / SSHD[1:]).read_text() == "before"
