"""Code, coloured by what its words are."""

import re
from functools import cache, lru_cache
from html import escape
from importlib import import_module
from typing import Any, Final

MOST_CHARACTERS: Final = 20_000
"""Longer code is shown in one colour: some lexers take long over what they do not understand."""

CLASSES: Final = frozenset({"c", "k", "s", "m", "nf", "nb", "nd", "gd", "gi", "gu"})
"""Pygments' short names of the families that have a colour: comment, keyword, string, number, name of a function or
class, builtin, decorator, and the lines of a difference that went, came, and head it."""

_LANGUAGES: Final = {
    **dict.fromkeys(("python", "py", "python3", "ipython"), "python"),
    **dict.fromkeys(("pycon", "python-repl"), "pycon"),
    **dict.fromkeys(("javascript", "js", "jsx", "mjs"), "javascript"),
    **dict.fromkeys(("typescript", "ts", "tsx"), "typescript"),
    **dict.fromkeys(("bash", "sh", "shell", "zsh"), "bash"),
    **dict.fromkeys(("console", "shell-session"), "console"),
    **dict.fromkeys(("yaml", "yml"), "yaml"),
    **dict.fromkeys(("c++", "cpp"), "cpp"),
    **dict.fromkeys(("csharp", "c#", "cs"), "csharp"),
    **dict.fromkeys(("rust", "rs"), "rust"),
    **dict.fromkeys(("diff", "patch"), "diff"),
    **dict.fromkeys(("dockerfile", "docker"), "docker"),
    **dict.fromkeys(("make", "makefile"), "make"),
    **{
        name: name
        for name in (
            *("json", "toml", "ini", "html", "xml", "css", "sql", "c", "java", "kotlin", "swift", "go", "ruby", "php"),
            *("r", "julia", "scala", "lua", "perl", "latex"),
        )
    },
}
FENCE: Final = re.compile(r"(?P<inset> {0,3})(?P<fence>`{3,}(?=[^`]*$)|~{3,})[ \t]*(?P<language>[^\s`]*)")
"""A line that begins a block of code in Markdown."""

_NAME = re.compile(r"[\w+#.-]{1,24}")


_LINES, _INSET = 16, 3


def closes(line: str, fence: str) -> bool:
    """Whether a line ends the block of code that `fence` began."""
    marks = line.lstrip(" ")
    return len(line) - len(marks) <= _INSET and marks.startswith(fence) and not marks.strip(f"{fence[0]} \t")


def code_block(code: str, language: str = "", *, growing: bool = False) -> str:
    """A block of code as HTML, with a bar that names its language; coloured where it is one that is known.

    Of code that is still `growing` the last lines are coloured by themselves, and those before only now and then: at
    worst a long string has a false colour until the code is whole.
    """
    found = _NAME.match(language.strip())
    name = found[0] if found else ""
    bar = f'<div class="toolkit-language">{escape(name)}</div>' if name else ""
    lines = code.splitlines(keepends=True) if growing else []
    settled = len("".join(lines[: len(lines) // _LINES * _LINES]))
    shown = "".join(_coloured(part, name.lower()) for part in (code[:settled], code[settled:]) if part)
    return f'<div class="toolkit-code">{bar}<pre tabindex="0"><code>{shown}</code></pre></div>\n'


@lru_cache(256)  # a growing answer is rendered many times a second
def _coloured(code: str, language: str) -> str:
    lexer = _lexer(_LANGUAGES.get(language, ""))
    if lexer is None or len(code) > MOST_CHARACTERS:
        return escape(code, quote=False)
    pieces: list[tuple[str, list[str]]] = []
    for kind, text in lexer.get_tokens(code):
        family = _family(kind)
        if pieces and (pieces[-1][0] == family or text.isspace()):
            pieces[-1][1].append(text)
        else:
            pieces.append((family, [text]))
    if "".join(text for _, texts in pieces for text in texts) != code:
        return escape(code, quote=False)  # some lexers drop what they do not understand
    return "".join(_piece(family, escape("".join(texts), quote=False)) for family, texts in pieces)


def _piece(family: str, text: str) -> str:
    return f'<span class="{family}">{text}</span>' if family else text


@cache
def _lexer(language: str) -> Any:
    """Pygments' lexer, which leaves every character as it is; None without one, or without Pygments."""
    if not language:
        return None
    try:
        lexers = import_module("pygments.lexers")  # of an extra that may be missing
    except ImportError:
        return None
    return lexers.get_lexer_by_name(language, stripnl=False, ensurenl=False)


@cache
def _family(kind: Any) -> str:
    """The class of a kind of word: its own or that of the nearest kind above it; empty without a colour."""
    names: dict[Any, str] = import_module("pygments.token").STANDARD_TYPES
    while kind is not None:
        name = _SAME.get(short := names.get(kind, ""), short)
        if name in CLASSES:
            return name
        kind = kind.parent
    return ""


_SAME = {"nc": "nf", "fm": "nf", "nt": "k", "na": "nf", "ow": "k", "gh": "gu", "ne": "nb", "bp": "nb"}
"""Families that share a colour."""
