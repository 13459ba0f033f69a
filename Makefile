# mvpc: `make demo` shows the main job, `make test` runs every test, `make check` is quick enough for every commit.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

LAB_PACKAGES := mmdebstrap systemd-container nginx-light openssh-client iproute2 openssl
GATEWAY_PACKAGES := wireguard-go wireguard-tools dnsmasq-base \
  charon-systemd strongswan-swanctl libstrongswan-standard-plugins libcharon-extra-plugins
VM_PACKAGES := qemu-system-x86 e2fsprogs hostapd swtpm
TEST_PACKAGES := openssh-server sudo gpg gpg-agent nftables hostapd qrencode zbar-tools swtpm tpm2-openssl tpm2-tools
# Laptops mostly wait, for a network or a timer, so more files than cores are tested at a time; those with laptops first.
WORKERS := 3

# Installs Debian packages where that is possible, and says what is needed where it is not.
# An archive that fails for a moment is asked again.
# policy-rc.d (invoke-rc.d(8)) keeps Debian from starting a service that the lab starts by itself.
define apt-install
if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
  echo "This step needs root on Debian 12 or newer, for: apt-get install $(1)"; false; \
elif dpkg-query -W -f '$${Status}\n' $(1) 2>/dev/null | grep -c '^install ok installed$$' | grep -qx $(words $(1)); then \
  :; \
else \
  guard=/usr/sbin/policy-rc.d; \
  if [ ! -e $$guard ]; then printf '#!/bin/sh\nexit 101\n' >$$guard && chmod 755 $$guard && trap "rm -f $$guard" EXIT; fi; \
  for pause in 10 30 0; do \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $(1) >/dev/null && break; \
    sleep $$pause; [ $$pause != 0 ]; \
  done; \
fi
endef

.PHONY: help demo test test-vm check unit integration lab bench torture lint format lock docs venv lab-packages clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: venv lab-packages  ## Build the image, boot three laptops, import, plan, roll out, drift, repair
	@docs/demo.sh

test: check  ## Every test: what needs root and Debian runs where both are there
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  { $(call apt-install,$(LAB_PACKAGES) $(GATEWAY_PACKAGES) $(TEST_PACKAGES)) ; } && mvpc image build; \
	else echo "make test: no lab here, so only what needs none is tested"; fi
	pytest -m "not vm" --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder tests/acceptance tests/integration

test-vm: venv  ## Tests with virtual machines: Wi-Fi, tunnels (root, Debian, about 15 minutes)
	@$(call apt-install,$(LAB_PACKAGES) $(GATEWAY_PACKAGES) $(VM_PACKAGES))
	pytest -m vm tests/acceptance

torture: venv lab-packages  ## Kill the controller KILLS=500 times on real laptops, throwing the dice of SEED
	@seed=$${SEED:-$$(date +%s)}; echo "make torture: SEED=$$seed KILLS=$${KILLS:-500}"; \
	  SEED=$$seed KILLS=$${KILLS:-500} ROUGH=1 pytest -s tests/acceptance/test_kills.py

check: venv lint unit  ## Quick: style, types, architecture, unit tests, playbooks

unit: venv
	pytest tests/unit

lint: venv
	ruff format --check .
	ruff check .
	mypy
	yamllint --strict .
	ansible-lint --offline --strict --profile production

format: venv  ## Let ruff format and mend what it can
	ruff format .
	ruff check --fix .

bench: venv  ## Measure the figures that docs/explanation/figures.md names
	@set -e; for each in tests/bench/bench_*.py; do echo "== $$each"; python $$each; done
	@echo "== tests/bench/peers (LAPTOPS=8 for a quick one)"; python -m tests.bench.peers

docs: venv  ## Write the generated parts of the reference
	python -m docs.generate

venv: $(VENV)/.installed

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "mvpc needs Python 3.11 to 3.13 as $(PYTHON); name another one with: make PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { $(call apt-install,python3-venv) && $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lab-packages:  ## Install the Debian packages that the lab needs (as root)
	@$(call apt-install,$(LAB_PACKAGES))

lock:  ## Renew the lock files within the bounds of pyproject.toml
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -o requirements.lock
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -o requirements-dev.lock

clean:  ## Remove what was built; state in .mvpc stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
