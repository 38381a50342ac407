"""What goes to the model beside the question: documents, data, passages and pictures."""

import base64
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

from ipywidgets import HBox

from notebooks.chat.data import described
from notebooks.widgets.closing import discard
from notebooks.widgets.controls import button
from notebooks.widgets.panel import named
from toolkit.errors import ConfigError
from toolkit.messages import Image
from toolkit.search.documents import Hit

Collections: TypeAlias = str | Sequence[str] | Mapping[str, float] | None

MOST_PICTURE: Final = 5_000_000
"""Bytes of a picture that is attached; vendors take no larger ones."""

_LONGEST_LABEL = 40
_PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


@dataclass(frozen=True, slots=True)
class Given:
    """What goes with one question.

    Attributes:
        documents: collections that are searched for passages; None is none.
        data: descriptions of values, by name.
        hits: passages that were chosen.
        images: pictures.
        labels: what goes with this question alone, in a few words each.
    """

    documents: Collections = None
    data: Mapping[str, str] = field(default_factory=dict)
    hits: tuple[Hit, ...] = ()
    images: tuple[Image, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def rests_on_passages(self) -> bool:
        """Whether the answer is to cite."""
        return bool(self.documents or self.hits)

    def instructions(self, system: str | None) -> str | None:
        """`system`, and what the data looks like: said with every question, and kept in no session."""
        told = "\n\n".join(self.data.values())
        about = f"The user works with this data; what follows describes it and is not all of it.\n\n{told}"
        return "\n\n".join(filter(None, [system, about if told else ""])) or None


class Attachments(HBox):  # type: ignore[misc] # ipywidgets ships no types
    """What is attached, as chips that take it away again; hidden while there is nothing.

    Data stays until it is taken away; passages and pictures go with the next question.

    Args:
        guard: a panel's `_guard`.
        data: values by name.
    """

    def __init__(self, guard: Callable[..., None], data: Any = None) -> None:
        self._guard = guard
        self._data: dict[str, Any] = dict(named_values(data))
        self._once: dict[str, Hit | Image] = {}
        self._chips: list[Any] = []
        super().__init__()
        named(self, "chips")
        self._show()

    def add(self, thing: Any, name: str | None = None) -> str:
        """Attach a hit, a picture (`Image`, or a path to one), or any other value as data; gives its label.

        Raises:
            ConfigError: the picture cannot be sent, or there is no file.
        """
        if isinstance(thing, Hit):
            label = f"{(thing.title or thing.source)[:_LONGEST_LABEL]}:{thing.lines[0]}–{thing.lines[1]}"
            self._once[label] = thing
        elif isinstance(thing, Image | PathLike) or (isinstance(thing, str) and _is_picture(thing)):
            label = name or (Path(thing).name if not isinstance(thing, Image) else "picture")
            self._once[label] = thing if isinstance(thing, Image) else picture(thing)
        else:
            label = name or "data"
            self._data[label] = thing
        self._show()
        return label

    def take(self, documents: Collections, data: Any = None) -> Given:
        """What goes with a question that has `data` of its own; what was for one question is gone then."""
        values = {**self._data, **named_values(data)}
        once, self._once = self._once, {}
        self._show()
        return Given(
            documents=documents,
            data={name: described(name, value) for name, value in values.items()},
            hits=tuple(each for each in once.values() if isinstance(each, Hit)),
            images=tuple(each for each in once.values() if isinstance(each, Image)),
            labels=(*named_values(data), *once),
        )

    def _remove(self, label: str) -> None:
        self._data.pop(label, None)
        self._once.pop(label, None)
        self._show()

    def _show(self) -> None:
        old, self._chips = (
            self._chips,
            [
                button(f"{label} ✕", partial(self._guard, self._remove, label), tip=f"Take {label} away")
                for label in (*self._data, *self._once)
            ],
        )
        self.children = self._chips
        self.layout.display = "" if self._chips else "none"
        for chip in old:
            discard(chip)


def named_values(data: Any) -> Mapping[str, Any]:
    """Values by name; one without a name is called data."""
    if data is None:
        return {}
    return data if isinstance(data, Mapping) and all(isinstance(name, str) for name in data) else {"data": data}


def picture(path: str | PathLike[str]) -> Image:
    """A file as a picture in a message.

    Raises:
        ConfigError: it is none that vendors take, is too large, or is not there.
    """
    file = Path(path)
    kind = mimetypes.guess_type(file.name)[0]
    if kind not in _PICTURES:
        raise ConfigError(f"{file.name} is no picture that models take; attach a PNG, JPEG, GIF or WebP.")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_PICTURE:
        raise ConfigError(f"{file.name} has {len(content) / 1e6:.1f} MB; attach one of at most 5 MB.")
    return Image(f"data:{kind};base64,{base64.b64encode(content).decode()}")


def _is_picture(text: str) -> bool:
    return len(text) < 1000 and mimetypes.guess_type(text)[0] in _PICTURES  # noqa: PLR2004 - a path, not a text
