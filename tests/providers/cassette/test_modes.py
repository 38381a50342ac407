"""Which calls are recorded, what is told of one that is not there, and what never stands in a file."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.providers.cassette.conftest import HELLO, house, recorded, replayed, text_of
from toolkit import stamps
from toolkit.errors import CassetteError, CassetteMiss, InvalidRequest, ToolError
from toolkit.messages import ChatRequest, Message
from toolkit.providers.cassette import Cassette
from toolkit.providers.cassette.file import read
from toolkit.providers.cassette.veil import folders
from toolkit.testing.vendors import Fault, VendorServer


def asks(text: str) -> ChatRequest:
    return ChatRequest((Message("user", text),))


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def names_beside(file: Path) -> list[str]:
    return [each.name for each in file.parent.iterdir()]


async def test_none_needs_a_file(file: Path) -> None:
    with pytest.raises(CassetteError, match=r"There is no cassette .*test.yaml; TOOLKIT_RECORD=once records it"):
        Cassette.open(file, "none")


async def test_once_records_where_there_is_no_file_and_only_replays_where_there_is(
    file: Path, vendors: VendorServer
) -> None:
    async with recorded(file, vendors, "once") as router:
        await router.complete(HELLO)
    async with recorded(file, vendors, "once") as router:
        await router.complete(HELLO)
        with pytest.raises(CassetteMiss):
            await router.complete(asks("Another?"))
    assert len(vendors.requests) == 1


async def test_new_episodes_replays_what_is_known_and_records_the_rest(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors) as router:
        await router.complete(HELLO)
    async with recorded(file, vendors, "new_episodes") as router:
        await router.complete(HELLO)
        await router.complete(asks("Another?"))
    assert len(vendors.requests) == 2
    assert "Another?" in str(vendors.requests[-1].body)
    async with replayed(file) as router:
        await router.complete(asks("Another?"))
        await router.complete(HELLO)


async def test_a_new_episode_without_the_key_for_it_says_which_is_missing(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors) as router:
        await router.complete(HELLO)
    async with house(Cassette.open(file, "new_episodes", environ={}), {}) as router:
        await router.complete(HELLO)
        with pytest.raises(CassetteMiss, match="To record a call of openai, set OPENAI_API_KEY"):
            await router.complete(asks("Another?"))


async def test_all_keeps_the_old_file_until_something_new_is_whole(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors) as router:
        await router.complete(HELLO)
    before = text_of(file)
    async with recorded(file, vendors, "all"):
        pass
    assert text_of(file) == before
    async with recorded(file, vendors, "all") as router:
        await router.complete(asks("Another?"))
        assert text_of(file) == before
    assert "Another?" in text_of(file)
    assert "capital of France" not in text_of(file)
    assert names_beside(file) == [file.name]


async def test_the_same_recorded_anew_changes_nothing(file: Path, vendors: VendorServer) -> None:
    for _ in range(2):
        before = text_of(file)
        async with recorded(file, vendors, "all") as router:
            await router.complete(HELLO)
    assert text_of(file) == before


async def test_what_is_not_there_ends_the_call_and_shows_what_differs(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors) as router:
        await router.complete(asks("Something else entirely, about birds and trees."))
        await router.complete(HELLO)
    async with replayed(file) as router:
        with pytest.raises(CassetteMiss) as caught:
            await router.complete(asks("What is the capital of Spain?"))
        assert all(key.state == "closed" for key in router.health())
    said = str(caught.value)
    assert said.startswith("The call of openai/")
    assert "TOOLKIT_RECORD=new_episodes" in said
    assert "recorded (episode 2)" in said
    assert "-    text: What is the capital of France?\n+    text: What is the capital of Spain?" in said
    assert "birds" not in said


async def test_no_secret_and_no_folder_of_this_machine_is_in_a_file(
    file: Path, vendors: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = folders()["cwd"], folders()["home"]
    secret = "correct-horse-battery-staple"
    environ = {**vendors.environ(), "OPENAI_API_KEY": secret, "SOME_PASSWORD": "hunter2hunter2"}
    vendors.say(f"You have {secret} in {here}/x, {home}/y and sk-abcdefghijklmnop, hunter2hunter2.")
    async with house(Cassette.open(file, "all", environ=environ), environ) as router:
        async for _ in router.stream(asks(f"What is in {here}? The id is {stamps.new_id()}.")):
            pass
    text = text_of(file)
    for forbidden in (secret, "hunter2", "sk-abc", here, "127.0.0.1"):
        assert forbidden not in text
    assert "You have *** in {cwd}/x, {home}/y and ***, ***." in text
    assert "What is in {cwd}? The id is {id1}." in text
    elsewhere = file.parent.parent
    monkeypatch.chdir(elsewhere)
    async with replayed(file) as router:
        question = asks(f"What is in {elsewhere}? The id is {stamps.new_id()}.")
        pieces = [delta async for delta in router.stream(question)]
    assert pieces[-1].reply
    assert f"{elsewhere}/x" in pieces[-1].reply.text


async def test_a_recording_that_is_killed_leaves_a_file_that_can_be_replayed(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors, "once") as router:
        await router.complete(HELLO)
        left = text_of(file)  # what a killed process leaves
    assert text_of(file) == left
    async with replayed(file) as router:
        assert await router.complete(HELLO)


async def test_two_processes_do_not_record_into_one_file(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors) as router:
        await router.complete(HELLO)
        code = (
            "import sys, asyncio; from toolkit.providers.cassette.file import Writer; from pathlib import Path\n"
            "Writer(Path(sys.argv[1]), None, anew=True).begin()"
        )
        run = [sys.executable, "-c", code, str(file)]
        process = await asyncio.to_thread(subprocess.run, run, capture_output=True, text=True, check=False)
        assert "Another process records into the cassette test.yaml" in process.stderr
    process = await asyncio.to_thread(subprocess.run, run, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


async def test_a_file_that_changed_meanwhile_is_not_overwritten(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors) as router:
        await router.complete(HELLO)
    late = Cassette.open(file, "new_episodes", environ=vendors.environ())
    async with recorded(file, vendors, "new_episodes") as router:
        await router.complete(asks("Another?"))
    async with house(late, vendors.environ()) as router:
        with pytest.raises(CassetteError, match="changed meanwhile by another process"):
            await router.complete(asks("A third?"))
    assert len(read(file).episodes) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "cannot be read"),
        ("a: 1", "is no cassette: its first line must be `toolkit_cassette: 1`"),
        ("toolkit_cassette: 2", "has the format 2"),
        ("toolkit_cassette: 1", "must say `recorded:"),
        ("toolkit_cassette: 1\nrecorded: '2026-01-01'\nepisodes: [1]", "Episode 1 .*must be a mapping"),
        ("toolkit_cassette: 1\nrecorded: '2026-01-01'\nepisodes: [{kind: chat, vendor: x}]", "'model' is missing"),
        ("toolkit_cassette: 1\nrecorded: '2026-01-01'\nepisodes: [{kind: cat}]", "its kind is 'cat'"),
    ],
)
def test_a_file_that_is_none_says_so(file: Path, text: str, sentence: str) -> None:
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CassetteError, match=sentence):
        Cassette.open(file, "none")


def test_a_cassette_may_be_written_by_hand(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(
        "toolkit_cassette: 1\nrecorded: '2026-01-01'\nenviron: {OPENAI_API_KEY: 1}\nepisodes:\n"
        "- {kind: stream, vendor: openai, model: m,\n"
        "   request: {messages: [{role: user, text: Hi}]}, answer: {text: Ho}}\n",
        encoding="utf-8",
    )

    async def story() -> list[str]:
        async with replayed(file) as router:
            return [delta.text async for delta in router.stream(asks("Hi"), model="openai/m")]

    assert asyncio.run(story()) == ["Ho", ""]


async def test_a_variable_that_was_not_set_then_is_not_set_in_a_replay(file: Path, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(400, "No."))
    async with recorded(file, vendors) as router:
        with pytest.raises(InvalidRequest):
            await router.complete(HELLO)
    cassette = Cassette.open(file, "none", environ={})
    variables = cassette.environ({"GROQ_API_KEY": "now there is one", "ANTHROPIC_API_KEY": "a real one"})
    assert "GROQ_API_KEY" not in variables
    assert variables["ANTHROPIC_API_KEY"] != "a real one"


async def test_tools_of_others_are_recorded_and_replayed(file: Path) -> None:
    def made(text: str, data: Any) -> Any:
        return SimpleNamespace(text=text, data=data)

    async def fine() -> Any:
        return made("Sunny in Paris.\n", {"sky": "sunny", "degrees": 21.5})

    async def broken() -> Any:
        raise ToolError("The weather service is closed.")

    async def never() -> Any:
        raise AssertionError("asked in a replay")

    recording = Cassette.open(file, "once", environ={})
    recording.start()
    through = recording.through(made)
    await through("mcp:sky", "sky__weather", {"city": "Paris"}, fine)
    with pytest.raises(ToolError):
        await through("mcp:sky", "sky__weather", {"city": "Rome"}, broken)
    recording.close()
    replay = Cassette.open(file, "none", environ={})
    replay.start()
    try:
        through = replay.through(made)
        with pytest.raises(ToolError, match=r"The weather service is closed\."):
            await through("mcp:sky", "sky__weather", {"city": "Rome"}, never)
        assert await through("mcp:sky", "sky__weather", {"city": "Paris"}, never) == await fine()
        with pytest.raises(CassetteMiss, match=r"mcp:sky/sky__weather \(tool\)"):
            await through("mcp:sky", "sky__weather", {"city": "Oslo"}, never)
    finally:
        replay.close()


async def test_a_list_of_tools_is_replayed_as_often_as_it_is_asked_for(file: Path) -> None:
    lists = iter(["one tool", "two tools"])

    async def listed() -> Any:
        return SimpleNamespace(text=next(lists), data={})

    cassette = Cassette.open(file, "once", environ={})
    cassette.start()
    for _ in range(2):
        await cassette.through(lambda text, _: text)("mcp:sky", "tools/list", {}, listed)
    cassette.close()
    through = Cassette.open(file, "none", environ={}).through(lambda text, _: text)
    found = [await through("mcp:sky", "tools/list", {}, listed) for _ in range(4)]
    assert found == ["one tool", "two tools", "two tools", "two tools"]


async def test_closing_lets_the_clock_run_and_starting_begins_again(file: Path, vendors: VendorServer) -> None:
    async with recorded(file, vendors) as router:
        await router.complete(HELLO)
    cassette = Cassette.open(file, "none", environ={})
    ids = []
    for _ in range(2):
        async with house(cassette) as router:
            ids.append(stamps.new_id())
            await router.complete(HELLO)
            with pytest.raises(CassetteMiss):
                await router.complete(HELLO)
    assert ids[0] == ids[1]
    assert stamps.new_id() not in ids
    assert abs(stamps.now() - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_recording_that_has_ended_is_not_written_again(file: Path, vendors: VendorServer) -> None:
    cassette = Cassette.open(file, "all", environ=vendors.environ())
    async with house(cassette, vendors.environ()) as router:
        await router.complete(HELLO)
    write(file, "of another process\n")
    cassette.close()
    assert text_of(file) == "of another process\n"


async def test_a_file_that_cannot_be_written_is_refused_before_anybody_is_asked(
    tmp_path: Path, vendors: VendorServer
) -> None:
    (tmp_path / "in_the_way").touch()
    with pytest.raises(CassetteError, match=r"cannot be written \(.+\); name a file in a folder"):
        async with recorded(tmp_path / "in_the_way" / "test.yaml", vendors) as router:
            await router.complete(HELLO)
    assert not vendors.requests


def test_ten_thousand_episodes_are_read_at_once(file: Path) -> None:
    episode = (
        "- kind: chat\n  vendor: openai\n  model: m\n"
        "  request:\n    messages:\n    - role: user\n      text: Number {}\n"
        "  answer:\n    text: |\n      One line.\n      Another one.\n    usage: {{input_tokens: 6}}\n"
        "  milliseconds: 5\n"
    )
    file.parent.mkdir()
    episodes = "".join(episode.format(number) for number in range(10_000))
    file.write_text(f"toolkit_cassette: 1\nrecorded: '2026-01-01'\nepisodes:\n{episodes}", encoding="utf-8")
    assert len(read(file).episodes) == 10_000
