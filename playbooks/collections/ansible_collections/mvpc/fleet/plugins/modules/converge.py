# GNU General Public License v3.0 or later (see LICENSE)
"""Documentation of `mvpc.fleet.converge`; all work is done by the action plugin of the same name."""

DOCUMENTATION = r"""
module: converge
short_description: Make components of a laptop what its bundle says
version_added: 0.1.0
description:
  - Sends mvpc's device program and components of the laptop's bundle over one SSH connection, to the standard
    input of C(python3) as root. Nothing is copied to the laptop, and no secret is in an argument or in the environment.
  - A component that fails does not keep the others from being tried; the task fails when one of them did.
  - The bundle comes from the file that the variable C(mvpc_bundle_file) names (mvpc's own runs), or else is rendered
    from the project that C(mvpc_project) names (inventory plugin P(mvpc.fleet.inventory#inventory)).
options:
  components:
    description: Names of components that the bundle has, such as C(base), C(vpn), C(wifi) and C(software).
    type: list
    elements: str
    required: true
  journal:
    description:
      - Set where other tasks do the work of a component without resources, that is, of a role of the site.
      - V(begin) writes into the laptop's ledger that the component is not finished, V(end) that it is, and V(failed)
        does nothing on the laptop, whose ledger says so already.
    type: str
    choices: [begin, end, failed]
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
    components: [wifi]

- name: Note that a role of the site begins
  mvpc.fleet.converge:
    components: [local-printers]
    journal: begin
"""

RETURN = r"""
mvpc_components:
  description: What came of each component, in the order in which the laptop took them.
  type: list
  elements: dict
  returned: when the laptop answered, but not with O(journal=begin)
  contains:
    name:
      description: Name of the component.
      type: str
    outcome:
      description: One of V(changed), V(unchanged), V(deferred) (another package run is at work), V(failed),
        V(rolled_back) (the laptop took it back, since nobody got in any more or what had worked did so no more) and
        V(needs_repair) (dpkg is in a state that a person must see to).
      type: str
    changes:
      description: What was done or, in check mode, would be done, in words.
      type: list
      elements: str
    digest:
      description: Digest of the component in the laptop's ledger; empty while the component is unfinished.
      type: str
    error:
      description: Why the component failed; else empty.
      type: str
"""
