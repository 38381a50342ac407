"""A prompt in any of the forms that people give it."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from toolkit.errors import ConfigError
from toolkit.messages import Message, Role


def conversation(prompt: "str | Message | Sequence[Message | Mapping[str, Any]]") -> tuple[Message, ...]:
    """A prompt in any of its forms as messages.

    A text is one `user` message. A mapping may be the toolkit's own form or `{"role", "content"}` with text; what is
    none of these is a ConfigError.
    """
    given: Any = prompt
    if isinstance(given, str):
        return (Message("user", given),)
    if isinstance(given, Message | Mapping):
        given = [given]
    if not isinstance(given, list | tuple):
        raise ConfigError(f"A prompt is a text, a message, or a list of messages (got {type(given).__name__}).")
    return tuple(m if isinstance(m, Message) else _from_mapping(m) for m in given)


def _from_mapping(value: Any) -> Message:
    if not isinstance(value, Mapping) or value.get("role") not in get_args(Role):
        raise ConfigError(f"A message needs a role, {', '.join(get_args(Role))}, and a content.")
    if not isinstance(text := value.get("text", value.get("content") or ""), str):
        raise ConfigError("The content of a message is a text; pictures stand beside it, in `images`.")
    return Message.from_json({**value, "text": text})
