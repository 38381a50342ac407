"""What some models want in front of a text: they were trained to tell questions from passages by it.

Left out, such a model still answers, only worse, and says nothing; so the names are known here. The prefixes are those
that each model's own card states. Every other model is given the text alone.
"""

import re
from typing import Final, NamedTuple


class Prefixes(NamedTuple):
    """What stands before each text."""

    query: str = ""
    passage: str = ""


_PASSAGES_THAT_ANSWER: Final = "Given a web search query, retrieve relevant passages that answer the query"
_TABLE: Final[tuple[tuple[re.Pattern[str], Prefixes], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), prefixes)
    for pattern, prefixes in (
        (r"\be5-.*-instruct", Prefixes(f"Instruct: {_PASSAGES_THAT_ANSWER}\nQuery: ")),
        (r"\be5-", Prefixes("query: ", "passage: ")),
        (r"nomic-embed-text", Prefixes("search_query: ", "search_document: ")),
        (r"\bbge-(?:small|base|large)-zh", Prefixes("为这个句子生成表示以用于检索相关文章：")),
        (r"\bbge-(?:small|base|large)-en", Prefixes("Represent this sentence for searching relevant passages: ")),
        (r"mxbai-embed-(?:large|xsmall)", Prefixes("Represent this sentence for searching relevant passages: ")),
        (r"arctic-embed.*-v2|arctic-embed2", Prefixes("query: ")),
        (r"arctic-embed", Prefixes("Represent this sentence for searching relevant passages: ")),
        (r"embedding-?gemma", Prefixes("task: search result | query: ", "title: none | text: ")),
        (r"qwen3-embedding", Prefixes(f"Instruct: {_PASSAGES_THAT_ANSWER}\nQuery:")),
    )
)


def prefixes(model: str) -> Prefixes:
    """What the model of that name (with or without its vendor's) wants in front of questions and of passages."""
    return next((found for pattern, found in _TABLE if pattern.search(model)), Prefixes())
