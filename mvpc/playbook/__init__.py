"""Ansible as mvpc's carrier: write a private run folder, start ansible-playbook, turn its events into results.

    runner   AnsibleRunner, the `Runner` of a rollout: some shards side by side
    shards   which laptops go together
    shard    one ansible-playbook with its laptops, from the run folder to the last result
    hosts    how Ansible reaches a laptop: variables, host key, SSH options
    folder   the run folder in memory with the bundles, and what dead runs left behind
    edition  whether the project's playbooks are those of this mvpc
    syntax   whether Ansible can read the site's own roles
    process  ansible-playbook itself: environment, event lines, end
    tally    events in, results out; every component gets exactly one

The only place that starts Ansible. The plugins it runs are in playbooks/collections.
"""

from mvpc.playbook.runner import AnsibleRunner

__all__ = ["AnsibleRunner"]
