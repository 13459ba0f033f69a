from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mvpc.errors import InputError
from mvpc.localroles import LocalRole, load_local_roles
from mvpc.localroles.variables import variable_findings
from mvpc.model import Component
from mvpc.render import Renderer
from mvpc.secret import Secret
from mvpc.settings import Profiles, RoleChoice, Settings
from mvpc.testing import a_device

TASKS = "---\n- ansible.builtin.debug:\n"
SPECS = """---
argument_specs:
  main:
    options:
      printers_server: {required: true}
      printers_port: {type: int}
      printers_duplex: {type: bool, aliases: [printers_both_sides]}
      printers_paper: {choices: [a4, a3]}
      printers_queues: {type: list, elements: str}
      printers_rooms:
        type: list
        elements: dict
        options:
          room: {type: str, required: true}
          floor: {type: int}
"""
LAYER = """base:
  ssh:
    idle_timeout_minutes: 10
local:
  printers:
    variables:
"""


def write(root: Path, role: str = "printers", **files: str) -> Path:
    """A role with tasks; more files by name: `meta__argument_specs=...`."""
    for name, text in {"tasks__main": TASKS, **files}.items():
        path = root / "playbooks/local" / role / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def problems(root: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_local_roles(root)
    return [str(problem).removeprefix("playbooks/local/") for problem in caught.value.problems]


def found(layer: str, root: Path) -> list[str]:
    """Problems of one layer with these variables of the role printers."""
    (root / "profiles").mkdir(exist_ok=True)
    text = LAYER + "".join(f"      {line}\n" for line in layer.splitlines())
    (root / "profiles/base.yml").write_text(text)
    with pytest.raises(InputError) as caught:
        Profiles(root).of(workplace="standard", ressort="x", authority="x", hostname="x")
    return [str(problem).removeprefix("profiles/base.yml:") for problem in caught.value.problems]


def rendered(root: Path, *, former: tuple[str, ...] = (), ansible: str = "2.19.1", **chosen: Any) -> list[Component]:
    """The roles' components of a laptop: `rendered(root, printers={"variables": {...}})`."""
    settings = Settings(local={name: RoleChoice(**choice) for name, choice in chosen.items()})
    roles = load_local_roles(root)
    renderer = Renderer(catalogue={}, secrets=Secret, digest_key=b"k", roles=roles, ansible=ansible)
    bundle = renderer.render(a_device(host_key=""), settings, {}, former)
    assert bundle.names[:4] == ("base", "vpn", "wifi", "software")
    return list(bundle.components[4:])


# --- reading ---------------------------------------------------------------------------------


def test_a_project_without_roles_of_its_own_has_none(tmp_path: Path):
    assert load_local_roles(tmp_path) == {}


def test_every_file_of_a_role_counts_with_its_content_and_whether_it_can_be_run(tmp_path: Path):
    write(tmp_path, templates__x="a")
    folder = tmp_path / "playbooks/local/printers"
    before = load_local_roles(tmp_path)["printers"].files
    assert list(before) == ["tasks/main.yml", "templates/x.yml"]
    (folder / "templates/x.yml").chmod(0o755)
    executable = load_local_roles(tmp_path)["printers"].files
    assert executable["templates/x.yml"] != before["templates/x.yml"]
    (folder / "templates/x.yml").chmod(0o700)
    assert load_local_roles(tmp_path)["printers"].files == executable


def test_what_ansible_left_behind_does_not_count(tmp_path: Path):
    write(tmp_path, library__x="a")
    before = load_local_roles(tmp_path)
    (tmp_path / "playbooks/local/printers/library/__pycache__").mkdir()
    (tmp_path / "playbooks/local/printers/library/__pycache__/x.pyc").write_bytes(b"x")
    assert load_local_roles(tmp_path) == before


def test_a_description_of_variables_under_a_misspelt_key_does_not_pass_for_none(tmp_path: Path):
    write(tmp_path, meta__argument_specs="argument_spec: {main: {options: {printers_server: {type: str}}}}\n")
    with pytest.raises(
        InputError, match=r"meta/argument_specs\.yml:1: it describes no variables\. Begin it with argum"
    ):
        load_local_roles(tmp_path)


def test_everything_that_is_wrong_with_roles_is_said_at_once(tmp_path: Path):
    write(tmp_path, "Printers")
    write(tmp_path, "ansible")
    write(tmp_path, "base")
    (tmp_path / "playbooks/roles/base").mkdir(parents=True)
    write(tmp_path, "broken", tasks__more="- a: [\n", handlers__main="b: '")
    write(tmp_path, "dependent", meta__main="dependencies: [printers]\n")
    (tmp_path / "playbooks/local/empty").mkdir()
    write(tmp_path, "linked")
    (tmp_path / "playbooks/local/linked/files").symlink_to("/etc")
    name = "the name of a role is a-z, 0-9 and _, begins with a letter, and is neither ansible nor mvpc. Rename it."
    assert problems(tmp_path) == [
        f"Printers: {name}",
        f"ansible: {name}",
        "base: mvpc has a role of this name. Rename it.",
        "broken/handlers/main.yml:1: a quote or bracket that opens here is never closed.",
        "broken/tasks/more.yml:2: this is not valid YAML.",
        (
            "dependent/meta: a role here cannot depend on others: its digest would not see them. "
            "Choose both roles in the profile, or put them into one."
        ),
        "empty: a role needs tasks/main.yml. Add it, or remove the folder.",
        "linked/files: a role here cannot hold links: its digest would not see what they point to. Put a copy there.",
    ]


def test_what_only_ansible_understands_in_yaml_is_no_mistake(tmp_path: Path):
    write(tmp_path, defaults__main="printers_banner: !unsafe '{{ x }}'\n", tasks__main="- x: yes\n  y: &a 1\n  z: *a\n")
    assert load_local_roles(tmp_path)["printers"].defaults == {"printers_banner"}


# --- variables -------------------------------------------------------------------------------


def test_variables_are_checked_against_what_the_role_says_with_the_line(tmp_path: Path):
    write(tmp_path, meta__argument_specs=SPECS)
    assert found(
        """printers_port: "631"
printers_duplx: true
printers_duplex: "yes"
printers_paper: letter
printers_queues: [a, 2]
server: cups.mv.example""",
        tmp_path,
    ) == [
        "6: local.printers.variables.printers_server: is missing. Add it.",
        "7: local.printers.variables.printers_port: must be a whole number. Write it without quotes.",
        "8: local.printers.variables.printers_duplx: unknown variable. Perhaps printers_duplex is meant.",
        "9: local.printers.variables.printers_duplex: must be true or false. Write it without quotes.",
        "10: local.printers.variables.printers_paper: must be one of a4, a3.",
        "11: local.printers.variables.printers_queues.1: must be text. Put it in quotes.",
        (
            "12: local.printers.variables.server: unknown variable. Known here: printers_server, printers_port, "
            "printers_duplex, printers_both_sides, printers_paper, printers_queues, printers_rooms."
        ),
        (
            "12: local.printers.variables.server: variables of role printers begin with printers_. "
            "Call it printers_..., so that no other role takes it for its own."
        ),
    ]


def test_what_stands_inside_of_lists_is_checked_as_well(tmp_path: Path):
    write(tmp_path, meta__argument_specs=SPECS)
    rooms = "printers_server: a\nprinters_rooms: [{room: a, floor: b}, {flor: 1}]"
    assert found(rooms, tmp_path) == [
        "8: local.printers.variables.printers_rooms.0.floor: must be a whole number. Write it without quotes.",
        "8: local.printers.variables.printers_rooms.1.flor: unknown variable. Perhaps floor is meant.",
        "8: local.printers.variables.printers_rooms.1.room: is missing. Add it.",
    ]


def test_a_variable_that_only_has_a_default_is_known_too():
    role = LocalRole(name="a", files={}, options={}, defaults=frozenset({"a_x"}))
    assert list(variable_findings(role, {"a_x": 1})) == []


def test_without_a_description_only_names_are_checked(tmp_path: Path):
    write(tmp_path)
    assert found("ansible_host: 10.0.0.1\nprinters_any: [1, {a: b}]", tmp_path) == [
        (
            "7: local.printers.variables.ansible_host: variables of role printers begin with printers_. "
            "Call it printers_..., so that no other role takes it for its own."
        )
    ]


def test_secrets_are_refused_until_roles_can_have_them(tmp_path: Path):
    write(tmp_path)
    assert found("printers_key: {secret: printers/key}", tmp_path) == [
        (
            "7: local.printers.variables.printers_key: secrets cannot be given to roles. "
            "Let the role find it on the laptop."
        )
    ]


def test_a_role_that_does_not_exist_is_named_unless_it_is_taken_off(tmp_path: Path):
    write(tmp_path, "printer")
    assert found("{}", tmp_path) == ["5: local.printers: there is no such role. Perhaps printer is meant."]
    (tmp_path / "profiles/base.yml").write_text("local:\n  printers:\n    state: absent\n")
    Profiles(tmp_path).of(workplace="standard", ressort="x", authority="x", hostname="x")


# --- components ------------------------------------------------------------------------------


def test_each_role_is_a_component_after_the_built_in_ones(tmp_path: Path):
    write(write(tmp_path), "audio")
    parts = rendered(tmp_path, printers={"variables": {"printers_server": "a"}}, audio={})
    assert [part.name for part in parts] == ["local-audio", "local-printers"]
    assert parts[1].role is not None
    assert (parts[1].role.tasks, parts[1].role.variables) == ("main", {"printers_server": "a"})


def test_the_digest_covers_files_variables_and_ansible_and_not_the_age(tmp_path: Path):
    write(tmp_path)
    chosen = {"variables": {"printers_server": "a"}}
    [before] = rendered(tmp_path, printers=chosen)
    [same] = rendered(tmp_path, printers={**chosen, "max_age_days": 7})
    assert same.digest == before.digest
    both = {"printers_server": "a", "printers_map": {"x": 1, "y": 2}}
    other_way_round = {"printers_map": {"y": 2, "x": 1}, "printers_server": "a"}
    one, two = (rendered(tmp_path, printers={"variables": each})[0].digest for each in (both, other_way_round))
    assert one == two
    others = [
        rendered(tmp_path, printers={"variables": {"printers_server": "b"}}),
        rendered(tmp_path, printers=chosen, ansible="2.20.0"),
        rendered(write(tmp_path, files__new="x"), printers=chosen),
    ]
    assert len({before.digest, *(part.digest for [part] in others)}) == 4


def test_a_role_that_is_taken_off_runs_what_undoes_it_if_it_can(tmp_path: Path):
    write(write(tmp_path, "printers", tasks__remove=TASKS), "audio")
    runs = [part.role for part in rendered(tmp_path, printers={"state": "absent"}, audio={"state": "absent"})]
    assert [(run.role, run.tasks) for run in runs if run] == [("audio", ""), ("printers", "remove")]


def test_a_role_that_the_laptop_had_and_nobody_names_any_more_is_taken_off(tmp_path: Path):
    write(tmp_path, tasks__remove=TASKS)
    [part] = rendered(tmp_path, former=("printers",))
    [absent] = rendered(tmp_path, printers={"state": "absent"})
    assert part.role is not None
    assert part.role.taken_off
    assert part.digest == absent.digest


def test_what_a_laptop_without_the_role_remembers_does_not_change_with_its_files(tmp_path: Path):
    write(tmp_path)
    [before] = rendered(tmp_path, printers={"state": "absent"})
    write(tmp_path, files__new="x")
    [after] = rendered(tmp_path, printers={"state": "absent"})
    assert before.digest == after.digest
