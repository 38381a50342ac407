"""The pytest plugin: a toolkit whose models are recorded once and replayed ever after.

    @pytest.mark.cassette
    def test_it_knows_the_capital(toolkit):
        assert "Paris" in toolkit.complete("What is the capital of France?").text

`pytest --record-mode=once` records into `cassettes/<module>/<test>.yaml` beside the test; see docs/cassettes.md.
It is loaded in every run of pytest of everybody who has the package: it imports nothing before a test asks for it.
"""

import inspect
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

_MODES: Final = ("none", "once", "new_episodes", "all")
_HELP: Final = "Which calls of models are recorded to cassettes; by default TOOLKIT_RECORD, else none."


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add `--record-mode`, unless pytest-recording does, whose words are the same."""
    if not _is_recording_there(pluginmanager):
        parser.getgroup("toolkit").addoption("--record-mode", choices=_MODES, default=None, help=_HELP)


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marker."""
    config.addinivalue_line(
        "markers",
        "cassette(path=None): calls of models are replayed from this file, by default "
        "cassettes/<module>/<test>.yaml beside the test.",
    )


@pytest.fixture(autouse=True)
def _toolkit_cassette(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lead every toolkit that a marked test opens to its cassette."""
    if request.node.get_closest_marker("cassette") is None:
        yield
        return
    with ExitStack() as stack:
        if "tmp_path" in request.fixturenames:
            from toolkit.providers.cassette.veil import known_as  # noqa: PLC0415 - see the module's docstring

            stack.enter_context(known_as("tmp_path", request.getfixturevalue("tmp_path")))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TOOLKIT_CASSETTE", str(_path(request)))
            patch.setenv("TOOLKIT_RECORD", _mode(request.config))
            yield


@pytest.fixture
def toolkit(request: pytest.FixtureRequest, _toolkit_cassette: None) -> Iterator[Any]:
    """A toolkit on a memory database, with the test's cassette: to `await` in an async test, and to call in others."""
    from toolkit.bridge import awaitable, blocking  # noqa: PLC0415 - see the module's docstring
    from toolkit.errors import CassetteError  # noqa: PLC0415
    from toolkit.settings import Settings, read_environ  # noqa: PLC0415
    from toolkit.toolkit import Toolkit  # noqa: PLC0415

    if request.node.get_closest_marker("cassette") is None:
        pytest.fail("The fixture `toolkit` needs a cassette; mark the test with @pytest.mark.cassette.", pytrace=False)
    settings = Settings.from_env(read_environ(), database_url="sqlite://")
    try:
        opened = Toolkit.open(settings=settings)
    except CassetteError as error:
        pytest.fail(f"{error}\n`pytest --record-mode=MODE` sets TOOLKIT_RECORD.", pytrace=False)
    own = blocking(opened)
    try:
        own.start()
        yield awaitable(opened) if inspect.iscoroutinefunction(request.function) else own
    finally:
        own.close()


def _path(request: pytest.FixtureRequest) -> Path:
    """The test's cassette."""
    marker = request.node.get_closest_marker("cassette")
    given = (*marker.args, *marker.kwargs.values())
    if given:
        return Path(request.path.parent, *given)
    names = [part.name for part in request.node.listchain() if isinstance(part, pytest.Class)]
    test = re.sub(r"[^\w.\[\]-]+", "-", ".".join([*names, request.node.name]))
    return request.path.parent / "cassettes" / request.path.stem / f"{test}.yaml"


def _mode(config: pytest.Config) -> str:
    mode = config.getoption("--record-mode", default=None) or os.environ.get("TOOLKIT_RECORD") or "none"
    return "all" if mode == "rewrite" else str(mode)  # a word of pytest-recording's


def _is_recording_there(plugins: pytest.PytestPluginManager) -> bool:
    """Whether pytest-recording is used in this run; it may be loaded later than this."""
    if plugins.is_blocked("recording"):
        return False
    if plugins.hasplugin("recording") or plugins.hasplugin("pytest_recording.plugin"):
        return True
    return not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") and find_spec("pytest_recording") is not None
