"""Variables of a notebook in the text of a question."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from notebooks.chat.data import described
from toolkit.errors import ConfigError

_NAMED: Final = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")


def filled(text: str, variables: Mapping[str, Any]) -> str:
    """`text` with each `{name}` replaced by that variable; `{{name}}` becomes `{name}`.

    A text is put in as it is, a number as it is printed, an answer by its text, and anything else, such as a DataFrame,
    by a description. Other braces, such as those of JSON and LaTeX, stay.

    Raises:
        ConfigError: there is no such variable.
    """
    missing = dict.fromkeys(found[2] for found in _NAMED.finditer(text) if found[2] and found[2] not in variables)
    if missing:
        name = next(iter(missing))
        near = get_close_matches(name, [known for known in variables if not known.startswith("_")], n=1)
        meant = f"did you mean {{{near[0]}}}?" if near else "define it first."
        raise ConfigError(f"There is no variable {name!r}; {meant} Write {{{{{name}}}}} where the braces are meant.")
    return _NAMED.sub(lambda found: f"{{{found[1]}}}" if found[1] else _told(found[2], variables[found[2]]), text)


def _told(name: str, value: Any) -> str:
    if isinstance(value, str | int | float | complex):
        return str(value)
    text = getattr(value, "text", None)
    return text if isinstance(text, str) else described(name, value)
