"""Records the cassettes of our notebooks, and makes their outputs: `make notebooks`.

No vendor was asked for them. `VendorServer`, on this machine, plays two vendors, and what it says is written below.
What calls it is real: the toolkit, the vendors' SDKs, the retries, the price list. A call that has no answer here gets
an echo, which one sees in the notebook. With real keys `toolkit notebook update NOTEBOOK --record` does the same.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit.messages import Json, Message, ToolCall
from toolkit.testing import anthropic_wire, openai_wire, responses_wire
from toolkit.testing.vendors import VendorServer

FOLDER = Path(__file__).parent.parent.parent / "notebooks"

WRONG_DATE = '{"product": "toaster", "kind": "billing", "order_date": "2026-11-06", "refund_usd": 49.9}'

Answers = dict[str, str | Message]


def wanted(tool: str, **arguments: object) -> Message:
    """The wish that a tool be called."""
    return Message("assistant", tool_calls=(ToolCall(f"call_{tool}", tool, arguments),))


# By a part of what was said last; the first that fits. Of several models, each may have its own: `model: part`.
ANSWERS: Answers = {
    # 01
    "capital of France? Answer": "The capital of France is Paris.",
    "How long is the Seine": "The Seine is about 777 km long.",
    "Where does the Seine end": "The Seine flows into the English Channel at Le Havre.",
    "How high is the Eiffel Tower": "The Eiffel Tower is **330 m** high, with its antennas.",
    "museum in Paris": "The Louvre is a museum in Paris.",
    # 02
    "My dog is called Bello": "I will remember it: your dog is called Bello.",
    "What is my dog called": "Bello",
    "name for a second dog": "Luna",
    "Which two names": "We talked about Bello, your dog, and Luna, a name for a second one.",
    "how much does a beagle eat": "An adult beagle eats about 250 g of dry food a day, in two meals.",
    # 03
    "desk lamp: shipped on Monday": "Your desk lamp was shipped on Monday.",
    "office chair: being packed": "Order A-18, an office chair, is being packed.",
    "Where is my order A-17": wanted("order_status", number="A-17"),
    "And where is A-18": wanted("order_status", number="A-18"),
    "Please cancel order A-18": wanted("cancel_order", number="A-18"),
    "Please cancel my order A-18": wanted("cancel_order", number="A-18"),
    "Cancelled: office chair": "I have cancelled your office chair, order A-18.",
    "refused": "I was not allowed to cancel the order, so it stays as it is.",
    # 04
    "What is the deadline of a call": (
        "A call has one deadline of 60 seconds, if nothing else is said [1]. "
        "The reply says what it cost in US dollars [2]."
    ),
    # 05
    "nobody orders later": WRONG_DATE.replace("2026-11-06", "2026-06-11"),
    "the kettle": '{"product": "kettle", "kind": "broken", "order_date": "2026-06-02", "refund_usd": 35}',
    "desk lamp": '{"product": "desk lamp", "kind": "late", "order_date": "2026-05-20", "refund_usd": 0}',
    "a blue rug": '{"product": "rug", "kind": "wrong item", "order_date": "2026-06-05", "refund_usd": 120}',
    "toaster": WRONG_DATE,
    # 06
    "17 + 125": "142",
    "gpt-6-luna: Yesterday was Thursday": "Thursday",
    "Yesterday was Thursday": "Friday",
    "gpt-6-sol: extraordinary": "13",
    "extraordinary": "12",
    "capital of Peru": "Lima",
    "97 a prime": "yes",
    "3 divided by 20": "0.15",
    # 07
    "capital of France?": "Paris.",
    "of Italy": "Rome.",
    "Mont Blanc": "Mont Blanc is 4,806 m high.",
    "How long is the Rhine": "The Rhine is about 1,230 km long.",
    # 08
    "France? One word": "Paris",
    "tests that need no network": "They give the same result on every machine, also on one without a connection.",
}


def answer(body: Json) -> str | Message:
    """What is said to a question."""
    wire = responses_wire if "input" in body else anthropic_wire if "max_tokens" in body else openai_wire
    asked = wire.question(body)
    for part, said in ANSWERS.items():
        model, colon, text = part.partition(": ")
        if part in asked or (colon and text in asked and model in str(body.get("model"))):
            return said
    return f"You said: {asked.strip()[:80]}"


def main(names: Sequence[str]) -> int:
    """Record the notebooks named, by default all of them; gives the exit code."""
    paths = [Path(name) for name in names] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        for each in (path.parent / "cassettes").glob(f"{path.stem}.*.yaml"):
            each.unlink()  # what a notebook itself records once
    with VendorServer(answer) as vendors:
        return subprocess.run(
            [sys.executable, "-m", "toolkit.cli", "notebook", "update", "--record", *map(str, paths)],
            env={**os.environ, **vendors.environ()},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
