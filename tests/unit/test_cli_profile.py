from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mvpc.cli.app import app
from mvpc.inventory.difference import ImportDifference
from mvpc.render import danger
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

REPOSITORY = Path(__file__).parents[2]
BASE = """\
lock: [base.ssh]
base:
  timezone: Europe/Berlin
  ssh: {allow_users: {mvpc-admin: present}}
vpn:
  tunnel: full
  mtu: 1400
software: {qpdf: present}
"""
FA_SCHWERIN = """\
# Finanzamt Schwerin
vpn:
  tunnel: split
"""
GUEST = """\
wifi:
  networks:
    guest:
      ssid: Guest
      psk: {secret: wifi/guest-psk}
      security: sae
"""
QPDF = """\
name: qpdf
function: pdf
licence: Apache-2.0
source: https://qpdf.org/
description: Joins PDF files.
packages: [qpdf]
verify: [{argv: [qpdf, --version]}]
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three laptops: two of the Finanzamt Schwerin, one of the ZDMV."""
    path = tmp_path_factory.mktemp("inventory") / "mvpc.db"
    devices = (a_device("nb-000123"), a_device("nb-000124"), a_device("nb-000200", authority="zdmv"))
    Store(path).save(ImportDifference(new=devices), actor="test", at=NOON, action="import")
    return path


@pytest.fixture
def project(tmp_path: Path, inventory: Path) -> Path:
    """A project folder with three laptops and two layers."""
    (tmp_path / "mvpc.toml").touch()
    (tmp_path / ".mvpc").mkdir(mode=0o700)
    (tmp_path / "inventory").mkdir()
    shutil.copy(REPOSITORY / "inventory" / "organisation.yml", tmp_path / "inventory")
    for file in inventory.parent.iterdir():
        shutil.copy(file, tmp_path / ".mvpc")
    write(tmp_path, "base.yml", BASE)
    write(tmp_path, "authorities/fa-schwerin.yml", FA_SCHWERIN)
    write(tmp_path, "catalogue/qpdf.yml", QPDF)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / "profiles" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--project", str(project), "profile", *arguments])


def run_json(project: Path, *arguments: str) -> Any:
    result = run(project, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def git(project: Path, *arguments: str) -> None:
    person = {"NAME": "A", "EMAIL": "a@mv.example"}
    names = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
    environment = {**os.environ, **names, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.run(("git", *arguments), cwd=project, check=True, capture_output=True, env=environment)


def commit(project: Path) -> None:
    git(project, "init", "-q")
    git(project, "add", "profiles")
    git(project, "commit", "-qm", "first")


# --- check -----------------------------------------------------------------------------------


def test_valid_profiles_get_one_line(project: Path):
    result = run(project, "check")
    assert result.output == "profiles are valid: 2 layers, 2 distinct stacks, 3 devices\n"
    assert result.exit_code == 0


def test_all_problems_are_printed_by_file_and_line(project: Path):
    write(project, "base.yml", BASE.replace("1400", "99").replace("full", "half"))
    write(project, "authorities/fa-schwerin.yml", "base:\n  ssh: {idle_timeout_minutes: 60}\n")
    write(project, "ressorts/xm.yml", "a: NO\n")
    result = run(project, "check")
    assert result.exit_code == 2
    unlocked = "Remove it here, or ask the owner of that layer."
    lock = "base.ssh.idle_timeout_minutes: locked by profiles/base.yml:1 (lock: base.ssh)."
    unknown = "no device uses this file: inventory/organisation.yml has no xm."
    assert result.stdout.splitlines() == [
        f"profiles/authorities/fa-schwerin.yml:2: {lock} {unlocked}",
        "profiles/base.yml:6: vpn.tunnel: must be 'full' or 'split'.",
        "profiles/base.yml:7: vpn.mtu: must be at least 1280.",
        'profiles/ressorts/xm.yml:1: YAML reads NO as false. Write false, or "NO" in quotes if it is text.',
        f"profiles/ressorts/xm.yml:1: {unknown} Known: stk, im, fm, jm, wm, lm, bm, wkm, sm.",
    ]
    assert result.stderr == "5 problems in 3 layers\n"


def test_a_missing_secret_is_a_problem_unless_secrets_are_left_out(project: Path):
    write(project, "ressorts/fm.yml", "wifi: {networks: {g: {ssid: G, security: sae, psk: {secret: wifi/g}}}}\n")
    result = run(project, "check")
    assert result.exit_code == 2
    assert "profiles/ressorts/fm.yml:1: wifi.networks.g.psk.secret: secret wifi/g cannot be read" in result.stdout
    assert "Store it with: mvpc secret set wifi/g." in result.stdout
    assert run(project, "check", "--without-secrets").exit_code == 0


def test_profiles_are_checked_before_there_is_an_inventory(project: Path):
    (project / ".mvpc" / "mvpc.db").unlink()
    write(project, "devices/nb-777.yml", "vpn: {mtu: 1300}\n")
    assert run(project, "check").output == "profiles are valid: 3 layers, 2 distinct stacks, 0 devices\n"


def test_a_device_layer_without_device_is_a_problem(project: Path):
    write(project, "devices/nb-000125.yml", "vpn: {mtu: 1300}\n")
    result = run(project, "check")
    assert "profiles/devices/nb-000125.yml:1: no device uses this file" in result.stdout


def test_a_device_layer_is_checked_too(project: Path):
    write(project, "devices/nb-000123.yml", "vpn: {mtu: 1}\n")
    assert "profiles/devices/nb-000123.yml:1: vpn.mtu: must be at least 1280." in run(project, "check").stdout


def test_a_check_as_json_holds_every_problem(project: Path):
    write(project, "base.yml", "vpn: {mtu: 1}\n")
    result = run(project, "check", "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert (found["valid"], found["devices"]) == (False, 3)
    assert found["problems"] == [{"where": "profiles/base.yml:1", "what": "vpn.mtu: must be at least 1280", "hint": ""}]


def test_a_broken_organisation_does_not_hide_broken_profiles(project: Path):
    (project / "inventory" / "organisation.yml").write_text("ressorts: [\n")
    write(project, "base.yml", "vpn: {mtu: 1}\n")
    result = run(project, "check")
    assert result.exit_code == 2
    assert "inventory/organisation.yml:2:" in result.stdout
    assert "profiles/base.yml:1: vpn.mtu" in result.stdout


# --- show, explain ---------------------------------------------------------------------------


def test_show_gives_every_setting_with_its_line(project: Path):
    found = run_json(project, "show", "nb-000123")
    assert found["layers"] == ["profiles/base.yml", "profiles/authorities/fa-schwerin.yml"]
    assert found["settings"]["vpn.tunnel"] == {"value": "split", "source": "profiles/authorities/fa-schwerin.yml:3"}
    assert found["settings"]["vpn.keepalive_seconds"] == {"value": 25, "source": "default"}
    text = run(project, "show", "nb-000123").output
    assert "nb-000123 · fm · fa-schwerin · standard" in text
    assert "profiles/authorities/fa-schwerin.yml:3" in text


def test_explain_names_the_winner_and_everyone_that_it_overrode(project: Path):
    assert run(project, "explain", "nb-000123", "vpn.tunnel").output.splitlines() == [
        "vpn.tunnel = split     profiles/authorities/fa-schwerin.yml:3",
        "  overrides  full      profiles/base.yml:6",
    ]


def test_explain_names_defaults_and_locks(project: Path):
    assert (
        run(project, "explain", "nb-000123", "vpn.keepalive_seconds").output
        == "vpn.keepalive_seconds = 25     default\n"
    )
    text = run(project, "explain", "nb-000123", "base.ssh.allow_users").output
    assert text.splitlines()[1].split() == ["locked", "base.ssh", "profiles/base.yml:1"]


def test_a_short_path_leaves_room_for_the_reason(project: Path):
    write(project, "ressorts/fm.yml", "vpn: {mtu: 1350}\n")
    assert run(project, "explain", "nb-000123", "vpn.mtu").output.splitlines() == [
        "vpn.mtu =    1350     profiles/ressorts/fm.yml:1",
        "  overrides  1400     profiles/base.yml:7",
    ]


def test_explain_of_a_part_puts_all_values_in_one_column(project: Path):
    lines = run(project, "explain", "nb-000123", "vpn").output.splitlines()
    values = {"vpn.tunnel": "split", "overrides": "full", "vpn.mtu": "1400", "vpn.keepalive_seconds": "25"}
    columns = {line.index(f" {value} ") for line in lines for name, value in values.items() if line.split()[0] == name}
    assert len(columns) == 1


def test_check_says_that_a_wifi_key_is_too_short_before_a_plan_does(project: Path):
    write(project, "authorities/zdmv.yml", GUEST)
    for key, code in (("short", 2), ("long-enough-for-NET.2.1", 0)):
        CliRunner().invoke(app, ["-C", str(project), "secret", "set", "wifi/guest-psk"], input=f"{key}\n")
        result = run(project, "check")
        assert result.exit_code == code, result.output
        assert ("profiles/authorities/zdmv.yml:5: wifi.networks.guest.psk.secret: " in result.output) is bool(code)
        assert key not in result.output


@pytest.mark.parametrize(
    "releases", ["", "releases: {debian-13: []}\n"]
)  # with software that not every laptop can have
def test_check_says_which_layer_makes_a_connection_that_is_dangerous(
    project: Path, monkeypatch: pytest.MonkeyPatch, releases: str
):
    def lint(keyfile: str, *, mode: str) -> list[str]:
        return ["anyone can listen"] if "ssid=Guest" in keyfile else []

    monkeypatch.setattr(danger, "lint", lint)
    write(project, "authorities/zdmv.yml", GUEST)
    write(project, "catalogue/qpdf.yml", QPDF + releases)
    result = run(project, "check", "--without-secrets")
    assert result.exit_code == 2, result.output
    said = "connection mvpc-wifi-guest: anyone can listen. Mend the profile; this is never rolled out."
    assert result.stdout.count(said) == 1
    assert f"profiles/authorities/zdmv.yml: {said}" in result.stdout


def test_explain_as_json(project: Path):
    assert run_json(project, "explain", "nb-000123", "vpn.tunnel") == [
        {
            "path": "vpn.tunnel",
            "value": "split",
            "source": "profiles/authorities/fa-schwerin.yml:3",
            "overrides": [{"value": "full", "source": "profiles/base.yml:6"}],
            "locked": None,
        }
    ]


def test_explain_of_a_part_gives_everything_below_it(project: Path):
    paths = [each["path"] for each in run_json(project, "explain", "nb-000123", "base.ssh")]
    assert paths == ["base.ssh.crypto", "base.ssh.allow_users.mvpc-admin", "base.ssh.idle_timeout_minutes"]


def test_a_misspelt_path_or_device_gets_a_hint(project: Path):
    result = run(project, "explain", "nb-000123", "vpn.tunel")
    assert result.exit_code == 2
    assert "nb-000123 has no setting 'vpn.tunel'. Perhaps vpn.tunnel is meant." in result.stderr


def test_explain_leads_from_a_product_that_is_not_chosen_to_the_layers_that_choose_it(project: Path):
    write(project, "catalogue/other.yml", QPDF)
    result = run(project, "explain", "nb-000123", "software.other")
    assert result.exit_code == 2
    assert "None of its layers chooses this product; which layers do: mvpc catalogue show other." in result.stderr
    assert run(project, "show", "nb-9").exit_code == 2


def test_a_role_that_ansible_cannot_read_is_found_with_file_and_line(project: Path):
    shutil.copytree(REPOSITORY / "playbooks", project / "playbooks")
    for role, task in (("sound", "ansible.builtin.debug"), ("garbled", "no_such_module")):
        tasks = project / f"playbooks/local/{role}/tasks/main.yml"
        tasks.parent.mkdir(parents=True)
        tasks.write_text(f"---\n- name: X\n  {task}:\n    msg: x\n")
    result = run(project, "check")
    assert result.exit_code == 2
    [problem, summary] = result.output.splitlines()
    shutil.rmtree(project / "playbooks/local/garbled")
    assert run(project, "check").exit_code == 0
    assert problem.startswith("playbooks/local/garbled/tasks/main.yml:2: Ansible cannot read it: couldn't resolve")
    assert summary.startswith("1 problem in ")


# --- diff ------------------------------------------------------------------------------------


def test_diff_says_which_devices_change_and_what(project: Path):
    commit(project)
    write(project, "base.yml", BASE.replace("1400", "1380").replace("full", "split"))
    assert run(project, "diff").output.splitlines() == [
        "Against HEAD: 3 devices of 3 change",
        "  vpn.mtu  1400 -> 1380",
        "      profiles/base.yml:7   3 devices: nb-000123, nb-000124, nb-000200",
        "  vpn.tunnel  full -> split",
        "      profiles/base.yml:6   1 device: nb-000200",
    ]


def test_diff_as_json_gives_both_places(project: Path):
    commit(project)
    write(project, "ressorts/fm.yml", "vpn: {mtu: 1380}\n")
    found = run_json(project, "diff", "HEAD")
    assert (found["devices"], found["concerned"]) == (3, 3)
    assert found["changes"] == [
        {
            "path": "vpn.mtu",
            "old": {"value": 1400, "place": "profiles/base.yml:7"},
            "new": {"value": 1380, "place": "profiles/ressorts/fm.yml:1"},
            "devices": ["nb-000123", "nb-000124", "nb-000200"],
        }
    ]


def test_diff_says_of_what_comes_along_unwritten_that_it_is_a_default(project: Path):
    commit(project)
    write(
        project, "base.yml", f"{BASE}wifi: {{networks: {{lan: {{ssid: LAN, security: sae, psk: {{secret: a/b}}}}}}}}\n"
    )
    said = run(project, "diff").output.splitlines()
    at = said.index("  wifi.networks.lan.priority  nothing -> 0")
    assert said[at + 1] == "      default   3 devices: nb-000123, nb-000124, nb-000200"


def test_diff_names_where_a_removed_setting_was(project: Path):
    commit(project)
    write(project, "base.yml", BASE.replace("software: {qpdf: present}\n", ""))
    assert "  software.qpdf.state  present -> nothing" in run(project, "diff").output
    assert "      was profiles/base.yml:8   3 devices" in run(project, "diff").output


def test_diff_names_the_changed_files_of_a_role(project: Path):
    tasks = project / "playbooks/local/printers/tasks/main.yml"
    tasks.parent.mkdir(parents=True)
    tasks.write_text("- name: X\n")
    write(project, "base.yml", f"{BASE}local: {{printers: {{state: present}}}}\n")
    git(project, "init", "-q")
    git(project, "add", "profiles", "playbooks")
    git(project, "commit", "-qm", "first")
    assert run(project, "diff").output == "Nothing changes against HEAD for 3 devices\n"
    tasks.write_text("- name: Y\n")
    said = run(project, "diff").output
    assert "  role printers: tasks/main.yml  " in said
    assert "playbooks/local/printers/tasks/main.yml   3 devices" in said


def test_diff_without_difference_says_so(project: Path):
    commit(project)
    assert run(project, "diff").output == "Nothing changes against HEAD for 3 devices\n"


def test_diff_says_when_the_revision_itself_is_wrong(project: Path):
    write(project, "base.yml", "vpn: {mtu: 1}\n")
    commit(project)
    write(project, "base.yml", BASE)
    result = run(project, "diff")
    assert result.exit_code == 2
    assert "HEAD:profiles/base.yml:1: vpn.mtu: must be at least 1280." in result.stderr


def test_diff_needs_git(project: Path):
    result = run(project, "diff")
    assert result.exit_code == 2
    assert "the project folder is in no git repository" in result.stderr


# --- render, schema --------------------------------------------------------------------------


def test_render_writes_what_would_land_with_its_modes(project: Path, tmp_path: Path):
    write(project, "ressorts/fm.yml", "wifi: {networks: {g: {ssid: G, security: sae, psk: {secret: wifi/g}}}}\n")
    key = "a-long-enough-secret-key"
    CliRunner().invoke(app, ["--project", str(project), "secret", "set", "wifi/g"], input=f"{key}\n")
    write(project, "base.yml", BASE.replace("  ssh: {", "  ssh: {crypto: openssh-modern, "))
    folder = tmp_path / "out"
    result = run(project, "render", "nb-000123", "-o", str(folder))
    assert result.exit_code == 0, result.output
    keyfile = folder / "etc/NetworkManager/system-connections/mvpc-wifi-g.nmconnection"
    assert key in keyfile.read_text()
    assert stat.S_IMODE(keyfile.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "etc/hostname").read_text() == "nb-000123\n"
    assert "qpdf" in result.output
    assert key not in result.output


def test_render_does_not_mix_with_other_files(project: Path, tmp_path: Path):
    write(project, "base.yml", BASE.replace("  ssh: {", "  ssh: {crypto: openssh-modern, "))
    result = run(project, "render", "nb-000123", "-o", str(tmp_path))
    assert result.exit_code == 2
    assert "the folder is not empty" in result.stderr


def test_the_schema_knows_the_products_of_the_project(project: Path):
    schema = json.loads(run(project, "schema").stdout)
    assert list(schema["properties"]["software"]["properties"]) == ["qpdf"]


def test_what_networkmanager_refuses_is_said_before_any_laptop_gets_it(project: Path, tmp_path_factory, monkeypatch):
    programs = tmp_path_factory.mktemp("bin")
    nmcli = programs / "nmcli"
    nmcli.write_text("#!/bin/sh\ngrep -q '^ssid=Bad' && { echo 'Error: bad network' >&2; exit 1; }\nexit 0\n")
    nmcli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    network = "{ssid: Bad, security: sae, psk: {secret: wifi/x}}"
    write(project, "authorities/zdmv.yml", f"wifi:\n  networks:\n    bad: {network}\n")
    result = run(project, "check", "--without-secrets")
    assert result.exit_code == 2
    assert "profiles/authorities/zdmv.yml: connection mvpc-wifi-bad: Error: bad network." in result.output


# --- what a laptop cannot have ---------------------------------------------------------------


def test_a_product_that_a_laptop_cannot_have_is_found_by_the_check_and_by_a_plan(project: Path):
    write(project, "catalogue/qpdf.yml", QPDF + "releases: {debian-13: []}\n")
    said = "profiles/base.yml:8: software.qpdf.state: qpdf has no packages for debian-13, which nb-000123 has."
    checked = run(project, "check")
    assert (checked.exit_code, said in " ".join(checked.output.split())) == (2, True)
    planned = CliRunner().invoke(app, ["--project", str(project), "plan", "--no-ask"])
    assert (planned.exit_code, said in " ".join(planned.output.split())) == (2, True)
