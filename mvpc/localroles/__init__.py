"""The site's own Ansible roles, `playbooks/local/<role>`: what they consist of, and which variables they take."""

from __future__ import annotations

from mvpc.localroles.reading import FOLDER, LocalRole, load_local_roles, role_of
from mvpc.localroles.variables import variable_findings

__all__ = ["FOLDER", "LocalRole", "load_local_roles", "role_of", "variable_findings"]
