# GNU General Public License v3.0 or later (see LICENSE)
"""Inventory `mvpc.fleet.inventory`: the laptops that mvpc manages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from mvpc.errors import MvpcError
from mvpc.fleet import Fleet, Selection
from mvpc.model import COMPONENTS, Device
from mvpc.playbook.hosts import WITH_ROLES, Login, host_variables, role_variables, unfit
from mvpc.project import load_project

DOCUMENTATION = r"""
name: inventory
short_description: The laptops that mvpc manages
version_added: 0.1.0
description:
  - Reads the inventory of one mvpc project. Laptops that mvpc does not roll out to (Windows, no host key, not in
    service, run by another operator) are left out.
  - Groups are the ressort codes, C(authority_CODE) inside their ressort, C(site_CODE) and C(workplace_KIND), with
    underscores for hyphens. Laptops that run roles of the site are in C(mvpc_local).
  - No value is ever treated as a template, and none is a secret.
options:
  plugin:
    description: Marks the file as ours.
    type: str
    required: true
    choices: [mvpc.fleet.inventory]
  project:
    description: Folder of the project, relative to the inventory file.
    type: str
    default: ..
author:
  - The mvpc authors (@mvpc)
"""

EXAMPLES = r"""
plugin: mvpc.fleet.inventory
project: ..
"""


class InventoryModule(BaseInventoryPlugin):  # noqa: D101 - see DOCUMENTATION
    NAME = "mvpc.fleet.inventory"
    # Strings come from spreadsheets, so none of them may become a template.
    trusted_by_default = False

    def verify_file(self, path: str) -> bool:
        """Whether the file can be one of ours."""
        return bool(super().verify_file(path)) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add every laptop with its variables and groups."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        root = (Path(path).parent / str(self.get_option("project"))).resolve()
        try:
            self._add_all(root)
        except MvpcError as error:
            raise AnsibleParserError("; ".join(map(str, error.problems))) from error

    def _add_all(self, root: Path) -> None:
        project = load_project(root)
        project.require_real()
        login = Login(
            user=project.ssh_user, port=project.ssh_port, key=project.ssh_key, host_authority=project.host_authority
        )
        fleet = Fleet(project, on=datetime.now().astimezone().date())
        self._add_group(WITH_ROLES)
        for device in fleet.askable(fleet.select(Selection())):
            if reason := unfit(device):
                self.display.warning(f"{device.hostname} is left out: {reason}")
                continue
            self.inventory.add_host(device.hostname)
            roles = role_variables(fleet.role_runs(device))
            own = ["identity"] if device.hostname in fleet.identities else []
            ours = {"mvpc_project": str(root), "mvpc_components": [*COMPONENTS, *own], **roles}
            for name, value in {**host_variables(device, login), **ours}.items():
                self.inventory.set_variable(device.hostname, name, value)
            self._group(device, fleet.ressort_of(device))
            if roles:
                self.inventory.add_child(WITH_ROLES, device.hostname)

    def _group(self, device: Device, ressort: str) -> None:
        above = self._add_group(ressort)
        authority = self._add_group(f"authority_{device.authority}")
        self.inventory.add_child(above, authority)
        for group in (
            authority,
            self._add_group(f"site_{device.site}"),
            self._add_group(f"workplace_{device.workplace}"),
        ):
            self.inventory.add_child(group, device.hostname)

    def _add_group(self, code: str) -> str:
        return str(self.inventory.add_group(code.replace("-", "_")))
