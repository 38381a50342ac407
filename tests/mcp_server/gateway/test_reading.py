"""In whose name a question is asked."""

from typing import Any

import pytest

from mcp_server.asker import Asker
from mcp_server.auth import LOCAL, Caller
from mcp_server.gateway.asked import ChatBody
from mcp_server.gateway.reading import question
from toolkit.access.scopes import CHAT

BODY = ChatBody.model_validate_json('{"messages": [{"role": "user", "content": "Hello."}], "user": "somebody"}')
KEY = Caller("ada", authenticated=True, scopes=frozenset({CHAT}))
NAMELESS = Caller(None, authenticated=True, scopes=frozenset({CHAT}))
TK: Any = None


@pytest.mark.parametrize(
    ("who", "user"),
    [
        (Asker(TK, LOCAL, None, None), "somebody"),
        (Asker(TK, LOCAL, "of-the-header", None), "of-the-header"),
        (Asker(TK, KEY, "ada", None), "ada"),
        (Asker(TK, NAMELESS, None, None), None),  # nobody becomes someone else by saying so
    ],
)
def test_who_is_proven_or_named_in_a_header_is_not_renamed_by_the_body(who: Asker, user: str | None) -> None:
    asked = question(BODY, who)
    assert (asked["user"], asked["authenticated"]) == (user, who.who.authenticated)
