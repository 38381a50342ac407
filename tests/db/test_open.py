"""Which URL opens which database."""

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toolkit.db import open_database
from toolkit.errors import ConfigError
from toolkit.settings import Settings, default_url


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite://"),
        ("sqlite:///a.db", "sqlite:///{cwd}/a.db"),
        ("sqlite:///deep/er/a b.db", "sqlite:///{cwd}/deep/er/a b.db"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("sqlite:///~/a.db", "sqlite:///{home}/a.db"),
        ("postgresql://ada:secret@db.example:5433/notes?sslmode=require", "postgresql://ada@db.example:5433/notes"),
        ("postgres://db.example/notes", "postgresql://db.example/notes"),
        ("postgresql+asyncpg://ada@h1:1,h2:2/notes", "postgresql://ada@h1:1,h2:2/notes"),
    ],
)
def test_a_url_names_its_database_and_nothing_is_opened_yet(
    url: str, opened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    db = open_database(Settings(url))

    assert db.url == opened.format(cwd=tmp_path / "cwd", home=tmp_path / "home")
    assert list((tmp_path / "cwd").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://ada:secret@host/x", "must begin with sqlite:// or postgresql://"),
        ("toolkit.db", "must begin with sqlite:// or postgresql://"),
        ("", "must begin with sqlite:// or postgresql://"),
        ("sqlite:toolkit.db", "names no file; write it as sqlite:///file.db"),
        ("sqlite://toolkit.db", "names no file; write it as sqlite:///file.db"),
        ("sqlite:///", "names no file; write it as sqlite:///file.db"),
        ("sqlite:", "names no file; write it as sqlite:///file.db"),
    ],
)
def test_another_url_is_refused_with_the_form_that_is_right(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        open_database(Settings(url))
    assert "secret" not in str(caught.value)


def test_the_default_url_can_be_opened() -> None:
    assert open_database(Settings(default_url())).url == default_url()


def test_a_missing_driver_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_asyncpg(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "asyncpg":
            raise ModuleNotFoundError(f"No module named {name!r}", name="asyncpg")
        return real(name, *rest)

    for module in [m for m in sys.modules if m.startswith(("toolkit.db.postgres.", "asyncpg"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without_asyncpg)
    with pytest.raises(ConfigError, match=r"pip install 'toolkit-mcp\[postgres\]'$"):
        open_database(Settings("postgresql://localhost/x"))


def test_neither_driver_is_imported_before_its_url_is_used() -> None:
    code = "import sys, toolkit.db; print([m for m in ('asyncpg', 'sqlite_utils', 'sqlite3') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
