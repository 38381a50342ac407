"""Keys, tokens and passwords are recognised, and nothing else is."""

import pytest

from toolkit.redaction import looks_like_key, redact


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "sk-ant-api03-abcdefgh12345678",
        "gsk_abcdefghijklmnop1234",
        "AIzaSyA-abcdefghijklmnopqrstuv",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrst1234",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        "Bearer abcdef.ghijkl-123",
    ],
)
def test_a_key_is_recognised_and_taken_out_of_a_text(secret: str) -> None:
    assert looks_like_key(secret)
    assert secret.rsplit(maxsplit=1)[-1] not in redact(f"The key {secret} was refused.")


@pytest.mark.parametrize("plain", ["OPENAI_API_KEY", "gpt-6-luna", "http://127.0.0.1:9000/v1", "risk-averse", "task-1"])
def test_what_is_no_key_is_left_alone(plain: str) -> None:
    assert not looks_like_key(plain)
    assert redact(plain) == plain


def test_passwords_in_urls_and_named_secrets_are_taken_out() -> None:
    assert redact("at postgresql://ada:p4ss@db/x") == "at postgresql://ada:***@db/x"
    assert redact("at postgress://ada:p@ss/w:rd@db/x, then") == "at postgress://ada:***@db/x, then"
    assert redact("the word xyzzy", "xyzzy", "") == "the word ***"


def test_a_secret_that_begins_as_another_does_leaves_nothing_of_the_longer_one() -> None:
    assert redact("xyzzy-1 and xyzzy-12", "xyzzy-1", "xyzzy-12") == "*** and ***"


def test_a_secret_of_a_letter_or_two_does_not_make_a_sentence_unreadable() -> None:
    assert redact("Kim asked for k.", "k") == "Kim asked for k."
