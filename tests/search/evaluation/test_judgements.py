"""Folders of judgements: what is read, what is left out, and what is said of a broken file."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.evaluation.conftest import CORPUS, QRELS, Folder, jsonl
from toolkit.errors import ConfigError
from toolkit.search.evaluation import judgements
from toolkit.search.evaluation.qrels import rows


def test_a_folder_is_queries_with_a_relevant_document_their_grades_and_a_corpus(folder: Folder) -> None:
    (read,) = judgements.read(folder())

    assert (read.name, read.documents) == ("small", 4)
    assert read.queries == {"q1": "where do otters swim", "q2": "when does a breaker open"}
    assert read.grades == {"q1": {"d1": 2, "d4": 1}, "q2": {"d2": 1, "d1": 0}}
    assert read.judged() == {"d1", "d2", "d4"}
    assert read.notes == ("1 query without a relevant document left out",)


def test_a_document_is_called_by_its_id_and_a_title_alone_is_a_text(folder: Folder) -> None:
    found = {each.source: each for each in judgements.documents(folder() / "corpus.jsonl")}

    assert list(found) == ["d1", "d2", "d3", "d4"]
    assert (found["d1"].title, found["d1"].text) == ("Otters", CORPUS[0]["text"])
    assert found["d4"].text == "Rivers without a text"


def test_what_can_never_be_found_is_said(folder: Folder) -> None:
    corpus = jsonl([*CORPUS, {"_id": "d5", "text": " "}])

    (read,) = judgements.read(folder(corpus_jsonl=corpus, qrels_tsv=QRELS + "q1\td9\t1\nq7\td1\t1\n"))

    assert read.documents == 4
    assert read.notes[1:] == (
        "1 judgement of a query that queries.jsonl does not have left out",
        "1 relevant document not in corpus.jsonl: no search can find them",
        "1 document of corpus.jsonl without a word left out",
    )


def test_a_folder_of_folders_is_all_of_them_by_name(folder: Folder) -> None:
    folder("all/b")
    folder("all/a")
    (folder("all/c").parent / "notes").mkdir()

    assert [read.name for read in judgements.read(folder("all/c").parent)] == ["a", "b", "c"]


def test_the_test_split_of_a_folder_qrels_is_taken(folder: Folder) -> None:
    place = folder(qrels_tsv=None, qrels__train_tsv="q1\td2\t1\n", qrels__test_tsv="q1\td1\t1\n")

    assert judgements.read(place)[0].grades == {"q1": {"d1": 1}}


def test_judgements_alone_need_no_corpus(folder: Folder) -> None:
    (read,) = judgements.read(folder(corpus_jsonl=None))

    assert (read.corpus, read.documents) == (None, 0)


def test_a_file_of_judgements_has_the_questions_in_its_first_column(tmp_path: Path) -> None:
    file = tmp_path / "questions.tsv"
    file.write_text("where do otters swim\tdocs/otters.md\nwhen does it open\tdocs/breaker.md\n")

    (read,) = judgements.read(file)

    assert read.name == "questions"
    assert read.queries["where do otters swim"] == "where do otters swim"
    assert read.grades["when does it open"] == {"docs/breaker.md": 1}


@pytest.mark.parametrize(
    "text",
    [
        "query-id\tcorpus-id\tscore\nq\td\t2\n",
        "Query_ID\tDoc ID\tRelevance\nq\td\t2\n",
        "corpus-id\tquery-id\tscore\nd\tq\t2\n",
        "\ufeffqid docno label\r\nq d 2\r\n",
        "q\td\t2\n",
        "q 0 d 2\n",
        "qid iter docid rel\nq 0 d 2\n",
        "\nq\td\t2.0\n\n",
    ],
)
def test_a_file_of_judgements_is_read_in_every_form_that_it_has_in_the_wild(text: str, tmp_path: Path) -> None:
    file = tmp_path / "qrels.tsv"
    file.write_bytes(text.encode())

    assert [(each.query, each.document, each.grade) for each in rows(file)] == [("q", "d", 2)]


def test_commas_separate_a_csv_and_quotes_hold_them(tmp_path: Path) -> None:
    file = tmp_path / "qrels.csv"
    file.write_text('question,source\n"where, and when?",a b.md\n')

    assert [(each.query, each.document, each.grade) for each in rows(file)] == [("where, and when?", "a b.md", 1)]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"corpus_jsonl": '{"_id": "d1", "text": "x"}\n\n{"_id": '}, "corpus.jsonl, line 3: this is not JSON"),
        ({"corpus_jsonl": "[" * 100_000}, "corpus.jsonl, line 1: this is not JSON"),
        ({"corpus_jsonl": "[1, 2]\n"}, "corpus.jsonl, line 1: this is a list; every line must be one object"),
        ({"corpus_jsonl": '{"text": "x"}\n'}, "corpus.jsonl, line 1: there is no `_id`"),
        ({"corpus_jsonl": '{"_id": "d1"}\n'}, "corpus.jsonl, line 1: `text` is missing"),
        ({"corpus_jsonl": '{"_id": "d1", "text": 3}\n'}, "corpus.jsonl, line 1: `text` is a number"),
        ({"corpus_jsonl": '{"_id": "d1", "text": "", "title": {}}\n'}, "line 1: `title` is an object"),
        ({"corpus_jsonl": '{"_id": "d1", "text": "x"}\n' * 2}, "jsonl, line 2: the document 'd1' is there twice"),
        ({"queries_jsonl": b'{"_id": "q1", "text": "\xff"}\n'}, "queries.jsonl, line 1: this is not UTF-8 text"),
        ({"queries_jsonl": '{"_id": "q1", "text": "x"}\n' * 2}, "queries.jsonl, line 2: the query 'q1' is there twice"),
        ({"queries_jsonl": None}, "queries.jsonl; a folder of judgements needs it"),
        ({"qrels_tsv": QRELS + "q1\td3\tgood\n"}, "qrels.tsv, line 6: 'good' is not a number"),
        ({"qrels_tsv": QRELS + "q1\td3\tnan\n"}, "qrels.tsv, line 6: 'nan' is not a number"),
        ({"qrels_tsv": QRELS + "q1\td3\n"}, "qrels.tsv, line 6: there are 2 columns, and 3 in the lines above"),
        ({"qrels_tsv": QRELS + "\td3\t1\n"}, "qrels.tsv, line 6: an id is missing"),
        ({"qrels_tsv": QRELS + "q1\td1\t1\n"}, "line 6: 'd1' for the query 'q1' is graded 1 here and 2 above"),
        ({"qrels_tsv": "query-id\twhat\tscore\n"}, "line 1: of the columns query-id, corpus-id and score, 'what'"),
        ({"qrels_tsv": "one\ttwo\tthree\n"}, "qrels.tsv, line 1: this is neither a judgement nor a header"),
        ({"qrels_tsv": "one\n"}, "qrels.tsv, line 1: there are 1 columns"),
        ({"qrels_tsv": "q1\td1\t0\n"}, "No query of 'small' has a relevant document"),
        ({"qrels_tsv": "q1\tx1\t1\n"}, "None of the relevant documents"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    files: dict[str, str | bytes | None], said: str, folder: Folder
) -> None:
    with pytest.raises(ConfigError) as raised:
        judgements.read(folder(**files))
    assert said in str(raised.value)


def test_a_place_without_judgements_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There are no judgements in"):
        judgements.read(tmp_path)
    with pytest.raises(ConfigError, match="There is no "):
        judgements.read(tmp_path / "nowhere")


@given(st.binary(max_size=200))
def test_any_bytes_are_judgements_or_an_error_in_words(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.tsv"
    file.write_bytes(data)
    with suppress(ConfigError):
        assert judgements.read(file)[0].queries
