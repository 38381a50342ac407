"""What is sealed for a client to bring back."""

import pytest

from mcp_server.sealing import Sealer
from toolkit.errors import ToolError

ENVIRON = {"TOOLKIT_SECRET_KEY": "a secret of at least thirty-two bytes"}
ABOUT = ["ada", "delete_session", {"session": "1"}]


def test_what_one_replica_seals_another_with_the_same_secret_opens() -> None:
    sealed = Sealer.of(ENVIRON).seal({"asked": [1, "zwei"]}, about=ABOUT)
    assert Sealer.of(ENVIRON).unseal(sealed, about=ABOUT) == {"asked": [1, "zwei"]}
    assert "asked" not in sealed


def test_without_a_secret_only_the_process_itself_opens_it() -> None:
    mine = Sealer.of({})
    sealed = mine.seal({"asked": True})
    assert mine.unseal(sealed) == {"asked": True}
    with pytest.raises(ToolError, match="make the call again"):
        Sealer.of({}).unseal(sealed)


@pytest.mark.parametrize("about", [None, ["bob", *ABOUT[1:]], ["ada", "delete_session", {"session": "2"}]])
def test_it_is_worth_nothing_for_another_user_tool_or_argument(about: object) -> None:
    sealer = Sealer.of(ENVIRON)
    with pytest.raises(ToolError):
        sealer.unseal(sealer.seal({}, about=ABOUT), about=about)


def test_what_is_old_changed_or_sealed_for_others_is_refused() -> None:
    sealer = Sealer.of(ENVIRON)
    sealed = sealer.seal({"asked": True})
    key = [b"k" * 32]
    for text in (
        "",
        "v1.",
        "nonsense",
        sealed[:-1],
        sealed[:-1] + ("A" if sealed[-1] != "A" else "B"),
        "v2" + sealed[2:],
        Sealer.of({"TOOLKIT_SECRET_KEY": "another secret of thirty-two bytes"}).seal({}),
    ):
        with pytest.raises(ToolError):
            sealer.unseal(text)
    with pytest.raises(ToolError):
        Sealer(key).unseal(Sealer(key, seconds=0).seal({}))
    with pytest.raises(ToolError):
        Sealer(key).unseal(Sealer(key, audience="others").seal({}))


def test_the_first_key_seals_and_every_key_opens_so_that_keys_can_be_changed() -> None:
    old, new = b"o" * 32, b"n" * 32
    assert Sealer([new, old]).unseal(Sealer([old]).seal({"asked": True})) == {"asked": True}
