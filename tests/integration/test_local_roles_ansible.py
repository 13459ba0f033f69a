"""A site's own roles, run by the real Ansible over a real sshd; the laptop is that of test_playbook_ansible."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from mvpc.model import Bundle, Component, ComponentResult, File, HostWork, Outcome, RoleRun
from mvpc.playbook.folder import fill, run_folder
from mvpc.playbook.hosts import Login
from mvpc.ssh import SshProber
from tests.integration import test_playbook_ansible as real

pytestmark = real.pytestmark

INSTALL = """
- name: Install a file
  ansible.builtin.copy:
    dest: /run/{role}.conf
    content: "server {{{{ {role}_server | default('none') }}}}\\n"
    mode: "0644"
  notify: Note that the file is new
"""
HANDLER = """
- name: Note that the file is new
  ansible.builtin.shell: echo new >> /run/{role}.notes
"""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Laptop]:
    with real.booted(tmp_path_factory.mktemp("laptop")) as up:
        yield up


@pytest.fixture
def playbooks(tmp_path: Path) -> Path:
    shutil.copytree(real.PLAYBOOKS, tmp_path / "playbooks")
    return tmp_path / "playbooks"


def write_role(playbooks: Path, role: str, *, tasks: str = INSTALL, **files: str) -> None:
    """A role with its tasks and a handler; other files by name: `remove="..."` is tasks/remove.yml."""
    for name, text in {"tasks/main": tasks, "handlers/main": HANDLER, **files}.items():
        path = playbooks / "local" / role / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---{text.replace('{{{{', '{{').replace('}}}}', '}}').replace('{role}', role)}")


def run(
    laptop: real.Laptop, playbooks: Path, *runs: RoleRun, digest: str = "d1", seconds: int = 60, **files: Any
) -> list[ComponentResult]:
    """Converge built-in components given by their files, and then roles."""
    work = real.some_work(laptop.device, **files)
    roles = tuple(Component(name=each.component, digest=digest, resources=(), role=each) for each in runs)
    components = (*work.bundle.components, *roles)
    work = replace(
        work,
        bundle=Bundle(device=laptop.device.hostname, components=components),
        components=tuple(part.name for part in components),
    )
    return list(
        chain.from_iterable(replace(real.a_runner(laptop), playbooks=playbooks, component_seconds=seconds).run([work]))
    )


def on_laptop(laptop: real.Laptop, path: str) -> str:
    """What a file of the laptop holds, read through its own login."""
    options = [
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
    ]
    login = ["-i", str(laptop.key), "-p", str(laptop.port), "mvpc-admin@127.0.0.1"]
    return subprocess.run(
        ["ssh", *options, *login, f"sudo cat {path}"], capture_output=True, text=True, check=False
    ).stdout


def ledger(laptop: real.Laptop) -> dict[str, str]:
    """Component -> digest in the laptop's ledger."""
    entries = json.loads(on_laptop(laptop, "/var/lib/mvpc/ledger.json"))["components"]
    return {name: entry["digest"] for name, entry in entries.items()}


def test_a_role_is_a_component_with_its_changes_and_its_digest(laptop, playbooks):
    write_role(playbooks, "printers")
    chosen = RoleRun(role="printers", variables={"printers_server": "{{ 1 + 1 }} cups.example"})
    [result] = run(laptop, playbooks, chosen)
    assert (result.component, result.outcome, result.digest) == ("local-printers", Outcome.CHANGED, "d1")
    assert result.changes == ("task Install a file", "task Note that the file is new")
    assert on_laptop(laptop, "/run/printers.conf") == "server {{ 1 + 1 }} cups.example\n"
    assert ledger(laptop)["local-printers"] == "d1"
    [again] = run(laptop, playbooks, chosen, digest="d2")
    assert (again.outcome, again.changes, again.digest) == (Outcome.UNCHANGED, (), "d2")


def test_a_role_that_fails_fails_alone_and_stays_unfinished(laptop, playbooks):
    write_role(
        playbooks,
        "broken",
        tasks="""
- name: Ask for something that is not there
  ansible.builtin.command: ls /no/such/folder
""",
    )
    write_role(playbooks, "sound")
    results = run(laptop, playbooks, RoleRun(role="broken"), RoleRun(role="sound"))
    assert real.outcomes(results) == {"local-broken": Outcome.FAILED, "local-sound": Outcome.CHANGED}
    error = next(result.error for result in results if result.component == "local-broken")
    assert error.startswith("task Ask for something that is not there: ")
    assert "/no/such/folder" in error
    assert ledger(laptop)["local-broken"] == ""
    probe = next(iter(SshProber(user="mvpc-admin", port=laptop.port, key=laptop.key).probe([laptop.device])))
    assert (probe.digests["local-broken"], probe.drift["local-broken"]) == ("", ("the last apply did not finish",))


def test_a_handler_that_fails_leaves_its_role_unfinished_and_the_next_one_alone(laptop, playbooks):
    write_role(
        playbooks,
        "handled",
        handlers__main="""
- name: Note that the file is new
  ansible.builtin.command: "false"
""",
    )
    write_role(playbooks, "later")
    results = run(laptop, playbooks, RoleRun(role="handled"), RoleRun(role="later"))
    assert real.outcomes(results) == {"local-handled": Outcome.FAILED, "local-later": Outcome.CHANGED}
    assert ledger(laptop)["local-handled"] == ""


def test_a_task_of_a_role_that_hangs_is_given_up_after_the_time_of_a_component(laptop, playbooks):
    write_role(playbooks, "hanging", tasks="\n- name: Wait\n  ansible.builtin.command: sleep 100\n")
    write_role(playbooks, "patient")
    results = run(laptop, playbooks, RoleRun(role="hanging"), RoleRun(role="patient"), seconds=20)
    assert real.outcomes(results) == {"local-hanging": Outcome.FAILED, "local-patient": Outcome.CHANGED}
    error = next(result.error for result in results if result.component == "local-hanging")
    assert error.startswith("task Wait: Timed out after 20 second")


def test_a_role_that_ansible_cannot_even_read_ends_the_run_with_the_reason(laptop, playbooks):
    write_role(playbooks, "garbled", tasks="\n- name: X\n  no_such_module: {}\n")
    write_role(playbooks, "behind")
    results = run(laptop, playbooks, RoleRun(role="garbled"), RoleRun(role="behind"))
    assert {result.outcome for result in results} == {Outcome.FAILED}
    assert "couldn't resolve module/action 'no_such_module'" in results[0].error


def test_a_built_in_component_that_fails_does_not_keep_roles_from_being_tried(laptop, playbooks):
    write_role(playbooks, "apart")
    bad = File(path="/proc/no-such-place/x", content="x")
    results = run(laptop, playbooks, RoleRun(role="apart"), base=bad)
    assert real.outcomes(results) == {"base": Outcome.FAILED, "local-apart": Outcome.CHANGED}


def test_taking_a_role_off_runs_what_undoes_it_and_one_without_is_only_forgotten(laptop, playbooks):
    write_role(
        playbooks,
        "passing",
        tasks__remove="""
- name: Remove the file
  ansible.builtin.file:
    path: /run/passing.conf
    state: absent
""",
    )
    write_role(playbooks, "staying")
    run(laptop, playbooks, RoleRun(role="passing"), RoleRun(role="staying"))
    gone = run(
        laptop, playbooks, RoleRun(role="passing", tasks="remove"), RoleRun(role="staying", tasks=""), digest="off"
    )
    assert real.outcomes(gone) == {"local-passing": Outcome.CHANGED, "local-staying": Outcome.UNCHANGED}
    assert on_laptop(laptop, "/run/passing.conf") == ""
    assert on_laptop(laptop, "/run/staying.conf") == "server none\n"
    assert ledger(laptop)["local-staying"] == "off"


def by_hand(laptop: real.Laptop, playbooks: Path, *arguments: str, roles: tuple[str, ...]) -> Any:
    """What people who know Ansible type, with the inventory that mvpc makes for these roles."""
    parts = tuple(Component(name=f"local-{name}", digest="d", resources=(), role=RoleRun(role=name)) for name in roles)
    bundle = Bundle(device=laptop.device.hostname, components=parts)
    work = HostWork(device=laptop.device, bundle=bundle, components=bundle.names, generation=next(real._generation))
    with run_folder() as folder:
        fill(folder, [work], Login(user="mvpc-admin", port=laptop.port, key=laptop.key), seconds=60)
        own = str(playbooks / "local")
        return real.plain_playbook(folder, str(playbooks / "site.yml"), *arguments, ANSIBLE_ROLES_PATH=own)


def test_plain_ansible_ends_with_a_failure_when_a_role_failed(laptop, playbooks):
    write_role(playbooks, "fallen", tasks="\n- name: Fail\n  ansible.builtin.command: 'false'\n")
    write_role(playbooks, "upright")
    ran = by_hand(laptop, playbooks, "--tags", "local", roles=("fallen", "upright"))
    assert ran.returncode != 0
    assert "A component failed; its error stands above." in ran.stdout
    assert on_laptop(laptop, "/run/upright.conf") == "server none\n"


def test_a_check_by_hand_tells_what_a_role_would_do_and_touches_nothing(laptop, playbooks):
    write_role(playbooks, "checked")
    ran = by_hand(laptop, playbooks, "--tags", "local", "--check", roles=("checked",))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "changed=1" in ran.stdout  # the handler is a command, which a check leaves out
    assert on_laptop(laptop, "/run/checked.conf") == ""
    assert "local-checked" not in ledger(laptop)


def test_ansible_validates_the_arguments_of_a_role_as_well(laptop, playbooks):
    write_role(
        playbooks,
        "typed",
        meta__argument_specs="""
argument_specs:
  main:
    options:
      typed_server: {type: str, required: true}
""",
    )
    [result] = run(laptop, playbooks, RoleRun(role="typed"))
    assert result.outcome is Outcome.FAILED
    assert "typed_server" in result.error


def test_a_laptop_that_is_not_there_is_unreachable_and_its_role_did_not_fail(laptop, playbooks):
    write_role(playbooks, "printers")
    away = replace(laptop, port=1)
    [result] = run(away, playbooks, RoleRun(role="printers"))
    assert result.outcome is Outcome.UNREACHABLE
