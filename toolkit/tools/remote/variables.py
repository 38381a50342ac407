"""`${NAME}` in a file of tools: a value of the environment, so that no secret stands in the file."""

import re
from collections.abc import Iterable, Mapping

from toolkit.errors import ConfigError
from toolkit.redaction import looks_like_key

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(r"authorization|cookie|credential|key|passw|secret|token", re.IGNORECASE)
_LEAST = 8  # characters: a shorter value is rather a region or a format, which answers are full of


def filled(text: str, environ: Mapping[str, str], what: str) -> str:
    """`text` with every `${NAME}` replaced by the variable's value.

    Args:
        text: as it stands in the file.
        environ: the environment.
        what: the place, for the message.

    Raises:
        ConfigError: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not environ.get(name):
            raise ConfigError(f"{what} needs the environment variable {name}, which is not set; set it.")
        return environ[name]

    return _VARIABLE.sub(value, text)


def headers_of(headers: Mapping[str, str], environ: Mapping[str, str], what: str) -> dict[str, str]:
    """HTTP headers with their variables filled in.

    Raises:
        ConfigError: a variable is not set, a secret stands in the file, or a header cannot be sent.
    """
    out = {}
    for name, text in headers.items():
        place = f"{what}, header {name!r}"
        refuse_literal(name, text, place)
        value = filled(text, environ, place).strip()
        if not (value.isascii() and value.isprintable() and re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name)):
            raise ConfigError(f"{place} cannot be sent; use letters, digits and punctuation of ASCII on one line.")
        out[name] = value
    return out


def refuse_literal(name: str, text: str, what: str) -> None:
    """Refuse a secret that is written down.

    Raises:
        ConfigError: `text` looks like a secret, or belongs to a name of one and holds no `${NAME}`.
    """
    literal = _VARIABLE.sub("", text)
    if looks_like_key(literal) or (literal == text and _SECRET_NAME.search(name)):
        raise ConfigError(
            f"{what} holds a secret in the file; put it into an environment variable and write ${{NAME}} instead."
        )


def secrets_of(texts: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values that `texts` take from the environment, to be kept out of answers and errors."""
    names = {name for text in texts for name in _VARIABLE.findall(text)}
    return tuple(value for name in sorted(names) if len(value := environ.get(name, "")) >= _LEAST)
