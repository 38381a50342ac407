"""Cards of documents, of what is found in them, and of answers that rest on it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from toolkit.display import said
from toolkit.display.card import Block, Card, Cell, Code, Figure, Notes, Table, around, line

if TYPE_CHECKING:
    from toolkit.search.answer import Answer, Citation
    from toolkit.search.documents import Chunk, Hit, Hits, IngestReport, Parts, StoredDocument
    from toolkit.search.grounding import Passage

_PROSE = {"", ".md", ".markdown", ".txt", ".rst", ".html", ".htm", ".ipynb", ".pdf", ".docx", ".pptx"}
_BEGINNING = 1_000


def hit(self: "Hit") -> Card:
    """Where it stands, how well it fits, and the part of it that has the words, which are marked."""
    facts: dict[str, Cell] = {
        "at": place(self.source, self.lines),
        "place": self.place,
        "in": self.collection,
        "score": Figure(f"{self.score:.2f}"),
    }
    text = around(self.text, self.highlights, code=_is_code(self.source))
    return Card(_title(self.title, self.heading, self.source), facts, (text,), whole=True)


def hits(self: "Hits", card: Card) -> Card:
    """The passages, and what there is to say of the search."""
    more = ("*There are more; `cursor` leads to them.*",) if self.cursor else ()
    note = (f"*{line(self.note)}*",) if self.note else ()
    return replace(card, body=(*card.body, *note, *more))


def chunk(self: "Chunk") -> Card:
    """Where it stands, and its text."""
    facts: dict[str, Cell] = {"at": place(self.source, self.lines), "place": self.place, "in": self.collection}
    text = around(self.text, most=_BEGINNING, code=_is_code(self.source))
    return Card(_title(self.title, self.heading, self.source), facts, (text,), whole=True)


def parts(self: "Parts") -> Card:
    """What the score is made of."""
    return Card(self.explained, kind="Score")


def stored(self: "StoredDocument") -> Card:
    """What it is called, how large it is, and how it begins."""
    facts: dict[str, Cell] = {
        "source": Code(self.source),
        "in": self.collection,
        "kind": self.kind,
        "language": self.language,
        "passages": self.chunks,
        "bytes": self.bytes,
    }
    text = around(self.text, most=_BEGINNING, code=_is_code(self.source))
    return Card(self.title or self.source, facts, (text,), kind="Document")


def report(self: "IngestReport") -> Card:
    """How many documents there are now, and which files were not taken."""
    facts: dict[str, Cell] = {
        "added": self.added or None,
        "updated": self.updated or None,
        "unchanged": self.unchanged or None,
        "removed": self.removed or None,
        "skipped": len(self.skipped) or None,
        "passages": self.chunks,
    }
    left_out = Table(("not taken", "why"), [(Code(path), reason) for path, reason in self.skipped])
    count = f"{self.documents:,} document{'' if self.documents == 1 else 's'}"
    return Card(count, facts, (left_out,) if self.skipped else ())


def citation(self: "Citation") -> Card:
    """The mark, and where it leads."""
    return Card(f"[{self.number}]", {"at": place(self.source, self.lines), "place": self.place}, kind="Mark")


def passage(self: "Passage") -> Card:
    """The mark, where it leads, and what stands there."""
    facts: dict[str, Cell] = {"at": place(self.source, self.lines), "place": self.place, "under": self.heading}
    text = around(self.text, most=_BEGINNING, code=_is_code(self.source))
    return Card(f"[{self.number}]", facts, (text,), whole=True)


def answer(self: "Answer") -> Card:
    """What was said, where that stands, what does not stand there, and who said it."""
    places = [(f"[{each.number}]", place(each.source, each.lines), each.place) for each in self.citations]
    cited = Table(("", "source", "place"), places) if any(each.place for each in self.citations) else None
    cited = cited or Table(("", "source"), [row[:2] for row in places])
    unborne = [f"{line(self.text[each.start : each.end], 200)} ({each.reason})" for each in self.unsupported]
    count = f"{len(unborne)} sentence{'' if len(unborne) == 1 else 's'} that the passages do not bear"
    card = said.reply(self.reply)
    others = [block for block in card.body if isinstance(block, Notes)]
    body: list[Block] = [
        self.text,
        *([cited] if places else []),
        *([Notes(count, unborne)] if unborne else []),
        *others,
    ]
    return replace(card, body=body)


def place(source: str, lines: Sequence[int]) -> Code:
    """A source and its lines, as editors take them."""
    first, last = lines
    return Code(f"{source}:{first}" if first == last else f"{source}:{first}–{last}")


def _title(title: str, heading: str, source: str) -> str:
    return heading if heading.startswith(title) and heading else " › ".join(filter(None, [title or source, heading]))


def _is_code(source: str) -> bool:
    return PurePath(source).suffix.lower() not in _PROSE
