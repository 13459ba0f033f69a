from __future__ import annotations

import pickle

import pytest

from mvpc.errors import SecretError
from mvpc.secret import Secret, SecretFolder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wifi").mkdir()
    path = tmp_path / "wifi" / "guest-psk"
    path.write_text("correct horse\nsecond line\n")
    path.chmod(0o600)
    return SecretFolder(tmp_path)


def test_a_secret_is_the_first_line_of_its_file(folder):
    assert folder.resolve("wifi/guest-psk").reveal() == "correct horse"


def test_a_secret_never_shows_itself():
    secret = Secret("correct horse")
    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_secrets_are_equal_to_secrets_of_the_same_value_and_to_nothing_else():
    assert Secret("correct horse") == Secret("correct horse")
    assert Secret("correct horse") != Secret("battery staple")
    assert Secret("correct horse") != "correct horse"


@pytest.mark.parametrize("name", ["../mvpc.db", "/etc/shadow", "wifi/../../x", "", "Wifi/PSK"])
def test_a_reference_cannot_climb_out_of_the_folder(folder, name: str):
    with pytest.raises(SecretError, match="not allowed"):
        folder.resolve(name)


def test_a_missing_secret_names_the_command_that_stores_it(folder):
    with pytest.raises(SecretError, match="mvpc secret set wifi/other"):
        folder.resolve("wifi/other")


def test_a_secret_that_others_can_read_is_refused(folder):
    (folder.folder / "wifi" / "guest-psk").chmod(0o644)
    with pytest.raises(SecretError, match="chmod 600"):
        folder.resolve("wifi/guest-psk")


@pytest.mark.parametrize("text", ["", "\nsecond line\n"])
def test_a_secret_without_a_value_is_refused(folder, text: str):
    (folder.folder / "wifi" / "guest-psk").write_text(text)
    with pytest.raises(SecretError, match="secret wifi/guest-psk is empty"):
        folder.resolve("wifi/guest-psk")
