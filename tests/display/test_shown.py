"""Everything that the toolkit gives back, found by the type hints of its methods, made by hand and looked at."""

import copy
import inspect
import pickle
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

import toolkit.search.evaluation.running as evaluation
from toolkit import Toolkit
from toolkit.display import Comparison, Listing, Shown
from toolkit.errors import ToolkitError
from toolkit.health import Health
from toolkit.search.documents import Hit, Hits
from toolkit.usage.cards import UsageRows
from toolkit.usage.records import UsageRow

HOSTILE = '<script>alert("1")</script>\n<img src=x onerror=alert(2)> $\\href{javascript:alert(3)}{x}$ '
ID = "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000"
SOME_TIME = datetime(1987, 6, 5, 4, 3, 2, tzinfo=UTC)
MILLISECONDS = 98765.4321
SECRET = "sk-abcdefgh12345678"
BETWEEN_ROOMS = {"Admission", "CacheKey", "Collection", "Embedder", "Flight", "Known", "Outlook", "Statement"}
"""What one room of the toolkit gives another, and no person asks for."""

AS_THEY_MUST_BE: dict[str, dict[str, Any]] = {
    **{kind: {"id": HOSTILE} for kind in ("Prompt", "PromptVersion", "Validation", "Job")},  # a name that somebody gave
    "Generation": {"kind": "generation"},
    "Report": {"configurations": (HOSTILE,), "measures": (HOSTILE,)},
    "Figure": dict.fromkeys(("collection", "configuration", "measure"), HOSTILE),
    "UsageReport": {"by": "model"},
}


def given_back() -> dict[str, Any]:
    """What each public method of the toolkit and its rooms gives, by the method's name."""
    tk = Toolkit.open("sqlite://")
    told: dict[str, Any] = {"evaluate": get_type_hints(evaluation.evaluate)["return"]}
    rooms = {name: room for name, room in vars(tk).items() if type(room).__module__.startswith("toolkit.")}
    for name, room in {"tk": tk, **rooms}.items():
        if name.startswith("_") or is_dataclass(room):
            continue
        for method, function in inspect.getmembers(type(room), inspect.isfunction):
            if not method.startswith("_"):
                told[f"{name}.{method}"] = _hint(function)
    return told


def _hint(function: Any) -> Any:
    # A driver that is named in a signature need not be there.
    known = dict.fromkeys(("asyncpg", "Function", "np", "npt"), types.SimpleNamespace(Pool=list, NDArray=list))
    return get_type_hints(function, localns={**known, "Function": Any}).get("return")


def _class(hint: Any) -> type:
    kind = get_origin(hint) or hint
    return kind if isinstance(kind, type) else object


def classes(hint: Any) -> Iterator[type]:
    """The toolkit's own classes in a hint, and those of their fields."""
    for inner in get_args(hint) if get_origin(hint) is not Literal else ():
        yield from classes(inner)
    kind = get_origin(hint) or hint
    if kind in (Hits, UsageRows):
        yield from classes(_element(kind))
    if isinstance(kind, type) and kind.__module__.startswith("toolkit."):
        yield kind
        if is_dataclass(kind):
            for name, inner in get_type_hints(kind).items():
                if name in {each.name for each in fields(kind)} and kind.__name__ not in BETWEEN_ROOMS:
                    yield from classes(inner)


def _element(kind: type) -> type:
    return Hit if kind is Hits else UsageRow


def made(hint: Any, name: str = "") -> Any:  # noqa: C901, PLR0912 - a branch for each kind of type
    """A value of that type, as hostile as it can be; an id, a time and a duration are known by their values."""
    if hint is Any or hint is object:
        return HOSTILE
    if hint is type(None):
        return None
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin is Literal:
        return args[0]
    if origin in (typing.Union, types.UnionType):
        return made(args[0], name)
    if not isinstance(origin, type):
        return None
    if name in ("rate", "hit_rate", "score", "overlap", "cosine", "mean", "low", "high"):
        return 0.5
    if issubclass(origin, bool):
        return True
    if issubclass(origin, int | float):
        return MILLISECONDS if "milliseconds" in name or name.endswith("_ms") else origin(3)
    if issubclass(origin, str):
        return ID if name == "id" or name.endswith("_id") else f"{HOSTILE}{name}"
    if issubclass(origin, datetime):
        return SOME_TIME
    if issubclass(origin, Exception):
        return ToolkitError(HOSTILE)
    if name == "highlights":
        return ((2, 5), (9, 12))
    if name in ("lines", "weights"):
        return (3, 4)
    if issubclass(origin, Comparison):
        return origin({HOSTILE: made(args[0])})
    if issubclass(origin, Mapping):
        kept = {"secret": SECRET} if not args or args[1] in (str, Any) else {}
        return {HOSTILE: made(args[1]) if args else HOSTILE, **kept}
    if issubclass(origin, list | tuple | set | frozenset | typing.Sequence):
        if hasattr(origin, "_fields"):
            return origin(**{each: made(inner, each) for each, inner in get_type_hints(origin).items()})
        if origin in (Hits, UsageRows):
            return origin([made(_element(origin))] * 2)
        inner = [each for each in args if each is not Ellipsis] or [str]
        kind = origin if issubclass(origin, list | set | frozenset) else tuple
        return kind(made(each, name) for each in inner) if len(inner) > 1 else kind([made(inner[0], name)])
    if is_dataclass(origin):
        hints, given = get_type_hints(origin), AS_THEY_MUST_BE.get(origin.__name__, {})
        values = {each.name: given.get(each.name) or made(hints[each.name], each.name) for each in fields(origin)}
        return origin(**values)
    return None


GIVEN = given_back()
KINDS = sorted(
    {kind for hint in GIVEN.values() for kind in classes(hint) if kind.__name__ not in BETWEEN_ROOMS},
    key=lambda kind: f"{kind.__module__}.{kind.__qualname__}",
)
LISTS = {name: hint for name, hint in GIVEN.items() if issubclass(_class(hint), Listing)}
MADE: dict[str, Any] = {
    **{kind.__name__: made(kind) for kind in KINDS if is_dataclass(kind)},
    **{name: made(hint) for name, hint in LISTS.items()},
    "compare": made(GIVEN["tk.compare"]),
    "Health": Health(status="ready", checks={HOSTILE: {"ok": False, "message": HOSTILE, "milliseconds": MILLISECONDS}}),
}


def test_the_walk_finds_what_people_ask_for() -> None:
    names = {kind.__name__ for kind in KINDS}
    assert names >= {"Reply", "Message", "Usage", "Attempt", "Hits", "Hit", "Answer", "Citation", "Session", "Model"}
    assert names >= {"Change", "Tool", "ToolResult", "UsageStats", "Call", "Job", "Generation", "ApiKey", "Prompt"}
    assert names >= {"Limit", "CacheStats", "Hint", "Report", "Event", "KeyHealth", "HookState", "IngestReport"}
    assert len(LISTS) > 25


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_whatever_the_toolkit_gives_back_shows_itself(kind: type) -> None:
    named_tuple = issubclass(kind, tuple)  # it cannot inherit; the list around it shows it
    assert issubclass(kind, Shown | Exception) or named_tuple, f"{kind} should inherit toolkit.display.Shown"


@pytest.mark.parametrize("name", [name for name, hint in GIVEN.items() if get_origin(hint) is list])
def test_a_list_of_objects_is_a_listing(name: str) -> None:
    within = [kind for inner in get_args(GIVEN[name]) for kind in classes(inner)]
    assert {kind.__name__ for kind in within} <= BETWEEN_ROOMS, f"{name} should give a Listing"


@pytest.mark.parametrize("name", MADE)
def test_it_shows_a_page_that_parses_and_is_the_same_at_every_run(name: str) -> None:
    html = MADE[name]._repr_html_()
    page = Page(html)
    assert page.open == []
    assert html == copy.deepcopy(MADE[name])._repr_html_()
    assert not page.attributes & {"id", "onclick", "onerror"}
    for changing in (ID, "1987", "98765", "98\u202f765", " at 0x"):
        assert changing not in html


@pytest.mark.parametrize("name", MADE)
def test_nothing_in_it_can_run_or_fetch_anything(name: str) -> None:
    page = Page(MADE[name]._repr_html_())
    assert not page.tags & {"script", "img", "iframe", "svg", "object", "embed", "form", "input", "link", "meta"}
    assert not page.attributes & {"src", "href", "onerror", "onload"}
    assert SECRET not in page.text
    assert "tex2jax_ignore" in page.classes[0]  # JupyterLab would typeset what stands between dollars


@pytest.mark.parametrize("name", MADE)
def test_its_line_is_short_and_the_same_at_every_run(name: str) -> None:
    told = repr(MADE[name])
    assert len(told) <= 200
    assert told.isprintable()
    assert told == repr(copy.deepcopy(MADE[name]))
    for changing in (ID, "1987", "98765", " at 0x", SECRET):
        assert changing not in told


@pytest.mark.parametrize("name", [name for name in MADE if isinstance(MADE[name], Listing)])
def test_a_list_is_a_frame_with_everything_in_it(name: str) -> None:
    frame = MADE[name].to_frame()
    assert len(frame) == len(MADE[name])
    assert len(frame.columns) > 1


@pytest.mark.parametrize("name", [name for name in MADE if not name.startswith(("tools", "Tool", "prompts.as_tool"))])
def test_it_can_be_copied_and_pickled(name: str) -> None:
    if isinstance(MADE[name], ToolkitError):
        return
    again = pickle.loads(pickle.dumps(MADE[name]))
    assert type(again) is type(MADE[name])
    assert repr(again) == repr(MADE[name])
    if is_dataclass(again) and not isinstance(again, type):
        assert replace(again) == again


def test_no_object_has_room_for_more_than_its_fields() -> None:
    slotted = [kind for kind in KINDS if is_dataclass(kind)]
    assert [kind.__name__ for kind in slotted if hasattr(kind, "__dict__") and "__dict__" in dir(kind)] == []


@dataclass(frozen=True, slots=True, repr=False)
class _Plain(Shown):
    name: str
    number: int
    when: datetime
    own_id: str


def test_what_says_nothing_of_itself_is_told_by_its_fields() -> None:
    plain = _Plain("Ada", 1234, SOME_TIME, ID)
    assert repr(plain) == "_Plain(Ada, number 1234)"
    assert "<dt>number</dt><dd>1\u202f234</dd>" in plain._repr_html_()


class Page(HTMLParser):
    """The tags of a page, which must be closed in their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.classes: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.classes += [value or "" for name, value in attrs if name == "class"]
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_is_shown_as_it_is() -> None:
    html = MADE["UsageRow"]._repr_html_()
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in html
    assert not re.search(r"<script", html)
