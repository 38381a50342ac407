"""Who may look, and which forms are believed."""

import time
from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest

from mcp_server.admin import attempts, visit
from mcp_server.admin.attempts import Attempts
from tests.mcp_server.admin.person import Page, Person
from tests.mcp_server.inside import Served, serving
from toolkit.testing.vendors import VendorServer

SECRET = "a secret of at least thirty-two bytes"
KEY = "first-key-of-the-environment"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that asks who calls."""
    database = f"sqlite:///{tmp_path_factory.mktemp('asking') / 'toolkit.db'}"
    environ = {"TOOLKIT_API_KEYS": KEY, "TOOLKIT_SECRET_KEY": SECRET}
    with VendorServer() as vendors, serving(database, vendors, **environ) as served:
        yield served


def key_of(served: Served, *scopes: str, ttl: timedelta | None = None) -> tuple[str, str]:
    key, secret = served.run(served.tk.keys.create("someone", user="ada", scopes=scopes, ttl=ttl))
    return key.id, secret


def log_in(person: Person, key: str, path: str = "/admin/llms") -> Page:
    return person.press(person.go(path), "Log in", key=key)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_page_is_refused_though_it_has_cookie_and_word(
    served: Served, person: Person, headers: dict[str, str]
) -> None:
    model = served.run(served.tk.models.add("openai", "gpt-4o", name="large"))
    page = person.go("/admin/llms")
    sent = {"csrf": page.value("csrf")}
    answer = person.client.post(f"/admin/llms/{model.id}/disable", data=sent, headers=headers)
    assert answer.status_code == 403
    assert served.run(served.tk.models.get("large")).enabled
    fine = person.client.post(f"/admin/llms/{model.id}/disable", data=sent, headers={"Origin": served.url})
    assert fine.status_code == 200
    assert not served.run(served.tk.models.get("large")).enabled


@pytest.mark.parametrize("word", ["", "guessed", "another's"])
def test_a_form_without_the_visitor_s_own_word_is_refused(served: Served, person: Person, word: str) -> None:
    model = served.run(served.tk.models.add("openai", "gpt-4o", name="large"))
    person.go("/admin/llms")
    with Person(served.url) as another:
        theirs = another.go("/admin/llms").value("csrf")
        sent = {"csrf": theirs if word == "another's" else word}
        for action in (
            f"{model.id}/disable",
            f"{model.id}/delete",
            f"{model.id}",
            "many",
            "priorities",
            "add",
            "import",
        ):
            answer = person.client.post(f"/admin/llms/{action}", data=sent)
            assert (answer.status_code, "too old" in answer.text) == (403, True), action
        another.client.cookies.clear()
        assert another.client.post("/admin/keys", data={"csrf": theirs}).status_code == 403
    assert served.run(served.tk.models.get("large")).enabled


def test_other_pages_neither_frame_nor_fetch_nor_run_anything_in_ours(person: Person) -> None:
    fetched = person.client.get("/admin/llms", headers={"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"})
    assert fetched.status_code == 403
    followed = person.client.get("/admin/llms", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert followed.status_code == 200
    page = person.go("/admin/llms")
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "same-origin"
    for path in ("", "/llms", "/usage", "/sessions", "/keys", "/llms/add?provider=openai", "/llms/history"):
        source = person.go(f"/admin{path}").source
        assert " style=" not in source
        assert " onclick" not in source
        assert "<style" not in source
        assert source.count("<script") == source.count('<script src="/admin/static/')


def test_files_are_kept_by_browsers_as_long_as_they_are_the_same(person: Person) -> None:
    page = person.go("/admin/llms")
    for node in page.tree.css("link[href], script[src]"):
        path = node.attributes.get("href") or node.attributes.get("src") or ""
        answer = person.client.get(path)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
        assert person.client.get(path.partition("?")[0]).headers["cache-control"] == "no-cache"
    assert person.client.get("/admin/static/../pages.py").status_code == 404


def test_who_has_not_logged_in_sees_nothing_and_changes_nothing(asking: Served) -> None:
    model = asking.run(asking.tk.models.add("openai", "gpt-4o", name="heron"))
    with Person(asking.url) as person:
        for path in (
            "/llms",
            f"/llms/{model.id}",
            "/llms/export",
            "/usage",
            "/usage.csv",
            "/sessions",
            "/keys",
            "/nowhere",
        ):
            page = person.go(f"/admin{path}")
            assert page.path.startswith("/admin/login?next=")
            assert "heron" not in page.source
        answer = person.client.post(f"/admin/llms/{model.id}/disable", data={"csrf": page.value("csrf")})
        assert "/admin/login" in str(answer.url)
        # A key that programs send does not open the pages: other pages could make a browser send it, too.
        assert "heron" not in person.client.get("/admin/llms", headers={"Authorization": f"Bearer {KEY}"}).text
    assert asking.run(asking.tk.models.get("heron")).enabled
    asking.clear()


@pytest.mark.parametrize("kind", ["database", "environment", "jwt"])
def test_a_key_of_each_kind_opens_the_pages_and_names_who_changes(asking: Served, kind: str) -> None:
    claims = {"sub": "carol", "exp": int(time.time()) + 60, "scope": "admin"}
    key, user = {
        "database": (key_of(asking, "admin")[1], "ada"),
        "environment": (KEY, "api"),
        "jwt": (jwt.encode(claims, SECRET, "HS256"), "carol"),
    }[kind]
    with Person(asking.url) as person:
        page = log_in(person, key, "/admin/llms/add?provider=openai")
        assert page.path == "/admin/llms/add?provider=openai"
        page = person.press(page, "Add", model="gpt-4o", name=f"of-{kind}")
        assert asking.run(asking.tk.models.history(f"of-{kind}"))[0].changed_by == user
        assert page.one(".out .quiet") == f"You are {user}"
        assert key not in page.source
        cookie = person.client.cookies["toolkit-admin-visitor"]
        assert key not in cookie
        assert person.press(page, "Log out", within=".out").path == "/admin/login"
        assert person.go("/admin/llms").path.startswith("/admin/login")


@pytest.mark.parametrize(
    ("scopes", "status", "said"), [(("chat", "search"), 403, "needs the scope admin"), ((), 401, "unknown, expired")]
)
def test_a_key_that_may_not_administer_opens_nothing(
    asking: Served, scopes: tuple[str, ...], status: int, said: str
) -> None:
    key = key_of(asking, *scopes)[1] if scopes else "tk_" + "A" * 43
    with Person(asking.url) as person:
        page = log_in(person, key)
        assert page.status == status
        assert said in page.one(".wrong")
        assert person.go("/admin/llms").path.startswith("/admin/login")


def test_a_key_that_is_revoked_ends_the_login_at_once(asking: Served) -> None:
    key_id, secret = key_of(asking, "admin")
    with Person(asking.url) as person:
        assert log_in(person, secret).path == "/admin/llms"
        asking.run(asking.tk.keys.revoke(key_id))
        assert person.go("/admin/llms").path.startswith("/admin/login")


def test_a_login_ends_with_its_token(asking: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = {"sub": "carol", "exp": int(time.time()) + 60, "scope": "admin"}
    with Person(asking.url) as person:
        assert log_in(person, jwt.encode(claims, SECRET, "HS256")).path == "/admin/llms"
        name = "toolkit-admin-visitor"
        kept = person.client.cookies[name]
        person.client.cookies.clear()
        person.client.cookies.set(name, kept)  # a browser forgets it in time; this one does not
        assert person.go("/admin/llms").path == "/admin/llms"
        late = time.time() + 61
        monkeypatch.setattr("mcp_server.admin.login.time.time", lambda: late)
        assert person.go("/admin/llms").path.startswith("/admin/login")


def test_the_cookie_is_for_this_server_alone(asking: Served) -> None:
    with Person(asking.url) as person:
        given = person.client.get("/admin/login").headers.get_list("set-cookie")
        [plain] = [each for each in given if "visitor" in each]
        assert "HttpOnly" in plain
        assert "SameSite=strict" in plain
        assert "Path=/admin" in plain
        assert f"Max-Age={visit.SECONDS}" in plain
    with Person(asking.url, **{"X-Forwarded-Proto": "https"}) as person:
        given = person.client.get("/admin/login").headers.get_list("set-cookie")
        [secure] = [each for each in given if "visitor" in each]
        assert secure.startswith("__Host-toolkit-admin-visitor=")
        assert "Secure" in secure
        assert "Path=/;" in secure


def test_replicas_with_one_secret_share_a_login_and_others_do_not(asking: Served, served: Served) -> None:
    with VendorServer() as vendors, Person(asking.url) as person:
        log_in(person, KEY)
        cookies = dict(person.client.cookies)
        with serving("sqlite://", vendors, TOOLKIT_API_KEYS=KEY, TOOLKIT_SECRET_KEY=SECRET) as replica:
            for key, opens in ((None, True), ("another", False)):
                with Person(replica.url) as there:
                    there.client.cookies.update(cookies if key is None else {**cookies, "toolkit-admin-visitor": "x"})
                    assert (there.go("/admin/llms").path == "/admin/llms") is opens
    # This one asks nobody, and its cookie is no login elsewhere.
    with Person(served.url) as local, Person(asking.url) as there:
        local.go("/admin/llms")
        there.client.cookies.update(dict(local.client.cookies))
        assert there.go("/admin/llms").path.startswith("/admin/login")


@pytest.mark.parametrize(
    "path", ["https://evil.example/admin/", "//evil.example", "/admin/\\evil.example", "/health", "/administrator"]
)
def test_the_way_back_after_a_login_is_a_page_of_ours(asking: Served, path: str) -> None:
    with Person(asking.url) as person:
        page = Page(person.client.get("/admin/login", params={"next": path}))
        assert person.press(page, "Log in", key=KEY).path == "/admin/llms"


def test_keys_are_tried_so_often_a_minute_and_no_more(asking: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with Person(asking.url) as person:
        page = person.go("/admin/login")
        for _ in range(attempts.MOST):
            assert person.press(page, "Log in", key="wrong").status == 401
        refused = person.press(page, "Log in", key=KEY)
        assert refused.status == 429
        assert 0 < int(refused.headers["retry-after"]) <= attempts.SECONDS
        late = time.monotonic() + attempts.SECONDS
        monkeypatch.setattr("mcp_server.admin.attempts.monotonic", lambda: late)
        assert person.press(page, "Log in", key=KEY).path == "/admin/llms"


def test_one_who_tries_too_often_does_not_lock_out_others(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Attempts()
    for _ in range(attempts.MOST):
        assert counted.begin("10.0.0.1") is None
    assert counted.begin("10.0.0.1") is not None
    assert counted.begin("10.0.0.2") is None
    counted.succeeded("10.0.0.2")
    monkeypatch.setattr(attempts, "_MOST_ADDRESSES", 1)
    later = time.monotonic() + attempts.SECONDS + 1
    monkeypatch.setattr("mcp_server.admin.attempts.monotonic", lambda: later)
    assert counted.begin("10.0.0.3") is None
    assert counted.begin("10.0.0.1") is None
