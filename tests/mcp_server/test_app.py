"""The HTTP application, over a real port."""

import asyncio
import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from mcp import Client

import toolkit
from tests.mcp_server.serving import ERAS, MISBEHAVING, over_http, says


@pytest.fixture(scope="module")
def served(database: str) -> Iterator[str]:
    with over_http(database, command=MISBEHAVING) as (_, url):
        yield url


def test_it_says_that_it_lives(served: str) -> None:
    answer = httpx2.get(f"{served}/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "healthy", "version": toolkit.__version__}


def test_a_connection_that_lies_idle_as_long_as_clients_keep_one_is_still_there(served: str) -> None:
    connection = http.client.HTTPConnection(httpx2.URL(served).netloc.decode(), timeout=10)
    with closing(connection):
        connection.connect()
        first = connection.sock
        for pause in (5.5, 0):  # httpx forgets a connection after 5 s
            connection.request("GET", "/health")
            assert json.loads(connection.getresponse().read())["status"] == "healthy"
            time.sleep(pause)
        assert connection.sock is first, "it was not opened anew"


def test_it_says_that_it_can_work(served: str) -> None:
    answer = httpx2.get(f"{served}/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["checks"]["database"]["ok"]


def test_without_its_database_it_lives_but_is_not_ready_and_names_the_reason(tmp_path: Path) -> None:
    with over_http(f"sqlite:///{_unusable(tmp_path)}") as (_, url):
        assert httpx2.get(f"{url}/health").status_code == 200
        answer = httpx2.get(f"{url}/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    database = answer.json()["checks"]["database"]
    assert not database["ok"]
    assert database["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/health", "/health/ready", "/metrics"])
def test_a_web_page_of_someone_else_is_turned_away(
    served: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert httpx2.get(f"{served}{path}", headers=headers).status_code == status


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1"])
def test_a_web_page_of_this_machine_is_answered(served: str, origin: str) -> None:
    assert httpx2.get(f"{served}/health", headers={"Origin": origin}).status_code == 200


def test_nobody_else_on_the_network_can_reach_it(served: str) -> None:
    port = int(served.rsplit(":", 1)[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; it only picks the address of the outgoing interface
        mine = probe.getsockname()[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((mine, port), timeout=5).close()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_within_the_grace_though_a_call_is_under_way(
    database: str, tmp_path: Path, era: str, number: int, code: int
) -> None:
    marks = tmp_path / "marks"
    with over_http(database, command=MISBEHAVING, env={"TOOLKIT_GRACE_SECONDS": "1"}) as (process, url):
        async with Client(f"{url}/mcp", mode=ERAS[era]) as client:
            call = asyncio.create_task(client.call_tool("wait", {"marks": str(marks)}))
            await says(marks, "begun")
            process.send_signal(number)
            out, log = await asyncio.to_thread(process.communicate, timeout=20)
            call.cancel()
    assert process.returncode == code
    assert marks.read_text(encoding="utf-8") == "cancelled"
    assert "Traceback" not in log
    assert "the toolkit is closed" in log
    assert out == ""


def _unusable(folder: Path) -> Path:
    """A path where no database can be: what should be a folder is a file."""
    (folder / "file").write_text("", encoding="utf-8")
    return folder / "file" / "toolkit.db"
