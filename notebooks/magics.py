"""Magics: `%load_ext notebooks` adds `%%chat`, `%%ask`, `%search` and `%usage`.

They speak with the toolkit that was connected last, and connect by themselves where none was. What a model says is
printed as it comes, and nothing that differs from run to run is: so nbval compares it.
"""

import re
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NoReturn

from notebooks.chat.turn import Turn, fallback
from notebooks.connection import latest
from notebooks.variables import filled
from toolkit.bridge import inside
from toolkit.display.words import dollars, tokens
from toolkit.errors import ConfigError, ToolkitError
from toolkit.messages import CalledTool, Delta, Reply
from toolkit.redaction import redact
from toolkit.search.answer import Answer
from toolkit.sessions.refusals import is_id

_DAYS = re.compile(r"(\d{1,4})([dw]?)")
_TITLE = 80


class Failed(ToolkitError):
    """Why a magic did not do what it was to do: the cell counts as failed, and shows one sentence.

    Args:
        kind: the name of the error, or of what happened.
        told: the sentence.
    """

    def __init__(self, kind: str, told: str) -> None:
        super().__init__(told)
        self.kind = kind

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a stack trace."""
        return [f"{self.kind}: {self}"]


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to an IPython shell; `%%chat?` tells what each may be given."""
    magics = Magics(shell)
    for kind, name, act in (
        ("cell", "chat", magics.chat),
        ("cell", "ask", magics.ask),
        ("line", "search", magics.search),
        ("line", "usage", magics.usage),
    ):
        shell.register_magic_function(_magic(act, _parser(kind, name)), kind, name)


def _magic(act: Callable[[Namespace, str], Any], parser: ArgumentParser) -> Callable[..., Any]:
    def run(line: str, cell: str = "") -> Any:
        try:
            return act(_given(parser, line), cell)
        except ToolkitError as error:
            failed = error if isinstance(error, Failed) else Failed(type(error).__name__, redact(str(error)))
        raise failed  # out here, without the error behind it, which IPython would show as well

    run.__doc__ = parser.format_help()
    run.__dict__["_ipython_magic_no_var_expand"] = True  # IPython would leave an unknown {name} as it is
    return run


def _given(parser: ArgumentParser, line: str) -> Namespace:
    try:
        words = shlex.split(line)
    except ValueError:  # an apostrophe is no quotation
        words = line.split()
    given = parser.parse_args(words)
    if given.out and not given.out.isidentifier():
        raise ConfigError(f"{given.out!r} cannot be a variable; give -o a name such as reply.")
    return given


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}; {self.prog}? tells what may be given.")


def _parser(kind: str, name: str) -> ArgumentParser:
    sign = "%%" if kind == "cell" else "%"
    parser = _Parser(sign + name, description=_ABOUT[name], add_help=False, allow_abbrev=False)
    add = parser.add_argument
    if name in ("chat", "ask"):
        add("-m", "--model", help="a model's name; without it the first of the chain that answers")
        add("-c", "--collection", help="answer from the documents of this collection")
        add("-t", "--tool", action="append", default=[], help="a tool that may be called; may be given again")
        add("-o", "--out", default="reply", help="the variable for the reply, `reply` without it")
    if name == "chat":
        add("-s", "--session", default="", help="the title or id of a conversation; without it that of this kernel")
        add("--new", action="store_true", help="begin the conversation anew")
    if name == "search":
        add("query", nargs="+", help="words or a question")
        add("-c", "--collection", help="where to look; without it everywhere")
        add("-k", "--top-k", type=int, default=5, help="how many passages at most")
    if name == "usage":
        add("since", nargs="?", default="30d", help="how far back: 7d, 2w or today; 30d without it")
        add("--by", default="model", help="what there is a row for: model, user, origin, provider, session or tool")
    if kind == "line":
        add("-o", "--out", help="a variable for what was found")
    return parser


_ABOUT = {
    "chat": "Go on with a conversation; {name} in the text stands for a variable.",
    "ask": "Ask one question, which nothing remembers; {name} in the text stands for a variable.",
    "search": "Search the documents, and give the hits; {name} stands for a variable.",
    "usage": "Give what was asked of whom, and what it cost.",
}


class Magics:
    """What the magics of one kernel do, and which conversation each title means.

    Args:
        shell: the IPython shell, whose variables are read and set.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._conversations: dict[tuple[Any, str], str] = {}

    def chat(self, given: Namespace, cell: str) -> None:
        """Answer the cell in a conversation."""
        self._answer(given, cell, remembered=True)

    def ask(self, given: Namespace, cell: str) -> None:
        """Answer the cell."""
        self._answer(given, cell, remembered=False)

    def search(self, given: Namespace, _cell: str) -> Any:
        """Give the hits."""
        query = filled(" ".join(given.query), self._shell.user_ns)
        return self._keep(given.out, latest().search(query, collection=given.collection, top_k=given.top_k))

    def usage(self, given: Namespace, _cell: str) -> Any:
        """Give the figures."""
        days, usage = _days(given.since), latest().usage
        found = usage.tools(days=days) if given.by == "tool" else usage.overview(given.by, days=days)
        return self._keep(given.out, found)

    def _keep(self, name: str | None, value: Any) -> Any:
        if name:
            self._shell.user_ns[name] = value
        return value

    def _answer(self, given: Namespace, cell: str, *, remembered: bool) -> None:
        question = filled(cell, self._shell.user_ns).strip()
        if not question:
            raise ConfigError("There is no question; write it below the line of the magic.")
        if given.collection and given.tool:
            raise ConfigError("An answer from documents is given without tools; leave out -c or -t.")
        tk = latest()
        asked: dict[str, Any] = {"model": given.model, "origin": "notebook", "keep_partial": remembered}
        if remembered:
            asked["session"] = self._session(tk, given.session, question, new=given.new)
        if given.collection:
            pieces = tk.answer_stream(question, collection=given.collection, **asked)
        else:
            pieces = tk.stream(question, tools=tuple(given.tool), **asked)
        answer = _Speech(Turn(question, session=asked.get("session")), flush=not hasattr(self._shell, "kernel"))
        try:
            with closing(pieces):
                answer.say(pieces)
        except KeyboardInterrupt:
            stopped = self._keep(given.out, answer.turn.so_far)
        else:
            self._keep(given.out, answer.whole)
            answer.end(_foot(answer.whole))
            return
        answer.end("stopped")
        if not stopped.text:
            raise Failed("Stopped", "Nothing had been said yet.")
        raise Failed("Stopped", f"What had been said is in `{given.out}`.")

    def _session(self, tk: Any, name: str, question: str, *, new: bool) -> str:
        """The id of the conversation with this title or id; that of the kernel without one."""
        if is_id(name):
            if new:
                raise ConfigError("--new begins another conversation, which gets an id of its own; give -s a title.")
            return name
        key = (inside(tk)[0], name)
        if not new and key not in self._conversations and name:
            known = [found.id for found in tk.sessions.list(search=name) if found.title == name]
            if known:
                self._conversations[key] = known[0]
        if new or key not in self._conversations:
            title = name or question[:_TITLE]
            self._conversations[key] = tk.sessions.create(title=title, origin="notebook").id
        return self._conversations[key]


class _Speech:
    """An answer as it is printed.

    Attributes:
        turn: the question, and what came of it.
        whole: the reply, or the answer from documents, once it is there.
    """

    def __init__(self, turn: Turn, *, flush: bool) -> None:
        self.turn = turn
        self.whole: Any = None
        self._flush = flush  # a kernel sends what is printed a few times a second by itself, which costs far less
        self._fresh = True

    def say(self, pieces: Iterator[Delta | Answer]) -> None:
        """Print what comes."""
        for piece in pieces:
            self.turn.add(piece)
            if isinstance(piece, Answer):
                self.whole = piece
                continue
            if piece.restarted:
                self._line("begins again")
            for called in piece.called:
                self._line(_called(called))
            self._print(piece.text)
            self.whole = piece.reply or self.whole

    def end(self, foot: str) -> None:
        """Print the last line."""
        self._line(foot)

    def _line(self, text: str) -> None:
        self._print(f"{'' if self._fresh else chr(10)}— {text}\n")

    def _print(self, text: str) -> None:
        if text:
            print(text, end="", flush=self._flush)  # noqa: T201 - what a magic is for
            self._fresh = text.endswith("\n")


def _called(called: CalledTool) -> str:
    how = "refused" if called.refused else "failed" if called.error else "done"
    return f"{called.call.name}: {how}"


def _foot(whole: Reply | Answer) -> str:
    """Who answered, who failed before, the tokens and the cost; and the sources of an answer from documents."""
    reply = whole.reply if isinstance(whole, Answer) else whole
    used = reply.usage
    spent = [tokens(used.input_tokens, used.output_tokens), dollars(reply.cost_usd)] if used.total_tokens else []
    cut = ["cut off at the length allowed"] if reply.finish_reason == "length" else []
    foot = " · ".join(filter(None, [reply.model, fallback(reply), *cut, *spent]))
    if isinstance(whole, Answer):
        for each in whole.citations:
            place = each.place or f"lines {each.lines[0]}–{each.lines[1]}"
            foot += f"\n  [{each.number}] {each.source}, {place}"
    return foot


def _days(since: str) -> int:
    if since == "today":
        return 1
    found = _DAYS.fullmatch(since)
    if not found or not int(found[1]):
        raise ConfigError(f"{since!r} is no time; write 7d, 2w or today.")
    return int(found[1]) * (7 if found[2] == "w" else 1)
