"""A long result of a tool is told in parts, and nothing of it is out of reach."""

import re
from typing import Any

import pytest

from toolkit.messages import ToolCall
from toolkit.sessions.results import LONGEST, LongResults

CALL = ToolCall("call-1", "read_file", {})


def asks(**arguments: Any) -> ToolCall:
    return ToolCall("call-2", "read_result", arguments)


def test_a_short_result_is_told_whole() -> None:
    results = LongResults()
    assert results.take(CALL, "x" * LONGEST) == "x" * LONGEST
    assert not results
    assert not results.answers(asks(result_id="call-1", offset=0))


def test_the_parts_of_a_long_result_are_the_whole() -> None:
    whole = "".join(f"{n}," for n in range(30_000))
    results = LongResults()
    told = results.take(CALL, whole)
    heard = ""
    while cut := re.search(r'\n\[Cut: .* Read on with read_result\(result_id="(.+)", offset=(\d+)\)\.\]$', told):
        heard += told[: cut.start()]
        call = asks(result_id=cut[1], offset=int(cut[2]))
        assert results.answers(call)
        message = results.read(call)
        assert message.tool_call_id == "call-2"
        told = message.text
    assert heard + told == whole


@pytest.mark.parametrize("offset", [-1, 10**9, "3", True, None, 1.5])
def test_an_offset_out_of_bounds_is_refused_in_words(offset: object) -> None:
    results = LongResults()
    results.take(CALL, "x" * (LONGEST + 1))
    assert "must be a whole number from 0 to 40000" in results.read(asks(result_id="call-1", offset=offset)).text


def test_an_unknown_result_is_refused_with_those_that_there_are() -> None:
    results = LongResults()
    results.take(CALL, "x" * (LONGEST + 1))
    assert (
        results.read(asks(result_id="other", offset=0)).text
        == "Error: there is no cut result 'other'; there are call-1."
    )
    assert "no cut result None" in results.read(asks()).text
