"""Figures, conversations and keys."""

import csv
import io

import pytest

from tests.mcp_server.admin.person import Person
from tests.mcp_server.inside import Served, serving
from toolkit.messages import Attempt, Caller, Usage
from toolkit.stamps import now
from toolkit.testing.vendors import VendorServer

HOSTILE = "<img src=x onerror=alert(1)>"


def test_usage_is_shown_in_tiles_bars_and_tables_and_taken_away_as_csv(served: Served, person: Person) -> None:
    before = len(list(csv.DictReader(io.StringIO(person.client.get("/admin/usage.csv?days=7").text))))
    for number in range(3):
        attempt = Attempt("large", "openai", "gpt-4o", usage=Usage(1000, 50), cost_nano_usd=500_000_000)
        caller = Caller(HOSTILE, "my-app")
        asked = {"call_id": f"c{number}", "number": 1, "kind": "chat", "caller": caller, "started_at": now()}
        served.run(served.tk.usage.record(attempt, **asked))
    page = person.go("/admin/usage?days=7")
    tiles = dict(zip(page.all(".tiles dt"), page.all(".tiles dd:nth-child(2)"), strict=True))
    stats = served.run(served.tk.usage.stats(days=7))
    assert tiles["Calls"] == str(stats.calls)
    assert tiles["Cost"].startswith("$1.5")
    assert len(page.tree.css(".chart g")) == 7
    assert [bar.attributes["height"] for bar in page.tree.css(".chart .bar")] != []
    assert page.attribute(".chart svg", "role") == "img"
    assert HOSTILE in page.all("[aria-labelledby=by-user] tbody th")
    assert HOSTILE not in page.source
    rows = list(csv.DictReader(io.StringIO(person.client.get("/admin/usage.csv?days=7").text)))
    assert len(rows) == before + 3
    assert {row["user"] for row in rows[-3:]} == {HOSTILE}


def test_a_conversation_is_found_read_and_deleted(served: Served, person: Person) -> None:
    served.run(served.tk.models.add("openai", "gpt-4o", name="large"))
    served.vendors.say("A kestrel, of course.")
    session = served.run(served.tk.sessions.create(title=HOSTILE, user="ada", context={"project": HOSTILE}))
    served.run(served.tk.complete(f"Which bird is it? {HOSTILE}", session=session.id))
    served.run(served.tk.sessions.create(title="another"))

    found = person.press(person.go("/admin/sessions"), "Search", q="kestrel")
    assert found.all(".rows > li > a") == [HOSTILE]
    page = person.go(f"/admin/sessions/{session.id}")
    assert page.all(".said") == [f"Which bird is it? {HOSTILE}", "A kestrel, of course."]
    assert HOSTILE not in page.source + found.source
    question = person.go(f"/admin/sessions/{session.id}/delete")
    page = person.press(question, "Delete")
    assert page.one(".told > span") == "The conversation is deleted."
    assert person.go(f"/admin/sessions/{session.id}").status == 404


def test_a_long_conversation_is_read_in_parts(served: Served, person: Person) -> None:
    text = "\n\n".join(f"## {'User' if n % 2 else 'Assistant'}\n\nline {n}" for n in range(1, 151))
    head = '# long\n\n<!-- toolkit session {"version": 1, "title": "long"} -->\n\n'
    session = served.run(served.tk.sessions.import_(head + text, format="markdown"))
    last = person.go(f"/admin/sessions/{session.id}")
    assert (len(last.tree.css(".talk li")), last.all(".said")[-1]) == (100, "line 150")
    first = person.go(f"/admin/sessions/{session.id}?before=50")
    assert (first.all(".said")[0], first.all(".said")[-1]) == ("line 1", "line 50")


def test_a_key_is_shown_once_asks_everybody_from_then_on_and_is_revoked(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    database = f"sqlite:///{tmp_path_factory.mktemp('keys') / 'toolkit.db'}"
    with VendorServer() as vendors, serving(database, vendors) as served, Person(served.url) as person:
        page = person.go("/admin/keys")
        assert "Nobody is asked for a key yet." in page.one(".note")
        wrong = person.press(page, "Make the key", name="", days="soon", scope=[])
        assert (wrong.status, wrong.all(".wrong")) == (
            422,
            [
                "Say what the key is for.",
                "Tick what the key may do.",
                "Days are a whole number from 1 to 3,650; empty is for good.",
            ],
        )
        made = person.press(wrong, "Make the key", name="laptop", days="30", scope=["admin"])
        secret = made.one("#secret")
        key = served.run(served.tk.keys.find(secret))
        assert key is not None
        assert (key.name, key.user, sorted(key.scopes)) == ("laptop", "laptop", ["admin"])
        assert made.headers["cache-control"] == "no-store"

        login = person.go("/admin/keys")
        assert login.path == "/admin/login?next=%2Fadmin%2Fkeys"
        page = person.press(login, "Log in", key=secret)
        assert page.path == "/admin/keys"
        assert secret not in page.source
        assert page.all(".rows .good") == ["yours"]
        question = person.go(f"/admin/keys/{key.id}/revoke")
        assert "You are logged in with this key" in question.one("main")
        assert person.press(question, "Revoke").path.startswith("/admin/login")
