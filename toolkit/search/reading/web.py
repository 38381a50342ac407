"""Pages of the web, fetched from where they may be fetched from."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Self

from toolkit.errors import IngestError, ToolError
from toolkit.search.reading.languages import kind_of

if TYPE_CHECKING:
    import httpx2

    from toolkit.tools.remote.addresses import CheckedTransport

MOST_BYTES = 20_000_000
"""20 MB of a page, a PDF or an Office file."""

MOST_HOPS = 5
"""Redirects that are followed; each is checked like the address itself."""

SECONDS = 60.0
"""How long a page may take to come."""

_CONNECT = 10.0
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/x-ipynb+json": ".ipynb",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/javascript": ".js",
    "text/javascript": ".js",
    "application/yaml": ".yaml",
    "application/toml": ".toml",
}
_BY_NAME = frozenset({"application/octet-stream", "binary/octet-stream"})
_ACCEPT = "text/html, text/markdown, text/plain, application/pdf, application/json;q=0.9, text/*;q=0.9, */*;q=0.1"
_REFUSAL = "from which pages are not fetched; whoever runs this may allow it with TOOLKIT_INGEST_ALLOW_PRIVATE=1"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave.

    Attributes:
        source: how it is called in a collection: the address without what stands after `#`.
        data: the bytes.
        path: a name whose end says how they are read.
        charset: what the server says that they are encoded in, None where it does not.
    """

    source: str
    data: bytes
    path: PurePosixPath
    charset: str | None


class Web:
    """Fetches pages; no cookies, no proxy, no address of a private network unless it is allowed.

    Args:
        hosts: who may be asked: `docs.example.org`, `*.example.org`; none: everyone who has a public address.
        private: addresses of this machine and of private networks may be reached, too.
        most_bytes: of one page.
    """

    def __init__(self, hosts: Sequence[str] = (), *, private: bool = False, most_bytes: int = MOST_BYTES) -> None:
        self._hosts = tuple(host.strip().lower() for host in hosts if host.strip())
        self._private = private
        self._most = most_bytes

    @classmethod
    def configured(cls, environ: Mapping[str, str]) -> Self:
        """As the environment says: TOOLKIT_INGEST_HOSTS and TOOLKIT_INGEST_ALLOW_PRIVATE."""
        hosts = environ.get("TOOLKIT_INGEST_HOSTS", "").replace(",", " ").split()
        return cls(hosts, private=environ.get("TOOLKIT_INGEST_ALLOW_PRIVATE", "").lower() in {"1", "true", "yes"})

    async def fetch(self, address: str) -> Fetched:
        """What stands at an address, which begins with `http://` or `https://`.

        Raises:
            IngestError: it may not be fetched, did not come, or cannot be read; the message says why.
        """
        import httpx2  # noqa: PLC0415 - 60 ms that only who fetches pages should pay

        from toolkit.tools.remote.addresses import CheckedTransport  # noqa: PLC0415 - it imports httpx2

        transport = CheckedTransport(private=self._private, refusal=_REFUSAL)
        try:
            async with asyncio.timeout(SECONDS):
                return await self._follow(transport, address)
        except TimeoutError:
            raise IngestError(f"{_short(address)} did not come within {SECONDS:g} s; try again later.") from None
        except ToolError as error:
            raise IngestError(str(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise IngestError(f"{_short(address)} cannot be fetched ({_why(error)}); try again later.") from None
        finally:
            await transport.aclose()

    async def _follow(self, transport: "CheckedTransport", address: str) -> Fetched:
        import httpx2  # noqa: PLC0415 - as above

        url = httpx2.URL(address)
        for _ in range(MOST_HOPS + 1):
            self._check(url, address)
            request = httpx2.Request(
                "GET",
                url.copy_with(fragment=None),
                # What comes is counted as it comes; a compressed page could be a thousand times as long.
                headers={"accept": _ACCEPT, "accept-encoding": "identity", "user-agent": "toolkit-mcp"},
                extensions={"timeout": {"connect": _CONNECT, "read": SECONDS, "write": SECONDS, "pool": SECONDS}},
            )
            response = await transport.handle_async_request(request)
            try:
                if response.is_redirect:
                    to = url.join(response.headers.get("location", ""))
                    if url.scheme == "https" and to.scheme != "https":
                        raise IngestError(f"{_short(address)} leads to {_short(str(to))}, which is not encrypted.")
                    url = to
                    continue
                return await self._read(response, address, url)
            finally:
                await response.aclose()
        raise IngestError(f"{_short(address)} leads on and on; give the address at which it ends.")

    def _check(self, url: "httpx2.URL", address: str) -> None:
        if url.scheme not in ("http", "https") or not url.host:
            raise IngestError(f"{_short(str(url))} is no address of a page; it begins with http:// or https://.")
        if url.userinfo:
            raise IngestError("An address with a password in it is not fetched; download the page and give its path.")
        if self._hosts and not any(fnmatchcase(url.host.lower(), host) for host in self._hosts):
            raise IngestError(
                f"{_short(address)} is at {url.host}, which TOOLKIT_INGEST_HOSTS does not name; "
                "add it there, or download the page and give its path."
            )

    async def _read(self, response: "httpx2.Response", address: str, url: "httpx2.URL") -> Fetched:
        if not response.is_success:
            raise IngestError(f"{_short(address)} cannot be fetched: the server answered {response.status_code}.")
        said, _, rest = response.headers.get("content-type", "").partition(";")
        path = _named(said.strip().lower(), url)
        if path is None:
            raise IngestError(f"{_short(address)} is {said[:80]}, which cannot be read; give a page, a PDF or a text.")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise IngestError(f"{_short(address)} comes compressed, unasked; download it and give its path.")
        data = bytearray()
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > self._most:
                raise IngestError(f"{_short(address)} is larger than {self._most / 1_000_000:g} MB.")
        charset = rest.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
        return Fetched(address.partition("#")[0], bytes(data), path, charset or None)


def _named(content_type: str, url: "httpx2.URL") -> PurePosixPath | None:
    """A name for what came, by which it is read; None for what cannot be."""
    path = PurePosixPath(url.path or "/")
    name = path.name or url.host
    suffix = _SUFFIXES.get(content_type) or (".json" if content_type.endswith("+json") else "")
    if suffix:
        return PurePosixPath(name if name.endswith(suffix) else name + suffix)
    # What is called like nothing that is known is read as text, which such bytes must not be taken for.
    is_text = content_type.startswith("text/") or not content_type
    return PurePosixPath(name) if is_text or (content_type in _BY_NAME and kind_of(path) != "text") else None


def _why(error: Exception) -> str:
    words = str(error)[:100]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _short(address: str) -> str:
    return address if len(address) <= 200 else address[:200] + "…"  # noqa: PLR2004 - a line
