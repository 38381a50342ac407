"""What some models want in front of a text."""

import pytest

from toolkit.search.embedding.prefixes import prefixes


@pytest.mark.parametrize(
    ("model", "query", "passage"),
    [
        ("intfloat/e5-small-v2", "query: ", "passage: "),
        ("sentence-transformers/intfloat/multilingual-e5-base", "query: ", "passage: "),
        ("intfloat/multilingual-e5-large-instruct", "Instruct: ", ""),
        ("ollama/nomic-embed-text", "search_query: ", "search_document: "),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence", ""),
        ("BAAI/bge-large-zh-v1.5", "为这个句子", ""),
        ("mixedbread-ai/mxbai-embed-large-v1", "Represent this sentence", ""),
        ("snowflake/snowflake-arctic-embed-m-v2.0", "query: ", ""),
        ("snowflake/snowflake-arctic-embed-s", "Represent this sentence", ""),
        ("google/embeddinggemma-300m", "task: search result | query: ", "title: none | text: "),
        ("Qwen/Qwen3-Embedding-0.6B", "Instruct: ", ""),
        # These want nothing.
        ("openai/text-embedding-3-small", "", ""),
        ("bundled/all-MiniLM-L6-v2", "", ""),
        ("BAAI/bge-m3", "", ""),
        ("thenlper/gte-small", "", ""),
        ("sage5-model", "", ""),
    ],
)
def test_a_model_is_given_what_its_card_says(model: str, query: str, passage: str) -> None:
    found = prefixes(model)
    assert found.query.startswith(query)
    assert (found.passage, bool(found.query)) == (passage, bool(query))
