"""The embedded model at work."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.errors import ConfigError
from toolkit.providers.bundled import encoder as module
from toolkit.providers.bundled.encoder import DIMENSION, FOLDER, MODEL, MOST_TOKENS, Encoder, Floats, loaded

REFERENCE: list[dict[str, Any]] = json.loads((Path(__file__).parent / "reference.json").read_text(encoding="utf-8"))
"""Texts with the vectors that the published float32 weights give them, made once by torch and transformers."""

TEXTS = [each["text"] for each in REFERENCE]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return loaded()


def vector(encoder: Encoder, text: str) -> Floats:
    return encoder.run(encoder.tokens(text))


@pytest.mark.parametrize("each", REFERENCE, ids=lambda each: each["text"][:20])
def test_a_text_has_the_vector_that_the_published_weights_give_it(encoder: Encoder, each: dict[str, Any]) -> None:
    assert float(vector(encoder, each["text"]) @ np.array(each["vector"], np.float32)) > 0.98


@pytest.mark.parametrize("each", REFERENCE, ids=lambda each: each["text"][:20])
def test_a_text_has_the_tokens_that_the_published_tokenizer_gives_it(encoder: Encoder, each: dict[str, Any]) -> None:
    assert len(encoder.tokens(each["text"])) == each["tokens"]


def test_vectors_are_unit_vectors_whatever_the_lengths_of_the_texts(encoder: Encoder) -> None:
    vectors = np.array([vector(encoder, text) for text in TEXTS])
    assert (str(vectors.dtype), vectors.shape) == ("float32", (len(TEXTS), DIMENSION))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    references = np.array([each["vector"] for each in REFERENCE], np.float32)
    assert (vectors @ references.T).argmax(axis=1).tolist() == list(range(len(TEXTS)))


def test_of_a_long_text_the_first_256_tokens_are_read(encoder: Encoder) -> None:
    words = [f"heron{n % 7}" for n in range(5_000)]
    long = encoder.tokens(" ".join(words))
    longer = encoder.tokens(" ".join([*words, *["stork"] * 5_000]))
    assert len(long) == MOST_TOKENS
    assert (long == longer).all()


@pytest.mark.parametrize("gap", [" " * 20_000, "x" * 20_000, "\n" * 20_000], ids=["spaces", "one word", "lines"])
def test_what_stands_after_a_long_gap_is_still_read(encoder: Encoder, gap: str) -> None:
    assert encoder.tokens(f"house {gap} bird")[-2] == encoder.tokens("bird")[1]


@pytest.mark.parametrize("text", ["", " ", "\ud800", "\0", "a\udfffb", "👩‍👩‍👧", "\u202e"])
def test_any_text_has_a_vector(encoder: Encoder, text: str) -> None:
    assert np.isfinite(vector(encoder, text)).all()


def test_there_is_one_encoder_in_a_process() -> None:
    assert loaded() is loaded()


def test_a_forked_process_makes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = loaded()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    monkeypatch.setattr(module, "_encoders", dict(module._encoders))
    assert loaded() is not ours


def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "minilm", ignore=shutil.ignore_patterns("*.py", "*.md"))
    path = tmp_path / "minilm" / MODEL
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ConfigError, match=r"int8\.onnx is damaged or of another version; install the package anew"):
        Encoder(tmp_path / "minilm")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"int8\.onnx cannot be read .* install the package anew"):
        Encoder(tmp_path)


def test_a_file_that_this_machine_cannot_run_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_checked", lambda _folder, _name: b"no model")
    with pytest.raises(ConfigError, match=r"cannot be run here .* set TOOLKIT_EMBEDDING_MODEL to another one"):
        Encoder(tmp_path)


def test_the_files_are_those_that_the_readme_names() -> None:
    about = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` | `{sha256}` |" in about for name, sha256 in module.SHA256.items())
