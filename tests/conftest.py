"""What the tests of every room share: a fresh database of each kind."""

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.postgres import NoPostgres, PostgresServer
from toolkit.db import Database, Statement, open_database
from toolkit.db.migrate import default_folder, load, tables
from toolkit.settings import Settings

_server = pytest.StashKey[PostgresServer]()

# Begun last, one of these would run alone at the end. Of the others, those with most tests take longest.
_LONG = (
    "tests/benchmarks/",
    "tests/cli/test_demo.py",
    "tests/db/test_kill.py",
    "tests/jobs/test_killed.py",
    "tests/mcp_server/conformance/",
    "tests/mcp_server/gateway/test_replicas.py",
    "tests/mcp_server/test_processes.py",
    "tests/mcp_server/test_stdio.py",
    "tests/notebooks/browser/",
    "tests/notebooks/test_notebooks.py",
    "tests/test_stores_stateful.py",
    "tests/testing/test_plugin.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Start the server before xdist starts its workers: they share it, and find it in the environment."""
    # The first search imports it in a thread; Python 3.11 cannot parse in two threads at once, as pytest's imports do.
    import_module("toolkit.search.finding")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and its children, ignore it
    if config.getoption("numprocesses", None) and not os.environ.get("TEST_PG_DSN"):
        try:
            config.stash[_server] = PostgresServer()
        except NoPostgres:
            return  # `postgres_server` says so where a test needs it
        os.environ["TEST_PG_DSN"] = config.stash[_server].dsn


def pytest_unconfigure(config: pytest.Config) -> None:
    if server := config.stash.get(_server, None):
        server.remove()
        del os.environ["TEST_PG_DSN"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; with --no-loadscope-reorder xdist hands them out in this order."""
    files = Counter(_file(item) for item in items)
    items.sort(key=lambda item: (not _file(item).startswith(_LONG), -files[_file(item)]))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a running Postgres, as one who may make databases there."""
    if dsn := os.environ.get("TEST_PG_DSN"):
        yield dsn
        return
    try:
        server = PostgresServer()
    except NoPostgres as error:
        if os.environ.get("TOOLKIT_TESTS_WITHOUT_POSTGRES") == "1":
            pytest.skip(f"TOOLKIT_TESTS_WITHOUT_POSTGRES=1: {error}")
        pytest.fail(f"{error} TOOLKIT_TESTS_WITHOUT_POSTGRES=1 skips these tests.", pytrace=False)
    yield server.dsn
    server.remove()


@pytest.fixture(scope="session")
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """Address of a Postgres database that this process of pytest has for itself."""
    name = f"toolkit_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    _run(_execute(postgres_server, f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"))
    yield urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
    _run(_execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgres"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL behind `db`; the database may still hold rows of an earlier test."""
    return _url(request, tmp_path)


@pytest.fixture
async def db(any_url: str) -> AsyncIterator[Database]:
    """An open database without rows, of each kind in turn."""
    database = await _emptied(any_url)
    yield database
    await database.close()


@pytest.fixture(params=["sqlite-file", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without rows, for a test that opens it itself, or in another process."""
    url = _url(request, tmp_path)
    if request.param == "postgres":
        await (await _emptied(url)).close()
    return url


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "sqlite-file":
            return f"sqlite:///{tmp_path / 'toolkit.db'}"
        case "sqlite-memory":
            return "sqlite://"
        case _:
            dsn: str = request.getfixturevalue("postgres_dsn")
            return dsn


async def _emptied(url: str) -> Database:
    database = open_database(Settings(url))
    await database.open()
    if database.dialect == "postgres":  # deleting takes 1 ms, a new schema 13
        names = tables(load(default_folder(), "postgres")) - {"schema_migrations"}
        await database.write(*(Statement(f"DELETE FROM {name}") for name in sorted(names)))
    return database


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, in a thread: a fixture may be set up while a test's loop is there."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 - raised again below, in pytest's thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in failures:
        raise error
