"""Outputs of a cell: what of them is compared, and what of them is kept in a file."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

WIDGET: Final = "application/vnd.jupyter.widget-view+json"

MARK: Final = "\x1ecell "
"""What stands before the line in which nbval's plugin tells of a cell."""

_NOT_COMPARED: Final = {"metadata", "traceback", "output_type", "name", "execution_count", "transient", WIDGET}
PICTURES: Final = ("image/png", "image/jpeg")


def comparable(
    outputs: Sequence[Mapping[str, Any]], sanitize: Callable[[str], str], *, pictures: bool = False
) -> dict[str, list[str]]:
    """What nbval compares, by kind: a stream's name, a MIME type, or `ename` and `evalue` of an error.

    Args:
        outputs: of one cell, in order.
        sanitize: takes out what may differ.
        pictures: also those that nbval passes over.
    """
    found: dict[str, list[str]] = {}
    for output in joined(outputs):
        parts = dict(output.get("data", {})) or {
            (output["name"] if name == "text" else name): value for name, value in output.items()
        }
        for kind, value in parts.items():
            if kind in _NOT_COMPARED or (kind in PICTURES and not pictures) or kind == "data":
                continue
            text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, indent=1)
            found.setdefault(kind, []).append(sanitize(text))
    return found


def joined(outputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """`outputs` with each stream in one piece: how it is cut depends on the kernel's timing."""
    whole: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output["output_type"] != "stream":
            whole.append(output)
        elif (stream := streams.get(output["name"])) is None:
            streams[output["name"]] = type(output)(output)  # type: ignore[call-arg]
            whole.append(streams[output["name"]])
        else:
            stream["text"] += output["text"]
    return whole


def lasting(outputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What of `outputs` is kept in a file: no state of widgets, and of an error what it says."""
    kept = []
    for output in joined(outputs):
        if "data" in output:
            output["data"].pop(WIDGET, None)
            if not output["data"]:
                continue
        if "traceback" in output:
            output = type(output)(output, traceback=[f"{output['ename']}: {output['evalue']}"])  # type: ignore[call-arg] # noqa: PLW2901
        kept.append(output)
    return kept
