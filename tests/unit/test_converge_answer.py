"""How the device program is sent, and how what a device says is read."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from mvpc import model
from mvpc.device import component_to_dict, parse_answer, program, resource_to_dict, source
from mvpc.device.converge.request import read_component
from mvpc.device.converge.resources import KINDS, LEDGER_ONLY
from mvpc.model import Component, Connection, File, Package, Unit

KEYED = File(
    path="/etc/x",
    content="Größe: '\"\\\n\u2028",
    validate=("/usr/sbin/sshd", "-t", "-f", "%s"),
    notify=("reload ssh.service",),
    device_keys={"@KEY@": "wireguard"},
)
RESOURCES: tuple[model.Resource, ...] = (
    KEYED,
    Package(name="vim", version="9.1"),
    Unit(name="ssh.service", masked=True),
    Connection(id="lan", uuid="11111111-1111-4111-8111-111111111111", content="[connection]\n"),
)


def request(*components: Component, **odd: Any) -> dict[str, Any]:
    parts = [component_to_dict(each) for each in components]
    return {
        "format": 1,
        "action": "check",
        "device": "nb-1",
        "generation": 1,
        "diff": False,
        "updates": True,
        "undo": "",
        "components": parts,
        **odd,
    }


def part(**odd: Any) -> dict[str, Any]:
    whole = {"name": "base", "digest": "d1", "outcome": "changed", "changes": ["a"], "error": "", "diff": ""}
    return {**whole, **odd}


def answer(**odd: Any) -> dict[str, Any]:
    whole = {"format": 1, "device": "nb-1", "machine_id": "a", "generation": 7, "facts": {}, "error": ""}
    return {**whole, "components": [part()], **odd}


# --- sending ---------------------------------------------------------------------------------


def test_every_resource_arrives_on_the_device_as_it_left():
    sent = json.loads(json.dumps(component_to_dict(Component(name="base", digest="d1", resources=RESOURCES))))
    arrived = read_component(sent)

    assert (arrived.name, arrived.digest) == ("base", "d1")
    for position, left in enumerate(RESOURCES):
        for name in left.__slots__:
            assert getattr(arrived.resources[position], name) == getattr(left, name)


def test_the_device_program_knows_exactly_the_fields_of_the_model():
    for kind, on_device in KINDS.items():
        here = {each.name for each in fields(getattr(model, kind.capitalize()))}
        assert set(on_device._fields) - LEDGER_ONLY == here


def test_a_resource_is_plain_json_with_its_kind():
    assert resource_to_dict(Package(name="vim")) == {"kind": "package", "name": "vim", "present": True, "version": ""}
    assert resource_to_dict(KEYED)["validate"] == ["/usr/sbin/sshd", "-t", "-f", "%s"]
    assert resource_to_dict(KEYED)["device_keys"] == {"@KEY@": "wireguard"}


def pythons() -> list[str]:
    found = [shutil.which(f"python3.{minor}") for minor in range(9, 14)]
    works = [
        path
        for path in found
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
    ]
    return [sys.executable, *works]


@pytest.mark.parametrize("python", pythons())
def test_a_sent_program_answers_in_its_last_line(python):
    sent = program(request(Component(name="base", digest="d1", resources=(File(path="/no/such/file"),)), diff=True))
    ran = subprocess.run([python, "-I", "-S", "-"], input=sent, capture_output=True, text=True, check=True, timeout=60)

    read = parse_answer("motd of a noisy laptop\n" + ran.stdout)
    assert (ran.stderr, read.error) == ("", "")
    assert read.components[0].changes == ("file /no/such/file created",)


@pytest.mark.parametrize(
    "text", ["'''", '"""', "\\", "\\n'", "\n", "\r", "\u2028", "\x00", "\ud800", "ß", "{}%s", "')#"]
)
def test_whatever_a_request_holds_stays_data(text):
    sent = program(request(Component(name="base", digest="d", resources=(File(path="/x", content=text),))))

    assert sent.isascii() or all(ord(letter) < 0xD800 for letter in sent)
    *_, assignment, last = ast.parse(sent).body
    assert isinstance(assignment, ast.Assign)
    assert isinstance(assignment.value, ast.Constant)
    data = json.loads(str(assignment.value.value))
    assert data["components"][0]["resources"][0]["content"] == text
    assert ast.unparse(last) == "start(PROGRAM, REQUEST)"


@pytest.mark.parametrize("text", [program(request()), source()], ids=["its start", "itself"])
def test_the_device_program_is_for_python_3_9_and_its_standard_library(text):
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


# --- reading ---------------------------------------------------------------------------------


def test_an_answer_is_read_into_frozen_values():
    read = parse_answer(json.dumps(answer(facts={"os": "debian-13", "connections": [{"id": "lan"}]})))

    assert (read.device, read.generation, read.error) == ("nb-1", 7, "")
    assert read.components[0].changes == ("a",)
    assert read.facts["os"] == "debian-13"


def test_hostile_text_is_passed_on_as_it_is_for_the_caller_to_make_safe():
    assert parse_answer(json.dumps(answer(device="\x1b[31mred\u202e"))).device == "\x1b[31mred\u202e"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid JSON"),
        ("sudo: a password is required", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("9" * 10_000, "not valid JSON"),
        (json.dumps(answer())[:-1], "not valid JSON"),
        ('{"format": 1, "format": 1}', "not valid JSON"),
        ("[]", "not of format 1"),
        ("null", "not of format 1"),
        (json.dumps(answer(format=2)), "not of format 1"),
        (json.dumps(answer(facts={"x": "y" * (1 << 20)})), "longer than 1 MiB"),
        (json.dumps(answer(facts={"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}})), "nested too deeply"),
        (json.dumps(answer(extra=1)), "answer: not exactly the fields"),
        (json.dumps({"format": 1, "components": []}), "answer: not exactly the fields"),
        (json.dumps(answer(generation=True)), "generation is not of type int"),
        (json.dumps(answer(generation=-1)), "out of range"),
        (json.dumps(answer(generation=1 << 63)), "out of range"),
        (json.dumps(answer(generation="7")), "generation is not of type int"),
        (json.dumps(answer(facts=[])), "facts is not of type dict"),
        (json.dumps(answer(facts={"x": float("nan")})), "not finite"),
        (json.dumps(answer(facts={"x": 1})).replace("1}", "1e999}"), "not finite"),
        (json.dumps(answer(device="\ud800")), "not valid Unicode"),
        (json.dumps(answer(facts={"\udfff": 1})), "not valid Unicode"),
        (json.dumps(answer(components={})), "components is not of type list"),
        (json.dumps(answer(components=["base"])), "component: not exactly the fields"),
        (json.dumps(answer(components=[part(), part()])), "names a component twice"),
        (json.dumps(answer(components=[part(outcome="fine")])), "unknown outcome"),
        (json.dumps(answer(components=[part(changes="a")])), "changes is not of type list"),
        (json.dumps(answer(components=[part(changes=[1])])), "changes are not texts"),
        (json.dumps(answer(components=[part(digest=None)])), "digest is not of type str"),
    ],
)
def test_an_answer_out_of_shape_is_refused_with_a_short_reason(text, reason):
    with pytest.raises(ValueError, match=reason) as refusal:
        parse_answer(text)
    assert len(str(refusal.value)) < 100
