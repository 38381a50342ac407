"""Documents that come with their words are kept as if the words had been taken here."""

import pytest

from tests.search.index.shelf import expected, found, prepared
from toolkit.db import Database
from toolkit.search import store as store_of
from toolkit.search.index import Index
from toolkit.search.index.bodies import to_words
from toolkit.search.ready import ready, together
from toolkit.search.store import DocumentStore

HERONS, STORKS = prepared("herons", "Herons fish.", "Herons stand."), prepared("storks", "Storks nest.")
ALL = {"herons": HERONS, "storks": STORKS}


async def lexical(db: Database, query: str) -> dict[str, float]:
    (state,) = await Index(db).sync(["default"])
    return await found(state, query)


async def test_words_that_came_with_documents_are_not_taken_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_of, "words", lambda *_: pytest.fail("taken again"))
    await DocumentStore(db).keep(ready([HERONS, STORKS], "en"))
    assert await lexical(db, "heron") == expected(ALL, "heron") != {}


@pytest.mark.parametrize("language", ["", "de"])
async def test_words_of_no_or_another_language_are_taken_here(db: Database, language: str) -> None:
    await DocumentStore(db).keep(ready([HERONS, STORKS], language))
    assert await lexical(db, "herons") == expected(ALL, "herons") != {}


async def test_words_are_taken_anew_where_the_language_was_changed_meanwhile(db: Database) -> None:
    store, houses = DocumentStore(db), prepared("a", "Die Häuser der Reiher")
    assert store.language_of("default") == "en"
    await DocumentStore(db).configure("default", language="de")  # in another process
    await store.keep(ready([houses], "en"))
    assert await lexical(db, "Haus") == expected({"a": houses}, "Haus", "de") != {}
    assert store.language_of("default") == "de"


async def test_several_that_are_ready_are_kept_with_the_words_of_all(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_of, "words", lambda *_: pytest.fail("taken again"))
    both = together([ready([HERONS], "en"), ready([STORKS], "en")])
    assert (both.chunks, len(both.documents)) == (3, 2)
    await DocumentStore(db).keep(both)
    for query in ("heron", "stork"):
        assert await lexical(db, query) == expected(ALL, query) != {}


def test_words_of_several_languages_are_not_put_together() -> None:
    one, other = ready([HERONS], "en"), ready([STORKS], "de")
    assert together([one]) is one
    for several in ([one, other], [one, ready([STORKS])], [ready([HERONS]), ready([STORKS])]):
        assert (together(several).language, together(several).words) == ("", b"")


def test_documents_without_chunks_are_ready_too() -> None:
    nothing = ready([prepared("a")], "en")
    assert (nothing.chunks, to_words(nothing.words)) == (0, [])
