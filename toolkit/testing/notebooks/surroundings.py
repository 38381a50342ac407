"""What a notebook is run in: an empty store, a cassette, and an environment that is the same on every machine."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolkit.testing.notebooks.files import cassette_of

_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|COOKIE|DSN$|_URLS?$")
"""Variables that no notebook gets that is only replayed."""

_OURS: Final = ("TOOLKIT_", "PYTEST_", "JPY_")
_VENDORS: Final = (
    "OPENAI_",
    "ANTHROPIC_",
    "GOOGLE_",
    "GROQ_",
    "FIREWORKS_",
    "AZURE_",
    "AWS_",
    "OLLAMA_",
    "DATABASE_URL",
)

_KEYS: Final = ("ANTHROPIC_API_KEY", "FIREWORKS_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY", "OPENAI_API_KEY")
_EMPTY: Final = "\n".join(
    ("toolkit_cassette: 1", "recorded: '2026-01-01'", "environ:", *(f"  {name}: 1" for name in _KEYS), "episodes: []\n")
)
"""The cassette of a notebook that has none: a call of any vendor is missing in it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A folder for one notebook, and what leads a kernel there.

    Attributes:
        folder: empty at first, and gone at the end.
        environ: the environment of the kernel.
    """

    folder: Path
    environ: Mapping[str, str]


@contextmanager
def replaying(path: Path, cassette: Path | None = None) -> Iterator[Surroundings]:
    """Surroundings in which the notebook `path` asks nobody; by default its own cassette is replayed, if there is one.

    There are no keys, and none of the variables that set up a toolkit.
    """
    with fresh_folder() as folder:
        chosen = cassette or cassette_of(path)
        if not chosen.is_file():
            chosen = folder / chosen.name
            chosen.write_text(_EMPTY, encoding="utf-8")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not (name.startswith((*_OURS, *_VENDORS)) or _SECRET.search(name))
        }
        yield Surroundings(folder, kept | _set(folder, chosen, "none"))


@contextmanager
def recording(cassette: Path) -> Iterator[Surroundings]:
    """Surroundings in which real models are asked, with the keys of this environment, and recorded into `cassette`.

    It need not be there. What the notebook's own programs record one after another is added.
    """
    with fresh_folder() as folder:
        kept = {name: value for name, value in os.environ.items() if not name.startswith((*_OURS, "DATABASE_URL"))}
        yield Surroundings(folder, kept | _set(folder, cassette, "new_episodes"))


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """An empty folder, gone at the end."""
    # On Windows a kernel may hold a file for a moment longer than it lives.
    with tempfile.TemporaryDirectory(prefix="toolkit-notebook-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def _set(folder: Path, cassette: Path, record: str) -> dict[str, str]:
    return {
        "TOOLKIT_DATABASE_URL": f"sqlite:///{folder / 'toolkit.db'}",
        "TOOLKIT_CASSETTE": str(cassette),
        "TOOLKIT_RECORD": record,
        "IPYTHONDIR": str(folder / "ipython"),  # nobody's own profile
        "TOOLKIT_SLOW_QUERY_MS": "0",  # a busy machine's warnings are no output
        "PYTHONHASHSEED": "0",  # sets are shown in the same order
        "TZ": "UTC",
    }
