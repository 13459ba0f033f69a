from __future__ import annotations

import pytest

from mvpc.keyfile import to_text
from mvpc.nmcli import complaint, find_nmcli

KEYFILE = {
    "connection": {"id": "mvpc-wifi-guest", "uuid": "3f1b9a52-6c1c-5f0e-9a59-000000000001", "type": "wifi"},
    "wifi": {"mode": "infrastructure", "ssid": "71;195;164;115;116;101;"},
    "wifi-security": {"key-mgmt": "sae", "pmf": "3", "psk": "a long enough passphrase"},
}


@pytest.fixture
def nmcli():
    if not (found := find_nmcli([])):
        pytest.skip("needs nmcli (Debian package network-manager)")
    return found


def test_a_good_keyfile_raises_no_complaint(nmcli):
    assert complaint(nmcli, to_text(KEYFILE)) == ""


def test_a_broken_keyfile_is_complained_about_without_its_secret(nmcli):
    broken = KEYFILE | {"connection": KEYFILE["connection"] | {"type": "wiffi"}}
    said = complaint(nmcli, to_text(broken))
    assert said
    assert "passphrase" not in said


def test_a_missing_program_is_a_complaint_and_no_crash():
    assert "could not be run" in complaint(("/nonexistent/nmcli",), to_text(KEYFILE))


def test_an_image_lends_its_own_nmcli_where_this_machine_has_none(tmp_path, monkeypatch):
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/nmcli").touch()
    monkeypatch.setattr("shutil.which", lambda name: None if name == "nmcli" else f"/usr/sbin/{name}")
    assert find_nmcli([tmp_path / "other", tmp_path]) == ("/usr/sbin/chroot", str(tmp_path), "/usr/bin/nmcli")
