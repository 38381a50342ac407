import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from notebooks.chat.export import export, to_markdown, to_notebook
from notebooks.chat.turn import Step, Turn
from tests.display.browsing import Seen
from toolkit.errors import ConfigError
from toolkit.messages import Attempt, CalledTool, Message, Reply, ToolCall, Usage
from toolkit.search.answer import Passage

ANSWER = "Do this:\n\n```python\nx = 1\n```\n\nor\n\n```js\nlet x\n```\n\nand then\n\n```py\nprint(x)"
SNIPPETS = [
    *("`", "``", "```", "~~~", "\n", "\n\n", "![x](http://x/a.png)", "<img src=x onerror=a>", "\\", "<b>", "> ", "- "),
    *(
        "    ",
        "<https://a`b>",
        "$",
        "# ",
        "text",
        "`<b>`",
        "```python\n",
        "|",
        "[a]: http://x\n",
        "<!--",
        "&lt;",
        "\n  ```\n",
        "```a`b\n",
    ),
]


def turn(text: str = ANSWER, **given: Any) -> Turn:
    return Turn("How?", **{"text": text, "state": "answered", **given})


def answered() -> Turn:
    attempts = (Attempt("careful", "anthropic", "claude", usage=Usage(12, 3), cost_nano_usd=8_300_000),)
    return turn(reply=Reply(Message("assistant", ANSWER), "careful", attempts, "id", milliseconds=2412.3))


def sources(*turns: Turn) -> list[tuple[str, str]]:
    return [(cell["cell_type"], cell["source"]) for cell in to_notebook(turns)["cells"]]


def test_questions_and_answers_are_markdown_and_python_is_code_that_was_not_run() -> None:
    assert sources(answered()) == [
        ("markdown", "**You:** How?"),
        ("markdown", "Do this:"),
        ("code", "x = 1"),
        ("markdown", "or\n\n```js\nlet x\n```\n\nand then"),
        ("code", "print(x)"),
        ("markdown", "*careful · 12 in · 3 out · $0.0083*"),
    ]


def test_tools_that_were_called_and_sources_are_quiet_lines() -> None:
    called = CalledTool(ToolCall("1", "find", {"text": "`x` <b>"}), "found", milliseconds=3.0)
    source = Passage(1, "id", ("id",), "<i>guide.md", (1, 2), "", "Guide", "text")
    told = turn("Yes [1].", steps=[Step("Let me look.", (called,))], sources=(source,), given=("df",))
    assert [text for _, text in sources(told)] == [
        "**You:** How?\n\n*with df*",
        "Let me look.",
        "- ✓ `find(text=\"'x' <b>\")`",
        "Yes [1].",
        f"[1] {source.title}".replace("<", "&lt;"),
    ]


def test_the_notebook_is_valid_and_the_same_each_time(tmp_path: Path) -> None:
    turns = [answered(), turn("half", state="stopped"), turn("", state="failed", error="Nobody <b>answered</b>.")]
    written = export(turns, tmp_path / "chat.ipynb")
    notebook = nbformat.read(written, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert json.loads(written.read_text(encoding="utf-8")) == to_notebook(turns)
    assert notebook.cells[-1].source == "*Nobody &lt;b>answered&lt;/b>.*"
    assert "*stopped*" in {cell.source for cell in notebook.cells}


def test_markdown_has_every_turn(tmp_path: Path) -> None:
    written = export([answered(), turn("Yes.")], str(tmp_path / "chat.md"))
    assert written.read_text(encoding="utf-8") == to_markdown([answered(), turn("Yes.")])
    assert to_markdown([]) == ""


def test_another_ending_or_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither .md nor .ipynb"):
        export([], tmp_path / "chat.html")
    with pytest.raises(ConfigError, match="cannot be written"):
        export([], tmp_path / "no" / "chat.md")


def test_tags_and_pictures_are_text_and_code_is_left_as_it_is() -> None:
    said = sources(turn("<img src=x> ![a](http://x) `List<int>` a < b <https://x.y>\n\n```html\n<b>\n```"))[1][1]
    assert said == "&lt;img src=x> \\![a](http://x) `List<int>` a < b <https://x.y>\n\n```html\n<b>\n```"


def test_a_formula_cannot_be_a_link_that_runs() -> None:
    assert "\\href" not in sources(turn(r"$\href{javascript:alert(1)}{x}$"))[1][1]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(SNIPPETS), max_size=14).map("".join))
def test_no_answer_makes_a_notebook_that_fetches_or_has_tags_of_its_own(text: str) -> None:
    for kind, source in sources(turn(text)):
        if kind == "markdown":
            html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source)
            assert not Seen(html).names & {"img", "b"}, source


@pytest.mark.parametrize("text", ["a `\n` ![x](http://x) `", "$`$ ![x](http://x) `", "<https://a`b> ![x](http://x) `"])
def test_backticks_that_may_be_read_in_two_ways_protect_no_picture(text: str) -> None:
    assert "\\![x]" in sources(turn(text))[1][1]
