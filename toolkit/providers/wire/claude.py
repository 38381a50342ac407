"""What Anthropic's models take, by their names, wherever they are served.

Names differ from cloud to cloud (`claude-opus-4-1-20250805`, `claude-opus-4-1@20250805`,
`us.anthropic.claude-opus-4-1-20250805-v1:0`), but the family and the version stand in all of them in the same order.
A newer model than those that are known here is taken for one like the newest.
"""

import re
from collections.abc import Mapping
from typing import Any

from toolkit.errors import ConfigError


def _up_to(minor: str) -> re.Pattern[str]:
    """The names of the models up to Claude 4.x, where `minor` is the range of x."""
    return re.compile(
        rf"claude-(?:instant|v?[1-3](?!\d)|(?:4-)?(?:opus|sonnet|haiku)-4(?:-[{minor}])?(?!\d|-\d(?!\d)))"
    )


_BEFORE_4 = re.compile(r"claude-(?:instant|v?[1-3](?!\d))")
_WITHOUT_FORMS = _up_to("0-1")
_UP_TO_4_5 = _up_to("0-5")
_UP_TO_4_6 = _up_to("0-6")


def is_claude(model: str) -> bool:
    """Whether the name is one of Anthropic's."""
    return "claude" in model


def takes_temperature(model: str) -> bool:
    """Whether it takes a temperature; the models since Claude Opus 4.7 answer it with an error."""
    return bool(_UP_TO_4_6.search(model))


def takes_prefill(model: str) -> bool:
    """Whether it goes on with a text that it has begun; the models since Claude 4.6 answer that with an error."""
    return not is_claude(model) or bool(_UP_TO_4_5.search(model))


def has_forms(model: str) -> bool:
    """Whether it can be held to a JSON Schema (`output_config`): the models since Claude 4.5 can."""
    return is_claude(model) and not _WITHOUT_FORMS.search(model)


def has_forms_at_google(model: str) -> bool:
    """The same at Google, who offers it since Claude 4.6."""
    return is_claude(model) and not _UP_TO_4_5.search(model)


def usual_limit(model: str) -> int:
    """The tokens of an answer for which nobody set a limit, which Anthropic insists on.

    Models that think count their thoughts in, and would often not come to speak within the 4096 of the first ones.
    """
    return 16_384 if is_claude(model) and not _BEFORE_4.search(model) else 4096


def beta_headers(provider: str, config: Mapping[str, Any]) -> dict[str, str]:
    """The headers that ask for the features which a model's row names as `betas`.

    Raises:
        ConfigError: it names them in another way than as a list of names.
    """
    betas = config.get("betas", [])
    if not isinstance(betas, list | tuple) or not all(isinstance(name, str) and name.isascii() for name in betas):
        raise ConfigError(f"The betas of a model at {provider} must be a list of names.")
    return {"anthropic-beta": ",".join(betas)} if betas else {}
