from __future__ import annotations

import ast
import base64
import json
import sys
from typing import Any

import pytest

from mvpc.errors import LabError
from mvpc.lab.desktop import Screen, desktop_program, parse_screen

PNG = b"\x89PNG\r\n\x1a\n and so on"


def told(**fields: Any) -> str:
    picture = base64.b64encode(PNG).decode()
    return json.dumps(
        {"person": "anna", "session": "gnome-session", "password": "12345678", "picture": picture} | fields
    )


def test_a_laptop_tells_who_is_logged_in_and_what_is_on_the_screen():
    assert parse_screen(told()) == Screen("anna", "gnome-session", "12345678", PNG)
    assert parse_screen(told(picture="")).picture == b""


def test_what_a_laptop_lacks_is_said_with_the_next_step():
    with pytest.raises(LabError, match=r"no desktop\. Boot one that has"):
        parse_screen(json.dumps({"error": "the laptop has no desktop", "hint": "Boot one that has"}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "Last login: today", told(picture="no base64!"), told(picture=7)])
def test_an_answer_that_makes_no_sense_is_refused(text: str):
    with pytest.raises(LabError, match="did not say what is on its screen"):
        parse_screen(text)


def test_a_picture_must_be_one():
    with pytest.raises(LabError, match="no picture"):
        parse_screen(told(picture=base64.b64encode(b"<script>").decode()))


@pytest.mark.parametrize("picture", [True, False])
def test_the_program_needs_nothing_but_the_standard_library(picture: bool):
    tree = ast.parse(desktop_program(picture=picture), feature_version=(3, 11))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    assert ast.unparse(tree.body[-1]) == f"main(picture={picture})"
