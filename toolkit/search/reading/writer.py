"""Markdown, written as the parts of a page come by."""

import re
from collections.abc import Sequence

from toolkit.search.reading.alignment import Aligner, Span

_SPACE = re.compile(r"[ \t\n\r\f]+")
_MARKUP = re.compile(r"(?=(?:#{1,6}|`{3,}|~{3,})(?:\s|$|\w))")


class Writer:
    """Keeps the lines of a page, each with the part of the source that it was made of.

    Args:
        aligner: finds texts in the source; None where a source has none of its own.
    """

    def __init__(self, aligner: Aligner | None = None) -> None:
        self.first_heading = ""
        self._aligner = aligner
        self._lines: list[str] = []
        self._spans: list[Span] = []
        self._words: list[str] = []
        self._span: Span = None
        self._code: list[tuple[str, Span]] | None = None
        self._code_language = ""
        self._lists: list[int | None] = []  # the number of the last item, None where items have none
        self._lead = ""
        self._quotes = 0
        self._tables: list[bool] = []  # whether each open table is only layout
        self._row: list[str] = []
        self._row_span: Span = None
        self._row_has_heads = False
        self._rows = 0

    def finish(self) -> tuple[list[str], list[Span]]:
        """The lines and their spans."""
        self.close_code()
        self.close_block()
        while self._lines and not self._lines[-1]:
            self._lines.pop()
            self._spans.pop()
        return self._lines, self._spans

    def add_text(self, text: str) -> None:
        """A text of the page, found in its source."""
        if self._code is not None:
            self._code.append((text, self._aligner.find(text) if self._aligner and text.strip() else None))
        elif text.strip():
            self.add(text, self._aligner.find(text) if self._aligner else None)
        elif self._words:
            self._words.append(" ")

    def add(self, text: str, span: Span) -> None:
        """Words of the current paragraph."""
        if text:
            self._words.append(text)
            self._span = joined(self._span, span)

    def mark(self, sign: str) -> None:
        """A sign that is markup; not in code, where it would be read."""
        if self._code is None:
            self._words.append(sign)

    def break_line(self) -> None:
        """The line ends and the paragraph does not."""
        if self._code is not None:
            self._code.append(("\n", None))
        else:
            self._words.append(" " if self._in_cell() else "\0")

    def close_block(self) -> None:
        """A paragraph ends, if one has begun."""
        if self._code is not None:
            return
        if self._in_cell():
            self._words.append(" ")
            return
        text, span = self._take()
        if not text:
            return
        lead, rest = self._indents()
        for number, line in enumerate(text.split("\n")):
            self._put((lead if number == 0 else rest) + _MARKUP.sub(r"\\", line, count=1), span)
        self._lead = ""
        if not self._lists:
            self._gap()

    def close_heading(self, level: int) -> str:
        """A heading of level 1 to 6 ends; gives it, empty where there is none."""
        if self._in_cell() or self._code is not None:
            self.close_block()
            return ""
        text, span = self._take()
        text = text.replace("\n", " ")
        if text:
            self.first_heading = self.first_heading or text
            self._gap()
            self._put(f"{'#' * level} {text}", span)
            self._gap()
        return text

    def open_code(self, language: str = "") -> None:
        """What follows is code, to be kept as it is."""
        self.close_block()
        if self._code is None and not self._in_cell():
            self._code, self._code_language = [], language

    def close_code(self) -> None:
        """The code ends."""
        if self._code is None:
            return
        parts, self._code = self._code, None
        lines = _code_lines(parts)
        if lines:
            ticks = "`" * max([3, *(len(run) + 1 for line, _ in lines for run in re.findall("`{3,}", line))])
            self._gap()
            for line, span in ((ticks + self._code_language, None), *lines, (ticks, None)):
                self._put(line, span)
            self._gap()

    def open_list(self, *, ordered: bool) -> None:
        """A list begins."""
        self.close_block()
        self._lists.append(0 if ordered else None)

    def close_list(self) -> None:
        """A list ends."""
        self.close_block()
        if self._lists:
            self._lists.pop()
        self._lead = ""
        if not self._lists and not self._in_cell():
            self._gap()

    def open_item(self) -> None:
        """An item of a list begins."""
        self.close_block()
        if self._in_cell():
            return
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._lead = "- " if number is None else f"{number + 1}. "

    def close_item(self) -> None:
        """The words so far are an item of a list that nobody opened."""
        self._lists.append(None)
        self._lead = "- "
        self.close_block()
        self._lists.pop()

    def end_items(self) -> None:
        """What follows is no item of that list."""
        if not self._in_cell():
            self._gap()

    def open_quote(self) -> None:
        """What follows was said by someone else."""
        self.close_block()
        self._quotes += 1

    def close_quote(self) -> None:
        """The quotation ends."""
        self.close_block()
        self._quotes -= 1

    def open_table(self, *, is_layout: bool) -> None:
        """A table begins; one within another is part of its cell."""
        self.close_block()
        self._tables.append(is_layout)
        if not self._in_cell():
            return
        if self._tables.count(False) == 1:
            self._gap()
            self._row, self._rows = [], 0

    def close_table(self) -> None:
        """The table ends."""
        if self._tables.count(False) == 1 and not self._tables[-1]:
            self._end_row()
            self._tables.pop()
            self._gap()
        else:
            self.close_block()
            if self._tables:
                self._tables.pop()

    def open_cell(self, tag: str) -> None:
        """A row (`tr`), a cell (`td`) or a cell of the heading (`th`) begins."""
        if not self._is_table():
            self.close_block()
        elif tag == "tr":
            self._end_row()
        else:
            self._row_has_heads |= tag == "th"
            self._take()

    def close_cell(self, tag: str) -> None:
        """The row or the cell ends."""
        if not self._is_table():
            self.close_block()
        elif tag == "tr":
            self._end_row()
        else:
            text, span = self._take()
            self._row.append(text.replace("\n", " ").replace("|", "\\|"))
            self._row_span = joined(self._row_span, span)

    def _is_table(self) -> bool:
        """Whether the innermost table is one of rows, and within no other such."""
        return bool(self._tables) and not self._tables[-1] and self._tables.count(False) == 1

    def _in_cell(self) -> bool:
        return False in self._tables

    def _end_row(self) -> None:
        if any(self._row):
            self._put(f"| {' | '.join(self._row)} |", self._row_span)
            if self._rows == 0 and self._row_has_heads:
                self._put("|" + "---|" * len(self._row), None)
            self._rows += 1
        self._row, self._row_span, self._row_has_heads = [], None, False

    def _indents(self) -> tuple[str, str]:
        """What stands before the first line of a paragraph, and before its others."""
        depth = "> " * min(self._quotes, 3) + "  " * min(max(0, len(self._lists) - 1), 8)
        return depth + (self._lead or ("  " if self._lists else "")), depth + ("  " if self._lists else "")

    def _take(self) -> tuple[str, Span]:
        r"""The words since the last paragraph, with a line end for each `\0`, and their span."""
        text = _SPACE.sub(" ", "".join(self._words)).replace("``", "")
        text = "\n".join(line for part in text.split("\0") if (line := part.strip()))
        span, self._words, self._span = self._span, [], None
        return ("", None) if not text.strip("`") else (text, span)

    def _put(self, line: str, span: Span) -> None:
        self._lines.append(line)
        self._spans.append(span)

    def _gap(self) -> None:
        if self._lines and self._lines[-1]:
            self._put("", None)


def joined(one: Span, other: Span) -> Span:
    """What spans both; None is no limit."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _code_lines(parts: Sequence[tuple[str, Span]]) -> list[tuple[str, Span]]:
    """The lines of a block of code, without blank ones around it, each with its own span where that is known."""
    lines: list[tuple[str, Span]] = [("", None)]
    for text, span in parts:
        at = span[0] - (len(text) - len(text.lstrip())) if span else 0
        is_exact = span is not None and span[1] - span[0] == len(text.strip())
        for number, line in enumerate(text.split("\n")):
            own = (at, at + len(line)) if is_exact else span
            own = own if line.strip() else None
            before, known = lines.pop() if number == 0 else ("", None)
            lines.append((before + line, joined(known, own)))
            at += len(line) + 1
    while lines and not lines[-1][0].strip():
        lines.pop()
    first = next((n for n, (line, _) in enumerate(lines) if line.strip()), 0)
    return lines[first:]
