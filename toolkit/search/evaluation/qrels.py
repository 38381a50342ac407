"""The file of judgements, in the forms that it has in the wild."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from toolkit.errors import ConfigError

NAMES: Mapping[str, frozenset[str]] = {
    "query": frozenset({"query-id", "query", "qid", "queryid", "topic", "topic-id", "question"}),
    "document": frozenset(
        {"corpus-id", "doc-id", "docid", "did", "docno", "pid", "document-id", "document", "source", "chunk-id"}
    ),
    "grade": frozenset({"score", "grade", "relevance", "rel", "label", "relevancy", "judgement", "judgment"}),
    "unused": frozenset({"iter", "iteration", "q0"}),
}
"""What columns may be called, in any case, `_` for `-`; without a header they stand in this order, TREC's with a second
column that is not used."""

_FORMS: Mapping[int, Sequence[str]] = {
    2: ("query", "document"),
    3: ("query", "document", "grade"),
    4: ("query", "unused", "document", "grade"),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well a document answers a query, and the line, counted from 1, that says so."""

    query: str
    document: str
    grade: float
    line: int


def rows(file: Path) -> Iterator[Judgement]:
    """The judgements of a file: separated by tabs, by spaces as TREC has it, or in a `.csv` by commas.

    A header is recognised by its names. A file without grades says of each pair that it is relevant (grade 1).

    Raises:
        ConfigError: a line cannot be understood; the message names it.
    """
    columns: Sequence[str] = ()
    split: Callable[[str], list[str]] | None = None
    for line, text in lines_of(file):
        if not split:
            split = _separator(file, text)
        cells = [cell.strip() for cell in split(text)]
        if not columns:
            columns = _header(file, line, cells)
            if columns:
                continue
            columns = _FORMS.get(len(cells), ())
            if not columns:
                raise _broken(
                    file, line, f"there are {len(cells)} columns; there must be query-id, corpus-id and score"
                )
        if len(cells) != len(columns):
            raise _broken(file, line, f"there are {len(cells)} columns, and {len(columns)} in the lines above")
        yield _judgement(file, line, dict(zip(columns, cells, strict=True)))


def lines_of(file: Path) -> Iterator[tuple[int, str]]:
    """The number, counted from 1, and the text of each line that is not blank.

    Raises:
        ConfigError: the file is missing, or not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            for number, data in enumerate(stream, 1):
                try:
                    text = data.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError:
                    raise _broken(file, number, "this is not UTF-8 text") from None
                if text.strip():
                    yield number, text
    except FileNotFoundError:
        raise ConfigError(f"There is no {file}; a folder of judgements needs it.") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None


def _separator(file: Path, first: str) -> Callable[[str], list[str]]:
    """What splits the lines of a file whose first one is `first`."""
    if file.suffix.lower() == ".csv":
        return lambda text: next(csv.reader([text]))
    mark = "\t" if "\t" in first else None
    return lambda text: text.split(mark)


def _header(file: Path, line: int, cells: Sequence[str]) -> Sequence[str]:
    """What the columns are, if the first line tells; else nothing."""
    said = [next((what for what, names in NAMES.items() if _plain(cell) in names), "") for cell in cells]
    if "query" not in said and "document" not in said:
        if len(cells) > 2 and not _is_number(cells[-1]):  # noqa: PLR2004 - two columns have no grade
            raise _broken(
                file, line, "this is neither a judgement nor a header; call the columns query-id, corpus-id and score"
            )
        return ()
    if "query" not in said or "document" not in said or (len(cells) > 2 and "grade" not in said):  # noqa: PLR2004
        names = ", ".join(repr(cell) for cell, what in zip(cells, said, strict=True) if not what) or "one"
        raise _broken(file, line, f"of the columns query-id, corpus-id and score, {names} is not understood")
    return [what or f"column {n}" for n, what in enumerate(said)]


def _plain(cell: str) -> str:
    return cell.lower().replace("_", "-").replace(" ", "-")


def _judgement(file: Path, line: int, cells: Mapping[str, str]) -> Judgement:
    grade = cells.get("grade", "1")
    if not _is_number(grade):
        raise _broken(file, line, f"{grade!r} is not a number; the grade must be one")
    if not cells["query"] or not cells["document"]:
        raise _broken(file, line, "an id is missing")
    return Judgement(cells["query"], cells["document"], float(grade), line)


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _broken(file: Path, line: int, what: str) -> ConfigError:
    return ConfigError(f"{file}, line {line}: {what}.")
