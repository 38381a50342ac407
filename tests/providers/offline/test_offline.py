"""The model that is always there quotes the passages."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ProviderError
from toolkit.messages import BEFORE_QUESTION, NOT_IN_SOURCES, ChatRequest, Delta, Message, Source, Usage
from toolkit.providers import base, connect, known, last_resort
from toolkit.providers.offline import MOST_QUOTES, Offline, quote_answer

GUIDE = Source(
    "a-1",
    "guide.md, lines 1–20, Guide › Circuit breaker",
    """## Circuit breaker

Calls can fail. A circuit breaker stops calls to a model that keeps failing. It opens after five consecutive
failures, e.g. timeouts or 5xx answers. After 30 seconds it lets one probe through. If the probe succeeds, the breaker
closes.

To change the limits, set these variables:

- `BREAKER_FAILURES`: how many failures open it
- `BREAKER_PAUSE`: seconds until the probe
""",
)
INSTALL = Source(
    "b-1",
    "install.md, lines 1–12, Install",
    """# Install

Install the package with pip:

```bash
pip install toolkit-mcp
```

Python 3.11 or newer is needed, because TaskGroup is used. Ada wrote it.
""",
)
SAME = Source(
    "c-1", "faq.md, lines 1–1", "Is it fast? The circuit breaker stops all calls to a model that keeps failing."
)
ERRORS = Source(
    "d-1",
    "errors.py, lines 1–9, class AllModelsFailed",
    'class AllModelsFailed(ToolkitError):\n    """Every candidate was tried and none answered."""\n',
)
SOURCES = (GUIDE, INSTALL, SAME, ERRORS)


def request(question: str, *sources: Source) -> ChatRequest:
    passages = "\n\n".join(f"[{n}] {source.text}" for n, source in enumerate(sources, 1))
    messages = (
        Message("user", "What is the airspeed of a swallow?"),
        Message("assistant", "Which one?"),
        Message("system", "Answer from the passages."),
        Message("user", f"Passages:\n\n{passages}{BEFORE_QUESTION}{question}"),
    )
    return ChatRequest(messages, sources=sources)


async def ask(question: str, *sources: Source) -> str:
    completion = await Offline().complete(request(question, *sources), "extractive", timeout=1)
    return completion.message.text


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many failures open the breaker?", "- `BREAKER_FAILURES`: how many failures open it [1]"),
        ("When does the breaker close?", "If the probe succeeds, the breaker closes [1]."),
        ("Why is Python 3.11 needed?", "Python 3.11 or newer is needed, because TaskGroup is used [2]."),
        ("Who wrote it?", "Ada wrote it [2]."),
    ],
)
async def test_the_sentence_that_answers_comes_first_with_its_mark(question: str, answer: str) -> None:
    assert (await ask(question, GUIDE, INSTALL)).startswith(answer)


async def test_what_something_is_is_answered_by_its_definition_said_once() -> None:
    answer = await ask("What is a circuit breaker?", *SOURCES)
    assert answer.startswith("A circuit breaker stops calls to a model that keeps failing [1].")
    assert "[3]" not in answer


async def test_a_sentence_that_defines_wins_over_one_that_only_repeats_the_words() -> None:
    loud = Source("a", "t", "The breaker state, the breaker pause and the breaker limits stand there.")
    defining = Source("b", "t", "A breaker is a switch that stops calls to a model for as long as it keeps failing.")
    assert (await ask("What is a breaker?", loud, defining)).startswith("A breaker is a switch")
    assert (await ask("breaker", loud, defining)).startswith("The breaker state")


async def test_what_two_passages_say_alike_is_said_once() -> None:
    one, two = (
        Source("a", "t", "Herons fish at dawn in rivers."),
        Source("b", "t", "Herons fish at dawn in the rivers."),
    )
    assert await ask("Where do herons fish?", one, two) == "Herons fish at dawn in rivers [1]."


async def test_a_sentence_that_announces_code_brings_it() -> None:
    answer = await ask("How do I install the package?", *SOURCES)
    assert answer == "Install the package with pip [2]:\n\n```bash\npip install toolkit-mcp\n```\n[2]"


async def test_a_sentence_that_announces_a_list_brings_it() -> None:
    assert await ask("How can I change the limits?", *SOURCES) == (
        "To change the limits, set these variables [1]:\n\n"
        "- `BREAKER_FAILURES`: how many failures open it [1]\n"
        "- `BREAKER_PAUSE`: seconds until the probe [1]"
    )


async def test_a_definition_in_code_brings_its_docstring() -> None:
    assert await ask("AllModelsFailed", *SOURCES) == (
        "```\nclass AllModelsFailed(ToolkitError):\n```\n[4]\n\nEvery candidate was tried and none answered [4]."
    )


@pytest.mark.parametrize("question", ["What is the capital of France?", "Who sang Yesterday in 1965?", "zeppelin"])
async def test_what_the_passages_do_not_say_is_not_made_up(question: str) -> None:
    assert await ask(question, *SOURCES) == NOT_IN_SOURCES


async def test_the_question_is_read_although_the_message_carries_the_passages() -> None:
    # The words of the passages are in the message too: were they taken for the question, everything would fit.
    assert await ask("Who wrote it?", GUIDE, INSTALL) == "Ada wrote it [2]."


async def test_a_question_about_passages_of_which_there_are_none_gets_the_same_sentence() -> None:
    assert await ask("Who wrote it?") == NOT_IN_SOURCES


async def test_without_passages_it_says_what_to_set() -> None:
    completion = await Offline().complete(ChatRequest((Message("user", "Hello"),)), "extractive", timeout=1)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "`ask`"):
        assert name in completion.message.text
    assert completion.message.text.startswith("No language model is configured.")


async def test_it_counts_no_tokens() -> None:
    assert (await Offline().complete(request("q"), "extractive", timeout=1)).usage == Usage()


async def test_a_stream_comes_word_by_word_and_is_the_same_answer() -> None:
    asked = request("How do I install the package?", *SOURCES)
    deltas = [delta async for delta in Offline().stream(asked, "extractive", timeout=1)]
    whole = await Offline().complete(asked, "extractive", timeout=1)
    assert deltas[-1] == Delta(completion=whole)
    assert "".join(delta.text for delta in deltas) == whole.message.text
    assert all(len(delta.text.split()) == 1 for delta in deltas[:-1])


async def test_it_makes_no_vectors_and_says_who_does() -> None:
    with pytest.raises(ProviderError, match="makes no vectors; name a vendor's model") as caught:
        await Offline().embed(["x"], "extractive", timeout=1)
    assert caught.value.provider == "offline"


async def test_it_is_found_by_its_name_and_is_the_only_last_resort() -> None:
    provider: base.Provider = connect("offline", {}, {})
    await provider.close()
    assert [name for name in (*known(), "nobody") if last_resort(name)] == ["offline"]


WORDS = st.sampled_from(
    ["heron", "fish", "dawn", "circuit", "breaker", "is", "the", ".", "\n\n", "- ", "```\n", "# ", "x=1", ":"]
)


@settings(deadline=None)
@given(
    question=st.lists(WORDS, max_size=6).map(" ".join),
    texts=st.lists(st.lists(WORDS, max_size=30).map(" ".join), min_size=1, max_size=4),
)
def test_every_part_of_an_answer_is_quoted_and_marked(question: str, texts: list[str]) -> None:
    sources = [Source(str(n), "title", text) for n, text in enumerate(texts)]
    answer = quote_answer(question, sources)
    if answer == NOT_IN_SOURCES:
        return
    marks = re.findall(r"\[(\d+)\]", answer)
    assert 1 <= len(marks) <= MOST_QUOTES * 6
    assert all(1 <= int(mark) <= len(sources) for mark in marks)
    said = set(re.sub(r"\[\d+\]|[^\w\s]", " ", answer).split())
    assert said <= set(re.sub(r"[^\w\s]", " ", " ".join(texts)).split())
