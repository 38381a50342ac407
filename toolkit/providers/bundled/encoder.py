"""The embedded model at work: texts to token ids, token ids to one vector per text, on this machine's processors.

Each text is run alone. What the model's layers hand on is rounded to bytes on a scale that all texts of a run share,
so in a batch a text's vector would depend on its neighbours (cosines change by 0.01); and a batch is no faster, since
even a short text fills a processor and none is padded.

onnxruntime, tokenizers and numpy come with this module (about 0.2 s), so it is imported where a text is first embedded.
"""

import hashlib
import os
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from toolkit.errors import ConfigError

# Newer builds tell their maker of every session, and keep an id of the machine for it, unless they are imported so.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime  # type: ignore[import-untyped] # it ships no types

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]

DIMENSION: Final = 384
MOST_TOKENS: Final = 256
"""Of one text, with the marks at its beginning and end; the model was trained on no more, and the rest is not read."""

FOLDER: Final = Path(__file__).parent / "minilm"
MODEL: Final = "all-MiniLM-L6-v2.int8.onnx"
SHA256: Final = {
    MODEL: "30bc140070311306518c06119eab8b788d247cb1db9cb7058c4192dd3e082fcb",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

_FIRST_CHARACTERS: Final = 8_192


class Encoder:
    """The model and its tokenizer; may be asked by several threads at once. `loaded` gives the one of this process.

    Args:
        folder: holds the two files.

    Raises:
        ConfigError: a file is missing, is not the one that belongs to this version, or cannot be run here.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        model, tokenizer = _checked(folder, MODEL), _checked(folder, "tokenizer.json")
        onnxruntime.disable_telemetry_events()  # older builds for Windows know nothing of the variable
        options = onnxruntime.SessionOptions()
        # One thread to a run, and two runs at once, do more than two threads that wait for one another; and each of
        # the callers' threads can have its own priority.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:
            raise ConfigError(
                f"The embedded model cannot be run here ({type(error).__name__}: {error}); set "
                "TOOLKIT_EMBEDDING_MODEL to another one."
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)

    def tokens(self, text: str) -> Ids:
        """The ids of the tokens that are read, at most `MOST_TOKENS`; shape (tokens,)."""
        text = text.encode("utf-8", "replace").decode()
        start = _beginning(text)
        ids: list[int] = self._tokenizer.encode(start).ids
        if len(ids) < MOST_TOKENS and start is not text:
            ids = self._tokenizer.encode(text).ids
        return np.array(ids, np.int64)

    def run(self, tokens: Ids) -> Floats:
        """The unit vector of one text, shape (`DIMENSION`,); the same for the same tokens."""
        given = {"input_ids": tokens[None], "attention_mask": np.ones((1, len(tokens)), np.int64)}
        vector: Floats = self._session.run(None, given)[0][0]
        vector /= np.linalg.norm(vector)
        return vector


def loaded() -> Encoder:
    """The encoder of this process, made at the first call; a call may take half a second, so ask in a thread.

    Raises:
        ConfigError: as `Encoder` does, at every call.
    """
    with _loading:
        # A process that was forked has none of the threads that its parent's encoder works with.
        if (pid := os.getpid()) not in _encoders:
            _encoders[pid] = Encoder()
        return _encoders[pid]


_loading = Lock()
_encoders: dict[int, Encoder] = {}


def _checked(folder: Path, name: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The embedded model's file {folder / name} cannot be read ({error.strerror}); install the package anew."
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise ConfigError(
            f"The embedded model's file {folder / name} is damaged or of another version; install the package anew."
        )
    return content


def _beginning(text: str) -> str:
    """As much of a long text as is likely to be read, up to a space, so that the tokens are those of the whole text."""
    if len(text) <= _FIRST_CHARACTERS:
        return text
    start, space, _ = text[:_FIRST_CHARACTERS].rpartition(" ")
    return start if space else text
