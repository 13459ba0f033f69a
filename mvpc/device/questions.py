"""What a laptop is asked besides how it is: fields of a request, and what is read of the facts that answer them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mvpc.device.services import parse_services, services_request
from mvpc.device.software import parse_software, software_request
from mvpc.device.versions import parse_on_offer

if TYPE_CHECKING:
    from mvpc.software import Questions  # loads pydantic

ANSWERS = frozenset({"software", "services", "on_offer"})
"""Facts that are answers to questions, and not kept as facts."""


def request_fields(questions: Questions) -> dict[str, Any]:
    """Fields of a request, one for each question that is asked."""
    return {
        **({"software": software_request(questions.software)} if questions.software else {}),
        **({"services": services_request(questions.services)} if questions.services else {}),
        **({"versions": dict(questions.versions)} if questions.versions else {}),
    }


def parse_facts(facts: Mapping[str, Any], questions: Questions) -> dict[str, Any]:
    """Fields of a `Probe`, one for each question that was asked.

    Raises:
        ValueError: with a short reason that quotes nothing of what the laptop said.
    """
    asked, versions = questions.services, questions.versions
    return {
        **({"software": parse_software(facts.get("software"), questions.software)} if questions.software else {}),
        **({"services": parse_services(facts.get("services"), asked) if asked else ()} if asked is not None else {}),
        **({"on_offer": parse_on_offer(facts.get("on_offer"), versions)} if versions else {}),
    }
