"""Pages are fetched from where they may be fetched from."""

import asyncio
import gzip
from pathlib import PurePosixPath

import pytest

from tests.tools.remote.web import Answer, Asked, response, web
from toolkit.errors import IngestError
from toolkit.search.reading.web import MOST_HOPS, Fetched, Web

HTML = "content-type: text/html; charset=ISO-8859-1"


async def test_a_page_comes_with_a_name_and_what_its_server_says_of_it() -> None:
    async with web(response("200 OK", "<p>Größe".encode("latin-1"), HTML)) as site:
        page = await Web(private=True).fetch(site.url("/docs/guide?x=1#part"))
    assert page == Fetched(
        site.url("/docs/guide?x=1"), "<p>Größe".encode("latin-1"), PurePosixPath("guide.html"), "iso-8859-1"
    )
    (asked,) = site.asked
    assert (asked.method, asked.target) == ("GET", "/docs/guide?x=1")
    assert "cookie" not in asked.headers


@pytest.mark.parametrize(
    ("path", "said", "name"),
    [
        ("/", "text/html", "127.0.0.1.html"),
        ("/a.html", "text/html", "a.html"),
        ("/a.md", "text/plain", "a.md"),
        ("/a", "text/plain", "a"),
        ("/a.py", "text/x-python", "a.py"),
        ("/paper", "application/pdf", "paper.pdf"),
        ("/a.pdf", "application/octet-stream", "a.pdf"),
        ("/rows", "text/csv", "rows.csv"),
        ("/api", "application/problem+json", "api.json"),
        ("/a.txt", "", "a.txt"),
    ],
)
async def test_what_came_is_read_by_what_the_server_says_it_is(path: str, said: str, name: str) -> None:
    async with web(response("200 OK", "x", *([f"content-type: {said}"] if said else []))) as site:
        assert (await Web(private=True).fetch(site.url(path))).path == PurePosixPath(name)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "2130706433", "[::ffff:127.0.0.1]"])
async def test_this_machine_is_not_asked_unless_that_is_allowed(host: str) -> None:
    async with web(response("200 OK", "secret")) as site:
        with pytest.raises(
            IngestError, match=r"private network .*, from which pages are not fetched; .*ALLOW_PRIVATE=1"
        ):
            await Web().fetch(f"http://{host}:{site.port}/")
    assert site.asked == []


async def test_only_the_hosts_that_are_named_are_asked() -> None:
    async with web(response("200 OK", "x", HTML)) as site:
        assert (await Web(["*.0.0.1"], private=True).fetch(site.url())).data == b"x"
        for hosts in (["example.org"], ["0.0.1"], ["*.example.org", "127.0.0.2"]):
            with pytest.raises(IngestError, match="TOOLKIT_INGEST_HOSTS does not name"):
                await Web(hosts, private=True).fetch(site.url())
    assert len(site.asked) == 1


async def test_the_environment_says_who_may_be_asked() -> None:
    environ = {"TOOLKIT_INGEST_HOSTS": "example.org, 127.0.0.1", "TOOLKIT_INGEST_ALLOW_PRIVATE": "1"}
    async with web(response("200 OK", "x", HTML)) as site:
        assert (await Web.configured(environ).fetch(site.url())).data == b"x"
        with pytest.raises(IngestError, match="private network"):
            await Web.configured({}).fetch(site.url())
        with pytest.raises(IngestError, match="TOOLKIT_INGEST_HOSTS does not name"):
            await Web.configured(environ).fetch(site.url(host="localhost"))


def leading(to: str) -> bytes:
    return response("302 Found", "", f"location: {to}")


async def test_a_redirect_is_followed_and_the_page_keeps_the_name_it_was_asked_for_by() -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(
            leading("/b.md") if asked.target == "/a" else response("200 OK", "# B", "content-type: text/plain")
        )

    async with web(answer) as site:
        page = await Web(private=True).fetch(site.url("/a"))
        assert (page.source, page.path, page.data) == (site.url("/a"), PurePosixPath("b.md"), b"# B")


async def test_each_hop_of_a_redirect_is_checked_like_the_address() -> None:
    async with web(response("200 OK", "secret", HTML)) as inner:
        for to in (inner.url(host="localhost"), f"//localhost:{inner.port}/"):
            async with web(leading(to)) as site:
                with pytest.raises(IngestError, match="TOOLKIT_INGEST_HOSTS"):
                    await Web(["127.0.0.1"], private=True).fetch(site.url())
        async with web(leading("file:///etc/passwd")) as site:
            with pytest.raises(IngestError, match="no address of a page"):
                await Web(private=True).fetch(site.url())
        async with web(leading("http://me:secret@127.0.0.1/")) as site:
            with pytest.raises(IngestError, match="with a password"):
                await Web(private=True).fetch(site.url())
    assert inner.asked == []


async def test_a_circle_of_redirects_ends() -> None:
    async with web(leading("/again")) as site:
        with pytest.raises(IngestError, match="leads on and on"):
            await Web(private=True).fetch(site.url())
    assert len(site.asked) == MOST_HOPS + 1


async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n")
    while True:
        writer.write(b"x" * 10_000)
        await writer.drain()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (response("404 Not Found", "gone"), "the server answered 404"),
        (response("500 Oh", "Traceback"), "the server answered 500"),
        (response("200 OK", "x", "content-type: image/png"), "is image/png, which cannot be read"),
        (response("200 OK", "x", "content-type: application/octet-stream"), "which cannot be read"),
        (response("200 OK", "x" * 2_000, HTML), r"is larger than 0\.001 MB"),
        (endless, r"is larger than 0\.001 MB"),
        (response("200 OK", gzip.compress(b"x"), HTML, "content-encoding: gzip"), "comes compressed"),
        (b"no HTTP at all\r\n\r\n", "cannot be fetched"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 900\r\n\r\nhalf", "cannot be fetched"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_reason(answer: Answer | bytes, why: str) -> None:
    async with web(answer) as site:
        with pytest.raises(IngestError, match=why):
            await Web(private=True, most_bytes=1_000).fetch(site.url())


@pytest.mark.parametrize("address", ["http://", "http://[", "ftp://example.org/", "http://me:pw@example.org/"])
async def test_what_is_no_address_of_a_page_is_told(address: str) -> None:
    with pytest.raises(IngestError):
        await Web().fetch(address)


async def test_a_page_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
        del writer
        await asyncio.sleep(60)

    monkeypatch.setattr("toolkit.search.reading.web.SECONDS", 0.2)
    async with web(silent) as site:
        with pytest.raises(IngestError, match=r"within 0\.2 s|cannot be fetched"):
            await Web(private=True).fetch(site.url())
