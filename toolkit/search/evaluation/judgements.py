"""Judged queries, read from the files that the BEIR collections made common.

A folder holds `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`) and `qrels.tsv` (`query-id`,
`corpus-id`, `score`), or a folder `qrels` with a file per split. Without a corpus the judgements are about a collection
that is there already. A single file of judgements has the queries themselves in its first column.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import ConfigError
from toolkit.search.documents import Document
from toolkit.search.evaluation.qrels import Judgement, lines_of, rows

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", ("qrels.tsv", "qrels.csv", "qrels.txt")
SPLITS = ("test", "dev", "train")
"""The files of a folder `qrels`, the first of these that is there; BEIR's figures are of `test`."""

_IDS, _TEXTS = ("_id", "id"), ("text", "query")


@dataclass(frozen=True, slots=True)
class Judgements:
    """Queries, and what answers them.

    Attributes:
        name: of the folder or file.
        queries: the text by id, of every query that has a relevant document.
        grades: by query and document; above 0 is relevant, and more is better.
        corpus: the file of the documents that were judged; None where they are in a collection.
        documents: how many of them can be read, 0 without a corpus.
        notes: what was left out, each a sentence.
    """

    name: str
    queries: Mapping[str, str]
    grades: Mapping[str, Mapping[str, float]]
    corpus: Path | None
    documents: int
    notes: tuple[str, ...] = ()

    def judged(self) -> frozenset[str]:
        """The ids of all documents that somebody has looked at."""
        return frozenset(document for grades in self.grades.values() for document in grades)


def read(path: Path) -> list[Judgements]:
    """What lies at `path`: one folder or file of judgements, or each folder of judgements in a folder, by name.

    Every file is read through, so that what is wrong in it is said before anything else is done.

    Raises:
        ConfigError: there are no judgements, or a file is broken; the message names the file and the line.
    """
    if path.is_file():
        return [_of_file(path)]
    if not path.is_dir():
        raise ConfigError(f"There is no {path}; give a folder with {QUERIES} and {QRELS[0]}.")
    if _qrels(path):
        return [_of_folder(path)]
    inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and _qrels(folder)]
    if not inner:
        raise ConfigError(
            f"There are no judgements in {path}; it needs {QUERIES} and {QRELS[0]}, or folders with them."
        )
    return [_of_folder(folder) for folder in inner]


def documents(corpus: Path) -> Iterator[Document]:
    """The documents of a corpus, called by their ids; those without a word are left out.

    Raises:
        ConfigError: as `read`.
    """
    return (document for _line, _id, document in _parsed(corpus) if document)


def _parsed(corpus: Path) -> Iterator[tuple[int, str, Document | None]]:
    """The line, the id and the document of each line; None where there is no word. A title alone is a text, too."""
    for line, fields in _objects(corpus):
        own_id, text, title = _id(corpus, line, fields), _text(corpus, line, fields), fields.get("title")
        title = "" if title is None else title
        if not isinstance(title, str):
            raise _broken(corpus, line, f"`title` is {_kind(title)}; it must be a text")
        text = text if text.strip() else title
        yield line, own_id, Document(own_id, text, title) if text.strip() else None


def _of_folder(folder: Path) -> Judgements:
    qrels = _qrels(folder)
    if qrels is None:
        raise ConfigError(f"There are no judgements in {folder}; it needs {QRELS[0]}.")
    texts: dict[str, str] = {}
    for line, fields in _objects(folder / QUERIES):
        own_id = _id(folder / QUERIES, line, fields)
        if own_id in texts:
            raise _broken(folder / QUERIES, line, f"the query {own_id!r} is there twice; give each an id of its own")
        texts[own_id] = _text(folder / QUERIES, line, fields)
    corpus = folder / CORPUS if (folder / CORPUS).exists() else None
    return _joined(folder.name or str(folder.resolve().name), texts, qrels, corpus)


def _of_file(file: Path) -> Judgements:
    return _joined(file.stem, {judged.query: judged.query for judged in rows(file)}, file, None)


def _joined(name: str, texts: Mapping[str, str], qrels: Path, corpus: Path | None) -> Judgements:
    grades, strangers = _grades(qrels, texts)
    known, empty = _ids(corpus) if corpus else (set(), 0)
    answered = {query: given for query, given in grades.items() if any(grade > 0 for grade in given.values())}
    wordless = [query for query in answered if not texts[query].strip()]
    for query in wordless:
        del answered[query]
    absent = sum(
        1 for given in answered.values() for d, grade in given.items() if corpus and grade > 0 and d not in known
    )
    if not answered:
        raise ConfigError(
            f"No query of {name!r} has a relevant document: the ids in {qrels} must be those of the queries, "
            "and some grades above 0."
        )
    if corpus and absent == sum(1 for given in answered.values() for grade in given.values() if grade > 0):
        raise ConfigError(f"None of the relevant documents in {qrels} is in {corpus}; their ids must be the same.")
    unjudged = len(texts) - len(answered) - len(wordless)
    notes = (
        (unjudged, "{} without a relevant document left out", "query", "queries"),
        (len(wordless), "{} without a word left out", "query", "queries"),
        (strangers, f"{{}} of a query that {QUERIES} does not have left out", "judgement", "judgements"),
        (absent, f"{{}} not in {CORPUS}: no search can find them", "relevant document", "relevant documents"),
        (empty, f"{{}} of {CORPUS} without a word left out", "document", "documents"),
    )
    said = tuple(text.format(f"{n:,} {one if n == 1 else many}") for n, text, one, many in notes if n)
    return Judgements(name, {query: texts[query] for query in answered}, answered, corpus, len(known), said)


def _grades(qrels: Path, texts: Mapping[str, str]) -> tuple[dict[str, dict[str, float]], int]:
    """The grades by query and document, and how many judgements are of unknown queries."""
    grades: dict[str, dict[str, float]] = {}
    strangers: Counter[str] = Counter()
    for judged in rows(qrels):
        if judged.query not in texts:
            strangers[judged.query] += 1
            continue
        given = grades.setdefault(judged.query, {})
        if given.setdefault(judged.document, judged.grade) != judged.grade:
            raise _twice(qrels, judged, given[judged.document])
    return grades, strangers.total()


def _twice(qrels: Path, judged: Judgement, before: float) -> ConfigError:
    pair = f"{judged.document!r} for the query {judged.query!r}"
    return _broken(qrels, judged.line, f"{pair} is graded {judged.grade:g} here and {before:g} above; keep one of them")


def _ids(corpus: Path) -> tuple[set[str], int]:
    """The ids of the documents of a corpus, and how many others have no word."""
    known: set[str] = set()
    empty: set[str] = set()
    for line, own_id, document in _parsed(corpus):
        if own_id in known or own_id in empty:
            raise _broken(corpus, line, f"the document {own_id!r} is there twice; give each an id of its own")
        (known if document else empty).add(own_id)
    return known, len(empty)


def _qrels(folder: Path) -> Path | None:
    """The file of judgements in a folder."""
    files = [folder / name for name in QRELS]
    files += [folder / "qrels" / f"{split}.tsv" for split in SPLITS]
    return next((file for file in files if file.is_file()), None)


def _objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the object of each line that is not blank."""
    for line, text in lines_of(file):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            raise _broken(file, line, f"this is not JSON ({reason}); every line must be one object") from None
        if not isinstance(found, dict):
            raise _broken(file, line, f"this is {_kind(found)}; every line must be one object")
        yield line, found


def _id(file: Path, line: int, fields: Mapping[str, Any]) -> str:
    found = next((fields[name] for name in _IDS if name in fields), None)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, str) or not found.strip():
        raise _broken(file, line, f"there is no `{_IDS[0]}`; give a text that no other line has")
    return found


def _text(file: Path, line: int, fields: Mapping[str, Any]) -> str:
    found = next((fields[name] for name in _TEXTS if name in fields), None)
    if not isinstance(found, str):
        raise _broken(file, line, f"`{_TEXTS[0]}` is {_kind(found)}; it must be a text")
    return found


def _kind(value: Any) -> str:
    """What a value is called in JSON."""
    names = {type(None): "missing or null", bool: "a boolean", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")


def _broken(file: Path, line: int, what: str) -> ConfigError:
    return ConfigError(f"{file}, line {line}: {what}.")
