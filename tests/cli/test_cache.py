"""`toolkit cache`: what is kept, and how it is forgotten."""

import json

import pytest

from tests.cli.conftest import Run
from toolkit.testing.vendors import VendorServer


@pytest.fixture
def asked(run: Run, vendors: VendorServer) -> None:
    """Two questions were answered, one of them twice; only two calls were made."""
    for question in ("Capital of France?", "Capital of Peru?", "Capital of France?"):
        result = run("chat", question, TOOLKIT_CACHE_TTL="3600", **vendors.environ())
        assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("asked")
def test_show_says_how_many_answers_are_kept_and_how_often_they_were_given_again(run: Run) -> None:
    told = json.loads(run("cache", "show", "--json").stdout)
    assert (told["entries"], told["hits"]) == (2, 1)
    assert 0 < told["bytes"] < told["max_bytes"]
    assert told["oldest"]
    line = run("cache", "show").stdout
    assert line.startswith("2 answers, the oldest of 20")
    assert "given again 1 time; " in line
    assert line.endswith(" kB of 256 MB.\n")


def test_an_empty_cache_says_how_to_use_it(run: Run) -> None:
    assert "TOOLKIT_CACHE_TTL" in run("cache", "show").stderr


@pytest.mark.usefixtures("asked")
def test_what_fits_is_forgotten(run: Run) -> None:
    assert run("cache", "invalidate", "--pattern", "*PERU?").stdout == "1 answer forgotten.\n"
    assert json.loads(run("cache", "invalidate", "--model", "nobody", "--json").stdout) == {"forgotten": 0}
    assert json.loads(run("cache", "show", "--json").stdout)["entries"] == 1


@pytest.mark.usefixtures("asked")
def test_all_is_forgotten(run: Run) -> None:
    assert run("cache", "clear").stdout == "2 answers forgotten.\n"
    assert run("cache", "clear").stdout == "0 answers forgotten.\n"


def test_forgetting_nothing_in_particular_says_what_to_do(run: Run) -> None:
    result = run("cache", "invalidate")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Say which answers to forget")
