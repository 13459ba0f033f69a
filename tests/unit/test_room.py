from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from mvpc.errors import MvpcError
from mvpc.room import require_room


def test_too_little_room_is_named_before_anything_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=63 << 10, f_frsize=1 << 10))
    require_room({tmp_path: 63})
    with pytest.raises(MvpcError) as refused:
        require_room({tmp_path: 64})
    assert str(refused.value) == f"{tmp_path}: only 63 MB free, 64 MB needed to begin. Free some space, then try again."
    assert refused.value.exit_code == 1
