"""Texts into terms."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.errors import ConfigError
from toolkit.search.words.analyser import LONGEST, MOST_READ, MOST_REPEATS, MOST_TERMS, Analyser
from toolkit.search.words.languages import STEMMERS, STOP_WORDS, UNSTEMMED

ENGLISH = Analyser("en")
ANY_TEXT = st.text() | st.text(alphabet="aBz19._-'+#\0 é’東。ๆ\u0308Ⅷ\ud800🎉", max_size=40)


def test_words_lose_their_endings_their_case_and_the_stop_words_among_them() -> None:
    assert ENGLISH.terms("What are the Retrying connections?") == ["retri", "connect"]


def test_a_text_of_stop_words_only_is_found_by_them() -> None:
    assert ENGLISH.terms("To be, or not to be?") == ["to", "be", "or", "not", "to", "be"]
    assert ENGLISH.query("who is it") == {"who": 1, "is": 1, "it": 1}


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("raise AllModelsFailed(attempts)", "AllModelsFailed"),
        ("raise AllModelsFailed(attempts)", "models that failed"),
        ("raise AllModelsFailed(attempts)", "allmodelsfailed"),
        ("def parse_http_header(line):", "parseHttpHeader"),
        ("def parse_http_header(line):", "header parsing"),
        ("self.assertEqual(a, b)", "assertEqual"),
        ("os.path.join(a, b)", "os.path"),
        ("an e-mail address", "email"),
        ("encode it as utf8", "UTF-8"),
        ("needs Python 3.11.7", "python 3.11"),
        ("tag v1.2.3", "1.2.3"),
        ("from 127.0.0.1:8080", "127.0.0.1"),
        ("written in C++ and C#.", "c++"),
        ("C++'s rules", "c++"),
        ("see RFC-2616", "rfc 2616"),
        ("error E0308 in line 12", "e0308"),
        ("commit 3f786850e387550fdab836ed7e6dc881de23001b", "3F786850E387550FDAB836ED7E6DC881DE23001B"),
        ("the user’s settings", "users"),
        ("Müller's café", "muller cafe"),
        ("de\u0301ja\u0300 vu", "déjà"),
        ("the WHO said", "WHO"),
    ],
)
def test_what_is_written_one_way_is_found_by_another(written: str, asked: str) -> None:
    assert set(ENGLISH.query(asked)) & set(ENGLISH.terms(written))


def test_a_version_is_not_found_by_one_that_goes_on_differently() -> None:
    assert not set(ENGLISH.query("3.12")) & set(ENGLISH.terms("3.11.12 and 312"))


def test_c_plus_plus_is_not_c() -> None:
    assert not set(ENGLISH.query("C++")) & set(ENGLISH.terms("C code"))


@pytest.mark.parametrize("language", ["en", "de", "ja", "und"])
@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("東京タワーに行きました", "東京"),
        ("東京タワーに行きました", "タワー"),
        ("我喜欢机器学习。", "机器学习"),
        ("黑猫在这里", "猫"),
        ("한국어를 공부합니다", "한국어"),
        ("ภาษาไทยไม่มีช่องว่าง", "ไทย"),
        ("ភាសាខ្មែរ", "ខ្មែរ"),
    ],
)
def test_scripts_without_spaces_are_searched_in_pairs_in_every_collection(
    language: str, written: str, asked: str
) -> None:
    analyser = Analyser(language)
    assert set(analyser.query(asked)) <= set(analyser.terms(written))


def test_a_pair_that_is_nowhere_in_a_text_is_not_found_in_it() -> None:
    assert not set(ENGLISH.query("京都")) & set(ENGLISH.terms("東京と大阪の都"))


@pytest.mark.parametrize(
    ("language", "written", "asked"),
    [
        ("de", "Die Häuser der Straßen", "Haus Strasse"),
        ("de", "für Müller", "mueller"),
        ("fr", "l’avion décollait généralement", "avion décoller generalement"),
        ("es", "las canciones españolas", "cancion espanola"),
        ("pt", "as informações", "informacoes"),
        ("ru", "новые модели, model names", "модель models"),
        ("el", "οι λόγοι", "ΛΟΓΟΣ"),
        ("tr", "İSTANBUL'da ışıklar", "istanbul ışık"),
        ("hi", "किताबें", "किताब"),
        ("ar", "الكِتَاب", "كتاب"),
        ("zh", "使用 running models", "model run"),
    ],
)
def test_each_language_is_stemmed_by_its_own_rules(language: str, written: str, asked: str) -> None:
    analyser = Analyser(language)
    terms = set(analyser.terms(written))
    for word in asked.split():
        assert terms & set(analyser.query(word)), word


@pytest.mark.parametrize("language", [*STEMMERS, *UNSTEMMED])
def test_every_language_analyses_texts_of_all_languages(language: str) -> None:
    analyser = Analyser(language)
    assert analyser.terms("Rückgabe 東京 ภาษา किताबें λόγος models ქართული שלום")
    assert analyser.query("Rückgabe")


@pytest.mark.parametrize("language", STOP_WORDS)
def test_a_language_leaves_its_stop_words_out(language: str) -> None:
    words = " ".join(sorted(STOP_WORDS[language]))
    assert Analyser(language).terms(f"{words} 4711") == ["4711"]


def test_a_region_changes_nothing() -> None:
    assert Analyser("en-US").language == Analyser("EN_gb").language == "en"


def test_an_unknown_language_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"'klingon' cannot .* de, .* und, "):
        Analyser("klingon")


def test_emoji_and_symbols_are_no_words() -> None:
    assert ENGLISH.terms("🎉 👩‍👩‍👧‍👦 → ∑ © ½x") == ["1", "2x"]
    assert ENGLISH.query("🎉🎉 !!! ??? '\"") == {}
    assert ENGLISH.query("") == {}


def test_a_repeated_word_counts_as_often_as_it_was_said_up_to_a_bound() -> None:
    assert ENGLISH.query("retry retry policy") == {"retri": 2, "polici": 1}
    assert ENGLISH.query("retry " * 50) == {"retri": MOST_REPEATS}


def test_a_word_of_two_stems_counts_once() -> None:
    assert sum(Analyser("fr").query("aimées").values()) == 1


def test_of_a_stack_trace_the_beginning_the_end_and_the_names_between_are_looked_for() -> None:
    frames = (
        f'  File "/srv/app/mod{n % 90}.py", line {n}, in step_{n % 70}\n    return inner(the, data)'
        for n in range(2_500)
    )
    trace = "\n".join(["ImportantService crashed", *frames, "DatabaseTimeout: no answer from replica"])
    found = ENGLISH.query(trace)
    assert len(found) == MOST_TERMS
    assert {"importantservic", "crash", "databasetimeout", "replica"} <= set(found)
    assert sum(term.startswith(("step", "mod")) for term in found) > 20
    assert not any(term.isdigit() for term in found)


def test_of_a_very_long_query_the_middle_is_not_read() -> None:
    found = ENGLISH.query("beginning " + "x " * MOST_READ + "middle" + " y" * MOST_READ + " ending")
    assert set(found) == {"begin", "x", "y", "end"}


@given(ANY_TEXT, st.sampled_from(["en", "fr", "tr", "zh", "und"]))
@example("\0\ud800'; DROP TABLE chunks; --", "en")
@example('"unbalanced AND (NEAR* OR ^NOT:', "en")
def test_any_text_gives_bounded_clean_terms_and_is_a_valid_query(text: str, language: str) -> None:
    analyser = ANALYSERS[language]
    terms, query = analyser.terms(text), analyser.query(text)
    assert all(0 < len(term) <= LONGEST and term.split() == [term] and term.encode() for term in terms)
    assert set(query) <= set(terms)
    assert bool(query) == bool(terms)
    assert len(query) <= MOST_TERMS
    assert all(0 < weight <= MOST_REPEATS for weight in query.values())


ANALYSERS = {language: Analyser(language) for language in ("en", "fr", "tr", "zh", "und")}


@pytest.mark.parametrize(
    "junk",
    [
        "a" * 1_000_000,
        "aB" * 500_000,
        "1." * 500_000,
        "漢字" * 500_000,
        "a" + "\u0301" * 1_000_000,
        "a'" * 100_000,
        "a" + "'s" * 100_000,
        "é" + "'s" * 100_000,
        "".join(map(chr, random.Random(1).choices(range(0x110000), k=100_000))) * 10,
    ],
    ids=["one word", "humps", "dots", "Han", "marks", "apostrophes", "contractions", "more contractions", "anything"],
)
def test_a_megabyte_of_junk_is_a_query_of_a_few_terms(junk: str) -> None:
    assert 0 < len(ENGLISH.query(junk)) <= MOST_TERMS


def test_a_long_term_is_found_as_it_is_written_and_not_by_one_that_begins_alike() -> None:
    key = "k" * 500
    assert ENGLISH.terms(f"the key {key}")[1] in ENGLISH.query(key)
    assert not set(ENGLISH.query(key + "k")) & set(ENGLISH.terms(key))


def test_threads_may_share_an_analyser() -> None:
    shared = Analyser("en")
    texts = [f"running_{n % 97} connections{n % 89} failures.of{n % 83} naïve{n % 7}é" for n in range(2_000)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(shared.terms, texts))
    assert found == [
        Analyser("en").terms(text) if n % 100 == 0 else ENGLISH.terms(text) for n, text in enumerate(texts)
    ]


def test_what_an_analyser_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.search.words.analyser._REMEMBERED", 10_000)
    analyser = Analyser("en")
    largest = 0
    for n in range(1_000):
        assert analyser.terms(f"word{n}") == [f"word{n}"]
        largest = max(largest, len(analyser.vocabulary))
    assert largest < 100
