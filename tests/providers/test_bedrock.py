"""AWS Bedrock, through the real SDKs."""

import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.providers.conftest import HELLO, LONG
from toolkit import errors, providers
from toolkit.errors import AuthenticationFailed, BadAnswer, ConfigError, ProviderError, ProviderTimeout
from toolkit.messages import ChatRequest, Completion, Message, OutputSchema, ToolCall, ToolSpec, Usage
from toolkit.models.keys import keys_of, secrets_of
from toolkit.models.model import Model
from toolkit.models.pricelist import listed
from toolkit.providers.base import Provider
from toolkit.testing.vendors import Asked, Fault, VendorServer

pytest.importorskip("boto3", reason="comes with the extra bedrock")

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
OSS = "openai.gpt-oss-120b-1:0"
KEYS = {"access_key": "AKIATEST", "secret_key": "secret-of-no-known-shape", "region": "eu-central-1"}
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AWS's library finds nothing of the person who runs the tests, and asks nobody."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "BEARER_TOKEN_BEDROCK", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def vendor() -> str:
    return "bedrock"


@pytest.fixture
async def provider(vendors: VendorServer) -> AsyncIterator[Provider]:
    provider = providers.connect("bedrock", KEYS, {"base_url": vendors.url("bedrock")})
    yield provider
    await provider.close()


@pytest.fixture(params=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "streamed")


async def ask(
    provider: Provider,
    request: ChatRequest = HELLO,
    model: str = CLAUDE,
    *,
    streamed: bool = False,
    timeout: float = LONG,
) -> Completion:
    if not streamed:
        return await provider.complete(request, model, timeout=timeout)
    last = [delta async for delta in provider.stream(request, model, timeout=timeout)][-1]
    assert last.completion
    return last.completion


async def ask_as(vendors: VendorServer, auth: dict[str, str], model: str = CLAUDE) -> Asked:
    """What the server is asked by somebody with `auth`."""
    provider = providers.connect("bedrock", auth, {"base_url": vendors.url("bedrock")})
    try:
        await ask(provider, model=model)
    finally:
        await provider.close()
    return vendors.requests[-1]


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
    assert asked.path == f"/model/{CLAUDE}/invoke" + ("-with-response-stream" if streamed else "")
    assert asked.body.keys() == {"anthropic_version", "max_tokens", "messages"}


async def test_a_stream_yields_each_word_as_it_comes(provider: Provider, vendors: VendorServer) -> None:
    vendors.say("One two\n\nthree.")
    deltas = [delta async for delta in provider.stream(HELLO, CLAUDE, timeout=LONG)]
    assert [delta.text for delta in deltas] == ["One", " two", "\n\nthree.", ""]


@pytest.mark.parametrize("model", [CLAUDE, OSS])
async def test_tools_are_called_and_answered_on_both_wires(
    provider: Provider, vendors: VendorServer, streamed: bool, model: str
) -> None:
    call = ToolCall("a", "weather", {"city": "Zürich"})
    vendors.say(Message("assistant", tool_calls=(call,)))
    question = Message("user", "Is it warm?")
    first = await ask(provider, ChatRequest((question,), tools=(WEATHER,)), model, streamed=streamed)
    assert first.message.tool_calls == (call,)
    vendors.say("Yes.")
    result = Message("tool", "20 °C", tool_call_id="a")
    request = ChatRequest((question, first.message, result), tools=(WEATHER,))
    assert (await ask(provider, request, model, streamed=streamed)).message.text == "Yes."


async def test_other_models_are_asked_as_openais_are(provider: Provider, vendors: VendorServer, streamed: bool) -> None:
    completion = await ask(provider, model=OSS, streamed=streamed)
    assert completion.message.text == "You said: hi there"
    assert (vendors.requests[0].path, vendors.requests[0].body["model"]) == ("/openai/v1/chat/completions", OSS)


async def test_a_resource_of_awss_is_asked_as_claude_is(provider: Provider, vendors: VendorServer) -> None:
    await ask(provider, model="arn:aws:bedrock:eu-central-1:1234:application-inference-profile/abc")
    assert vendors.requests[0].path.endswith("application-inference-profile%2Fabc/invoke")


@pytest.mark.parametrize("model", [CLAUDE, OSS])
async def test_a_request_is_signed_with_the_key_or_carries_it(vendors: VendorServer, model: str) -> None:
    signed = await ask_as(vendors, {**KEYS, "session_token": "a-session"}, model)
    assert {"authorization", "x-amz-date"} <= signed.headers.keys()
    assert signed.headers["x-amz-security-token"] == "a-session"
    plain = await ask_as(vendors, {**KEYS, "api_key": "a-bedrock-key"}, model)
    assert "authorization" in plain.headers
    assert "x-amz-date" not in plain.headers


@pytest.mark.parametrize("model", [CLAUDE, OSS])
async def test_a_profile_of_awss_tools_will_do(
    vendors: VendorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text("[work]\naws_access_key_id = A\naws_secret_access_key = B\n")
    assert "x-amz-date" in (await ask_as(vendors, {"profile": "work"}, model)).headers
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-somebody-else")
    assert "x-amz-date" in (await ask_as(vendors, {"profile": "work"}, model)).headers


@pytest.mark.parametrize("model", [CLAUDE, OSS])
async def test_credentials_that_run_out_are_renewed(vendors: VendorServer, tmp_path: Path, model: str) -> None:
    script = tmp_path / "credentials.py"
    script.write_text(
        "import datetime, json, pathlib\n"
        "count = pathlib.Path(__file__).with_suffix('.count')\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        "soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': 'A', 'SecretAccessKey': 'B', 'SessionToken': str(number),\n"
        "                  'Expiration': soon.isoformat()}))\n"
    )
    (tmp_path / "config").write_text(f"[default]\nregion = eu-west-1\ncredential_process = {sys.executable} {script}\n")
    provider = providers.connect("bedrock", {}, {"base_url": vendors.url("bedrock")})
    for _ in range(2):
        await ask(provider, model=model)
    await provider.close()
    first, second = (int(asked.headers["x-amz-security-token"]) for asked in vendors.requests)
    assert first < second


@pytest.mark.parametrize("model", [CLAUDE, OSS])
async def test_without_credentials_it_says_what_to_do(vendors: VendorServer, model: str) -> None:
    with pytest.raises(AuthenticationFailed, match="set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and"):
        await ask_as(vendors, {"region": "eu-west-1"}, model)
    assert vendors.requests == []


async def test_a_metadata_server_that_is_silent_holds_nobody_up(
    vendors: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(AuthenticationFailed, match="found none"):
            await ask_as(vendors, {"region": "eu-west-1"})


@pytest.mark.parametrize(
    ("half", "variable"), [("access_key", "AWS_SECRET_ACCESS_KEY"), ("secret_key", "AWS_ACCESS_KEY_ID")]
)
def test_half_a_key_names_the_variable_of_the_other_half(half: str, variable: str) -> None:
    with pytest.raises(AuthenticationFailed, match=f"set {variable}"):
        providers.connect("bedrock", {half: "x"}, {})


@pytest.mark.parametrize("model", [CLAUDE, OSS])
async def test_without_a_region_it_names_the_variable(vendors: VendorServer, model: str) -> None:
    with pytest.raises(ConfigError, match="set AWS_REGION"):
        await ask_as(vendors, {"access_key": "A", "secret_key": "B"}, model)


async def test_a_profile_that_is_not_there_is_named(vendors: VendorServer) -> None:
    with pytest.raises(ConfigError, match=r"\(nowhere\) could not be found; check AWS_PROFILE"):
        await ask_as(vendors, {"profile": "nowhere", "region": "eu-west-1"})


async def test_a_region_that_cannot_be_is_named(vendors: VendorServer) -> None:
    with pytest.raises(ConfigError, match="`region` is invalid"):
        await ask_as(vendors, {**KEYS, "region": "Frankfurt"}, OSS)


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"pip install 'toolkit-mcp\[bedrock\]'"):
        providers.connect("bedrock", KEYS, {})


@pytest.mark.parametrize(
    ("model", "address"),
    [
        (CLAUDE, "https://bedrock-runtime.eu-central-1.amazonaws.com"),
        (OSS, "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1/"),
        ("openai.gpt-oss-120b", "https://bedrock-mantle.eu-central-1.api.aws/openai/v1/"),
    ],
)
async def test_each_model_is_asked_at_the_address_that_knows_its_name(model: str, address: str) -> None:
    cloud = providers.connect("bedrock", KEYS, {})
    wire = cloud._open_wire(cloud._wire_of(model))  # type: ignore[attr-defined]
    assert str(wire._connection._client._client.base_url) == address
    await wire.close()


STATUSES: list[tuple[Fault, type[ProviderError]]] = [
    (Fault.status(400, "The provided model identifier is invalid."), errors.ModelNotFound),
    (Fault.status(400, "Input is too long for requested model."), errors.ContextTooLong),
    (Fault.status(400, "Malformed input request."), errors.InvalidRequest),
    (Fault.status(403, "You don't have access to the model with the specified model ID."), errors.ModelNotFound),
    (Fault.status(403, "The security token included in the request is expired"), errors.AuthenticationFailed),
    (Fault.status(424, "The model had an error."), errors.ProviderUnavailable),
    (Fault.status(429, "Too many tokens, please wait before trying again."), errors.RateLimited),
    (Fault.status(503, "Bedrock is unable to process your request."), errors.ProviderUnavailable),
]

BROKEN: list[tuple[Fault, type[ProviderError]]] = [
    (Fault.reset(), errors.ProviderUnavailable),
    (Fault.cut(after=2), errors.ProviderUnavailable),
    (Fault.end(after=2), BadAnswer),
    (Fault.garbage(after=1), BadAnswer),
    (Fault.not_json(), BadAnswer),
    (Fault.empty(), BadAnswer),
]


@pytest.mark.parametrize(("fault", "kind"), [*STATUSES, *BROKEN])
async def test_what_goes_wrong_is_told_in_the_toolkits_words(
    provider: Provider, vendors: VendorServer, fault: Fault, kind: type[ProviderError], streamed: bool
) -> None:
    vendors.say("One two three four.")
    vendors.fail("bedrock", fault)
    with pytest.raises(ProviderError) as caught:
        await ask(provider, streamed=streamed)
    assert type(caught.value) is kind
    if fault.kind == "status":
        assert caught.value.request_id == "req_1"


@pytest.mark.parametrize("fault", [Fault.hang(), Fault.stall(), Fault.stall(after=2)])
async def test_silence_is_noticed(provider: Provider, vendors: VendorServer, fault: Fault, streamed: bool) -> None:
    vendors.say("One two three four.")
    await ask(provider)  # so that the SDK is there
    vendors.fail("bedrock", fault)
    with pytest.raises(ProviderTimeout):
        await ask(provider, streamed=streamed, timeout=0.2)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.error_event("Too many requests.", error_type="throttlingException", after=1), errors.RateLimited),
        (Fault.error_event("Input is too long.", error_type="validationException", after=1), errors.ContextTooLong),
        (Fault.error_event("It broke.", error_type="modelStreamErrorException", after=1), errors.ProviderUnavailable),
        (Fault.error_event("It broke.", error_type="serviceUnavailableException"), errors.ProviderUnavailable),
        (Fault.error_event("It broke.", after=2), errors.ProviderUnavailable),
    ],
)
async def test_an_exception_within_a_stream_is_an_error(
    provider: Provider, vendors: VendorServer, fault: Fault, kind: type[ProviderError]
) -> None:
    vendors.say("One two three four.")
    vendors.fail("bedrock", fault)
    said: list[str] = []
    with pytest.raises(ProviderError, match=fault.message[:-1]) as caught:
        await _listen(provider, said)
    assert type(caught.value) is kind
    assert "".join(said) == " ".join(["One", "two", "three"][: fault.after])


async def _listen(provider: Provider, said: list[str]) -> None:
    async for delta in provider.stream(HELLO, CLAUDE, timeout=LONG):
        said += [delta.text]


async def test_a_key_is_kept_out_of_what_goes_wrong(provider: Provider, vendors: VendorServer) -> None:
    vendors.fail("bedrock", Fault.status(400, f"What is {KEYS['secret_key']}?"))
    with pytest.raises(ProviderError) as caught:
        await ask(provider)
    assert KEYS["secret_key"] not in str(caught.value)
    assert KEYS["secret_key"] not in repr(provider.__dict__)


async def test_claude_is_held_to_a_form(provider: Provider, vendors: VendorServer) -> None:
    form = OutputSchema("city", {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
    await ask(provider, ChatRequest(HELLO.messages, output=form))
    assert vendors.requests[0].body["output_config"]["format"]["schema"] == {
        **form.schema,
        "additionalProperties": False,
    }


def test_the_models_that_have_forms_are_known_by_name() -> None:
    structured = providers.vendor("bedrock").structured
    assert [structured(model) for model in (CLAUDE, OSS, "anthropic.claude-3-haiku-20240307-v1:0")] == [
        "native",
        "native",
        "tool",
    ]


@pytest.mark.parametrize("model", [CLAUDE, "anthropic.claude-opus-4-6-v1", "global.anthropic.claude-opus-5", OSS])
def test_the_price_list_knows_the_models(model: str) -> None:
    assert listed("bedrock", model)


async def test_awss_own_variables_lead_to_an_answer_and_none_of_them_is_indispensable(vendors: VendorServer) -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "A",
        "AWS_SECRET_ACCESS_KEY": "of-no-known-shape",
        "AWS_SESSION_TOKEN": "a-session",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": vendors.url("bedrock"),
    }
    model = Model.unlisted("bedrock", CLAUDE)
    [key] = keys_of(model, environ)
    provider = providers.connect("bedrock", key.auth, model.config)
    await ask(provider)
    await provider.close()
    assert vendors.requests[0].headers["x-amz-security-token"] == "a-session"
    assert {"A", "of-no-known-shape", "a-session"} <= set(secrets_of(model, environ))
    assert providers.vendor("bedrock").required == ()


async def test_embeddings_are_told_apart(provider: Provider) -> None:
    with pytest.raises(errors.ModelNotFound):
        await provider.embed(["a"], CLAUDE, timeout=LONG)
