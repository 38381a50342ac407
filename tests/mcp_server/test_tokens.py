"""Which tokens are good, and for what."""

import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from mcp_server import jwks
from mcp_server.house import House
from mcp_server.jwks import Jwks, Unverifiable
from mcp_server.tokens import Tokens
from tests.mcp_server.issuer import Issuer, issuing
from toolkit.settings import HttpSettings, Settings
from toolkit.toolkit import Toolkit

HERE = "https://toolkit.example.org/mcp"
SECRET = "a secret of at least thirty-two bytes"


@pytest.fixture(scope="module")
def _issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def issuer(_issuer: Issuer) -> Iterator[Issuer]:
    keys = dict(_issuer.keys)
    _issuer.reads = 0
    yield _issuer
    _issuer.keys, _issuer.extra, _issuer.status = keys, [], 200


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House(lambda: Toolkit.open(settings=Settings("sqlite://")))
    yield house
    await house.close()


def hs256(**claims: Any) -> str:
    return jwt.encode({"sub": "ada", "exp": int(time.time()) + 60, **claims}, SECRET, algorithm="HS256")


def by_hand(claims: dict[str, Any], secret: bytes, kid: str = "") -> str:
    """A token of HS256 with whatever PyJWT refuses to write or to sign with."""
    head = base64url_encode(json.dumps({"alg": "HS256", "kid": kid}).encode())
    body = base64url_encode(json.dumps(claims).encode())
    return b".".join([head, body, base64url_encode(hmac.digest(secret, head + b"." + body, "sha256"))]).decode()


async def verified(house: House, token: str, **settings: Any) -> tuple[str | None, set[str]] | None:
    """User and scopes."""
    found = await Tokens(house, HttpSettings(**settings)).verify(token, HERE)
    return (found.subject, set(found.scopes)) if found else None


async def test_a_key_of_the_environment_opens_everything_and_every_one_is_compared_to_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    really = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return really(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = ("key-one", "key-two")
    assert await verified(house, "key-one", api_keys=keys) == ("api", {"chat", "search", "admin"})
    assert compared == [(b"key-one", b"key-one"), (b"key-two", b"key-one")]
    for wrong in ("key", "key-one ", "key-three", "", "ключ"):
        assert await verified(house, wrong, api_keys=keys) is None


async def test_a_key_of_the_database_is_its_user_s_with_its_scopes(house: House) -> None:
    made, secret = await (await house.opened()).keys.create("laptop", user="ada", scopes=["search"])
    found = await Tokens(house, HttpSettings()).verify(secret, HERE)
    assert found
    assert (found.client_id, found.subject, found.scopes, found.token) == (made.id, "ada", ["search"], "")


async def test_a_token_of_our_own_secret_is_its_subject_s_and_may_chat_and_search_where_it_says_nothing(
    house: House,
) -> None:
    assert await verified(house, hs256(), secret_key=SECRET) == ("ada", {"chat", "search"})
    assert await verified(house, hs256(scope="admin write"), secret_key=SECRET) == ("ada", {"admin"})
    assert await verified(house, hs256(scp=["chat", "read"]), secret_key=SECRET) == ("ada", {"chat"})
    assert await verified(house, hs256(scope=""), secret_key=SECRET) == ("ada", set())
    assert await verified(house, hs256(), secret_key=SECRET + "!") is None
    assert await verified(house, hs256()) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": 1},
        {"exp": "soon"},
        {"sub": None},
        {"sub": ""},
        {"sub": " "},
        {"sub": 7},
        {"sub": "a" * 300},
        {"nbf": 9_999_999_999},
        {"aud": "https://other.example.org/mcp"},
        {"aud": ["x", 7]},
        {"aud": {"for": HERE}},
    ],
)
async def test_a_token_that_has_no_end_no_user_or_another_audience_is_refused(
    house: House, claims: dict[str, Any]
) -> None:
    said = {"sub": "ada", "exp": int(time.time()) + 60} | claims
    token = by_hand({name: value for name, value in said.items() if value is not None}, SECRET.encode())
    assert await verified(house, token, secret_key=SECRET) is None


async def test_the_audience_is_this_server_s_address_or_the_one_that_is_set(house: House) -> None:
    for aud in (HERE, f"{HERE}/", "https://toolkit.example.org", ["x", HERE]):
        assert await verified(house, hs256(aud=aud), secret_key=SECRET)
        assert await verified(house, hs256(aud=aud), secret_key=SECRET, jwt_audience="toolkit")
    assert await verified(house, hs256(aud="toolkit"), secret_key=SECRET, jwt_audience="toolkit")
    assert await verified(house, hs256(aud="toolkit"), secret_key=SECRET) is None
    assert await verified(house, hs256(), secret_key=SECRET, jwt_audience="toolkit") is None


async def test_the_issuer_is_checked_where_one_is_set(house: House) -> None:
    settings = {"secret_key": SECRET, "jwt_issuer": "https://login.example.org"}
    assert await verified(house, hs256(iss="https://login.example.org"), **settings)
    assert await verified(house, hs256(iss="https://evil.example"), **settings) is None
    assert await verified(house, hs256(), **settings) is None


async def test_a_token_of_a_public_key_is_checked_with_it_and_may_do_only_what_it_says(
    house: House, issuer: Issuer
) -> None:
    url = f"{issuer.url}/jwks"
    assert await verified(house, issuer.token(), jwks_url=url) == ("ada", {"chat", "search"})
    assert await verified(house, issuer.token(scope=None), jwks_url=url) == ("ada", set())
    with issuing() as other:
        assert await verified(house, other.token(), jwks_url=url) is None


async def test_nobody_chooses_how_a_token_is_checked(house: House, issuer: Issuer) -> None:
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key()
    shown: dict[str, Any] = {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": "rsa"}
    oct_key = {"kty": "oct", "k": base64url_encode(b"s" * 48).decode(), "kid": "oct", "alg": "HS384"}
    issuer.extra = [shown, oct_key]
    settings = {"jwks_url": f"{issuer.url}/jwks", "secret_key": SECRET}
    claims = {"sub": "ada", "exp": int(time.time()) + 60}
    good = jwt.encode(claims, private, algorithm="RS256", headers={"kid": "rsa"})
    assert await verified(house, good, **settings)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = by_hand(claims, pem, "rsa")  # the public key, taken for a secret
    shown_secret = base64url_decode(oct_key["k"])  # at an address where everybody reads it
    known = jwt.encode(claims, shown_secret, algorithm="HS384", headers={"kid": "oct"})
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "rsa"})
    other = jwt.encode(claims, private, algorithm="RS512", headers={"kid": "rsa"})  # the key is for RS256
    for token in (forged, known, unsigned, other, "a.b.c", "..", f"{good[:-4]}AAAA"):
        assert await verified(house, token, **settings) is None


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


async def test_an_unknown_key_is_asked_for_at_most_every_thirty_seconds(issuer: Issuer) -> None:
    clock = Clock()
    keys = Jwks(f"{issuer.url}/jwks", clock=clock)
    assert await keys.key("one")
    for _ in range(5):
        assert await keys.key("two") is None
        assert await keys.key("one")
    assert issuer.reads == 1
    issuer.keys["two"] = issuer.keys["one"]
    clock.at += jwks.AGAIN_SECONDS
    assert await keys.key("two")
    assert issuer.reads == 2


async def test_a_key_that_was_taken_back_is_forgotten_within_ten_minutes_and_an_issuer_that_is_away_hides_none(
    issuer: Issuer,
) -> None:
    clock = Clock()
    keys = Jwks(f"{issuer.url}/jwks", clock=clock)
    assert await keys.key("one")
    issuer.status = 500
    clock.at += jwks.FRESH_SECONDS + 1
    assert await keys.key("one")
    issuer.status = 200
    issuer.keys = {"two": issuer.keys["one"]}
    clock.at += jwks.AGAIN_SECONDS
    assert await keys.key("one") is None
    assert issuer.reads == 3


async def test_a_token_without_a_key_s_name_is_meant_for_the_only_key(issuer: Issuer) -> None:
    assert await Jwks(f"{issuer.url}/jwks").key(None)
    issuer.keys["two"] = issuer.keys["one"]
    assert await Jwks(f"{issuer.url}/jwks").key(None) is None


async def test_without_any_public_key_nothing_is_said_of_a_token(issuer: Issuer) -> None:
    issuer.status = 500
    with pytest.raises(Unverifiable, match="cannot be read at present"):
        await Jwks(f"{issuer.url}/jwks").key("one")
    issuer.status = 200
    issuer.keys, issuer.extra = {}, [{"kty": "strange"}]
    with pytest.raises(Unverifiable):
        await Jwks(f"{issuer.url}/jwks").key("one")
