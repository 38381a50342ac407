import os
from pathlib import Path

import pytest

from benchmarks.chat import LIMITS, server
from benchmarks.contest import Contest
from benchmarks.contestants.worker import Member
from benchmarks.fast_vendor import PIECES
from benchmarks.hot_path import ANSWER
from benchmarks.peers import BARE, OURS, Peer


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
@pytest.mark.parametrize("peer", [OURS, BARE], ids=lambda peer: peer.name)
def test_the_toolkit_and_the_bare_sdk_get_the_same_words_of_the_server(peer: Peer, wire: str, tmp_path: Path) -> None:
    with server() as port, Contest(peer, dict(os.environ)) as contest:
        url = f"http://127.0.0.1:{port}/{wire}" + ("/v1" if wire == "openai" else "")
        contest.connect([Member(name="model", wire=wire, url=url)], LIMITS, str(tmp_path))
        assert contest.ask(stream=False).text == ANSWER
        assert contest.load(stream=False, calls=6, at_once=3).cpu > 0
        assert contest.load(stream=True, calls=2, at_once=2).chunks == 2 * PIECES
