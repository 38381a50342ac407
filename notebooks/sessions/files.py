"""A conversation as a file."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from notebooks.chat.export import to_notebook
from notebooks.chat.turn import turns_of
from toolkit.errors import ConfigError, Conflict

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

KINDS: Final = {".md": "Markdown", ".jsonl": "JSON lines, all there is to it", ".ipynb": "Notebook"}
"""How a conversation may be written, by the ending of the file's name."""

_LONGEST = 60  # letters of a name that is made from a title


async def text_of(tk: "Toolkit", session: str, ending: str) -> str:
    """A conversation as the text of a file whose name ends so.

    Raises:
        ConfigError: files with that ending are not known.
        SessionExpired, NotFound: as for `Sessions.get`.
    """
    match ending.lower():
        case ".md" | ".markdown":
            return await tk.sessions.export(session, format="markdown")
        case ".jsonl":
            return await tk.sessions.export(session)
        case ".ipynb":
            notebook = to_notebook(turns_of(await tk.sessions.messages(session)))
            return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    raise ConfigError(f"A conversation is written to a file that ends in {', '.join(KINDS)}, not in {ending!r}.")


def write(text: str, path: Path, *, replace: bool) -> Path:
    """Write a file, and give its whole path.

    Raises:
        Conflict: it is there already, and `replace` is false.
        ConfigError: it cannot be written.
    """
    whole = path.expanduser().absolute()
    try:
        with whole.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{whole} is there already; `replace=True` writes over it.") from None
    except OSError as error:
        raise ConfigError(f"{whole} cannot be written: {error.strerror or error}.") from error
    return whole


def name_for(title: str, ending: str) -> str:
    """A file's name for a conversation of that title."""
    words = re.sub(r"[^\w]+", "-", title.lower()).strip("-")[:_LONGEST].strip("-")
    return f"{words or 'conversation'}{ending}"
