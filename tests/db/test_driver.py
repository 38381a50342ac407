"""What comes along when SQLite is used."""

import importlib
import importlib.util
import subprocess
import sys
import threading

import pytest

from toolkit.db.sqlite import driver

_SCRIPT = """
import sys
import toolkit.toolkit
import toolkit.db.sqlite.driver
print(*sorted({"pandas", "numpy"} & set(sys.modules)), "|", end=" ")
import numpy, pandas
print(pandas.Series(numpy.arange(3)).sum())
"""


def test_the_database_brings_no_pandas_and_no_numpy_and_is_in_nobodys_way_who_wants_them() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], check=True, capture_output=True, text=True)

    assert done.stdout == "| 3\n"


def test_another_thread_finds_what_is_hidden_from_ours() -> None:
    found: list[bool] = []
    with driver._as_if_missing("wave"):
        sys.modules.pop("wave", None)
        thread = threading.Thread(target=lambda: found.append(importlib.util.find_spec("wave") is not None))
        thread.start()
        thread.join()
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("wave")
    assert found == [True]
    assert importlib.import_module("wave")
