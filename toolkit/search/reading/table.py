"""CSV and TSV: every row as a record that names its values."""

import csv
from collections import Counter
from collections.abc import Iterator

from toolkit.search.reading.content import Content
from toolkit.search.reading.decoding import Decoded
from toolkit.search.reading.lines import Places
from toolkit.search.reading.package import plain_cell
from toolkit.search.reading.records import Records, header_of, named

_DELIMITERS = ",;\t|"
_SAMPLE = 20  # lines that are looked at


def read_table(decoded: Decoded, delimiter: str = "") -> Content | None:
    """The rows as records: `Name: Ada | Born: 1815`; None where the text is no table after all.

    Args:
        decoded: the text.
        delimiter: what stands between two values; empty: to be found out.
    """
    lines = decoded.text.split("\n")
    delimiter = delimiter or _delimiter(lines)
    if not delimiter:
        return None
    try:
        rows = list(_rows(lines, delimiter))
    except csv.Error:  # a value of more than 128 KB: mostly a quotation mark that nobody closed
        return None
    filled = [(cells, first, last) for cells, first, last in rows if any(cells)]
    header = header_of([cells for cells, _, _ in filled[:2]])
    places, records = Places(decoded), Records(has_bytes=True)
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line) + 1)
    for number, (cells, first, last) in enumerate(filled):
        span = places.span(begins[first - 1], begins[last] - 1)
        records.at(first)
        if header is not None and number == 0:
            records.add(["Columns: " + ", ".join(name for name in header if name)], span)
        else:
            records.add(named(header, cells), span)
    return records.content()


def _rows(lines: list[str], delimiter: str) -> Iterator[tuple[list[str], int, int]]:
    """Each row with its first and its last line."""
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, skipinitialspace=True)
    before = 0
    for row in reader:
        yield [plain_cell(cell) for cell in row], before + 1, reader.line_num
        before = reader.line_num


def _delimiter(lines: list[str]) -> str:
    """The character that most lines have, and all of them as often; empty if there is none."""
    sample = [line for line in lines[: 5 * _SAMPLE] if line.strip()][:_SAMPLE]
    best, most = "", 0
    for delimiter in _DELIMITERS:
        counts = Counter(line.count(delimiter) for line in sample)
        number, times = counts.most_common(1)[0] if counts else (0, 0)
        if number and times > most and times >= len(sample) / 2:
            best, most = delimiter, times
    return best
