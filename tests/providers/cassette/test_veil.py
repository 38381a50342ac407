"""What must not stand in a file, and what stands for it."""

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.providers.cassette.veil import Veil

HERE = {"cwd": "/home/ada/birds", "home": "/home/ada", "tmp": "/tmp"}
THERE = {"cwd": "/srv/app", "home": "/home/grace", "tmp": "/var/tmp"}
ID = "0198c0de-0000-7abc-8def-0123456789ab"
OTHER = "0198c0de-1111-7abc-8def-0123456789ab"

_TRICKY = st.lists(
    st.sampled_from([*HERE.values(), ID, OTHER, "{", "}", "{cwd}", "{brace}", "{id1}", "id1}", "cwd}", "/", " ", "x"])
    | st.text(max_size=3)
).map("".join)


@given(_TRICKY)
def test_what_is_hidden_is_shown_again_exactly(text: str) -> None:
    veil, ids = Veil(HERE), list[str]()
    assert veil.show(veil.hide({text: [text]}, ids, add=True), ids) == {text: [text]}


@given(st.lists(_TRICKY))
def test_pieces_make_the_same_text_and_none_begins_within_a_name(pieces: list[str]) -> None:
    veil = Veil(HERE)
    ids = [ID]
    text, lengths = veil.hide_pieces(pieces, ids)
    assert len(lengths) == len(pieces)
    ends = list(accumulate(lengths))
    parts = [text[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    assert "".join(veil.show(part, ids) for part in parts) == "".join(pieces)
    assert text == veil.hide("".join(pieces), ids)


def test_a_folder_is_found_again_on_another_machine() -> None:
    here, there = Veil(HERE), Veil(THERE)
    said: dict[str, Any] = {
        "path": "/home/ada/birds/notes.md",
        "text": "See /home/ada/x, /tmp/y and '/home/ada/birds'.",
    }
    hidden = here.hide(said, [])
    assert hidden == {"path": "{cwd}/notes.md", "text": "See {home}/x, {tmp}/y and '{cwd}'."}
    assert there.show(hidden, []) == {
        "path": "/srv/app/notes.md",
        "text": "See /home/grace/x, /var/tmp/y and '/srv/app'.",
    }


@pytest.mark.parametrize("text", ["/home/adam/x", "/mnt/home/ada", "/tmpfile", "/home/ada-old", "../tmp"])
def test_what_only_looks_like_a_folder_stays(text: str) -> None:
    assert Veil(HERE).hide(text, []) == text


def test_the_root_is_no_folder_to_hide() -> None:
    assert Veil({"cwd": "/", "home": "/", "tmp": "/tmp"}).hide("a / b /tmp", []) == "a / b {tmp}"


def test_an_id_of_the_request_has_a_name_in_the_answer_and_another_one_stays() -> None:
    veil, ids = Veil(HERE), list[str]()
    assert veil.hide({"a": f"Session {OTHER} and {ID}, again {OTHER}"}, ids, add=True) == {
        "a": "Session {id1} and {id2}, again {id1}"
    }
    answer = veil.hide(f"{ID} is not 0198c0de-2222-7abc-8def-0123456789ab", ids)
    assert answer == "{id2} is not 0198c0de-2222-7abc-8def-0123456789ab"
    assert veil.show(answer, ["new-1", "new-2"]) == "new-2 is not 0198c0de-2222-7abc-8def-0123456789ab"


def test_an_id_that_somebody_chose_stays() -> None:
    chosen = "c0ffee00-0000-4000-8000-0123456789ab"
    assert Veil(HERE).hide(chosen, [], add=True) == chosen


def test_secrets_are_struck_out_wherever_they_stand() -> None:
    veil = Veil(HERE, ["correct horse battery", "short"])
    said = {"sk-proj-0123456789": ["Bearer abcdefghijkl", "postgres://ada:pw@host", "a correct horse battery", "short"]}
    assert veil.hide(said, []) == {"***": ["Bearer ***", "postgres://ada:***@host", "a ***", "short"]}
    assert veil.hide_pieces(["the correct hor", "se batt", "ery"], []) == ("the ***", [7])
