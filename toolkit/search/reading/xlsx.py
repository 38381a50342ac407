"""Workbooks: every row as a record, with its sheet and its number."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from toolkit.search.reading.content import Content, Unreadable
from toolkit.search.reading.package import Package, plain_cell
from toolkit.search.reading.records import Records, header_of, named

MOST_CELLS = 5_000_000
"""Cells that are read of a workbook."""

_WHAT = "an XLSX file"
_MOST_COLUMNS = 16_384  # of Excel itself
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's dates have no zone; it counts as if 1900 were a leap year
_LAST_DAY = 2_958_466  # of the year 9999
_WORDS_OF_DATES = frozenset("ymdhs")


def read_xlsx(data: bytes) -> Content:
    """The cells of a workbook as records: `Name: Ada | Born: 1815`.

    Raises:
        Unreadable: it is no such file, is encrypted, or holds more than anybody reads.
    """
    package = Package(data, _WHAT)
    main = package.main("xl/workbook.xml")
    related = package.relations(main)
    parts = dict(related.values())
    shared = _Strings(package, parts["sharedStrings"]).found if parts.get("sharedStrings", "") in package else []
    dates = _date_styles(package, parts["styles"]) if parts.get("styles", "") in package else frozenset()
    records = Records(has_bytes=False)
    left = MOST_CELLS
    for name, reference in _sheets(package, main):
        part = related.get(reference, ("", ""))[1]
        if part not in package:
            continue
        sheet = _Cells(package, part, shared, dates, left)
        left -= sheet.count
        _write(records, name, sheet.rows)
    return records.content(package.title())


def _write(records: Records, name: str, rows: Mapping[int, Mapping[int, str]]) -> None:
    """A sheet; its first row names the columns if it can."""
    if not rows:
        return
    width = max(max(row) for row in rows.values()) + 1
    numbers = sorted(rows)
    records.gap()
    records.under((name,))
    first = [[rows[number].get(n, "") for n in range(width)] for number in numbers[:2]]
    header = header_of(first)
    for number in numbers:
        records.at(number, name)
        if header is not None and number == numbers[0]:
            records.add(["Columns: " + ", ".join(each for each in header if each)])
        elif header is not None:
            cells = sorted(rows[number].items())
            records.add([f"{header[n]}: {cell}" if n < len(header) and header[n] else cell for n, cell in cells])
        else:
            records.add(named(None, [cell for _, cell in sorted(rows[number].items())]))


def _sheets(package: Package, main: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sheet":
            found.append((attributes.get("name", ""), attributes.get("id", "")))

    package.parse(main, start)
    return found


def _date_styles(package: Package, name: str) -> frozenset[int]:
    """The styles of cells whose numbers are dates."""
    formats: set[str] = {str(number) for number in _DATE_FORMATS}
    styles: list[str] = []
    in_cells = False

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal in_cells
        if tag == "numFmt":
            code = attributes.get("formatCode", "").split(";")[0].replace("General", "").lower()
            bare = "".join(part for n, part in enumerate(code.split('"')) if n % 2 == 0)
            if not _WORDS_OF_DATES.isdisjoint(bare) and not {"0", "#"} & {*bare}:
                formats.add(attributes.get("numFmtId", ""))
        elif tag == "cellXfs":
            in_cells = True
        elif tag == "xf" and in_cells:
            styles.append(attributes.get("numFmtId", ""))

    def end(tag: str) -> None:
        nonlocal in_cells
        in_cells = in_cells and tag != "cellXfs"

    package.parse(name, start, end)
    return frozenset(n for n, style in enumerate(styles) if style in formats)


class _Strings:
    """The texts that cells refer to by number."""

    def __init__(self, package: Package, name: str) -> None:
        self.found: list[str] = []
        self._words: list[str] = []
        self._in_text = self._in_reading = False
        package.parse(name, self._start, self._end, self._text)

    def _start(self, tag: str, _: Mapping[str, str]) -> None:
        if tag == "si":
            self._words = []
        elif tag == "rPh":  # how a Japanese word is read
            self._in_reading = True
        elif tag == "t":
            self._in_text = not self._in_reading

    def _end(self, tag: str) -> None:
        if tag == "si":
            self.found.append(plain_cell("".join(self._words)))
        elif tag == "rPh":
            self._in_reading = False
        elif tag == "t":
            self._in_text = False

    def _text(self, data: str) -> None:
        if self._in_text:
            self._words.append(data)


class _Cells:
    """The rows of a sheet by number, each cell by its column, both as the file counts them; columns from 0."""

    def __init__(self, package: Package, name: str, shared: list[str], dates: frozenset[int], most: int) -> None:
        self.rows: dict[int, dict[int, str]] = {}
        self.count = 0
        self._shared = shared
        self._dates = dates
        self._most = most
        self._number = 0
        self._column = -1
        self._type = self._style = ""
        self._words: list[str] = []
        self._in_value = False
        package.parse(name, self._start, self._end, self._text)

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "row":
            said = attributes.get("r", "")
            self._number = int(said[:9]) if said.isdecimal() else self._number + 1
            self._column = -1
        elif tag == "c":
            self.count += 1
            if self.count > self._most:
                raise Unreadable(f"{_WHAT} of more than {MOST_CELLS // 1_000_000} million cells")
            self._column = _column(attributes.get("r", ""), self._column + 1)
            self._type, self._style = attributes.get("t", ""), attributes.get("s", "")
            self._words = []
        elif tag in ("v", "t"):
            self._in_value = True

    def _end(self, tag: str) -> None:
        if tag in ("v", "t"):
            self._in_value = False
        elif tag == "c" and (value := self._value("".join(self._words))):
            self.rows.setdefault(self._number, {})[self._column] = value

    def _text(self, data: str) -> None:
        if self._in_value:
            self._words.append(data)

    def _value(self, raw: str) -> str:
        if self._type == "s":
            return self._shared[int(raw)] if raw.isdecimal() and int(raw[:9]) < len(self._shared) else ""
        if self._type == "b":
            return {"0": "FALSE", "1": "TRUE"}.get(raw, raw)
        if not self._type and self._style.isdecimal() and int(self._style[:9]) in self._dates:
            return _date(raw)
        return plain_cell(raw)


def _column(reference: str, otherwise: int) -> int:
    """The column of a cell like `AB12`, counted from 0."""
    number = 0
    for letter in reference[:4]:
        if "A" <= letter <= "Z":
            number = number * 26 + ord(letter) - ord("A") + 1
    return min(number - 1 if number else otherwise, _MOST_COLUMNS)


def _date(raw: str) -> str:
    """A number of days as a date, with the time if there is one; a part of a day as a time."""
    try:
        days = float(raw)
    except ValueError:
        return raw
    if not 0 <= days < _LAST_DAY:
        return raw
    moment = _EPOCH + timedelta(seconds=round(days * 86_400))
    if days < 1:
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d") if days == int(days) else moment.strftime("%Y-%m-%d %H:%M:%S")
