"""The site's own Ansible roles, `playbooks/local/<role>`: what they consist of, and which variables they take.

reading    the roles of a project
variables  what profiles may give them
"""

from __future__ import annotations

from mvpc.localroles.reading import FOLDER, LocalRole, load_local_roles, role_of

__all__ = ["FOLDER", "LocalRole", "load_local_roles", "role_of"]
