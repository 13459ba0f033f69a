"""The main job, as an admin does it and as an outsider sees it: inventory, profiles, rollout, drift, repair, status.

The tests run in order on three real laptops. What they assert they ask the laptops themselves, over OpenSSH, never
mvpc's own records.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin

LAPTOPS = ("lab-01", "lab-02", "lab-03")
PSK = "a key that no other test has"
"""Looked for on the whole controller, where other tests may be at work with theirs."""

pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="way", addresses="10.79.0.0/24") as person:
        yield person


def test_the_image_is_built_and_built_only_once(admin: Admin):
    admin.mvpc("image", "build")
    assert "up to date" in admin.mvpc("image", "build")


def test_devices_come_from_a_spreadsheet_and_coming_twice_changes_nothing(admin: Admin):
    assert "3 new" in admin.mvpc("device", "import", "inventory/lab.csv", "--yes")
    again = admin.json("device", "import", "inventory/lab.csv", "--yes")
    assert (again["new"], again["changed"]) == ([], [])
    assert [device["hostname"] for device in admin.json("device", "list", "--ressort", "fm")["devices"]] == [
        "lab-01",
        "lab-02",
    ]


def test_three_laptops_boot_and_are_entered_with_their_host_keys(admin: Admin):
    admin.boot(3)
    assert sorted(admin.addresses) == list(LAPTOPS)
    assert [admin.on(name, "hostname").strip() for name in LAPTOPS] == list(LAPTOPS)


def test_a_missing_secret_is_named_with_the_next_step_before_anything_is_touched(admin: Admin):
    said = admin.mvpc("profile", "check", expect=2)
    assert "profiles/ressorts/wm.yml" in said
    assert "mvpc secret set wifi/guest-psk" in said
    assert "wifi/guest-psk" in admin.mvpc("rollout", "--all", "--yes", expect=2)
    assert admin.json("rollout", "list")["rollouts"] == []


def test_profiles_are_valid_once_the_secret_is_stored(admin: Admin):
    admin.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
    assert "profiles are valid" in admin.mvpc("profile", "check")
    admin.commit("profiles")


def test_the_plan_says_who_changes_and_touches_nothing(admin: Admin):
    plan = admin.json("plan", "--all")
    assert {change["device"] for change in plan["changes"]} == set(LAPTOPS)
    assert {change["reason"] for change in plan["changes"]} == {"never applied"}
    assert admin.on("lab-01", "sudo ls /var/lib/mvpc", check=False) == ""


def test_the_rollout_reaches_two_ressorts_and_is_verified(admin: Admin):
    done = admin.json("rollout", "--all", "--yes")["rollout"]
    assert (done["counts"], done["verified"]) == ({"changed": 3}, 3)


def test_networkmanager_knows_the_networks_of_each_ressort(admin: Admin):
    names = {name: admin.on(name, "nmcli -t -f NAME connection show").split() for name in LAPTOPS}
    assert {"mvpc-vpn", "mvpc-wifi-lan-mv", "mvpc-wifi-fm-intern"} <= set(names["lab-01"])
    assert "mvpc-wifi-fm-intern" not in names["lab-03"]
    read = admin.on(
        "lab-01",
        "sudo nmcli -t -f 802-1x.domain-suffix-match,802-1x.domain-match,802-11-wireless-security.pmf "
        "connection show mvpc-wifi-fm-intern",
    )
    assert "802-1x.domain-match:radius.fm.mv.example" in read
    assert "802-11-wireless-security.pmf:3" in read


def test_the_tunnel_is_split_where_the_authority_says_so_and_its_key_is_the_laptops_own(admin: Admin):
    keyfile = "sudo cat /etc/NetworkManager/system-connections/mvpc-vpn.nmconnection"
    split, full = admin.on("lab-01", keyfile), admin.on("lab-02", keyfile)
    assert "allowed-ips=10.0.0.0/8;" in split
    assert "allowed-ips=0.0.0.0/0;::/0;" in full
    keys = {line for text in (split, full) for line in text.splitlines() if line.startswith("private-key=")}
    assert len(keys) == 2
    assert not any("@" in key for key in keys)


def test_the_chosen_packages_are_installed_and_the_unwanted_are_not(admin: Admin):
    query = "dpkg-query -Wf '${db:Status-Status} ${Package}\\n'"
    installed = {name: admin.on(name, query).splitlines() for name in LAPTOPS}
    assert {"installed qpdf", "installed zip"} <= set(installed["lab-01"])
    assert "installed zip" not in installed["lab-02"]
    assert "installed cups" not in installed["lab-03"]


def test_sshd_itself_says_that_it_is_hardened(admin: Admin):
    effective = dict(line.split(" ", 1) for line in admin.on("lab-02", "sudo sshd -T").splitlines())
    assert (effective["permitrootlogin"], effective["passwordauthentication"]) == ("no", "no")
    assert (effective["x11forwarding"], effective["allowusers"]) == ("no", "mvpc-admin")
    assert "curve25519" not in effective["kexalgorithms"]
    assert effective["ciphers"] == ("aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr")


def test_the_laptop_has_its_time_zone_and_its_update_window(admin: Admin):
    assert admin.on("lab-01", "readlink /etc/localtime").strip().endswith("Europe/Berlin")
    assert "19:00" in admin.on("lab-01", "systemctl cat apt-daily-upgrade.timer")
    assert "20:00" in admin.on("lab-03", "systemctl cat apt-daily-upgrade.timer")


def test_secrets_are_readable_by_root_alone_and_nowhere_on_the_controller(admin: Admin):
    folder = "/etc/NetworkManager/system-connections"
    assert set(admin.on("lab-01", f"sudo find {folder} -type f -name 'mvpc-*' -printf '%m %u\\n'").splitlines()) == {
        "600 root"
    }
    found = subprocess.run(
        ["grep", "-rlF", PSK, str(admin.root), "/dev/shm"], capture_output=True, text=True, check=False
    ).stdout.split()
    assert found == [str(admin.root / ".mvpc/secrets/wifi/guest-psk")]


def test_a_second_rollout_has_nothing_to_do(admin: Admin):
    done = admin.json("rollout", "--all", "--yes")
    assert done["plan"]["changes"] == []
    assert {skip["why"] for skip in done["plan"]["skipped"]} == {"unchanged"}


def test_a_file_edited_by_hand_is_drift_and_the_next_rollout_repairs_it(admin: Admin):
    path = "/etc/sysctl.d/60-mvpc.conf"
    before = admin.on("lab-01", f"cat {path}")
    admin.on("lab-01", f"echo 'kernel.sysrq = 1' | sudo tee {path}")
    said = admin.mvpc("status", "lab-01", "--live")
    assert "DRIFTED" in said
    assert path in said
    assert admin.json("rollout", "--device", "lab-01", "--yes")["rollout"]["counts"] == {"changed": 1}
    assert admin.on("lab-01", f"cat {path}") == before
    assert "OK" in admin.mvpc("status", "lab-01", "--live")


def test_a_changed_profile_reaches_only_those_whom_it_concerns(admin: Admin):
    ressort = admin.root / "profiles/ressorts/fm.yml"
    ressort.write_text(ressort.read_text().replace("ssid: FM-Intern", "ssid: FM-Neu"))
    concerned = admin.json("profile", "diff")
    assert concerned["concerned"] == 2
    plan = admin.json("plan", "--all")
    assert {(change["device"], change["component"]) for change in plan["changes"]} == {
        ("lab-01", "wifi"),
        ("lab-02", "wifi"),
    }
    assert "FM-Intern -> FM-Neu" in plan["changes"][0]["reason"]
    assert plan["changes"][0]["source"].startswith("profiles/ressorts/fm.yml:")
    admin.mvpc("rollout", "--ressort", "fm", "--yes")
    assert "FM-Neu" in admin.on("lab-02", "sudo nmcli -g 802-11-wireless.ssid connection show mvpc-wifi-fm-intern")


def test_a_network_that_leaves_the_profile_is_forgotten_and_a_product_that_leaves_is_removed(admin: Admin):
    ressort, authority = admin.root / "profiles/ressorts/fm.yml", admin.root / "profiles/authorities/fa-schwerin.yml"
    text = ressort.read_text()
    ressort.write_text(text.replace("    fm-intern:\n", "    fm-intern:\n      state: absent\n"))
    authority.write_text(authority.read_text().replace("  zip: present", "  zip: absent"))
    admin.mvpc("rollout", "--device", "lab-01", "--yes")
    assert "fm-intern" not in admin.on("lab-01", "nmcli -t -f NAME connection show")
    assert admin.on("lab-01", "dpkg-query -Wf '${db:Status-Status}' zip", check=False) != "installed"


def test_plain_ansible_sees_the_same_fleet_and_has_nothing_to_do(admin: Admin):
    playbook = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [playbook, "-i", "inventory/mvpc.yml", "playbooks/site.yml", "--limit", "lab-03", "--check", "--diff"],
        cwd=admin.root,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert "failed=0" in done.stdout


def test_a_laptop_that_is_off_is_unreachable_and_not_failed(admin: Admin):
    ressort = admin.root / "profiles/ressorts/fm.yml"
    ressort.write_text(ressort.read_text() + "  pdfgrep: present\n")
    admin.mvpc("lab", "off", "lab-02")
    try:
        done = admin.json("rollout", "--ressort", "fm", "--yes")
        assert done["rollout"]["counts"] == {"changed": 1, "unreachable": 1}
        assert "OUTDATED" in admin.mvpc("status", "lab-02")
        admin.mvpc("rollout", "--device", "lab-02", "--yes", expect=4)
    finally:
        admin.mvpc("lab", "on", "lab-02")
    assert admin.json("rollout", "--ressort", "fm", "--yes")["rollout"]["counts"] == {"changed": 1}
    assert "pdfgrep" in admin.on("lab-02", "ls /usr/bin/pdfgrep")
    assert "OK" in admin.mvpc("status", "lab-02")


def test_a_laptop_with_another_host_key_is_refused_and_not_touched(admin: Admin):
    strange = admin.host_keys["lab-03"]
    ressort = admin.root / "profiles/ressorts/fm.yml"
    ressort.write_text(ressort.read_text().replace("pdfgrep: present", "tree: present"))
    admin.mvpc("device", "set", "lab-01", f"host_key={strange}")
    try:
        done = admin.json("rollout", "--device", "lab-01", "--yes", expect=3)
        assert done["plan"]["skipped"][0]["why"] == "refused"
        assert "REFUSED" in admin.mvpc("status", "lab-01")
        assert admin.on("lab-01", "ls /usr/bin/tree", check=False) == ""
    finally:
        admin.mvpc("device", "set", "lab-01", f"host_key={admin.host_keys['lab-01']}")


def test_a_component_that_fails_is_reported_with_its_reason_and_the_others_are_done(admin: Admin):
    catalogue = admin.root / "profiles/catalogue/ghost.yml"
    catalogue.write_text(
        (admin.root / "profiles/catalogue/tree.yml").read_text().replace("[tree]", "[no-such-package]")
    )
    layer = admin.root / "profiles/devices/lab-03.yml"
    layer.parent.mkdir(exist_ok=True)
    layer.write_text("base:\n  timezone: Europe/Vienna\nsoftware:\n  ghost: present\n")
    done = admin.json("rollout", "--device", "lab-03", "--yes", expect=3)["rollout"]
    outcomes = {result["component"]: (result["outcome"], result["error"]) for result in done["results"]}
    assert outcomes["base"][0] == "changed"
    assert outcomes["software"][0] == "failed"
    assert "no-such-package" in outcomes["software"][1]
    assert admin.on("lab-03", "readlink /etc/localtime").strip().endswith("Europe/Vienna")
    said = admin.mvpc("status", "lab-03")
    assert "FAILED" in said
    assert "no-such-package" in said


def test_nothing_is_left_when_the_lab_goes_down(admin: Admin):
    admin.mvpc("lab", "down")
    links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    assert "mvpcway" not in links
    assert "mvpc-lab-way" not in Path("/proc/mounts").read_text()
    assert admin.json("lab", "list")["laptops"] == []
