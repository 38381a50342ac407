"""Results that are longer than a host takes."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server import sizes
from mcp_server.sizes import LongResults
from toolkit.errors import ToolError
from toolkit.tools.tool import ToolContext, ToolResult, result_of

TOKENS = 500
MOST = TOKENS * 4


@pytest.fixture
def long() -> LongResults:
    return LongResults(lambda: TOKENS)


async def parts(long: LongResults, result: ToolResult) -> list[ToolResult]:
    """A result as a host gets it, from part to part."""
    got = [long.fitting(result)]
    while "read_more" in got[-1].data:
        got.append(await long.tool.run({"handle": got[-1].data["read_more"]}, ToolContext()))
    return got


async def test_what_fits_is_left_as_it_is(long: LongResults) -> None:
    result = ToolResult("x" * MOST, {"x": 1})
    assert long.fitting(result) is result


async def test_a_text_is_cut_at_the_end_of_a_line_and_says_how_to_read_on(long: LongResults) -> None:
    text = "".join(f"This is line {n}.\n" for n in range(300))
    first, *others = await parts(long, ToolResult(text, {"result": text}))
    assert first.data["text"].endswith(".\n")
    shown, _, sentence = first.text.rpartition("\n")
    assert shown == first.data["text"]
    end = first.data["characters"][1]
    assert sentence == (
        f"[Cut: characters 0 to {end:,} of {len(text):,}. Read on with read_more(handle={first.data['read_more']!r}).]"
    )
    assert "".join(part.data["text"] for part in (first, *others)) == text
    assert others[-1].text == others[-1].data["text"]


async def test_data_that_is_too_long_beside_a_short_text_is_read_as_json(long: LongResults) -> None:
    data = {"rows": list(range(2000))}
    got = await parts(long, ToolResult("2,000 rows", data))
    assert json.loads("".join(part.data["text"] for part in got)) == data


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=30), st.integers(1, 400))
def test_no_part_is_longer_than_it_may_be_and_together_they_are_the_whole(piece: str, times: int) -> None:
    whole = piece * times
    long = LongResults(lambda: TOKENS)
    got = asyncio.run(parts(long, result_of({"said": whole})))
    assert all(len(part.text.encode()) <= MOST for part in got)
    assert all(len(json.dumps(part.data, ensure_ascii=False, separators=(",", ":")).encode()) <= MOST for part in got)
    if len(got) > 1:
        assert json.loads("".join(part.data["text"] for part in got)) == {"said": whole}


@pytest.mark.parametrize("handle", ["", "x", "x-5", "-", "x-²"])
async def test_a_handle_under_which_nothing_is_kept_says_what_to_do(long: LongResults, handle: str) -> None:
    with pytest.raises(ToolError, match="call the tool again"):
        await long.tool.run({"handle": handle}, ToolContext())


async def test_a_result_is_forgotten_when_its_time_is_over(long: LongResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "KEPT_SECONDS", 0)
    handle = long.fitting(result_of("x" * 9000)).data["read_more"]
    await asyncio.sleep(0.01)
    with pytest.raises(ToolError, match="Nothing is kept"):
        await long.tool.run({"handle": handle}, ToolContext())


async def test_the_oldest_results_give_way_where_too_much_is_kept(
    long: LongResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "MOST_KEPT", 20_000)
    first, second, third = (long.fitting(result_of("x" * 9000)).data["read_more"] for _ in range(3))
    with pytest.raises(ToolError, match="Nothing is kept"):
        await long.tool.run({"handle": first}, ToolContext())
    for handle in (second, third):
        assert (await long.tool.run({"handle": handle}, ToolContext())).text


@pytest.mark.parametrize("broken", [ToolResult("a\ud800b", {"a": 1}), ToolResult("ab", {"name\udcff": ["\ud800"]})])
async def test_halves_of_characters_which_no_wire_takes_are_marked(long: LongResults, broken: Any) -> None:
    sent = long.fitting(broken)
    assert sent.text in ("a?b", "ab")
    assert json.dumps(sent.data, ensure_ascii=False).encode()
