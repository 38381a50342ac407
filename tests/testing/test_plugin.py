"""The pytest plugin, in runs of pytest of its own: records against a server, and replays when that is gone."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from toolkit.testing.vendors import Fault, VendorServer

pytest_plugins = ["pytester"]

SUITE = """
    import pytest

    @pytest.mark.cassette
    async def test_awaits(toolkit):
        reply = await toolkit.complete("What is the capital of France?")
        assert reply.text == "Paris."

    @pytest.mark.cassette
    @pytest.mark.parametrize("word", ["one", "two / three"])
    def test_waits(toolkit, word):
        assert [delta.text for delta in toolkit.stream(word)][:-1]

    class TestShared:
        @pytest.mark.cassette("shared.yaml")
        def test_has_its_own_file(self, toolkit, tmp_path):
            session = toolkit.sessions.create()
            assert toolkit.complete(f"Look at {tmp_path}/x in {session.id}", session=session.id).session_id
"""


class Suite:
    """A user's suite."""

    def __init__(self, pytester: pytest.Pytester, patch: pytest.MonkeyPatch) -> None:
        self.folder = pytester.path
        self._pytester = pytester
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what is loaded is said below
        for name in ("PYTEST_ADDOPTS", "TOOLKIT_CASSETTE", "TOOLKIT_RECORD"):
            patch.delenv(name, raising=False)
        self._pytester.makeini(
            "[pytest]\naddopts = --strict-markers -W error\nasyncio_mode = auto\n"
            "asyncio_default_fixture_loop_scope = function\n"
        )

    def run(self, *options: str) -> pytest.RunResult:
        plugins = ("-p", "toolkit.testing.plugin", "-p", "pytest_asyncio.plugin")
        return self._pytester.runpytest_subprocess(*plugins, "-p", "no:cacheprovider", *options)

    def cassettes(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.folder)): path.read_text(encoding="utf-8")
            for path in sorted(self.folder.rglob("*.yaml"))
        }


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    return Suite(pytester, monkeypatch)


def test_a_suite_is_recorded_and_replays_when_the_server_is_gone(
    suite: Suite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_story=SUITE)
    with VendorServer() as vendors, pytest.MonkeyPatch.context() as patch:
        vendors.fail("openai", Fault.status(429), times=1)
        vendors.say("Paris.")
        for name, value in vendors.environ().items():
            patch.setenv(name, value)
        suite.run("--record-mode=once").assert_outcomes(passed=4)
        asked = len(vendors.requests)
    assert asked >= 5
    recorded = suite.cassettes()
    assert list(recorded) == [
        "cassettes/test_story/test_awaits.yaml",
        "cassettes/test_story/test_waits[one].yaml",
        "cassettes/test_story/test_waits[two-three].yaml",
        "shared.yaml",
    ]
    assert "Look at {tmp_path}/x in {id1}" in recorded["shared.yaml"]
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):
        suite.run().assert_outcomes(passed=4)
    suite.run("--record-mode=once").assert_outcomes(passed=4)
    assert suite.cassettes() == recorded


def test_what_is_not_recorded_says_how_to_record_it(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_story=SUITE)
    result = suite.run("-k", "awaits")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*There is no cassette *test_awaits.yaml; TOOLKIT_RECORD=once records it*", "*--record-mode=*"]
    )


def test_a_changed_question_fails_with_what_differs(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_story=SUITE)
    with VendorServer() as vendors, pytest.MonkeyPatch.context() as patch:
        vendors.say("Paris.")
        for name, value in vendors.environ().items():
            patch.setenv(name, value)
        suite.run("--record-mode=all", "-k", "awaits").assert_outcomes(passed=1)
    pytester.makepyfile(test_story=SUITE.replace("France", "Spain"))
    result = suite.run("-k", "awaits")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*CassetteMiss: The call of openai/* (chat) is not in the cassette test_awaits.yaml.*",
            "*-    text: What is the capital of France?",
            "*+    text: What is the capital of Spain?",
        ]
    )


def test_a_toolkit_that_a_marked_test_opens_itself_has_the_cassette_too(
    suite: Suite, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_own="""
        import pytest
        from toolkit import Toolkit

        @pytest.mark.cassette("own.yaml")
        async def test_own():
            async with Toolkit.open("sqlite://") as tk:
                assert (await tk.complete("Hello?")).text

        async def test_unmarked(monkeypatch):
            import os
            assert "TOOLKIT_CASSETTE" not in os.environ
        """
    )
    with VendorServer() as vendors, pytest.MonkeyPatch.context() as patch:
        for name, value in vendors.environ().items():
            patch.setenv(name, value)
        suite.run("--record-mode=once").assert_outcomes(passed=2)
    suite.run().assert_outcomes(passed=2)


def test_the_fixture_without_the_marker_says_so(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(toolkit): pass")
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*mark the test with @pytest.mark.cassette*"])


def test_the_option_of_pytest_recording_is_shared(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name stands for it: it adds the same option, and is loaded later."""
    pytester.mkpydir("pytest_recording")
    Path(pytester.path, "pytest_recording", "__init__.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.getgroup('recording').addoption('--record-mode', choices=('none', 'rewrite'), default=None)\n",
        encoding="utf-8",
    )
    folder = Path(pytester.path, "recording-0.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: recording\nVersion: 0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text("[pytest11]\nrecording = pytest_recording\n", encoding="utf-8")
    pytester.makepyfile(test_mode="def test_it(request): assert request.config.getoption('--record-mode') == 'rewrite'")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=":")
    loaded = () if entry_points(group="pytest11", name="toolkit") else ("-p", "toolkit.testing.plugin")
    result = pytester.runpytest_subprocess(*loaded, "--record-mode=rewrite", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_loading_the_plugin_loads_nothing_of_the_toolkit_but_itself() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import toolkit.testing.plugin; "
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('importlib')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "['toolkit', 'toolkit.testing', 'toolkit.testing.plugin']"
