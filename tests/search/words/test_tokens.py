"""Texts cut into words."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.search.words.tokens import BREAK, EXACT, MOST_PARTS, NAME, RUN, TOKEN, WORD, coarse, marked, pieces


def test_white_space_and_punctuation_part_tokens_and_what_may_belong_to_a_name_does_not() -> None:
    text = 'Call self.run_all(job, "x-1") [see C++]!\tDon\'t\npanic.'
    assert coarse(text) == [b"Call", b"self.run_all", b"job", b"x-1", b"see", b"C++", b"Don't", b"panic."]


@given(st.lists(st.text(max_size=30), max_size=8))
@example(["a\0b", "", "\0", "c"])
@example(["一。二，三", "（x）"])
@example(["\x80."])
def test_texts_cut_together_give_the_tokens_of_each(texts: list[str]) -> None:
    found: list[list[bytes]] = [[]]
    for token in marked(texts).split():
        found[-1].append(token)
        if token == BREAK:
            found.append([])
    assert found.pop() == []
    assert len(found) == len(texts)
    taken = [[text for token in tokens[:-1] for text, _ in pieces(token.decode()) if _says(text)] for tokens in found]
    assert taken == [
        [text for token in tokens for text, _ in pieces(token.decode()) if _says(text)]
        for tokens in _with_same_marks(texts)
    ]


def _says(text: str) -> bool:
    """Whether there is more to it than marks, of which no term is made."""
    return bool(text.strip("._-'"))


def _with_same_marks(texts: list[str]) -> list[list[bytes]]:
    """Each alone; where one has a mark of Chinese the others are cut at such marks, too, as in one list."""
    mark = " 。" if any("。" in text or "、" in text for text in texts) else ""
    return [coarse(text + mark) for text in texts]


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("word", [("word", WORD)]),
        ("x86", [("x86", WORD)]),
        ("0xFE0F", [("0xFE0F", WORD)]),
        ("end.", [("end", TOKEN)]),
        ("snake_case", [("snakecase", NAME), ("snake", TOKEN), ("case", TOKEN)]),
        ("camelCase", [("camelCase", NAME), ("camel", TOKEN), ("Case", TOKEN)]),
        ("HTTPServer", [("HTTPServer", NAME), ("HTTP", TOKEN), ("Server", TOKEN)]),
        ("os.path.isDir", [("ospathisDir", NAME), ("os", TOKEN), ("path", TOKEN), ("isDir", TOKEN)]),
        ("one-off", [("oneoff", NAME), ("one", TOKEN), ("off", TOKEN)]),
        ("top_k", [("topk", NAME), ("top", TOKEN)]),
        ("utf-8", [("utf8", NAME), ("utf", TOKEN)]),
        ("v3.11.7", [("3.11.7", EXACT), ("3.11", EXACT)]),
        ("1.5", [("1.5", EXACT)]),
        ("C++", [("C++", EXACT)]),
        ("c#", [("c#", EXACT)]),
        ("C++17", [("C++", EXACT), ("C++17", EXACT)]),
        ("a+b", [("a", TOKEN), ("b", TOKEN)]),
        ("#include", [("include", TOKEN)]),
        ("user's", [("user", TOKEN)]),
        ("l'avion", [("l", TOKEN), ("avion", TOKEN)]),
        ("don't", [("dont", WORD)]),
        ("café's", [("café", WORD)]),
        ("--", []),
        ("…", []),
        ("東京タワー", [("東京タワー", RUN)]),
        ("Python東京3", [("Python", TOKEN), ("東京", RUN), ("3", TOKEN)]),
        ("🎉", []),
        ("👍🏽1️⃣", [("1", TOKEN)]),
        ("naïve—café", [("naïve", WORD), ("café", WORD)]),
        ("Ｐｙｔｈｏｎ", [("Python", TOKEN)]),
        ("٣٤", [("34", TOKEN)]),
        ("co\u00adoperate", [("cooperate", TOKEN)]),
        ("हिन्दी", [("हिन्दी", WORD)]),
        ("\u0301", []),
    ],
)
def test_a_token_is_taken_apart_one_step_at_a_time(token: str, found: list[tuple[str, object]]) -> None:
    assert pieces(token) == found


def test_what_has_more_parts_than_any_name_is_kept_as_a_whole_only() -> None:
    assert pieces("ab-" * MOST_PARTS + "ab") == [("ab" * (MOST_PARTS + 1), NAME)]
    assert len(pieces("ab-" * (MOST_PARTS - 1) + "ab")) == 1 + MOST_PARTS


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
@example("é'+#é.东c++")
def test_taking_apart_comes_to_an_end(token: str) -> None:
    left = [(token, 100)]
    while left:
        token, most = left.pop()
        assert most, token
        left += [(piece, most - 1) for piece, kind in pieces(token) if kind is TOKEN]
