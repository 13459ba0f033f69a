"""Ask laptops how they are: one SSH connection, one program over stdin, one JSON answer. Only enrolment changes them.

Host keys come from the inventory, or prove themselves by our authority; there is no trust on first use. What a laptop
answers is hostile until `mvpc.device.parse_answer` has accepted it.

    prober   SshProber, the `Prober` of a rollout: all laptops at once
    calls    TCP connections to all laptops at once, so that those who are away cost one time-out in all
    enrolment  the visits to one laptop that is enrolled
    trust    host keys of the inventory, and host certificates of our authority
    session  log in, run the program, read what it says; our own key
"""

from mvpc.ssh.prober import SshProber
from mvpc.ssh.session import certificate_path, make_key
from mvpc.ssh.trust import HostAuthority

__all__ = ["HostAuthority", "SshProber", "certificate_path", "make_key"]
