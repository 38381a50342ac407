import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat as untyped
import pytest
from click.testing import CliRunner

from tests.notebooks.recording import FOLDER
from toolkit.cli import cli
from toolkit.testing.notebooks.checking import Checked, check
from toolkit.testing.notebooks.files import cassette_of, read
from toolkit.testing.notebooks.references import Updated, update
from toolkit.testing.notebooks.telling import refused, told
from toolkit.testing.vendors import VendorServer

nbformat: Any = untyped
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECRET = "sk-test-7Jq2mXv9LwKe4RtB"

ASK = """
import notebooks as nb

tk = await nb.connect()
print((await tk.complete("What is the capital of France?")).text)
"""


def code(source: str, shown: str | None = None, **more: Any) -> Any:
    output = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": shown}}
    outputs = [] if shown is None else [nbformat.from_dict(output)]
    return nbformat.v4.new_code_cell(source, **{"outputs": outputs, "execution_count": 1, **more})


def written(path: Path, *cells: Any) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def checked(*paths: Path, timeout: float = 60.0) -> dict[str, Checked]:
    async def each() -> dict[str, Checked]:
        return {done.path.stem: done async for done in check(paths, at_once=2, timeout=timeout)}

    return asyncio.run(each())


def outcomes(one: Checked) -> list[str]:
    return [cell.outcome for cell in one.cells]


@pytest.mark.timeout(300)
def test_every_notebook_gives_the_outputs_that_it_shows() -> None:
    done = checked(*NOTEBOOKS)
    assert len(done) >= 8
    wrong = [told(each, limit=60) for each in done.values() if not each.ok]
    assert not wrong, "\n\n".join(wrong)
    assert all(cell.outcome == "same" for each in done.values() for cell in each.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_file_of_ours_names_no_place_of_this_machine_and_has_a_cassette(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not any(place in text for place in (str(FOLDER.parent), "/tmp/", " at 0x"))
    assert "widgets" not in read(path).metadata
    assert cassette_of(path).is_file()


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checked]:
    """What came of notebooks outside of this repository, none of which has a cassette."""
    folder = tmp_path_factory.mktemp("notebooks")
    replaced = "from IPython.display import clear_output\nprint('a')\nclear_output()\nprint('b')"
    shown = [nbformat.v4.new_output("stream", name="stdout", text="b\n")]
    keys = code("import os\n[name for name in os.environ if 'API_KEY' in name]", "[]")
    altered = code("long = 'a b'\nlong * 3", "'a ba ca b'")
    unrun = code("1 + 1", execution_count=None)
    return checked(
        written(folder / "sound.ipynb", code("1 + 1", "2"), code(replaced, outputs=shown), keys),
        written(folder / "altered.ipynb", code("1 + 1", "2"), altered),
        written(folder / "broken.ipynb", code("1 +", "1"), code("len(undefined)", "1"), unrun),
        written(folder / "asks.ipynb", code(ASK)),
    )


def test_a_notebook_whose_outputs_come_again_passes_and_gets_no_key(several: dict[str, Checked]) -> None:
    assert outcomes(several["sound"]) == ["same"] * 3


def test_an_output_that_was_altered_fails_with_what_stood_and_what_came(several: dict[str, Checked]) -> None:
    altered = several["altered"]
    assert outcomes(altered) == ["same", "differs"]
    said = told(altered, limit=60)
    assert "In [2] gives something else (text/plain):\n    long = 'a b'\n    long * 3\n" in said
    assert "\n-'a ba ca b'\n+'a ba ba b'\n" in said
    assert said.endswith(f"toolkit notebook update {altered.path}")


def test_a_call_that_is_not_recorded_fails_with_how_to_record_it(several: dict[str, Checked]) -> None:
    said = told(several["asks"], limit=60)
    assert "raised CassetteMiss: The call of " in said
    assert "asks.yaml, which is empty" in said
    assert said.endswith(f"toolkit notebook update {several['asks'].path} --record")


def test_a_cell_that_raises_is_told_with_its_trace_one_that_is_no_python_in_a_sentence_and_an_unrun_one_too(
    several: dict[str, Checked],
) -> None:
    said = told(several["broken"], limit=60)
    assert "In [1] raised SyntaxError: invalid syntax" in said
    assert "In [2] raised NameError: name 'undefined' is not defined" in said
    assert said.count("Traceback") == 1
    assert "In [3] has no outputs in the file, so nothing was compared" in said


def test_a_cell_that_does_not_end_and_one_that_ends_its_kernel_are_told(tmp_path: Path) -> None:
    late = written(tmp_path / "late.ipynb", code("import asyncio\nawait asyncio.sleep(600)"), code("1", "1"))
    dies = written(tmp_path / "dies.ipynb", code("import os\nos._exit(3)"), code("1", "1"))
    done = checked(late, dies, timeout=1)
    assert outcomes(done["late"]) == ["late", "not run"]
    assert "In [1] did not end within 1 s; its kernel was ended" in told(done["late"], limit=1)
    assert outcomes(done["dies"]) == ["died", "not run"]


def test_an_update_writes_what_comes_and_the_next_ones_change_nothing(tmp_path: Path) -> None:
    changing = "import time, uuid, tempfile\nprint(uuid.uuid4(), tempfile.mkdtemp(), f'{time.monotonic():.3f} s')"
    panel = "import ipywidgets\nipywidgets.HTML('x')"
    path = written(tmp_path / "mine.ipynb", code(changing), code(panel), code("{'b', 'a'}", "5"))
    assert asyncio.run(update(path)) == Updated(path, changed=(1, 2, 3))
    first = path.read_bytes()
    assert b"model_id" not in first

    async def twice() -> tuple[Updated, Updated]:
        one, other = await asyncio.gather(update(path), update(path))
        return one, other

    assert asyncio.run(twice()) == (Updated(path), Updated(path))
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_a_notebook_that_differs_from_run_to_run_is_not_written(tmp_path: Path) -> None:
    path = written(tmp_path / "clock.ipynb", code("2 + 2", "4"), code("import time\ntime.time_ns()", "1"))
    before = path.read_bytes()
    updated = asyncio.run(update(path))
    assert updated.refused
    assert "clock.ipynb was not written: two runs differ in In [2]." in refused(updated.refused, limit=60)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.timeout(240)
def test_what_is_recorded_replays_without_keys_and_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "report.ipynb", code(ASK))
    with VendorServer() as vendors, monkeypatch.context() as patch:
        vendors.say(f"Paris. Your key is {SECRET}.")
        for name, value in {**vendors.environ(), "OPENAI_API_KEY": SECRET}.items():
            patch.setenv(name, value)
        updated = asyncio.run(update(path, record=True))
    assert updated == Updated(path, changed=(1,), cassettes=(cassette_of(path),))
    files = {each.name: each.read_text() for each in tmp_path.rglob("*.*") if each.is_file()}
    assert set(files) == {"report.ipynb", "report.yaml"}
    assert "Paris. Your key is ***." in files["report.ipynb"]
    assert not any(SECRET in text for text in files.values())


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is another thing there")
def test_ctrl_c_ends_the_kernels(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    tells = f"import os, time\nwith open({str(tmp_path / 'pid')!r}, 'w') as f:\n    f.write(str(os.getpid()))"
    path = written(tmp_path / "endless.ipynb", code(f"{tells}\ntime.sleep(600)"))
    command = [sys.executable, "-m", "toolkit.cli", "notebook", "test", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        pid = int((tmp_path / "pid").read_text())  # waits until the cell writes
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_commands_say_what_is_wrong_in_a_sentence_and_fail(tmp_path: Path) -> None:
    (tmp_path / "text.ipynb").write_text("hello")
    (tmp_path / "data.ipynb").write_text(json.dumps({"cells": "none"}))
    for name in ("test", "update"):
        done = CliRunner().invoke(cli, ["notebook", name, str(tmp_path)])
        assert done.exit_code == 1
        assert f"{tmp_path / 'text.ipynb'} is no notebook: it is not JSON." in done.stderr
        assert f"{tmp_path / 'data.ipynb'} is JSON, but no notebook" in done.stderr
        assert "Traceback" not in done.stderr
