"""A site's own roles as components, and the sample that finds what no probe sees: on real laptops."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin, standing_alone
from tests.acceptance.driver import eventually

LAPTOPS = ("lab-01", "lab-02")
CONF = "/etc/printers.conf"
TASKS = """---
- name: Install the list of printers
  ansible.builtin.template:
    src: printers.j2
    dest: /etc/printers.conf
    mode: "0644"
"""
TEMPLATE = "server {{ printers_server }}\n"
MOODY = """---
- name: Bring a package
  ansible.builtin.command: apt-get -q -y install --reinstall tree
  changed_when: true
"""
PANIC = "base:\n  sysctl:\n    kernel.panic: 7\n"
SLOW = """---
- name: Begin
  ansible.builtin.copy:
    dest: /run/slow-begun
    content: begun
    mode: "0644"
- name: Take as long as somebody wants
  ansible.builtin.shell: while [ -e /run/hold ]; do sleep 0.2; done
  changed_when: false
- name: Come to an end
  ansible.builtin.copy:
    dest: /etc/slow
    content: "done\\n"
    mode: "0644"
"""
REMOVE = """---
- name: Remove the list of printers
  ansible.builtin.file:
    path: /etc/printers.conf
    state: absent
"""
SPECS = """---
argument_specs:
  main:
    options:
      printers_server: {type: str, required: true}
"""

pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """Two laptops, imaged and brought to their profiles, and a role that no profile names yet."""
    with an_admin(tmp_path_factory.mktemp("project"), name="roles", addresses="10.92.0.0/24") as person:
        set_profile(person, "")
        person.furnish(LAPTOPS)
        write_role(person, tasks__main=TASKS, templates__printers=TEMPLATE)
        write_role(person, meta__argument_specs=SPECS, tasks__remove=REMOVE)
        yield person


@pytest.fixture(autouse=True)
def nothing_is_left(admin: Admin, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with laptops at rest, and as their profiles say."""
    with standing_alone(admin, request, mend="sudo rm -f /etc/apt/apt.conf.d/99-slow"):
        yield


def write_role(admin: Admin, role: str = "printers", **files: str) -> None:
    """Files of a role: `tasks__main=...`; templates end in .j2."""
    for name, text in files.items():
        ending = "j2" if name.startswith("templates") else "yml"
        path = admin.root / "playbooks/local" / role / f"{name.replace('__', '/')}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def set_profile(admin: Admin, text: str) -> None:
    """What the layer of the laptops' authority says."""
    (admin.root / "profiles/authorities/zdmv.yml").write_text(text)


def choose(admin: Admin, server: str = "cups.mv.example", extra: str = "") -> None:
    set_profile(admin, f"local:\n  printers:\n    variables:\n      printers_server: {server}\n{extra}")


def begin_with(admin: Admin, extra: str = "") -> None:
    """Let the laptops have the printers, and what else a test begins with, whichever tests came before it."""
    choose(admin, extra=extra)
    admin.mvpc("rollout", "--all", "--yes")


def on_laptops(admin: Admin) -> set[str]:
    return {text.strip() for text in admin.on_all(f"grep -hs ^server {CONF} || true").values()}


def planned(admin: Admin) -> set[tuple[str, str, str]]:
    changes = admin.json("plan", "--all")["changes"]
    return {(each["component"], each["action"], each["reason"]) for each in changes}


def sample(admin: Admin, percent: int) -> None:
    config = (admin.root / "mvpc.toml").read_text().partition("[rollout]")[0]
    (admin.root / "mvpc.toml").write_text(f"{config}[rollout]\nsample_percent = {percent}\n")


def test_a_wrong_variable_is_found_before_any_laptop_is_asked(admin: Admin):
    set_profile(admin, "local:\n  printers:\n    variables:\n      printers_srver: x\n")
    said = admin.mvpc("profile", "check", expect=2)
    assert "profiles/authorities/zdmv.yml:4: local.printers.variables.printers_srver: unknown variable" in said
    assert "Perhaps printers_server is meant" in said
    set_profile(admin, "")


def test_a_role_is_rolled_out_like_every_other_component_and_then_nothing_is_left_to_do(admin: Admin):
    choose(admin)
    assert planned(admin) == {("local-printers", "create", "never applied")}
    done = admin.json("rollout", "--all", "--yes")["rollout"]
    assert (done["state"], done["counts"], done["verified"]) == ("done", {"changed": 2}, 2)
    assert on_laptops(admin) == {"server cups.mv.example"}
    assert planned(admin) == set()
    assert admin.json("status", "lab-01")["verdict"] == "ok"


def test_a_changed_variable_or_file_is_a_change_of_the_plan_with_its_reason(admin: Admin):
    begin_with(admin)
    choose(admin, "print.mv.example")
    reason = "local.printers.variables.printers_server: cups.mv.example -> print.mv.example"
    assert planned(admin) == {("local-printers", "update", reason)}
    choose(admin)
    write_role(admin, templates__printers=f"# by mvpc\n{TEMPLATE}")
    assert planned(admin) == {("local-printers", "update", "role printers changed: templates/printers.j2")}
    admin.mvpc("rollout", "--all", "--yes")
    assert set(admin.on_all(f"cat {CONF}").values()) == {"# by mvpc\nserver cups.mv.example\n"}


def test_a_role_that_fails_fails_only_its_component_and_is_tried_again(admin: Admin):
    begin_with(admin)
    write_role(
        admin,
        "moody",
        tasks__main="---\n- name: Look for what is not there yet\n  ansible.builtin.command: cat /etc/moody\n"
        "  changed_when: false\n",
    )
    choose(admin, extra=f"  moody: {{state: present}}\n{PANIC}")
    done = admin.json("rollout", "--device", "lab-01", "--yes", expect=3)["rollout"]
    outcomes = {each["component"]: each["outcome"] for each in done["results"]}
    assert outcomes == {"base": "changed", "local-moody": "failed"}
    [error] = {each["error"] for each in done["results"] if each["component"] == "local-moody"}
    assert error.startswith("task Look for what is not there yet: ")
    assert "FAILED" in admin.mvpc("status", "lab-01").upper()
    for name in LAPTOPS:
        admin.on(name, "sudo touch /etc/moody")
    reasons = {
        (each["device"], each["reason"])
        for each in admin.json("plan", "--all")["changes"]
        if each["component"] == "local-moody"
    }
    assert reasons == {("lab-01", "the last attempt did not finish"), ("lab-02", "never applied")}
    assert admin.json("rollout", "--all", "--yes")["rollout"]["verified"] == 2


def test_a_role_that_finds_the_packages_locked_waits_like_a_laptop_that_sleeps(admin: Admin):
    begin_with(admin, PANIC)
    write_role(admin, "moody", tasks__main=MOODY)
    choose(admin, extra=f"  moody: {{state: present}}\n{PANIC}")
    hook = 'DPkg::Pre-Invoke {"touch /run/middle; while [ -e /run/middle ]; do sleep 0.2; done";};'
    admin.on("lab-01", f"echo '{hook}' | sudo tee /etc/apt/apt.conf.d/99-slow")
    admin.on("lab-01", "sudo systemd-run --collect --unit=somebody apt-get -q -y install --reinstall tree")
    try:
        eventually(lambda: admin.on("lab-01", "ls /run"), "middle")
        done = admin.json("rollout", "--device", "lab-01", "--yes")["rollout"]
    finally:
        admin.on("lab-01", "sudo rm -f /etc/apt/apt.conf.d/99-slow /run/middle")
    [waiting] = done["results"]
    assert (waiting["component"], waiting["outcome"]) == ("local-moody", "deferred")
    assert "It is held by process" in waiting["error"]
    admin.on("lab-01", "while pgrep -x apt-get >/dev/null; do sleep 0.2; done", timeout_s=300)
    assert "1 laptop waiting, 1 back" in admin.mvpc("rollout", "watch", "--once")
    assert ("local-moody", "repair", "the last attempt did not finish") not in planned(admin)


def test_a_controller_that_dies_in_the_middle_of_a_role_is_carried_on(admin: Admin):
    write_role(admin, "moody", tasks__main=MOODY)
    begin_with(admin, f"  moody: {{state: present}}\n{PANIC}")
    write_role(admin, "slow", tasks__main=SLOW)
    choose(admin, extra=f"  slow: {{state: present}}\n  moody: {{state: present}}\n{PANIC}")
    admin.on("lab-01", "sudo touch /run/hold")
    with admin.begin("rollout", "--device", "lab-01", "--yes") as process:
        eventually(lambda: admin.on("lab-01", "ls /run"), "slow-begun", timeout_s=300)
        process.kill()
    row = admin.json("rollout", "list")["rollouts"][0]
    assert row["state"] == "interrupted"
    assert ("local-slow", "repair", "the last attempt did not finish") in planned(admin)
    admin.on("lab-01", "sudo rm /run/hold")
    admin.mvpc("rollout", "resume", str(row["id"]))
    assert admin.on("lab-01", "cat /etc/slow") == "done\n"
    admin.mvpc("rollout", "--all", "--yes")
    assert planned(admin) == set()


def test_a_role_that_nobody_names_any_more_is_taken_off(admin: Admin):
    for role, tasks in (("moody", MOODY), ("slow", SLOW)):
        write_role(admin, role, tasks__main=tasks)
    begin_with(admin, f"  slow: {{state: present}}\n  moody: {{state: present}}\n{PANIC}")
    set_profile(admin, PANIC)
    names = ("moody", "printers", "slow")
    assert planned(admin) == {(f"local-{name}", "update", f"role {name} is taken off") for name in names}
    admin.mvpc("rollout", "--all", "--yes")
    assert on_laptops(admin) == {""}
    assert planned(admin) == set()
    choose(admin)
    admin.mvpc("rollout", "--all", "--yes")
    assert on_laptops(admin) == {"server cups.mv.example"}
    shutil.rmtree(admin.root / "playbooks/local/moody")
    assert planned(admin) == set()


def test_people_who_know_ansible_run_the_same_role_without_mvpc(admin: Admin):
    begin_with(admin)
    admin.on("lab-02", f"sudo rm {CONF}")
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "-i", "inventory/mvpc.yml", "playbooks/site.yml", "--limit", "lab-02"],
        cwd=admin.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert on_laptops(admin) == {"server cups.mv.example"}
    assert planned(admin) == set()


def test_in_full_finds_what_a_role_lost_and_no_probe_can_see(admin: Admin):
    begin_with(admin)
    admin.on("lab-02", f"sudo rm {CONF}")
    assert planned(admin) == set()
    done = admin.json("rollout", "--all", "--full", "--yes")["rollout"]
    assert done["counts"] == {"unchanged": 1, "changed": 1}
    assert on_laptops(admin) == {"server cups.mv.example"}


def test_the_sample_finds_nothing_where_all_is_well(admin: Admin):
    begin_with(admin)
    sample(admin, 100)
    plan = admin.json("plan", "--all")
    assert (plan["sample"], {each["action"] for each in plan["changes"]}) == (list(LAPTOPS), {"full"})
    assert "in the sample of unchanged laptops" in admin.mvpc("plan", "--all", "--why", "lab-02")
    said = admin.mvpc("rollout", "--all", "--yes")
    assert "Sample: 2 unchanged laptops walked in full, nothing differed" in said


def forge(admin: Admin, laptop: str) -> str:
    """Alter a file of mvpc and make the laptop's ledger forget it; returns the file."""
    ledger: dict[str, Any] = json.loads(admin.on(laptop, "sudo cat /var/lib/mvpc/ledger.json"))
    resources = ledger["components"]["base"]["resources"]
    path = "/etc/sysctl.d/60-mvpc.conf"
    kept = [each for each in resources if each.get("path") != path]
    assert len(kept) == len(resources) - 1
    ledger["components"]["base"]["resources"] = kept
    admin.on(laptop, f"echo kernel.panic = 0 | sudo tee {path} >/dev/null")
    admin.on(laptop, f"echo '{json.dumps(ledger)}' | sudo tee /var/lib/mvpc/ledger.json >/dev/null")
    return path


def test_the_sample_finds_a_forged_ledger_and_says_so_everywhere(admin: Admin):
    set_profile(admin, PANIC)
    admin.mvpc("rollout", "--all", "--yes")
    path = forge(admin, "lab-01")
    assert admin.mvpc("rollout", "--all", "--yes").count("Nothing to do: 2 devices verified") == 1
    sample(admin, 100)
    said = admin.mvpc("rollout", "--all", "--yes", expect=6)
    assert "SAMPLE DIFFERS: 1 laptop that says to be unchanged had to be changed" in said
    assert f"lab-01  base: file {path} updated" in said
    assert "kernel.panic = 7" in admin.on("lab-01", f"cat {path}")
    number = str(admin.json("rollout", "list")["rollouts"][0]["id"])
    assert "SAMPLE DIFFERS" in admin.mvpc("rollout", "show", number)
    assert [each["device"] for each in admin.json("rollout", "show", number)["surprises"]] == ["lab-01"]
    admin.mvpc("rollout", "metrics", "-o", "fleet.prom")
    assert "mvpc_last_rollout_sample_differing 1" in (admin.root / "fleet.prom").read_text()
    admin.mvpc("rollout", "report", number, "-o", "report.html")
    assert "Not all of them were unchanged" in (admin.root / "report.html").read_text()
