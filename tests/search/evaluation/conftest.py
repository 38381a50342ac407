"""A small folder of judgements."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

CORPUS = [
    {"_id": "d1", "title": "Otters", "text": "Otters swim in the river and sleep on their backs."},
    {"_id": "d2", "title": "Breakers", "text": "A circuit breaker opens after five failures."},
    {"_id": "d3", "title": "Sessions", "text": "A session expires after a day without use."},
    {"_id": "d4", "title": "Rivers without a text", "text": ""},
]
QUERIES = [
    {"_id": "q1", "text": "where do otters swim"},
    {"_id": "q2", "text": "when does a breaker open"},
    {"_id": "q3", "text": "nobody has judged this"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td4\t1\nq2\td2\t1\nq2\td1\t0\n"

Folder = Callable[..., Path]


def jsonl(objects: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(each) + "\n" for each in objects)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Makes a folder of judgements; a text replaces a file, None leaves it out, `/` in a name makes a folder."""

    def made(name: str = "small", /, **files: str | bytes | None) -> Path:
        place = tmp_path / name
        contents: dict[str, str | bytes | None] = {
            "corpus.jsonl": jsonl(CORPUS),
            "queries.jsonl": jsonl(QUERIES),
            "qrels.tsv": QRELS,
        }
        contents |= {file.replace("__", "/").replace("_", "."): text for file, text in files.items()}
        for file, text in contents.items():
            if text is not None:
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (place / file).write_bytes(text.encode() if isinstance(text, str) else text)
        return place

    return made
