"""What a request has beside the toolkit's own words, as each wire is told it."""

from typing import Any

import pytest

from toolkit.providers.wire.extra import extra_for

EXTRA: dict[str, Any] = {
    "top_p": 0.5,
    "@messages": {"top_k": 5},
    "@chat": {"reasoning_effort": "low", "top_p": 0.1},
    "@responses": {"reasoning": {"effort": "low"}},
}


@pytest.mark.parametrize(
    ("wire", "thinks", "told"),
    [
        ("messages", True, {"top_p": 0.5, "top_k": 5}),
        ("chat", True, {"top_p": 0.1, "reasoning_effort": "low"}),
        ("chat", False, {"top_p": 0.1}),
        ("responses", True, {"top_p": 0.5, "reasoning": {"effort": "low"}}),
        ("responses", False, {"top_p": 0.5}),
    ],
)
def test_a_wire_is_told_what_everyone_is_told_and_what_is_its_own(
    wire: str, thinks: bool, told: dict[str, Any]
) -> None:
    assert extra_for(wire, EXTRA, thinks=thinks) == told


def test_what_a_user_says_to_a_model_that_does_not_think_is_passed_on() -> None:
    assert extra_for("chat", {"reasoning_effort": "low"}, thinks=False) == {"reasoning_effort": "low"}
