"""Whether what an answer says stands in what it cites."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import CassetteMiss, ConfigError
from toolkit.messages import NOT_IN_SOURCES
from toolkit.search.documents import Hit
from toolkit.search.grounding import Grounding, ground
from toolkit.search.support import Unsupported, sentences, unsupported

HERON = "The harbour of Visby opens at seven o'clock. Herons fish there at dawn, standing very still in the water."
STORK = "Storks nest on 12 chimneys of the old town. The town has 1,200 roofs."


def hit(number: int, text: str) -> Hit:
    return Hit(f"doc{number}-1", f"doc{number}", f"{number}.md", "", "", (1, 2), text, 1.0, "default")


GROUNDING = ground("When does the harbour open in 2026?", [hit(1, HERON), hit(2, STORK)], "x")


async def doubts(text: str, grounding: Grounding = GROUNDING) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.reason) for each in await unsupported(text, grounding)]


@pytest.mark.parametrize(
    "text",
    [
        "The harbour of Visby opens at seven [1].",
        "The harbour opens at 7 [1]. Storks nest on 12 chimneys.[2]",
        "Herons fish at dawn. [1] Storks nest on chimneys. [2]",
        "In 2026 the harbour opens at seven [1].",
        "The town has 1200 roofs [2].",
        "There are two birds:\n\n- Herons fish at dawn [1]\n- Storks nest on chimneys [2]\n",
        "# Harbour times\n\nThe harbour opens at seven [1].\n\n```python\nfish(3)\n```\n",
        "| bird | does |\n|---|---|\n| herons | fish at dawn [1] |",
        f"The harbour opens at seven [1]. Of ferries: {NOT_IN_SOURCES}",
        "Yes. The harbour opens at seven [1].",
        "Do you want to know more about the harbour?",
        "Both fish and nest: herons at dawn, storks on chimneys [1][2].",
        NOT_IN_SOURCES,
        "",
    ],
)
async def test_what_stands_in_the_passages_is_not_doubted(text: str) -> None:
    assert await doubts(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Herons fish at dawn.", [("Herons fish at dawn.", "cites nothing")]),
        ("Herons fish at dawn [7].", [("Herons fish at dawn [7].", "cites no passage")]),
        ("The harbour opens at nine [1].", [("The harbour opens at nine [1].", "other figures")]),
        ("Storks nest on 13 chimneys [2].", [("Storks nest on 13 chimneys [2].", "other figures")]),
        ("Herons fish at dawn [2].", [("Herons fish at dawn [2].", "other words")]),
        (
            "Herons fish at dawn [1]. Penguins march across the ice. Storks nest on chimneys [2].",
            [("Penguins march across the ice.", "cites nothing")],
        ),
        ("- Herons fish at dawn [1]\n- Penguins march on ice [1]", [("Penguins march on ice [1]", "other words")]),
        (
            "E.g. penguins swim, i.e. Dr. Lund says so.",
            [("E.g. penguins swim, i.e. Dr. Lund says so.", "cites nothing")],
        ),
    ],
)
async def test_what_does_not_stand_there_is_marked(text: str, expected: list[tuple[str, str]]) -> None:
    assert await doubts(text) == expected


class Meanings:
    """Vectors by hand: texts with one of the same key words mean the same."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.asked: list[str] = []

    async def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        rows = np.array([[word in text for word in self._words] for text in texts], np.float32) + np.float32(1e-3)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


OTHER_WORDS = "At dawn grey wading birds hunt for food [1]."


async def test_other_words_that_mean_the_same_are_support() -> None:
    (doubt,) = await unsupported(OTHER_WORDS, GROUNDING)
    assert (doubt.reason, doubt.cosine) == ("other words", None)
    assert 0.1 < (doubt.overlap or 0) < 0.5
    grounding = ground("q", [hit(1, f"{HERON} Wading at dawn is how herons feed.")], "x")
    assert await unsupported(OTHER_WORDS, grounding, Meanings("dawn", "harbour")) == ()


async def test_other_words_that_mean_something_else_are_not() -> None:
    grounding = ground("q", [hit(1, f"{HERON} Wading at dawn is how herons feed.")], "x")
    (doubt,) = await unsupported(OTHER_WORDS, grounding, Meanings("hunt", "harbour", "feed", "fish"))
    assert doubt.reason == "other words"
    assert doubt.cosine is not None
    assert doubt.cosine < 0.65


async def test_meanings_are_asked_for_only_where_words_do_not_decide() -> None:
    meanings = Meanings("dawn")
    await unsupported("Herons fish at dawn [1]. Penguins march across polar ice [1].", GROUNDING, meanings)
    assert meanings.asked == []


async def test_without_meanings_words_decide() -> None:
    async def down(_texts: Sequence[str]) -> np.ndarray:
        raise ConfigError("no model")

    async def miss(_texts: Sequence[str]) -> np.ndarray:
        raise CassetteMiss("not recorded")

    grounding = ground("q", [hit(1, f"{HERON} Wading at dawn is how herons feed.")], "x")
    (doubt,) = await unsupported(OTHER_WORDS, grounding, down)
    assert (doubt.reason, doubt.cosine) == ("other words", None)
    with pytest.raises(CassetteMiss):
        await unsupported(OTHER_WORDS, grounding, miss)


@given(st.text(max_size=300))
def test_sentences_are_pieces_of_the_text_in_order(text: str) -> None:
    found = sentences(text)
    assert all(0 <= each.start < each.end <= len(text) for each in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@given(st.lists(st.sampled_from(["Herons fish", "[1]", "[9]", ".", "\n", "\n\n- ", "```", "12", "?", ": ", " "])))
async def test_any_answer_can_be_checked(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert all(isinstance(each, Unsupported) for each in await unsupported(text, GROUNDING))
