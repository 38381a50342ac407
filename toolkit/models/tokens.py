"""How many tokens a conversation has, before a vendor counted them.

Where `tiktoken` is installed and `TIKTOKEN_CACHE_DIR` names the folder with its files, the texts of OpenAI's models are
counted by it. Everything else is estimated from the kinds of characters: against `o200k_base` the estimate is between 4
percent too low and 51 percent too high in fifteen kinds of text and languages (README prose 7 percent too high, Python
code 16); only base64 has a third more than estimated. Models of Anthropic are estimated a third higher, because
their tokens are shorter.
"""

import json
import logging
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from toolkit.messages import Message, ToolSpec

PER_MESSAGE: Final = 4
"""Tokens that a message costs beside its text."""
PER_IMAGE: Final = 1_000
"""Tokens of a picture; vendors say 85 to 1,600, by its size."""

_PIECES = re.compile(r"[A-Za-z]+|\d+|\s\s+|[!-/:-@\[-`{-~]+|[^\x00-\x7f]+")
_EAST_ASIAN, _EMOJI = 0x2E80, 0x1F000
_SHORTER = 1.33  # Anthropic's tokens
_log = logging.getLogger(__name__)


def count(messages: Sequence[Message], tools: Sequence[ToolSpec] = (), model: str | None = None) -> int:
    """About how many tokens a model is sent with `messages` and `tools`.

    Args:
        messages: with their pictures and tool calls.
        tools: what it may ask to have called.
        model: the vendor's name of the model; None is any.
    """
    offered = sum(count_text(f"{t.name} {t.description} {_json(t.parameters)}", model) for t in tools)
    return offered + sum(count_message(message, model) for message in messages)


def count_message(message: Message, model: str | None = None) -> int:
    """About how many tokens one message is."""
    calls = sum(count_text(f"{call.name} {_json(call.arguments)}", model) + PER_MESSAGE for call in message.tool_calls)
    return PER_MESSAGE + count_text(message.text, model) + PER_IMAGE * len(message.images) + calls


def count_text(text: str, model: str | None = None) -> int:
    """About how many tokens `text` is; exact where the vendor's own tokenizer is installed.

    Args:
        text: any.
        model: the vendor's name of the model; None is any.
    """
    exact = _tokenizer(model) if model else None
    if exact is not None:
        return len(exact.encode(text, disallowed_special=()))
    estimate = sum(map(_weight, _PIECES.findall(text)))
    return round(estimate * _SHORTER if model and "claude" in model else estimate)


def _weight(piece: str) -> float:
    first, length = piece[0], len(piece)
    if not first.isascii():
        return sum(_wide(ord(character)) for character in piece)
    if first.isalpha():
        if piece[1:].islower() or length <= 3:  # noqa: PLR2004 - a word: the shortest are one token, whatever their case
            return 1 if length <= 6 else 1 + (length - 6) / 5  # noqa: PLR2004 - as most words are
        return 1 + length / 4
    if first.isdigit():
        return -(-length // 3)
    return max(1, length / 80) if first.isspace() else (length + 1) / 2


def _wide(code: int) -> float:
    if code >= _EMOJI:
        return 2.0
    return 1.0 if code >= _EAST_ASIAN else 0.45


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


@lru_cache(maxsize=64)
def _tokenizer(model: str) -> Any:
    """The vendor's own tokenizer of `model`, None where there is none at hand."""
    # Without the folder it would fetch its files from the network, unasked.
    if not os.environ.get("TIKTOKEN_CACHE_DIR"):
        return None
    try:
        import tiktoken  # noqa: PLC0415 - an extra, asked for where it is of use
    except ModuleNotFoundError:
        return None
    try:
        return tiktoken.encoding_for_model(model)
    except KeyError:  # not one of OpenAI's
        return None
    except Exception as error:  # noqa: BLE001 - a file that cannot be had: the estimate will do
        _log.warning("Tokens of %s are estimated: tiktoken failed (%s).", model, type(error).__name__)
        return None
