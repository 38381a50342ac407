"""What `toolkit doctor` finds beside database and models: whatever somebody has configured, in plain words."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from toolkit.cli import terminal
from toolkit.cli.limits import allowed, whose
from toolkit.errors import ToolkitError
from toolkit.stamps import now

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit
    from toolkit.webhooks.hook import HookState

State: TypeAlias = Literal["ok", "note", "broken"]

_YES = {"1", "true", "yes"}
_NO = {"", "0", "false", "no"}
_BYTES = 500  # of a passage with a vector of 384 dimensions: see `Index`
_STRONG = 32  # bytes of a secret
MANY = 4_000_000  # passages of which a query takes about as long as people wait without noticing


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: `note` is worth knowing; `broken` keeps the toolkit from working.
        about: what was looked at.
        text: what was found, and what to do about it.
    """

    state: State
    about: str
    text: str


async def configured(tk: "Toolkit") -> AsyncIterator[Finding]:
    """What is configured of `tk`, which is started; nothing is said of what nobody has asked for."""
    for finding in _cassette(tk):
        yield finding
    if tk.redis:
        yield await _redis(tk)
    for limit in await tk.limits.list():
        yield Finding("ok", "limits", f"{whose(limit)} may use {allowed(limit)}")
    for finding in await _keys(tk):
        yield finding
    for finding in _cache(tk):
        yield finding
    if named := await model(tk, "TOOLKIT_SUMMARY_MODEL", tk.settings.summary_model):
        yield named
    yield await _embedder(tk)
    if passages := await _passages(tk):
        yield passages
    for finding in (*_tools(tk), *_folders(tk)):
        yield finding
    for state in await tk.webhooks.states():
        yield _webhook(state)


async def model(tk: "Toolkit", variable: str, name: str | None) -> Finding | None:
    """Whether the model that a variable names can be asked; None where it names none."""
    if not name:
        return None
    try:
        await tk.models.resolve(name)
    except ToolkitError as error:
        return Finding("broken", "models", f"{variable} cannot be used: {error}")
    return Finding("ok", "models", f"{variable} is {name!r}")


async def _embedder(tk: "Toolkit") -> Finding:
    """Whether meanings can be compared: the embedder has been asked for a vector."""
    name = tk.embedders.default
    try:
        [vector] = await tk.embedders.get().embed(["?"], query=True)
    except ToolkitError as error:
        return Finding("broken", "search", f"{name} makes no vectors, so only words are compared: {error}")
    return Finding("ok", "search", f"meanings are compared by {name}, {len(vector)} dimensions")


async def _passages(tk: "Toolkit") -> Finding | None:
    """How much is searched, and what that takes; None where nothing was ingested."""
    count = sum(each.chunks for each in await tk.documents.collections())
    if not count:
        return None
    megabytes = max(1, count * _BYTES // 1_000_000)
    text = (
        f"{terminal.count(count, 'passage')}, compared exactly, in {megabytes:,} MB of memory of whoever searches all"
    )
    if count > MANY:
        return Finding("note", "search", f"{text}; that takes {count // 50_000} ms a query: see docs/scale.md")
    return Finding("ok", "search", text)


def _cassette(tk: "Toolkit") -> Iterator[Finding]:
    if tk.cassette and tk.cassette.replays:
        yield Finding("note", "cassette", f"answers come from {tk.cassette.path}; no vendor is asked, no webhook told")
    elif tk.cassette:
        yield Finding("note", "cassette", f"what vendors answer is recorded to {tk.cassette.path}")


async def _redis(tk: "Toolkit") -> Finding:
    assert tk.redis  # noqa: S101 - the caller has looked
    try:
        await tk.redis.command("PING")
    except ToolkitError as error:
        return Finding("broken", "redis", str(error))
    return Finding("ok", "redis", f"{tk.redis.url} answers; it keeps limits and cached answers")


async def _keys(tk: "Toolkit") -> list[Finding]:
    """Who may call over HTTP; how many keys there are, and never one of them."""
    at, http = now(), tk.settings.http
    found = [key.counts(at) for key in await tk.keys.list()]
    findings = []
    if found:
        useless = f", {found.count(False)} revoked or expired" if False in found else ""
        findings.append(Finding("ok", "http", f"{terminal.count(found.count(True), 'key')} in the database{useless}"))
    if http.api_keys:
        text = f"{terminal.count(len(http.api_keys), 'key')} in TOOLKIT_API_KEYS, for everything"
        if short := any(len(key) < _STRONG for key in http.api_keys):
            text += f"; one is shorter than {_STRONG} characters and can be guessed, `toolkit keys create` makes better"
        findings.append(Finding("note" if short else "ok", "http", text))
    if http.secret_key and len(http.secret_key.encode()) < _STRONG:
        text = (
            f"TOOLKIT_SECRET_KEY has fewer than {_STRONG} bytes and can be guessed from one token; choose a longer one"
        )
        findings.append(Finding("note", "http", text))
    if http.jwks_url and not (http.jwt_audience and http.jwt_issuer):
        text = "tokens are taken by TOOLKIT_JWKS_URL; set TOOLKIT_JWT_AUDIENCE and TOOLKIT_JWT_ISSUER, too"
        findings.append(Finding("note", "http", text))
    return findings


def _cache(tk: "Toolkit") -> Iterator[Finding]:
    settings = tk.settings
    if settings.cache_ttl:
        yield Finding("ok", "cache", f"every answer may be given again for {settings.cache_ttl:,} s")
    if settings.cache_similarity:
        text = f"an answer may be given to a question that is {settings.cache_similarity:g} alike"
        yield Finding("ok", "cache", f"{text}, by {tk.embedders.default}")


def _tools(tk: "Toolkit") -> Iterator[Finding]:
    if tk.settings.tools_file:
        theirs = [tool for tool in tk.tools.list() if tool.source == "tools.json" or tool.source.startswith("mcp:")]
        yield Finding("ok", "tools", f"{tk.settings.tools_file} brings {terminal.count(len(theirs), 'tool')}")
    for problem in tk.tools.problems:
        yield Finding("note", "tools", problem)
    private = tk.settings.environ.get("TOOLKIT_TOOLS_ALLOW_PRIVATE", "").lower()
    if private in _YES:
        yield Finding("note", "tools", "HTTP tools may reach this machine and private networks")
    elif private not in _NO:
        yield Finding("note", "tools", "TOOLKIT_TOOLS_ALLOW_PRIVATE is neither 1 nor 0, and counts as 0")


def _folders(tk: "Toolkit") -> Iterator[Finding]:
    for root in tk.settings.code_roots:
        if root.is_dir():
            yield Finding("ok", "code", f"the code tools may read {root.resolve()}")
        else:
            yield Finding("note", "code", f"TOOLKIT_CODE_ROOTS names {root}, which is no folder; make or rename it")


def _webhook(state: "HookState") -> Finding:
    given_up = f", {terminal.count(state.dropped, 'event')} given up" if state.dropped else ""
    if state.last_error:
        return Finding("note", "webhooks", f"{state.address} did not take the last event{given_up}: {state.last_error}")
    return Finding("note" if state.dropped else "ok", "webhooks", f"{state.address} is told of events{given_up}")
