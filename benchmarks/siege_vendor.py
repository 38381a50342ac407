"""Two vendors that fail at random, and whose answers can be told to be right: the seal of a word that nobody else asks.

A question names a token, `s12.c3.7`: the session, the client, the question's number. The answer repeats it, and then
says its seal, twelve words that only this token has. So an answer that is another's, or half of it, is noticed.
"""

import hashlib
import random
import re

from toolkit.messages import Json
from toolkit.testing.faults import Fault
from toolkit.testing.vendors import VendorServer
from toolkit.testing.wire import texts_in

TOKEN = re.compile(r"\b(s\d+)\.c\d+\.\d+\b")
_ASKED = re.compile(rf"the seal of {TOKEN.pattern}")
_REPEAT = re.compile(r"<<<(.*)>>>", re.DOTALL)
SICK = 0.12
"""How often, after an answer, a vendor fails."""

FAULTS = (
    Fault.status(500),
    Fault.status(503),
    Fault.status(429),
    Fault.status(429, headers={"retry-after": "1"}),
    Fault.reset(),
    Fault.hang(),
    Fault.not_json(),
    Fault.empty(),
    *(make(after) for make in (Fault.stall, Fault.cut, Fault.end, Fault.garbage) for after in (0, 4, 9)),
    *(Fault.error_event(after=after) for after in (0, 4, 9)),
)


def question(token: str) -> str:
    """What a client asks."""
    return f"What is the seal of {token}?"


def answer(token: str) -> str:
    """The only right answer to the question."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f"{token} has " + " ".join(digest[start : start + 5] for start in range(0, 60, 5))


class Vendors:
    """OpenAI and Anthropic, as this machine plays them.

    Args:
        seed: of what is left to chance.

    Attributes:
        server: where they listen, once it is started.
        complaints: questions that came with what was said in another session, and answers that nobody has begun.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.server = VendorServer(self.reply)
        self.complaints: list[str] = []

    def reply(self, body: Json) -> str:
        """The answer, or what is left of it for whoever has begun it; whether the next one fails is drawn, too."""
        self.server.requests.clear()  # each has a whole conversation in it
        self._draw("openai" if str(body["model"]).startswith("gpt") else "anthropic")
        messages = [(each["role"], texts_in(each["content"])) for each in body["messages"]]
        asked = max(place for place, (role, text) in enumerate(messages) if role == "user" and _ASKED.search(text))
        token = next(TOKEN.finditer(messages[asked][1]))
        sessions = {each[1] for _, text in messages for each in TOKEN.finditer(text)}
        if sessions != {token[1]}:
            self.complaints.append(f"{token[0]} was asked with what was said in {sorted(sessions)}")
        begun = "".join(text for role, text in messages[asked:] if role == "assistant")
        return self._rest(answer(token[0]), begun, messages[-1][1]) if begun else answer(token[0])

    def _rest(self, whole: str, begun: str, told: str) -> str:
        """What is left of an answer that another one has begun.

        Half of the times it comes behind what was to be repeated; always where nothing is left: that is no answer.
        """
        if not whole.startswith(begun):
            self.complaints.append(f"{begun!r} was begun by nobody")
            return whole
        rest = whole[len(begun) :]
        repeated = _REPEAT.search(told)
        return repeated[1] + rest if repeated and (not rest or self._chance.random() < 0.5) else rest

    def _draw(self, vendor: str) -> None:
        lot = self._chance.random()
        if lot < SICK:
            self.server.fail(vendor, self._chance.choice(FAULTS), times=1)
        elif lot < 0.6:  # so that there is a middle in which something can happen
            self.server.fail(vendor, Fault.drip(0.01), times=1)
