"""Google's Vertex AI, through the real SDKs."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.providers.conftest import HELLO, LONG
from toolkit import errors, providers
from toolkit.errors import AuthenticationFailed, BadAnswer, ConfigError, ProviderError
from toolkit.messages import ChatRequest, Completion, Message, ToolCall, ToolSpec, Usage
from toolkit.models.pricelist import listed
from toolkit.providers.base import Provider
from toolkit.providers.vertex import _Account
from toolkit.testing.listener import Exchange, HttpRequest, Listener
from toolkit.testing.vendors import Fault, VendorServer

pytest.importorskip("google.auth", reason="comes with the extra vertex")
pytest.importorskip("requests", reason="comes with the extra vertex")

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

CLAUDE = "claude-sonnet-4-5@20250929"
GEMINI = "gemini-2.5-flash"
TOKEN = {"access_token": "token-of-no-known-shape", "project": "atlas", "region": "europe-west1"}
PLACE = "/v1/projects/atlas/locations/europe-west1"
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Google's library finds nothing of the person who runs the tests, and asks nobody."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("GCE_METADATA_IP", "127.0.0.1:9")
    monkeypatch.setenv("PATH", "")  # it also asks the command gcloud


@pytest.fixture
async def provider(vendors: VendorServer) -> AsyncIterator[Provider]:
    provider = connect(vendors, TOKEN)
    yield provider
    await provider.close()


@pytest.fixture(params=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "streamed")


def connect(vendors: VendorServer, auth: dict[str, str]) -> Provider:
    return providers.connect("vertex", auth, {"base_url": f"{vendors.url('vertex')}/v1"})


async def ask(
    provider: Provider, request: ChatRequest = HELLO, model: str = CLAUDE, *, streamed: bool = False
) -> Completion:
    if not streamed:
        return await provider.complete(request, model, timeout=LONG)
    last = [delta async for delta in provider.stream(request, model, timeout=LONG)][-1]
    assert last.completion
    return last.completion


class Google:
    """What gives tokens for a service account: another one every time, good for `seconds`."""

    def __init__(self) -> None:
        self.listener = Listener(self._answer)
        self.seconds = 3600
        self.given = 0
        self.status = 200

    async def _answer(self, request: HttpRequest, exchange: Exchange) -> None:  # noqa: ARG002 - whoever asks
        self.given += 1
        answer = {"access_token": f"token-{self.given}", "expires_in": self.seconds, "token_type": "Bearer"}
        error = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        body = answer if self.status == 200 else error
        await exchange.send(self.status, {"content-type": "application/json"}, json.dumps(body).encode())

    def account(self, folder: Path) -> str:
        """The path of the file of a service account."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        info = {
            "type": "service_account",
            "project_id": "of-the-file",
            "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "client_email": "robot@of-the-file.iam.gserviceaccount.com",
            "token_uri": f"http://127.0.0.1:{self.listener.port}/token",
        }
        path = folder / "account.json"
        path.write_text(json.dumps(info))
        return str(path)


@pytest.fixture
def google() -> Iterator[Google]:
    google = Google()
    google.listener.start()
    yield google
    google.listener.stop()


async def test_claude_answers_with_its_usage(provider: Provider, vendors: VendorServer, streamed: bool) -> None:
    usage = Usage(100, 20, 30, 5, 7, cache_write_1h_tokens=2)
    vendors.say(Completion(Message("assistant", "Paris, of course."), usage=usage))
    completion = await ask(provider, streamed=streamed)
    assert completion == Completion(Message("assistant", "Paris, of course."), "stop", usage, "req_1")


async def test_claudes_name_is_in_the_path_and_not_in_the_body(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    await ask(provider, streamed=streamed)
    asked = vendors.requests[0]
    verb = "streamRawPredict" if streamed else "rawPredict"
    assert asked.path == f"{PLACE}/publishers/anthropic/models/{CLAUDE}:{verb}"
    assert asked.body.keys() - {"stream"} == {"anthropic_version", "max_tokens", "messages"}
    assert "authorization" in asked.headers


async def test_other_models_are_asked_as_openais_are_by_their_full_names(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    for name, full in ((GEMINI, f"google/{GEMINI}"), ("meta/llama-4-maverick-maas", "meta/llama-4-maverick-maas")):
        assert (await ask(provider, model=name, streamed=streamed)).message.text == "You said: hi there"
        asked = vendors.requests[-1]
        assert (asked.path, asked.body["model"]) == (f"{PLACE}/endpoints/openapi/chat/completions", full)
        assert "authorization" in asked.headers


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
async def test_tools_are_called_and_answered_on_both_wires(
    provider: Provider, vendors: VendorServer, streamed: bool, model: str
) -> None:
    call = ToolCall("a", "weather", {"city": "Zürich"})
    vendors.say(Message("assistant", tool_calls=(call,)))
    question = Message("user", "Is it warm?")
    first = await ask(provider, ChatRequest((question,), tools=(WEATHER,)), model, streamed=streamed)
    assert first.message.tool_calls == (call,)
    vendors.say("Yes.")
    request = ChatRequest((question, first.message, Message("tool", "20 °C", tool_call_id="a")), tools=(WEATHER,))
    assert (await ask(provider, request, model, streamed=streamed)).message.text == "Yes."


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
async def test_a_service_accounts_token_is_fetched_once_and_its_project_is_taken(
    vendors: VendorServer, google: Google, tmp_path: Path, model: str
) -> None:
    provider = connect(vendors, {"credentials": google.account(tmp_path)})
    await asyncio.gather(*(ask(provider, model=model) for _ in range(3)))
    await provider.close()
    assert google.given == 1
    assert vendors.requests[0].path.startswith("/v1/projects/of-the-file/locations/global/")


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
async def test_a_token_that_runs_out_is_renewed(
    vendors: VendorServer, google: Google, tmp_path: Path, model: str
) -> None:
    google.seconds = 1
    provider = connect(vendors, {"credentials": google.account(tmp_path)})
    for _ in range(3):
        await ask(provider, model=model)
    await provider.close()
    assert google.given == 3


async def test_googles_own_variable_and_files_are_honoured(
    vendors: VendorServer, google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", google.account(tmp_path))
    provider = connect(vendors, {"project": "atlas"})
    await ask(provider)
    await provider.close()
    assert vendors.requests[0].path.startswith("/v1/projects/atlas/")
    assert google.given == 1


async def test_credentials_that_google_refuses_are_told(vendors: VendorServer, google: Google, tmp_path: Path) -> None:
    google.status = 400
    provider = connect(vendors, {"credentials": google.account(tmp_path)})
    with pytest.raises(AuthenticationFailed, match=r"could not get its credentials \(RefreshError\); run: gcloud auth"):
        await ask(provider)
    await provider.close()


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
async def test_without_credentials_it_says_what_to_do(vendors: VendorServer, model: str) -> None:
    with pytest.raises(AuthenticationFailed, match="found none; run: gcloud auth application-default login, or set"):
        await ask(connect(vendors, {"project": "atlas"}), model=model)
    assert vendors.requests == []


async def test_a_metadata_server_that_is_silent_holds_nobody_up(
    vendors: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        monkeypatch.setenv("GCE_METADATA_IP", f"127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(AuthenticationFailed, match="found none"):
            await ask(connect(vendors, {"project": "atlas"}))
        silent.accept()[0].close()  # it was asked, and
        with pytest.raises(BlockingIOError):
            silent.accept()  # only once


async def test_a_file_that_cannot_be_used_is_named(vendors: VendorServer, tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(AuthenticationFailed, match=r"from .*none\.json \(FileNotFoundError\); run: gcloud"):
        await ask(connect(vendors, {"credentials": str(path)}))
    for text in ("no JSON", "{}", '{"type": "service_account"}'):
        path.write_text(text)
        with pytest.raises(AuthenticationFailed, match=r"from .*none\.json \("):
            await ask(connect(vendors, {"credentials": str(path)}))


async def test_a_users_own_file_will_do(tmp_path: Path) -> None:
    user = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}
    (tmp_path / "user.json").write_text(json.dumps(user | {"quota_project_id": "of-the-user"}))
    account = _Account("", str(tmp_path / "user.json"), None, "global", None, {})
    account.find()
    assert (account.project, account.found.refresh_token) == ("of-the-user", "c")


async def test_another_kind_of_file_is_left_to_googles_library(vendors: VendorServer, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"type": "external_account"}')
    with pytest.raises(AuthenticationFailed, match="found none"):
        await ask(connect(vendors, {"credentials": str(tmp_path / "other.json")}))


async def test_without_a_project_it_names_the_variable(vendors: VendorServer) -> None:
    with pytest.raises(ConfigError, match="set GOOGLE_CLOUD_PROJECT"):
        await ask(connect(vendors, {"access_token": "x"}))


@pytest.mark.parametrize("module", ["google.auth", "requests"])
def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install 'toolkit-mcp\[vertex\]'"):
        providers.connect("vertex", TOKEN, {})


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
    ],
)
async def test_each_region_has_an_address(region: str, host: str) -> None:
    cloud = providers.connect("vertex", {**TOKEN, "region": region}, {})
    for model in (CLAUDE, GEMINI):
        wire = cloud._open_wire(cloud._wire_of(model))  # type: ignore[attr-defined]
        assert wire._connection._client._client.base_url.host == host
        await wire.close()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.status(401), AuthenticationFailed),
        (Fault.status(404), errors.ModelNotFound),
        (Fault.status(429), errors.RateLimited),
        (Fault.status(529), errors.ProviderUnavailable),
        (Fault.reset(), errors.ProviderUnavailable),
        (Fault.cut(after=2), errors.ProviderUnavailable),
        (Fault.end(after=2), BadAnswer),
        (Fault.garbage(after=1), BadAnswer),
        (Fault.error_event(error_type="overloaded_error", after=1), errors.ProviderUnavailable),
    ],
)
async def test_what_goes_wrong_is_told_in_the_toolkits_words(
    provider: Provider, vendors: VendorServer, fault: Fault, kind: type[ProviderError], streamed: bool
) -> None:
    vendors.say("One two three four.")
    vendors.fail("vertex", fault)
    with pytest.raises(ProviderError) as caught:
        await ask(provider, streamed=streamed)
    assert type(caught.value) is kind


async def test_a_token_is_kept_out_of_what_goes_wrong(provider: Provider, vendors: VendorServer) -> None:
    vendors.fail("vertex", Fault.status(400, f"What is {TOKEN['access_token']}?"))
    with pytest.raises(ProviderError) as caught:
        await ask(provider)
    assert TOKEN["access_token"] not in str(caught.value)


def test_the_models_that_have_forms_are_known_by_name() -> None:
    structured = providers.vendor("vertex").structured
    models = (CLAUDE, "claude-opus-4-6", GEMINI, "meta/llama-4-maverick-maas")
    assert [structured(model) for model in models] == ["tool", "native", "native", "tool"]


@pytest.mark.parametrize("model", [CLAUDE, "claude-opus-4-1@20250805", "claude-opus-5", GEMINI])
def test_the_price_list_knows_the_models(model: str) -> None:
    assert listed("vertex", model)
