"""What a model is told of a variable: its shape and a little of what is in it, never the whole."""

import reprlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

MOST_CHARACTERS: Final = 1_500
"""How long a description may be, whatever is described."""

SAMPLE: Final = 100_000
"""Of more rows than this, so many are looked at, evenly spread; the description says so."""

_FOR_COLUMNS = 1_050
_FOR_NAMES = 1_150
_ROWS = 3
_FREQUENT = 3
_WIDEST = 36
_LISTED = 20
_LOOKED_AT = 100

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = _brief.maxlong = _WIDEST
_brief.maxlevel = 2
_brief.maxlist = _brief.maxtuple = _brief.maxdict = _brief.maxset = _brief.maxfrozenset = 3


def described(name: str, value: Any) -> str:
    """`value` in at most `MOST_CHARACTERS`: shape, columns, ranges or most frequent values, and a few rows.

    The same value is always described in the same words. What cannot be looked into is named with its type.

    Args:
        name: of the variable.
        value: a DataFrame, Series or array, a mapping, a sequence, a text, or anything else.
    """
    try:
        text = _describe(value)(name, value)
    except Exception as error:  # noqa: BLE001 - a value's own methods may raise whatever they like
        text = f"`{name}`: a {type(value).__name__} that cannot be described ({type(error).__name__})"
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _describe(value: Any) -> Callable[[str, Any], str]:
    # Only what was imported already can have made the value: pandas alone takes a second.
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas and isinstance(value, pandas.DataFrame):
        return _frame
    if pandas and isinstance(value, pandas.Series | pandas.Index):
        return _series
    if numpy and isinstance(value, numpy.ndarray):
        return _array
    if isinstance(value, str):
        return _text
    if isinstance(value, Mapping):
        return _mapping
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | range):
        return _sequence
    return lambda name, given: f"`{name}`: {type(given).__name__}, {short(given)}"


def short(value: Any) -> str:
    """A value in a few characters, on one line."""
    if type(value).__module__ == "numpy" and hasattr(value, "item") and value.dtype.kind not in "mM":
        value = value.item()
    if isinstance(value, tuple):
        text = f"({', '.join(map(short, value[:_FREQUENT]))}{', …' if len(value) > _FREQUENT else ''})"
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = _repr(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _repr(value: Any) -> str:
    try:
        text = value.isoformat(sep=" ") if hasattr(value, "hour") else _brief.repr(value)
    except Exception:  # noqa: BLE001 - somebody else's `__repr__`
        text = f"<{type(value).__name__}>"
    return " ".join(text.split())


def _frame(name: str, frame: Any) -> str:
    rows, columns = frame.shape
    sample = _sample(frame.iloc, rows)
    lines = [f"`{name}`: DataFrame, {_count(rows, 'row')} × {_count(columns, 'column')}{_sampled(rows)}"]
    lines += _index(frame.index)
    place = 0
    while place < columns and len("\n".join(lines)) < _FOR_COLUMNS:
        lines.append(f"- {short(frame.columns[place])}: {_column(sample.iloc[:, place])}")
        place += 1
    if place < columns:
        lines.append(f"… and {_count(columns - place, 'column')} more: ")
        for label in frame.columns[place : place + _WIDEST]:
            if len("\n".join(lines)) < _FOR_NAMES:
                lines[-1] += f"{short(label)}, "
        lines[-1] = lines[-1].rstrip(", ") + ("…" if place + _WIDEST < columns else "")
    head = frame.iloc[:_ROWS, : min(place, columns)]
    if rows and columns:
        lines.append(f"first {_count(len(head), 'row')}:")
        lines += [" | ".join(map(short, cells)) for cells in zip(*_cells(head), strict=True)]
    return "\n".join(lines)


def _cells(head: Any) -> list[list[Any]]:
    # By place: `itertuples` and `loc` stumble over columns that share a name.
    return [list(head.iloc[:, place]) for place in range(head.shape[1])]


def _series(name: str, series: Any) -> str:
    values = series.to_series() if hasattr(series, "to_series") else series
    kind, rows = type(series).__name__, len(values)
    label = "" if series.name is None else f" {short(series.name)}"
    lines = [f"`{name}`: {kind}{label}, {_count(rows, 'value')}{_sampled(rows)}"]
    if values is series:
        lines += _index(series.index)
    lines.append(f"- {_column(_sample(values.iloc, rows))}")
    if rows:
        lines.append(f"first values: {', '.join(map(short, values.iloc[:5]))}")
    return "\n".join(lines)


def _index(index: Any) -> list[str]:
    if type(index).__name__ == "RangeIndex" or not len(index):
        return []
    names = ", ".join(short(name) for name in index.names if name is not None)
    return [f"index{f' {names}' if names else ''}: {type(index).__name__}, {short(index[0])} to {short(index[-1])}"]


def _column(values: Any) -> str:
    """What is in one column of a frame: its dtype, what is missing, and its range or most frequent values."""
    try:
        missing = int(values.isna().sum())
        parts = [str(values.dtype)]
        if len(values) and missing == len(values):
            return f"{parts[0]}, all missing"
        if missing:
            parts.append(f"{missing / len(values):.2%} missing")
        return ", ".join([*parts, *_content(values.dropna())])
    except Exception as error:  # noqa: BLE001 - columns may hold whatever their makers like
        return f"{values.dtype}, cannot be described ({type(error).__name__})"


def _content(values: Any) -> list[str]:
    if not len(values):
        return []
    if values.dtype.kind in "iufmM" or "datetime" in str(values.dtype):
        mean = f", mean {short(float(values.mean()))}" if values.dtype.kind in "iuf" else ""
        return [f"{short(values.min())} to {short(values.max())}{mean}"]
    try:
        counts = values.value_counts()
    except TypeError:  # lists and dicts cannot be counted
        return [f"such as {short(values.iloc[0])}"]
    if counts.iloc[0] == 1 and len(counts) > _FREQUENT:
        return ["all different", f"such as {', '.join(map(short, values.iloc[:2]))}"]
    if len(counts) == 1:
        return [f"always {short(counts.index[0])}"]
    most = [f"{short(value)} {count / len(values):.0%}" for value, count in counts.iloc[:_FREQUENT].items()]
    return [f"{len(counts):,} different: {', '.join(most)}{', …' if len(counts) > _FREQUENT else ''}"]


def _array(name: str, array: Any) -> str:
    flat = array.flat[:: _step(array.size)] if array.size > SAMPLE else array.ravel()
    shape = " × ".join(f"{length:,}" for length in array.shape) or "a single value"
    lines = [f"`{name}`: array of {array.dtype}, {shape}{_sampled(array.size)}"]
    if array.size and array.dtype.kind in "iuf":
        numpy = sys.modules["numpy"]
        known = flat[~numpy.isnan(flat)] if array.dtype.kind == "f" else flat
        if missing := len(flat) - len(known):
            lines.append(f"- NaN: {missing / len(flat):.2%}")
        if len(known):
            middle = short(float(known.mean(dtype="float64")))
            lines.append(f"- {short(known.min())} to {short(known.max())}, mean {middle}")
    if array.size:
        lines.append(f"first values: {', '.join(map(short, array.flat[:8]))}")
    return "\n".join(lines)


def _text(name: str, text: str) -> str:
    lines = text.count("\n") + 1
    head = f"`{name}`: text, {_count(len(text), 'character')}, {_count(lines, 'line')}"
    room = MOST_CHARACTERS - len(head) - 40
    if len(text) <= room:
        return f"{head}:\n{text}"
    return f"{head}; it begins:\n{text[: room * 2 // 3]}\n… and ends:\n{text[-(room // 4) :]}"


def _mapping(name: str, mapping: Mapping[Any, Any]) -> str:
    head = f"`{name}`: {type(mapping).__name__}, {_count(len(mapping), 'key')}"
    return _listed(head, (f"- {short(key)}: {short(value)}" for key, value in mapping.items()), len(mapping))


def _sequence(name: str, items: Sequence[Any]) -> str:
    kinds = sorted({type(item).__name__ for item in items[:_LOOKED_AT]})[:_FREQUENT]
    head = f"`{name}`: {type(items).__name__}, {_count(len(items), 'item')}{' of ' * bool(kinds)}{', '.join(kinds)}"
    if items and all(isinstance(item, Mapping) for item in items[:_LOOKED_AT]):
        keys = list(dict.fromkeys(key for item in items[:_LOOKED_AT] for key in item))
        head += f"\nkeys: {', '.join(map(short, keys[:_LISTED]))}{', …' if len(keys) > _LISTED else ''}"
    return _listed(head, (f"- {_item(item)}" for item in items), len(items))


def _item(item: Any) -> str:
    if isinstance(item, Mapping):
        return ", ".join(f"{short(key)}: {short(value)}" for key, value in list(item.items())[:6])
    return short(item)


def _listed(head: str, lines: Iterable[str], count: int) -> str:
    told, shown = head, 0
    for line in lines:
        if len(told) + len(line) > MOST_CHARACTERS - 40 or shown == _LISTED:
            break
        told, shown = f"{told}\n{line}", shown + 1
    return told + (f"\n… and {count - shown:,} more" if shown < count else "")


def _sample(rows: Any, count: int) -> Any:
    """Every so many-th row, by the `iloc` of a frame or series."""
    return rows[:: _step(count)]


def _step(count: int) -> int:
    return -(-count // SAMPLE) or 1


def _sampled(count: int) -> str:
    return f" (figures from every {_step(count):,}th)" if count > SAMPLE else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
