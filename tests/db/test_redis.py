"""The connection to Redis, against a real one."""

import asyncio
import importlib.util
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.redis_server import PASSWORD, RedisServer, own_redis
from toolkit.db.redis import Redis
from toolkit.errors import ConfigError, DatabaseError, DatabaseFull, DatabaseUnavailable


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    yield from own_redis()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    redis = Redis(server.url)
    await redis.command("FLUSHALL")
    yield redis
    await redis.close()


async def test_what_was_set_is_read_again(redis: Redis) -> None:
    await redis.command("SET", redis.key("a", "b"), "Ω")
    assert await redis.command("GET", "toolkit:a:b") == "Ω".encode()


async def test_a_script_is_sent_again_to_a_server_that_has_forgotten_it(redis: Redis) -> None:
    lua = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
    assert await redis.script(lua, ["n"], [2]) == 2
    await redis.command("SCRIPT FLUSH")
    assert await redis.script(lua, ["n"], [3]) == 5


async def test_several_commands_are_one_transaction(redis: Redis) -> None:
    assert await redis.commands(("SET", "x", 1), ("INCR", "x"), ("GET", "x")) == [True, 2, b"2"]


async def test_more_callers_than_connections_take_turns(server: RedisServer) -> None:
    redis = Redis(server.url, connections=2)
    await redis.command("DEL", "n")
    await asyncio.gather(*(redis.command("INCR", "n") for _ in range(100)))
    assert await redis.command("GET", "n") == b"100"
    await redis.close()


async def test_a_server_that_is_down_is_one_sentence_and_up_again_is_used_again(server: RedisServer) -> None:
    redis = Redis(server.url)
    await redis.command("PING")
    server.stop()
    try:
        with pytest.raises(DatabaseUnavailable) as error:
            await redis.command("PING")
    finally:
        server.start()
    assert str(error.value).startswith(f"No connection to redis://@127.0.0.1:{server.port}/0 (")
    assert "TOOLKIT_REDIS_URL" in str(error.value)
    assert await redis.command("PING")
    await redis.close()


async def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it listens, and nobody accepts
        redis = Redis(f"redis://:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        with pytest.raises(DatabaseUnavailable, match="No connection to redis://@127"):
            await redis.command("PING")
        await redis.close()


async def test_a_wrong_password_is_one_sentence_without_it(server: RedisServer) -> None:
    redis = Redis(f"redis://:wrong-one@127.0.0.1:{server.port}/0")
    with pytest.raises(DatabaseUnavailable, match="was refused by redis://@127") as error:
        await redis.command("PING")
    assert "wrong-one" not in str(error.value)
    await redis.close()


async def test_a_full_memory_is_named(redis: Redis) -> None:
    await redis.command("CONFIG SET", "maxmemory", "1")
    try:
        with pytest.raises(DatabaseFull, match="maxmemory"):
            await redis.command("SET", "a", "b")
    finally:
        await redis.command("CONFIG SET", "maxmemory", "0")


async def test_a_command_that_it_does_not_know_is_a_database_error(redis: Redis) -> None:
    with pytest.raises(DatabaseError, match="refused a command"):
        await redis.command("NOSUCH")


@pytest.mark.parametrize("url", ["http://x", "redis", "", "redis://:secret-word@host:port/0", "redis://h?db=x&db=y"])
def test_a_url_of_another_kind_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match="The URL of Redis") as error:
        Redis(url)
    assert "secret-word" not in str(error.value)


def test_the_password_is_not_part_of_what_is_shown() -> None:
    assert Redis(f"redis://ada:{PASSWORD}@h:1/2?health_check_interval=5").url == "redis://ada@h:1/2"


def test_a_password_with_a_slash_is_not_part_of_what_is_said() -> None:
    with pytest.raises(ConfigError, match="with %40, %2F") as error:
        Redis(f"redis://ada:{PASSWORD}/x@y@h:1/2")
    assert PASSWORD not in str(error.value)


def test_a_missing_package_names_the_command_that_installs_it() -> None:
    assert importlib.util.find_spec("redis")
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from toolkit.db.redis import Redis\n"
        "try:\n    Redis('redis://h')\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("ConfigError Redis needs the package redis")
    assert "pip install 'toolkit-mcp[redis]'" in said


def test_the_driver_is_not_imported_before_a_redis_is_named() -> None:
    code = "import toolkit, toolkit.db.redis, sys; print('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
