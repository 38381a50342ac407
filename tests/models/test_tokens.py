"""Tokens are estimated near enough, and counted by the vendor's tokenizer where it is at hand."""

from collections.abc import Iterator

import pytest

from toolkit.db import Database
from toolkit.messages import ChatRequest, Image, Message, ToolCall, ToolSpec
from toolkit.models import tokens
from toolkit.models.catalog import Catalog
from toolkit.models.outlook import Outlook
from toolkit.models.quotas import tokens_of
from toolkit.models.tokens import PER_IMAGE, PER_MESSAGE, count, count_message, count_text


@pytest.fixture(autouse=True)
def _no_tokenizer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    tokens._tokenizer.cache_clear()
    yield
    tokens._tokenizer.cache_clear()


# Counted once with the encoding o200k_base.
COUNTED = {
    "The quick brown fox jumps over the lazy dog, and nobody knows why it would do that again.": 20,
    "def add(first: int, second: int) -> int:\n    return first + second\n": 17,
    '{"id": 17, "name": "item 17", "price": 23.29, "tags": ["a", "b"]}': 32,
    "人人生而自由，在尊严和权利上一律平等。": 14,
    "Все люди рождаются свободными и равными в своем достоинстве и правах.": 16,
}


@pytest.mark.parametrize("text", COUNTED)
def test_an_estimate_is_between_a_fifth_too_low_and_twice_too_high(text: str) -> None:
    assert 0.8 * COUNTED[text] <= count_text(text) <= 2 * COUNTED[text]


def test_no_text_is_no_token() -> None:
    assert count_text("") == 0


def test_a_model_of_anthropic_is_estimated_higher() -> None:
    text = next(iter(COUNTED))
    assert count_text(text, "claude-opus-5") > count_text(text, "gpt-5")


def test_pictures_tool_calls_and_tools_count_too() -> None:
    plain = Message("user", "What is this?")
    assert count_message(plain) == count_text(plain.text) + PER_MESSAGE
    assert count_message(Message("user", plain.text, images=(Image("data:,x"),))) == count_message(plain) + PER_IMAGE
    call = Message("assistant", tool_calls=(ToolCall("1", "search", {"query": "a long question about birds"}),))
    assert count_message(call) > count_message(Message("assistant"))
    spec = ToolSpec("search", "Searches for birds.", {"type": "object", "properties": {"query": {"type": "string"}}})
    assert count([plain], [spec]) > count([plain])


def test_a_tokenizer_without_a_folder_for_its_files_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tiktoken", _Tiktoken())
    assert count_text("one two three", "gpt-4o") == 3


class _Encoding:
    def encode(self, text: str, *, disallowed_special: tuple[str, ...]) -> list[int]:
        assert disallowed_special == ()
        return [0] * len(text)


class _Tiktoken:
    def encoding_for_model(self, model: str) -> _Encoding:
        if model == "broken":
            raise OSError("no network")
        if not model.startswith("gpt"):
            raise KeyError(model)
        return _Encoding()


def test_the_vendors_tokenizer_counts_where_it_is_at_hand(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tiktoken", _Tiktoken())
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "files")
    assert count_text("one two three", "gpt-4o") == 13
    assert count_text("one two three", "mistral-large") == 3
    assert count_text("one two three", "broken") == 3
    assert "broken are estimated" in caplog.text


async def test_the_outlook_names_the_model_whose_window_counts(db: Database) -> None:
    catalog = Catalog(db, {})
    windows = {"small": 8_000, "large": 100_000}
    small, large = [await catalog.add("scripted", name, config={"context_window": n}) for name, n in windows.items()]
    outlook = await Outlook.of([small, large])
    assert (outlook.first, outlook.widest, outlook.window) == (small, large, 100_000)
    unknown = await catalog.add("scripted", "unknown")
    outlook = await Outlook.of([unknown, small])
    assert (outlook.widest, outlook.window, outlook.known_window) == (small, None, 8_000)


def test_a_models_own_limit_counts_in_its_tokens() -> None:
    request = ChatRequest((Message("user", "How many words are there in the sea? " * 20),), max_tokens=100)
    assert tokens_of(request, "claude-haiku-5-5") - 100 > 1.2 * (tokens_of(request, "gpt-5-mini") - 100)
