"""Measuring: what a program can say of a Python tree for certain."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.tools.code.conftest import Tree
from toolkit.errors import NotFound, ToolError
from toolkit.tools.code.architecture import Architecture, Module, measure
from toolkit.tools.code.report import report, summary


def module(found: Architecture, name: str) -> Module:
    return next(each for each in found.modules if each.name == name)


def test_imports_between_modules_are_found_however_they_are_written(tree: Tree) -> None:
    found = measure(
        tree(
            {
                "pkg/__init__.py": "",
                "pkg/a.py": "import pkg.b\nfrom pkg import c\nfrom pkg.d import thing\nfrom . import e\n",
                "pkg/b.py": "from .sub import f\nfrom .sub.f import y\nfrom pkg.sub import *\n",
                "pkg/c.py": "from pkg import version\nimport os, json as j\nfrom numpy import array\n",
                "pkg/d.py": "import pkg.sub.f as g, pkg.c\nimport pkg.nothing\n",
                "pkg/e.py": "",
                "pkg/sub/__init__.py": "from .. import e\nfrom ..d import z\nfrom .f import x\n",
                "pkg/sub/f.py": "from ...beyond import x\n",
            }
        )
    )

    assert {m.name: m.imports for m in found.modules} == {
        "pkg": (),
        "pkg.a": ("pkg.b", "pkg.c", "pkg.d", "pkg.e"),
        "pkg.b": ("pkg.sub", "pkg.sub.f"),
        "pkg.c": ("pkg",),
        "pkg.d": ("pkg", "pkg.c", "pkg.sub.f"),
        "pkg.e": (),
        "pkg.sub": ("pkg.d", "pkg.e", "pkg.sub.f"),
        "pkg.sub.f": (),
    }


def test_when_an_import_happens_is_told_apart_and_the_earliest_counts(tree: Tree) -> None:
    found = measure(
        tree(
            {
                "a.py": (
                    "import typing\nfrom typing import TYPE_CHECKING\n"
                    "if TYPE_CHECKING:\n    import t1\n    import both\nelse:\n    import r1\n"
                    "if typing.TYPE_CHECKING:\n    import t2\n"
                    "if not TYPE_CHECKING:\n    import r2\nelse:\n    import t3\n"
                    "def f():\n    import l1\n    if TYPE_CHECKING:\n        import t4\n"
                    "    class X:\n        import l2\n"
                    "class C:\n    import r3\n    async def m(self):\n        with x:\n            import l3\n"
                    "try:\n    import r4\nexcept ImportError:\n    import r5\nelse:\n    import r6\n"
                    "finally:\n    import r7\n"
                    "match x:\n    case 1:\n        import r8\n"
                    "for i in x:\n    import both\n"
                    "if __name__ == '__main__':\n    import l4\n"
                ),
                **dict.fromkeys(
                    [f"{kind}{n}.py" for kind, most in (("t", 4), ("r", 8), ("l", 4)) for n in range(1, most + 1)], ""
                ),
                "both.py": "",
            }
        )
    )

    a = module(found, "a")
    assert a.imports == ("both", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8")
    assert a.later == ("l1", "l2", "l3", "l4")
    assert a.typing == ("t1", "t2", "t3", "t4")


def test_a_cycle_is_told_with_its_shortest_way_round_and_with_what_closes_it(tree: Tree) -> None:
    found = measure(
        tree(
            {
                "a.py": "import b\n", "b.py": "import c\n", "c.py": "import d\nimport b\n", "d.py": "import a\n",
                "p.py": "import q\n", "q.py": "def f():\n    import p\n",
                "x.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import y\n", "y.py": "import x\n",
                "alone.py": "import a, alone\n",
            }
        )
    )  # fmt: skip

    assert [(c.modules, c.shortest, c.closed_by) for c in found.cycles] == [
        (("a", "b", "c", "d"), ("b", "c"), "import"),
        (("p", "q"), ("p", "q"), "call"),
        (("x", "y"), ("x", "y"), "typing"),
    ]
    assert "- 4 modules, shortest: b → c → b\n" in report(found)
    assert "- p → q → p (closed inside functions)\n" in report(found)


def test_layers_and_fans_are_counted(tree: Tree) -> None:
    found = measure(
        tree({"a.py": "import b, c\n", "b.py": "import d\n", "c.py": "import d\n", "d.py": "", "e.py": "import f\n",
              "f.py": "import e\nimport d\n"})
    )  # fmt: skip

    assert {m.name: m.layer for m in found.modules} == {"a": 2, "b": 1, "c": 1, "d": 0, "e": 1, "f": 1}
    assert {m.name: m.fan_in for m in found.modules} == {"a": 0, "b": 1, "c": 1, "d": 3, "e": 1, "f": 1}


def test_sizes_are_those_of_the_files_and_of_the_functions(tree: Tree) -> None:
    found = measure(
        tree(
            {
                "a.py": "def f():\n    x = 1\n\n    return x\n\n\nclass C:\n"
                "    def m(self):\n        def n():\n            pass\n",
                "b.py": "x = 1\ny = 2",
                "empty.py": "",
            }
        )
    )

    assert {m.name: (m.lines, m.functions) for m in found.modules} == {"a": (10, 3), "b": (2, 0), "empty": (0, 0)}
    assert [(f.name, f.path, f.line, f.lines) for f in found.functions] == [
        ("f", "a.py", 1, 4),
        ("C.m", "a.py", 8, 3),
        ("C.m.n", "a.py", 9, 2),
    ]
    assert found.lines == 12


def test_a_package_is_called_as_it_is_imported_wherever_it_lies(tree: Tree) -> None:
    root = tree(
        {
            "src/pkg/__init__.py": "", "src/pkg/a.py": "import pkg.b\n", "src/pkg/b.py": "",
            "tests/test_a.py": "from pkg import a\nimport helper\n", "tests/helper.py": "",
            "examples/one/main.py": "import util\n", "examples/one/util.py": "",
            "examples/two/main.py": "import util\n", "examples/two/util.py": "",
        }
    )  # fmt: skip
    names = {m.name: m.imports for m in measure(root).modules}

    assert names["pkg.a"] == ("pkg.b",)
    assert names["tests.test_a"] == ("pkg.a", "tests.helper")
    assert names["examples.one.main"] == ("examples.one.util",)
    assert names["examples.two.main"] == ("examples.two.util",)
    assert {m.name: m.imports for m in measure(root / "src/pkg").modules}["pkg.a"] == ("pkg.b",)


def test_packages_that_are_called_the_same_are_told_apart(tree: Tree) -> None:
    root = tree({f"{n}/lib/{name}": text for n in ("x", "y") for name, text in
                 (("__init__.py", ""), ("a.py", "from . import b\n"), ("b.py", ""))})  # fmt: skip

    assert {m.name: m.imports for m in measure(root).modules} == {
        "x.lib": (), "x.lib.a": ("x.lib.b",), "x.lib.b": (),
        "y.lib": (), "y.lib.a": ("y.lib.b",), "y.lib.b": (),
    }  # fmt: skip


def test_folders_without_init_stubs_and_shadowed_files_are_named(tree: Tree) -> None:
    found = measure(
        tree(
            {
                "main.py": "import space.a\nimport native\n", "space/a.py": "",
                "pkg/__init__.py": "", "pkg/inner/b.py": "", "script/c.py": "",
                "native.pyi": "x: int\n", "typed.py": "", "typed.pyi": "import main\n",
                "twice.py": "import main\n", "twice/__init__.py": "",
            }
        )
    )  # fmt: skip

    assert found.without_init == ("pkg/inner", "space")
    assert (found.stubs, module(found, "native").stub, found.shadowed) == (1, True, ("twice.py",))
    assert module(found, "main").imports == ("native", "space.a")
    assert module(found, "main").fan_in == 0
    assert "Stub files: 2" in report(found)
    assert "Shadowed by a package of the same name: twice.py" in report(found)


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"x = 1\ny = = 2\n", 2, "invalid syntax"),
        (b"print 'old'\n", 1, "Missing parentheses"),
        (b"x = '\xff'\n", None, ""),
        (b"# -*- coding: klingon -*-\n", None, "klingon"),
        (b"x\0y\n", None, "null bytes"),
        (b"(" * 5000, None, ""),
        (b"-" * 100_000 + b"1", None, ""),
        (b"x = 1\n" * 200_000, None, "larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_python_is_named_with_the_reason_and_hinders_no_other(
    tree: Tree, data: bytes, line: int | None, reason: str
) -> None:
    found = measure(tree({"pkg/bad.py": data, "pkg/good.py": "import os\n"}))

    (unreadable,) = found.unreadable
    assert unreadable.path == "pkg/bad.py"
    assert reason in unreadable.reason
    assert line is None or unreadable.line == line
    assert [m.name for m in found.modules] == ["pkg.good"]
    assert f"Not read: pkg/bad.py{f':{line}' if line else ''}" in report(found)


def test_what_others_wrote_and_what_is_ignored_is_left_out(tree: Tree) -> None:
    root = tree(
        {
            "a.py": "", ".git/hooks/x.py": "", ".venv/lib/x.py": "", "env/pyvenv.cfg": "", "env/x.py": "",
            "node_modules/x.py": "", "__pycache__/x.py": "", "sub/site-packages/x.py": "",
            ".gitignore": "build/\n*_pb2.py\n!kept_pb2.py\n", "build/x.py": "", "x_pb2.py": "", "kept_pb2.py": "",
            "sub/.gitignore": "b.py\n", "sub/b.py": "", "sub/c.py": "", "notes.txt": "", "x.pyc": "",
        }
    )  # fmt: skip

    assert [m.path for m in measure(root).modules] == ["a.py", "kept_pb2.py", "sub/c.py"]
    assert [m.path for m in measure(root / "sub").modules] == ["c.py"]


def test_links_and_pipes_are_not_followed(tree: Tree, tmp_path: Path) -> None:
    root = tree({"a.py": ""})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("import a\n")
    (root / "circle").symlink_to(root)
    (root / "out").symlink_to(outside)
    (root / "secret.py").symlink_to(outside / "secret.py")
    os.mkfifo(root / "pipe.py")

    found = measure(root)

    assert [m.path for m in found.modules] == ["a.py"]
    assert found.unreadable == ()


def test_of_more_files_than_are_read_it_is_said(tree: Tree) -> None:
    root = tree({f"m{n}.py": "" for n in range(5)})

    found = measure(root, most_files=3)

    assert (len(found.modules), found.left_out) == (3, True)
    assert "There are more files than were read" in report(found)
    assert not measure(root, most_files=5).left_out


def test_one_file_is_measured_alone(tree: Tree) -> None:
    root = tree({"pkg/__init__.py": "", "pkg/a.py": "from . import b\ndef f(): pass\n", "pkg/b.py": ""})

    found = measure(root / "pkg/a.py")

    assert [(m.name, m.path, m.functions) for m in found.modules] == [("pkg.a", "a.py", 1)]


def test_a_folder_without_python_is_told(tree: Tree) -> None:
    with pytest.raises(NotFound, match="There is no Python file in"):
        measure(tree({"readme.md": ""}))


def test_a_measurement_that_nobody_waits_for_ends(tree: Tree) -> None:
    with pytest.raises(ToolError, match="cancelled"):
        measure(tree({"a.py": ""}), cancelled=lambda: True)


def test_nothing_of_the_tree_is_run(tree: Tree) -> None:
    measure(tree({"a.py": "import sys\nsys.modules['ran'] = sys\n"}))
    assert "ran" not in sys.modules


def test_a_group_that_holds_almost_everything_is_taken_apart(tree: Tree) -> None:
    files = {f"app/{part}/{n}.py": "" for part in ("web", "db", "jobs", "mail") for n in ("a", "b")}
    found = measure(tree({**files, "app/__init__.py": "", "app/web/a.py": "import app.db.a, app.db.b\n"}))

    packages = {package.name: package for package in found.packages}
    assert set(packages) == {"app", "app.web", "app.db", "app.jobs", "app.mail"}
    assert packages["app.web"].imports == {"app.db": 2}
    assert packages["app.db"].fan_in == 1


def test_the_measurement_is_json_and_its_summary_small(tree: Tree) -> None:
    root = tree({f"p{n % 20}/m{n}.py": f"import p{(n + 1) % 20}.m{n + 1}\n" for n in range(400)})

    found = measure(root)

    assert len(json.loads(json.dumps(found.to_json()))["modules"]) == 400
    assert len(json.dumps(summary(found))) < 8_000
    assert len(report(found)) < 6_000


def test_a_hundred_modules_in_one_knot_are_measured(tree: Tree) -> None:
    names = range(400)
    files = {f"m{n}.py": "".join(f"import m{(n + step) % 400}\n" for step in (1, 2, 3)) for n in names}

    (cycle,) = measure(tree(files)).cycles

    assert len(cycle.modules) == 400
    assert len(cycle.shortest) == 134  # steps of three, and one of two less


def test_a_chain_that_is_longer_than_pythons_stack_is_measured(tree: Tree) -> None:
    found = measure(tree({f"m{n:04}.py": f"import m{n + 1:04}\n" for n in range(1500)}))

    assert max(m.layer for m in found.modules) == 1499


def test_a_tree_in_which_nothing_can_be_read_says_why(tree: Tree) -> None:
    found = measure(tree({"bad.py": "def f(:\n"}))

    assert (found.modules, found.packages) == ((), ())
    assert "Not read: bad.py:1: invalid syntax" in report(found)
    assert summary(found)["unreadable"] == [{"path": "bad.py", "line": 1, "reason": "invalid syntax"}]
