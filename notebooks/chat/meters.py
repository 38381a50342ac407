"""What stands at the edges of the panel: how full a model's window is, what it has cost, what the model has at hand."""

from collections.abc import Sequence
from html import escape

from notebooks.chat.context import Collections
from toolkit.display.words import dollars, tokens
from toolkit.sessions.filling import Filling
from toolkit.usage.records import UsageStats

_FULL = 0.8
_MOST_NAMED = 4


def head(turns: int, session: str | None) -> str:
    """What the panel is, how long the conversation is, and where it is kept."""
    count = f'<span class="toolkit-count">{turns} turn{"" if turns == 1 else "s"}</span>' if turns else ""
    kept = f' title="Session {escape(session)}"' if session else ""
    return f'<div class="toolkit-title"{kept}><b>Chat</b>{count}</div>'


def hints(tools: Sequence[str], documents: Collections) -> str:
    """What the keyboard does, and what the model has besides the question."""
    said = ["Enter sends"]
    if tools:
        said.append(f"may use {', '.join(tools[:_MOST_NAMED])}{' …' if len(tools) > _MOST_NAMED else ''}")
    if documents:
        said.append(f"answers from {documents if isinstance(documents, str) else ', '.join(documents)}")
    return f"<div>{escape(' · '.join(said))}</div>"


def meters(filling: Filling | None, used: UsageStats | None) -> str:
    """The two as HTML: a bar that says in words what it shows, and figures."""
    return f'<div class="toolkit-meters">{_context(filling)}{_cost(used)}</div>'


def _context(filling: Filling | None) -> str:
    if filling is None or not filling.tokens:
        return ""
    share, window = filling.share, filling.window
    if share is None or window is None:
        return f"<span>about {_figure(filling.tokens)} tokens in context</span>"
    said = f"About {_figure(filling.tokens)} of {_figure(window)} tokens of {filling.model}'s context, {share:.0%}"
    full = " toolkit-full" if share > _FULL else ""
    note = " nearly full" if full else ""
    return (
        f'<span class="toolkit-context{full}" role="meter" aria-label="Context" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share * 100:.0f}" aria-valuetext="{escape(said)}" title="{escape(said)}">'
        f'context <i style="--share: {share:.1%}"></i> {share:.0%}{note}</span>'
    )


def _cost(used: UsageStats | None) -> str:
    if used is None or not (used.input_tokens or used.output_tokens):
        return ""
    spent = f"{tokens(used.input_tokens, used.output_tokens)} · {dollars(used.cost_usd)}"
    return f'<span class="toolkit-total" title="Of this session, as the ledger has it">{escape(spent)}</span>'


def _figure(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")
