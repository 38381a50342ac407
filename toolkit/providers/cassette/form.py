"""The form of a cassette: YAML that reads well in a review, and in which every string survives exactly."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

FORMAT: Final = 1
"""The version of the format, the first line of a file."""

_WIDTH: Final = 100
_SHORT: Final = 80
"""Characters up to which a text without line breaks stands on the line of its name."""

# What every reader takes as it is: printable, no line breaks but \n.
_ODD = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_STRIPPED = re.compile(r"\s(?:\n|$)")  # by many an editor when it saves
_UNWRITABLE = re.compile("[\ud800-\udfff]")  # no YAML file can say half a character, not even escaped


class Flow(dict[str, Any]):
    """A mapping that is written on one line."""


class FlowList(list[Any]):
    """A list that is written on one line, or on as few as will do."""


def dump(value: Any) -> str:
    """`value`, plain data, as YAML; names keep their order."""
    import yaml  # noqa: PLC0415 - who replays nothing pays nothing

    text: str = yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def load(text: str) -> Any:
    """What `dump` wrote.

    Raises:
        ValueError: it is not YAML; the message says where.
    """
    import yaml  # noqa: PLC0415 - who replays nothing pays nothing

    try:
        return yaml.load(text, Loader=loader(fast=yaml.__with_libyaml__))  # noqa: S506 - a safe loader's child
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


@cache
def loader(*, fast: bool) -> Any:
    """A loader of plain data; the fast one is libyaml's, which is not there everywhere."""
    import yaml  # noqa: PLC0415 - who replays nothing pays nothing

    parent: Any = yaml.CSafeLoader if fast else yaml.SafeLoader

    class Loader(parent):  # type: ignore[misc]  # chosen at run time
        pass

    def escaped(loader: Any, node: Any) -> str:
        return str(loader.construct_scalar(node)).encode("ascii").decode("unicode_escape")

    Loader.add_constructor("!escaped", escaped)
    return Loader


@cache
def _dumper() -> Any:
    import yaml  # noqa: PLC0415 - who replays nothing pays nothing

    class Dumper(yaml.SafeDumper):  # the one in Python: what it writes does not depend on what is installed
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - equal parts are written out, as a reader wants
            return True

    def text(dumper: Any, value: str) -> Any:
        if _UNWRITABLE.search(value):
            return dumper.represent_scalar("!escaped", value.encode("unicode_escape").decode("ascii"), style='"')
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    def flowing(represent: str, tag: str) -> Callable[[Any, Any], Any]:
        return lambda dumper, value: getattr(dumper, represent)(f"tag:yaml.org,2002:{tag}", value, flow_style=True)

    Dumper.add_representer(str, text)
    Dumper.add_representer(Flow, flowing("represent_mapping", "map"))
    Dumper.add_representer(FlowList, flowing("represent_sequence", "seq"))
    return Dumper


def _style(text: str) -> str | None:
    """`|` for a text of several lines, or a long one; where a block would not keep it exactly, quotes."""
    if _ODD.search(text):
        return '"'
    if "\n" not in text and len(text) <= _SHORT:
        return None
    return '"' if text[0].isspace() or text.endswith("\n\n") or _STRIPPED.search(text.removesuffix("\n")) else "|"
