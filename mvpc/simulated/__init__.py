"""A simulated fleet: invented laptops behind the protocols of real ones, to rehearse rollouts at full size.

None of it knows SSH or Ansible, so no mistake here can reach a real laptop.

    inventory  invented laptops, spread over the organisation
    folder     a project folder of its own for them
    laptops    what they remember and how they behave
    seams      SimulatedProber and SimulatedRunner, in the place of SSH and Ansible
"""

from __future__ import annotations

from mvpc.simulated.folder import make_folder
from mvpc.simulated.inventory import invent
from mvpc.simulated.laptops import Laptops
from mvpc.simulated.seams import SimulatedProber, SimulatedRunner

__all__ = ["Laptops", "SimulatedProber", "SimulatedRunner", "invent", "make_folder"]
