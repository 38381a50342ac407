"""From values to HTML: the templates, the words for figures and moments, and the headers of every page."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from toolkit.stamps import now

_TYPES: Final = {"admin.css": "text/css", "admin.js": "text/javascript", "icon.svg": "image/svg+xml"}
_STEPS: Final = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (14 * 86_400, 86_400, "days"))

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def draw(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page made of a template; every text in it is escaped."""
    return HTMLResponse(_templates().get_template(template).render(values), status)


def static(name: str, version: str) -> Response | None:
    """A file of `static/`, which a browser may keep for good where it asks by version; None where there is none."""
    if name not in _TYPES:
        return None
    kept = "public, max-age=31536000, immutable" if version == _version(name) else "no-cache"
    return Response(_read(name), media_type=_TYPES[name], headers={"Cache-Control": kept})


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("mcp_server.admin"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"money": money, "count": count, "short": short, "taken": taken, "ago": ago, "moment": moment}
    made.globals["asset"] = lambda name: f"/admin/static/{name}?v={_version(name)}"
    return made


@cache
def _read(name: str) -> bytes:
    return (files(__package__) / "static" / name).read_bytes()


@cache
def _version(name: str) -> str:
    return hashlib.sha256(_read(name)).hexdigest()[:12]


def money(usd: float | None) -> str:
    """An amount: two digits after the point from a cent on, two that count below; a dash where it is unknown."""
    if usd is None:
        return "—"
    if not usd:
        return "$0"
    return f"${usd:,.2f}" if usd >= 0.01 else f"${float(f'{usd:.2g}'):.10f}".rstrip("0")  # noqa: PLR2004 - a cent


def count(number: int | None) -> str:
    """A whole number with commas."""
    return "—" if number is None else f"{number:,}"


def short(number: float) -> str:
    """A number in a few letters: 12.3K, 4M."""
    for least, letter in ((1e9, "B"), (1e6, "M"), (1e4, "K")):
        if number >= least:
            unit = 1e3 if letter == "K" else least
            return f"{number / unit:,.1f}".removesuffix(".0") + letter
    return f"{number:,.0f}"


def taken(milliseconds: float | None) -> str:
    """A duration."""
    if milliseconds is None:
        return "—"
    return f"{milliseconds:,.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"  # noqa: PLR2004


def moment(at: datetime) -> str:
    """A moment to the minute, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def ago(at: datetime) -> str:
    """How long since, or until, `at`; a date where it is long."""
    seconds = (now() - at).total_seconds()
    for most, unit, word in _STEPS:
        if abs(seconds) < most:
            number = int(abs(seconds) // unit)
            told = f"{number} {'day' if (word, number) == ('days', 1) else word}"
            return f"in {told}" if seconds < 0 else f"{told} ago" if seconds >= 1 else "just now"
    return f"{at:%Y-%m-%d}"
