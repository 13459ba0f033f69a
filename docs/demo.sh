#!/usr/bin/env bash
# The main job on three real Debian laptops, as `make demo` shows it. KEEP=1 leaves the laptops running at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
on_laptop() { # what an outsider sees: plain OpenSSH, believing only the host key of the inventory
  printf '\033[2m$ ssh lab-01 "%s"\033[0m\n' "$1"
  ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$known" \
    -i .mvpc/ssh/id_ecdsa "mvpc-admin@$address" "$1"
}
finish() { [ -n "${KEEP:-}" ] || { step "Clean up"; run mvpc lab down; rm -f "$known"; }; }

known=$(mktemp)
trap finish EXIT

step "Build the image of the standard laptop"
run mvpc image build

step "Import three laptops of two ressorts from a spreadsheet"
run mvpc device import inventory/lab.csv --yes

step "Boot them on this machine; their host keys go into the inventory"
run mvpc lab up 3
run mvpc device list

step "Store the one secret that the profiles refer to, and check the profiles"
head -c 18 /dev/urandom | base64 | run mvpc secret set wifi/guest-psk
run mvpc profile check
run mvpc profile explain lab-01 vpn.tunnel

step "Plan: who changes, what and why"
run mvpc plan --all

step "Roll out through Ansible"
run mvpc rollout --all --yes

step "Look at a laptop from outside"
field() { mvpc device show lab-01 --json | python -c "import json, sys; print(json.load(sys.stdin)['device']['$1'])"; }
address=$(field address)
echo "$address $(field host_key)" >"$known"
on_laptop 'nmcli -f NAME,TYPE connection show'
on_laptop 'sudo sshd -T | grep -E "^(permitrootlogin|passwordauthentication|allowusers|ciphers) "'
on_laptop 'dpkg-query -W qpdf jq zip'

step "A second rollout has nothing to do"
run mvpc rollout --all --yes

step "Somebody edits a file by hand"
on_laptop 'echo "kernel.sysrq = 1" | sudo tee /etc/sysctl.d/60-mvpc.conf'
run mvpc status lab-01 --live
run mvpc rollout --device lab-01 --yes
run mvpc status lab-01 --live

step "One laptop is switched off: unreachable, not failed"
run mvpc lab off lab-02
run mvpc rollout --ressort fm --yes
run mvpc status
