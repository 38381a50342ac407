"""What of a query is meant as it is written: quoted phrases, and queries that are nothing but identifiers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ALONE: Final = 1.0
"""What a chunk gets for having all that is asked for, where nothing else is: no meaning can outweigh it."""

AMONG: Final = 0.15
"""The same for phrases among other words: half of what the best words count."""

_MOST, _LONGEST, _LONGEST_QUERY = 8, 200, 2_000
_QUOTED = re.compile(r'"([^"\n]+)"|“([^”\n]+)”|„([^“”\n]+)[“”]|«([^»\n]+)»|`([^`\n]+)`')
_TOKEN = re.compile(r"\S+")
_CALL = re.compile(r"\(.*\)$")
_EDGE = re.compile(r"^[^\w$@#/.-]+|[^\w$+#]+$")
_NAME = re.compile(
    r"""(?x)
    \w [._:/\\@#$-]+ \w            # snake_case, dotted.name, Class::method, a/path, kebab-case
  | [a-z0-9] [A-Z]                 # camelCase
  | ^[-_$@#./]+ \w                 # --option, _private, $variable, .suffix
  | \d [A-Za-z] | [A-Za-z] \d      # E1234, utf8
    """
)


@dataclass(frozen=True, slots=True)
class Exact:
    """Texts that a query asks for as they are written.

    Attributes:
        texts: identifiers and phrases, at least one.
        alone: the query asks for nothing else.
    """

    texts: tuple[str, ...]
    alone: bool

    def share(self, text: str) -> float:
        """The share of `texts` that stand in `text`, as words of their own, in any case and with any white space."""
        plain = " ".join(text.casefold().split())
        return sum(_stands(wanted, plain) for wanted in self.texts) / len(self.texts)

    def raised(self, total: float, share: float) -> float:
        """A total of 0 to 1 with what is written counted in; still 0 to 1, and in the same order where shares are."""
        most = ALONE if self.alone else AMONG
        return (total + most * share) / (1 + most)


def exact(query: str) -> Exact | None:
    """What `query` asks for as it is written; None if that is nothing.

    Quoted phrases always, in `"…"`, `“…”`, `«…»` or backticks; identifiers where the query is nothing but up to eight
    of them: among other words they count as words do, which the analyser sees to.
    """
    if len(query) > _LONGEST_QUERY:
        return None
    quoted = [_unquoted(next(filter(None, match.groups()))) for match in _QUOTED.finditer(query)]
    rest = _QUOTED.sub(" ", query)
    tokens = [_bare(token) for token in _TOKEN.findall(rest)]
    tokens = [token for token in tokens if re.search(r"\w", token)]
    names = tokens if len(tokens) <= _MOST and all(map(_NAME.search, tokens)) else []
    texts = tuple(dict.fromkeys(filter(None, map(_normal, [*quoted, *names]))))[:_MOST]
    return Exact(texts, alone=len(names) == len(tokens)) if texts else None


def contains_words(texts: Iterable[str]) -> bool:
    """Whether any of them has a letter or a digit."""
    return any(re.search(r"[^\W_]", text) for text in texts)


def _unquoted(text: str) -> str:
    return _bare(text) if len(text.split()) == 1 else text


def _bare(token: str) -> str:
    """A token without a call's brackets and the punctuation around it."""
    return _EDGE.sub("", _CALL.sub("", token))


def _normal(text: str) -> str:
    text = " ".join(text.casefold().split())[:_LONGEST]
    return text if contains_words([text]) else ""


def _stands(wanted: str, text: str) -> bool:
    at = text.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        begins = at == 0 or not (_in_word(text[at - 1]) and _in_word(wanted[0]))
        ends = end == len(text) or not (_in_word(text[end]) and _in_word(wanted[-1]))
        if begins and ends:
            return True
        at = text.find(wanted, at + 1)
    return False


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
