"""Changes that no profile makes: components of a test's own, sent as a rollout sends them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from mvpc.model import Bundle, Component, ComponentResult, HostWork, Resource
from mvpc.playbook import AnsibleRunner
from mvpc.project import load_project
from mvpc.store.read import Reader
from tests.acceptance.admin import Admin

COMPONENT = "mistake"


def mistake(admin: Admin, laptop: str, *resources: Resource, generation: int = 1001) -> HostWork:
    """A component of these resources on a laptop."""
    with Reader(load_project(admin.root).database) as reader:
        device = reader.find(laptop)
    bundle = Bundle(device=laptop, components=(Component(name=COMPONENT, digest="d1", resources=resources),))
    return HostWork(device=device, bundle=bundle, components=(COMPONENT,), generation=generation)


def converge(admin: Admin, work: Sequence[HostWork]) -> list[ComponentResult]:
    """What comes of work on laptops, all at the same time."""
    project = load_project(admin.root)
    runner = AnsibleRunner(playbooks=project.root / "playbooks", user="mvpc-admin", port=22, key=project.ssh_key)
    return list(chain.from_iterable(runner.run(work)))
