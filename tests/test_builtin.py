"""What the toolkit's own tools tell: little by default, everything on request, and the same in both forms."""

from collections.abc import AsyncIterator

import pytest

from toolkit.builtin import ROWS
from toolkit.search.documents import Document
from toolkit.session_tools import LETTERS, MESSAGES
from toolkit.toolkit import Toolkit


@pytest.fixture
async def tk() -> AsyncIterator[Toolkit]:
    async with Toolkit.open("sqlite://") as opened:
        for model in await opened.models.list():
            await opened.models.remove(model.name)
        await opened.models.add("scripted", "m", name="parrot", config={"say": ["Yes [1]."], "temperature": 0.5})
        yield opened


async def test_a_session_is_read_by_its_last_messages_shortened_or_whole(tk: Toolkit) -> None:
    session = await tk.sessions.create()
    for number in range(MESSAGES):
        await tk.complete(f"Question {number} " + "x" * LETTERS, session=session.id)
    concise = await tk.tools.call("get_session", {"session": session.id})
    detailed = await tk.tools.call("get_session", {"session": session.id, "response_format": "detailed"})
    assert len(concise.data["messages"]) == MESSAGES
    assert concise.data["earlier_messages"] == MESSAGES
    assert f"({MESSAGES} earlier messages; response_format=detailed gives all.)" in concise.text
    assert len(concise.data["messages"][-2]["text"]) == LETTERS + 1
    assert [m["text"] for m in detailed.data["messages"]] == [m.text for m in await tk.sessions.messages(session.id)]
    for result in (concise, detailed):
        assert all(m["text"] in result.text for m in result.data["messages"])


async def test_the_cursor_of_a_list_of_sessions_gives_the_next_ones_until_there_are_none(tk: Toolkit) -> None:
    made = {(await tk.sessions.create(title=f"Number {n}")).id for n in range(5)}
    found: list[str] = []
    cursor = ""
    for _ in range(3):
        result = await tk.tools.call("list_sessions", {"limit": 2, "cursor": cursor})
        found += [row["id"] for row in result.data["sessions"]]
        cursor = result.data.get("cursor", "")
        assert f"cursor: {cursor}" in result.text or not cursor
    assert (set(found), len(found)) == (made, 5)
    assert not cursor


async def test_a_detailed_list_of_sessions_says_who_began_them(tk: Toolkit) -> None:
    await tk.sessions.create(user="ada", origin="notebook", context={"project": "birds"})
    result = await tk.tools.call("list_sessions", {"response_format": "detailed"})
    assert "user ada, origin notebook" in result.text
    assert "birds" in result.text
    assert result.data["sessions"][0]["context"] == {"project": "birds"}
    assert "context" not in (await tk.tools.call("list_sessions", {})).data["sessions"][0]


async def test_a_long_usage_report_folds_what_cost_least_into_one_row_and_its_sums_stay_right(tk: Toolkit) -> None:
    for number in range(ROWS + 5):
        await tk.complete("Hello.", user=f"user-{number}")
    concise = await tk.tools.call("usage_report", {"by": "user"})
    detailed = await tk.tools.call("usage_report", {"by": "user", "response_format": "detailed"})
    assert len(concise.data["rows"]) == ROWS + 1
    assert concise.data["rows"][-1]["key"] == "(5 others)"
    assert len(detailed.data["rows"]) == ROWS + 5
    for column in ("calls", "failures", "input_tokens", "output_tokens"):
        assert sum(row[column] for row in concise.data["rows"]) == sum(row[column] for row in detailed.data["rows"])
    assert "(5 others): 5 calls" in concise.text
    assert "from the cache" in detailed.text


async def test_a_detailed_answer_has_the_text_of_what_it_cites(tk: Toolkit) -> None:
    await tk.ingest(Document("birds.md", "The heron fishes at dawn."))
    detailed = await tk.tools.call("ask", {"question": "When does the heron fish?", "response_format": "detailed"})
    concise = await tk.tools.call("ask", {"question": "When does the heron fish?"})
    assert [cited["text"] for cited in detailed.data["citations"]] == ["The heron fishes at dawn."]
    assert "The heron fishes at dawn." in detailed.text
    assert "The heron fishes at dawn." not in concise.text


async def test_a_detailed_list_of_models_has_their_settings(tk: Toolkit) -> None:
    detailed = await tk.tools.call("list_models", {"response_format": "detailed"})
    assert detailed.data["models"][0]["settings"]["temperature"] == 0.5
    assert '"temperature": 0.5' in detailed.text
    assert "settings" not in (await tk.tools.call("list_models", {})).data["models"][0]
