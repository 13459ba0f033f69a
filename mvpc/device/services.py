"""What a laptop is asked about central services, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mvpc.model import Reachability, ServiceAnswer
from mvpc.text import safe

if TYPE_CHECKING:
    from mvpc.software import ServiceQuestion  # loads pydantic

_LIMIT = 200
"""Characters of one detail; the program cuts there."""
_SPARE = 5
"""Seconds that the program itself may take."""


def services_request(questions: Sequence[ServiceQuestion]) -> dict[str, Any]:
    """The field `services` of a request: the program that asks, and after how many seconds it is ended."""
    text = json.dumps([each.model_dump(mode="json") for each in questions])
    source = files("mvpc.device").joinpath("reachability.py").read_text(encoding="utf-8")
    seconds = max((each.seconds for each in questions), default=0) + _SPARE
    return {"program": f"{source}\n\nmain(json.loads({text!r}))\n", "seconds": seconds}


def parse_services(data: Any, questions: Sequence[ServiceQuestion]) -> tuple[ServiceAnswer, ...]:
    """Read what a laptop said in its facts, trusting none of it.

    Raises:
        ValueError: with a short reason that quotes nothing of what the laptop said.
    """
    if not isinstance(data, dict) or data.keys() != {"said", "error"} or not all(map(_is_text, data.values())):
        raise ValueError("services: not exactly the fields said, error")
    if data["error"]:
        return tuple(_answer(each, Reachability.UNASKED, data["error"]) for each in questions)
    try:
        said = json.loads(data["said"])
    except (ValueError, RecursionError):
        raise ValueError("services: what it said is not valid JSON") from None
    if not isinstance(said, dict) or said.keys() != {each.product for each in questions}:
        raise ValueError("services: other services than those it was asked about")
    if not all(map(_is_pair, said.values())):
        raise ValueError("services: an answer is no state with a detail")
    return tuple(_answer(each, Reachability(said[each.product][0]), said[each.product][1]) for each in questions)


def _answer(question: ServiceQuestion, state: Reachability, detail: str) -> ServiceAnswer:
    return ServiceAnswer(
        product=question.product,
        name=question.name,
        url=question.url,
        state=state,
        detail=safe(detail, limit=_LIMIT),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_pair(value: object) -> bool:
    states = {str(each) for each in Reachability if each is not Reachability.UNASKED}
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value)) and value[0] in states
