# GNU General Public License v3.0 or later (see LICENSE)
"""Documentation of `mvpc.fleet.converge`; all work is done by the action plugin of the same name."""

DOCUMENTATION = r"""
module: converge
short_description: Make one component of a laptop what its bundle says
version_added: 0.1.0
description:
  - Sends mvpc's device program and one component of the laptop's bundle over one SSH connection, to the standard
    input of C(python3) as root. Nothing is copied to the laptop, and no secret is in an argument or in the environment.
  - The bundle comes from the file that the variable C(mvpc_bundle_file) names (mvpc's own runs), or else is rendered
    from the project that C(mvpc_project) names (inventory plugin P(mvpc.fleet.inventory#inventory)).
options:
  component:
    description: Name of the component.
    type: str
    required: true
    choices: [base, vpn, wifi, software]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Contents of connections and of files that only root may read are never shown.
author:
  - The mvpc authors (@mvpc)
"""

EXAMPLES = r"""
- name: Converge the Wi-Fi component
  mvpc.fleet.converge:
    component: wifi
"""

RETURN = r"""
mvpc_component:
  description: Name of the component.
  type: str
  returned: when the laptop answered
mvpc_changes:
  description: What was done or, in check mode, would be done, in words.
  type: list
  elements: str
  returned: when the laptop answered
mvpc_digest:
  description: Digest of the component in the laptop's ledger; empty while the component is unfinished.
  type: str
  returned: when the laptop answered
"""
