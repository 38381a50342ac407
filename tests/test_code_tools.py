"""The tools for code: measured first, judged by a model where there is one, confined to allowed folders."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from toolkit import Toolkit
from toolkit.code_tools import NO_MODEL, code_tools
from toolkit.errors import ToolArgumentsError, ToolError
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.tool import ToolContext, ToolResult

LONG = "import os\n\n\n" + "\n\n".join(
    f"def f{n}():\n" + "".join(f"    value_{i} = os.getenv('NAME_{i}')\n" for i in range(100)) for n in range(40)
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "code"
    (place / "pkg").mkdir(parents=True)
    (place / "pkg/__init__.py").write_text("")
    (place / "pkg/a.py").write_text("import pkg.b\n")
    (place / "pkg/b.py").write_text("import pkg.a\n")
    (place / "long.py").write_text(LONG)
    (place / "empty.py").write_text("\n")
    (place / ".env").write_text("OPENAI_API_KEY=sk-123456789012\n")
    (place / "innocent.py").symlink_to(place / ".env")
    return place.resolve()


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def tk(root: Path, vendors: VendorServer) -> AsyncIterator[Toolkit]:
    environ = {**vendors.environ(), "TOOLKIT_CODE_ROOTS": str(root)}
    async with Toolkit.open(settings=Settings.from_env(environ, database_url="sqlite://")) as opened:
        yield opened


@pytest.fixture
async def alone(root: Path) -> AsyncIterator[Toolkit]:
    """A toolkit with the embedded model only."""
    settings = Settings.from_env({"TOOLKIT_CODE_ROOTS": str(root)}, database_url="sqlite://")
    async with Toolkit.open(settings=settings) as opened:
        yield opened


async def call(tk: Toolkit, name: str, **arguments: Any) -> ToolResult:
    return await ToolRegistry(code_tools(tk)).call(name, arguments, ToolContext(user="ada", origin="test"))


def asked(vendors: VendorServer) -> str:
    """What the last model was asked."""
    return str(vendors.requests[-1].body)


async def test_an_architecture_is_measured_first_and_then_judged_by_a_model(tk: Toolkit, vendors: VendorServer) -> None:
    vendors.say("Cut pkg.b → pkg.a.", vendor="openai")

    result = await call(tk, "analyze_architecture", path="pkg", focus="the cycle")

    assert result.text.startswith("Cut pkg.b → pkg.a.\n\npkg: 3 modules, 2 lines")
    assert "(answered by " in result.text
    assert result.data["analysis"] == "Cut pkg.b → pkg.a."
    assert result.data["measurement"]["cycles"][0]["shortest"] == ["pkg.a", "pkg.b"]
    assert result.data["attempts"][-1]["ok"]
    assert "pkg.a → pkg.b → pkg.a" in asked(vendors)
    assert "Look at this above all: the cycle" in asked(vendors)
    (row, *_) = await tk.usage.calls()
    assert (row.user, row.origin) == ("ada", "test")


async def test_without_a_model_the_measurement_alone_is_the_answer_and_says_so(alone: Toolkit) -> None:
    result = await call(alone, "analyze_architecture")

    assert "pkg.a → pkg.b → pkg.a" in result.text
    assert result.text.endswith(f"({NO_MODEL} This is the measurement alone.)")
    assert (result.data["analysis"], result.data["note"]) == (None, f"{NO_MODEL} This is the measurement alone.")
    assert await alone.usage.calls() == []


async def test_where_every_model_fails_the_measurement_is_given_with_the_reason(
    tk: Toolkit, vendors: VendorServer
) -> None:
    vendors.fail("openai", Fault.status(401))
    vendors.fail("anthropic", Fault.status(401))

    result = await call(tk, "analyze_architecture")

    assert "pkg.a → pkg.b → pkg.a" in result.text
    assert "This is the measurement alone." in result.text
    assert result.data["analysis"] is None


@pytest.mark.parametrize("name", ["review_code", "generate_docs"])
async def test_code_is_read_from_the_argument_or_from_a_file(tk: Toolkit, vendors: VendorServer, name: str) -> None:
    vendors.say("Said.", "Said.", vendor="openai")

    given = await call(tk, name, code="print('{{ 7*7 }}')")
    assert "{{ 7*7 }}" in asked(vendors)
    of_file = await call(tk, name, path="pkg/a.py")
    assert "import pkg.b" in asked(vendors)
    assert "from pkg/a.py" in asked(vendors)

    for result in (given, of_file):
        assert result.text.startswith("Said.\n\n(answered by ")
        assert (result.data["text"], result.data["left_out"]) == ("Said.", [])


async def test_focus_and_style_are_told_to_the_model(tk: Toolkit, vendors: VendorServer) -> None:
    vendors.say("Said.", "Said.", vendor="openai")

    await call(tk, "review_code", code="x = 1", focus="overflow")
    assert "Look at this above all: overflow" in asked(vendors)
    await call(tk, "generate_docs", code="x = 1", style="numpy")
    assert "in numpy style" in asked(vendors)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Give `code`, or the `path` of a file."),
        ({"code": " ", "path": ""}, "Give `code`, or the `path` of a file."),
        ({"code": "x", "path": "pkg/a.py"}, "Give either `code` or `path`, not both."),
        ({"path": "../outside.py"}, "lies outside the folders that may be read .*TOOLKIT_CODE_ROOTS names them"),
        ({"path": "/etc/passwd"}, "lies outside the folders that may be read"),
        ({"path": ".env"}, r"\.env is a file that keys are kept in; it is shown to no model"),
        ({"path": "innocent.py"}, "is a file that keys are kept in"),
        ({"path": "gone.py"}, "There is no gone.py in"),
        ({"path": "pkg"}, "is a folder; name one file in it"),
        ({"path": "empty.py"}, "empty.py is empty"),
    ],
)
async def test_what_cannot_be_read_is_one_sentence_and_no_model_is_asked(
    tk: Toolkit, vendors: VendorServer, arguments: dict[str, str], message: str
) -> None:
    for name in ("review_code", "generate_docs"):
        with pytest.raises(ToolError, match=message):
            await call(tk, name, **arguments)
    assert vendors.requests == []


async def test_a_folder_outside_is_not_measured(tk: Toolkit) -> None:
    with pytest.raises(ToolError, match="lies outside the folders that may be read"):
        await call(tk, "analyze_architecture", path="..")


async def test_without_a_model_code_is_not_reviewed_and_the_sentence_says_what_to_do(alone: Toolkit) -> None:
    for name in ("review_code", "generate_docs"):
        with pytest.raises(ToolError, match="No model that can judge code is set up; set a vendor's key"):
            await call(alone, name, code="x = 1")


async def test_a_file_that_is_too_long_is_cut_by_whole_functions_and_it_is_said(
    tk: Toolkit, vendors: VendorServer
) -> None:
    vendors.say("Said.", vendor="openai")
    for row in await tk.models.list():
        await tk.models.set(row.name, config={**row.config, "context_window": 8_000})

    result = await call(tk, "review_code", path="long.py", focus="look at f39")

    assert "def f39" in asked(vendors)
    assert "def f38" not in asked(vendors)
    assert result.data["left_out"][-1].endswith(": f38")
    assert "(Too long for the model; left out: lines " in result.text
    assert "# … left out: lines " in asked(vendors)


async def test_a_key_in_the_code_does_not_leave_the_machine(tk: Toolkit, vendors: VendorServer) -> None:
    vendors.say("Said.", vendor="openai")
    await call(tk, "review_code", code="KEY = 'sk-123456789012345'\nprint(KEY)")
    assert "sk-123456789012345" not in asked(vendors)
    assert "print(KEY)" in asked(vendors)


async def test_a_prompt_of_the_users_replaces_ours_and_its_hints_count(tk: Toolkit, vendors: VendorServer) -> None:
    vendors.say("Said.", vendor="openai")
    text = "---\narguments: [code, {name: name, default: ''}, {name: focus, default: ''}]\n"
    text += "hints: {max_tokens: 77}\n---\nJudge {{ code }}{{ name }}{{ focus }}"
    await tk.prompts.add("review_code", text)

    await call(tk, "review_code", code="x = 1")

    assert "Judge x = 1" in asked(vendors)
    assert "77" in asked(vendors)


async def test_a_style_that_is_none_is_told(tk: Toolkit) -> None:
    with pytest.raises(ToolArgumentsError, match="`style` must be 'google', 'numpy' or 'sphinx'"):
        await call(tk, "generate_docs", code="x", style="poem")


def test_the_tools_say_what_they_are_and_cost_a_host_few_tokens(tmp_path: Path) -> None:
    tools = code_tools(Toolkit.open("sqlite://"))

    assert [tool.name for tool in tools] == ["analyze_architecture", "review_code", "generate_docs"]
    assert all(tool.read_only and tool.open_world and tool.presets == {"code"} for tool in tools)
    assert sum(len(str(tool.spec)) for tool in tools) < 2_400
    assert not list(tmp_path.iterdir())
