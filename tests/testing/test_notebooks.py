from pathlib import Path
from typing import Any

import nbformat as untyped
import pytest

from toolkit.errors import ConfigError
from toolkit.testing.notebooks import files, sanitizing
from toolkit.testing.notebooks.checking import Cell
from toolkit.testing.notebooks.outputs import comparable
from toolkit.testing.notebooks.surroundings import recording, replaying
from toolkit.testing.notebooks.telling import difference

nbformat: Any = untyped
SANITIZE = sanitizing.sanitizer(sanitizing.rules())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 2026-11-22 03:04:05.678901+00:00", "at 2025-01-02 13:14:15.999999+00:00"),
        ("2026-11-22T03:04:05Z", "2026-11-22T03:04:06Z"),
        ("datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)", "datetime.datetime(2026, 1, 2, 3, 5)"),
        ("0:00:01.204", "0:00:02.1"),
        ("Wall time: 5.01 µs", "Wall time: 12 ms"),
        ("CPU times: user 1min 2s", "CPU times: user 3 s"),
        ("took 0.5 seconds", "took 12.25 seconds"),
        ("019aa000-1111-7222-8333-444444444444", "019AB000-1111-7222-8333-555555555555"),
        ("<object at 0x7f12ab34cd56>", "<object at 0x7fffab34cd56>"),
        ("/tmp/tmpab12cd/handbook/a.md", "/private/tmp/tmpxyz/handbook/a.md"),
        ("/var/folders/ab/cdef/T/tmp1/x", "/tmp/tmp2/x"),
        ("http://127.0.0.1:43121/v1", "http://127.0.0.1:80/v1"),
        ("<style>a{}\nb{}</style><p>x</p>", "<STYLE scoped>c</STYLE><p>x</p>"),
    ],
)
def test_what_may_differ_is_not_compared(one: str, other: str) -> None:
    assert SANITIZE(one) == SANITIZE(other) != one


@pytest.mark.parametrize(
    "text", ["2026-11-22", "60 seconds, if nothing else is said", "330 m high", "5 steps", "1.25", "0x1", "/tmpfile"]
)
def test_results_are_compared(text: str) -> None:
    assert SANITIZE(text) == text


def test_rules_of_ones_own_come_after_ours_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    own = tmp_path / "own.cfg"
    own.write_text("regex: run [0-9]+\nreplace: run N\n")
    assert sanitizing.sanitizer(sanitizing.rules([own]))("run 12 took 5 ms") == "run N took <duration>"
    own.write_text("regex: (\nreplace: x\n")
    with pytest.raises(ConfigError, match=r"A rule of .*own\.cfg cannot be used: \("):
        sanitizing.rules([own])
    own.write_text("anything\n")
    with pytest.raises(ConfigError, match="has no rule; write a line"):
        sanitizing.rules([own])


def test_notebooks_are_found_in_folders_once_and_not_where_it_is_hidden(tmp_path: Path) -> None:
    for name in ("b/two.ipynb", "one.ipynb", ".ipynb_checkpoints/one.ipynb", "b/.draft.ipynb", "b/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = files.find([tmp_path, tmp_path / "one.ipynb"])
    assert [str(each.relative_to(tmp_path)) for each in found] == ["b/two.ipynb", "one.ipynb"]
    with pytest.raises(ConfigError, match=r"There is no notebook .*ones\.ipynb; did you mean|there is 'one\.ipynb'"):
        files.find([tmp_path / "ones.ipynb"])
    with pytest.raises(ConfigError, match=r"notes\.md is no notebook; name a file that ends in \.ipynb, or a folder\."):
        files.find([tmp_path / "b" / "notes.md"])
    with pytest.raises(ConfigError, match="There is no notebook in"):
        files.find([empty(tmp_path)])


def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_a_notebook_in_another_language_is_refused(tmp_path: Path) -> None:
    kernel = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}
    nbformat.write(nbformat.v4.new_notebook(metadata=kernel), tmp_path / "r.ipynb")
    with pytest.raises(ConfigError, match="is written in R; only notebooks in Python can be run here"):
        files.read(tmp_path / "r.ipynb")


def test_a_missing_package_is_told_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None if name == "nbval" else object())
    with pytest.raises(ConfigError, match=r"Notebooks are run with nbval; .*toolkit-mcp\[notebook-test\]"):
        files.need_extra()


def test_a_replay_has_a_store_of_its_own_and_neither_keys_nor_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "MY_TOKEN", "TOOLKIT_DEFAULT_MODEL", "DATABASE_URL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("EDITOR", "vi")
    with replaying(tmp_path / "a.ipynb") as one, replaying(tmp_path / "a.ipynb") as two, recording(tmp_path) as three:
        assert one.environ["TOOLKIT_DATABASE_URL"] != two.environ["TOOLKIT_DATABASE_URL"]
        assert one.environ["EDITOR"] == "vi"
        assert not {"OPENAI_API_KEY", "MY_TOKEN", "TOOLKIT_DEFAULT_MODEL", "DATABASE_URL"} & set(one.environ)
        assert three.environ["OPENAI_API_KEY"] == "x"
        assert "TOOLKIT_DEFAULT_MODEL" not in three.environ
    assert not one.folder.exists()


def test_html_is_compared_by_tags_and_long_lines_in_pieces() -> None:
    stood, came = ({"text/html": [f"<p>{'x' * 300}</p><b>{end}</b>"]} for end in ("one", "two"))
    lines = list(difference(Cell(1, "differs", "", stood, came)))
    assert lines[-2:] == ["-<b>one</b>", "+<b>two</b>"]
    assert max(map(len, lines)) < 120


def test_pictures_and_the_state_of_widgets_are_not_compared() -> None:
    data = {"image/png": "aGk=", "application/vnd.jupyter.widget-view+json": {"model_id": "7"}, "text/plain": "Panel()"}
    shown = {"output_type": "display_data", "metadata": {}, "data": data}
    streams = [{"output_type": "stream", "name": "stdout", "text": text} for text in ("a", "b")]
    assert comparable([shown, *streams], str) == {"text/plain": ["Panel()"], "stdout": ["ab"]}
