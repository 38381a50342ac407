"""AWS Bedrock: Anthropic's models through Anthropic's SDK, the others through OpenAI's."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from toolkit.errors import AuthenticationFailed, ConfigError
from toolkit.providers.base import Structured, Vendor
from toolkit.providers.wire.chat import ChatCompletions
from toolkit.providers.wire.claude import has_forms, is_claude
from toolkit.providers.wire.cloud import Authorized, Cloud
from toolkit.providers.wire.connection import Connection, http_client
from toolkit.providers.wire.eventstream import event_stream
from toolkit.providers.wire.messages import Messages
from toolkit.providers.wire.row import address, key

_PROVIDER = "bedrock"
_ADVICE: Final = (
    "set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in with AWS's own tools "
    "(aws configure, AWS_PROFILE)"
)
_VERSION = re.compile(r":\d+$")


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> Cloud:
    """A connection to Bedrock, or to the server at `base_url`.

    Without `api_key` or `access_key`, AWS's own library finds the credentials where its tools keep them: in the files
    of a profile, or with the machine that this runs on.

    Args:
        auth: `api_key` (a Bedrock API key), or `access_key`, `secret_key` and `session_token`, or `profile`; `region`;
            `base_url`.
        config: `region` and `base_url`, which win. The paths of both of Bedrock's wires follow behind the latter:
            `/model/…` and `/openai/v1/…`.

    Raises:
        AuthenticationFailed: half a key is missing, or it is no key at all.
        ConfigError: `base_url` is no address, or the extra is not installed.
    """
    if not (find_spec("boto3") and find_spec("botocore")):
        raise ConfigError("The provider bedrock needs more packages; run: pip install 'toolkit-mcp[bedrock]'")
    account = _Account(
        api_key=key(_PROVIDER, "AWS_BEARER_TOKEN_BEDROCK", auth, needed=False) if auth.get("api_key") else "",
        access_key=auth.get("access_key", ""),
        secret_key=auth.get("secret_key", ""),
        session_token=auth.get("session_token", ""),
        profile=config.get("profile") or auth.get("profile"),
        region=config.get("region") or auth.get("region"),
        base_url=address(_PROVIDER, auth, config),
    )
    account.check()
    return Cloud(_PROVIDER, _wire_of, partial(_open_wire, account))


def _wire_of(model: str) -> str:
    """The wire of a model by its name: Anthropic's, or the one of Bedrock's two addresses that knows such a name.

    A name that is a resource of AWS's (`arn:…`) says nothing of the model, and is most often one of Anthropic's.
    """
    if is_claude(model) or model.startswith("arn:"):
        return "messages"
    return "runtime" if _VERSION.search(model) else "mantle"


def _structured(model: str) -> Structured:
    return "native" if has_forms(model) or _wire_of(model) != "messages" else "tool"


@dataclass(slots=True)
class _Account:
    """Who asks, and where.

    Attributes:
        found: the credentials of AWS's that requests are signed with, once they have been found.
    """

    api_key: str = field(repr=False)
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)
    profile: str | None
    region: str | None
    base_url: str | None
    found: Any = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What AWS may repeat and no message must."""
        return tuple(filter(None, (self.api_key, self.access_key, self.secret_key, self.session_token)))

    def check(self) -> None:
        """Raise AuthenticationFailed where one half of a key came without the other."""
        for half, other, variable in (
            (self.access_key, self.secret_key, "AWS_SECRET_ACCESS_KEY"),
            (self.secret_key, self.access_key, "AWS_ACCESS_KEY_ID"),
        ):
            if half and not other and not self.api_key:
                raise AuthenticationFailed(f"bedrock needs both halves of a key; set {variable}.", provider=_PROVIDER)

    def place(self) -> str:
        """The region, the user's own if none was given. Raises ConfigError if there is none."""
        if not self.region and not (self.api_key and self.base_url):
            self.region = self._session().region_name
            if not self.region:
                raise ConfigError("bedrock needs to know the region; set AWS_REGION, for example to us-east-1.")
        return self.region or "us-east-1"  # a server of one's own that takes a key as it is has none

    async def authorize(self) -> None:
        """Find the credentials, if that is not done yet. Raises AuthenticationFailed if there are none."""
        if not self.api_key and self.found is None:
            self.found = await asyncio.to_thread(self._find)

    async def frozen(self) -> Any:
        """The credentials as they are now; those that run out are renewed."""
        await self.authorize()
        return await asyncio.to_thread(self._freeze)

    def _freeze(self) -> Any:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - comes with an extra

        try:
            return self.found.get_frozen_credentials()
        except (BotoCoreError, RuntimeError, OSError) as error:
            raise _refused(error) from None

    def _find(self) -> Any:
        from botocore.credentials import Credentials  # noqa: PLC0415 - comes with an extra
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - the same

        if self.access_key:
            return Credentials(self.access_key, self.secret_key, self.session_token or None)
        session = self._session()
        try:
            found = session.get_credentials()
        except (BotoCoreError, RuntimeError, OSError) as error:
            raise _refused(error) from None
        if found is None:
            raise AuthenticationFailed(f"bedrock needs credentials and found none; {_ADVICE}.", provider=_PROVIDER)
        return found

    def _session(self) -> Any:
        from boto3 import Session  # noqa: PLC0415 - comes with an extra
        from botocore.exceptions import ProfileNotFound  # noqa: PLC0415 - the same

        try:
            return Session(profile_name=self.profile)
        except ProfileNotFound as error:
            raise ConfigError(f"{error}; check AWS_PROFILE.") from None


def _refused(error: Exception) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"bedrock could not get its credentials ({type(error).__name__}: {error}); {_ADVICE}.", provider=_PROVIDER
    )


def _open_wire(account: _Account, wire: str) -> Messages | ChatCompletions:
    return _open_messages(account) if wire == "messages" else _open_chat(account, wire)


def _open_messages(account: _Account) -> Messages:
    from anthropic import AsyncAnthropicBedrock, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes a second, for its users only

    client = AsyncAnthropicBedrock(
        aws_region=account.place(),
        base_url=account.base_url or f"https://bedrock-runtime.{account.place()}.amazonaws.com",
        max_retries=0,
        http_client=http_client(DefaultAioHttpClient),
    )
    client._custom_headers = {}  # noqa: SLF001 - ANTHROPIC_CUSTOM_HEADERS may hold a key that is not for AWS
    client.api_key = account.api_key or None

    async def authorize() -> None:
        if not account.api_key:
            found = await account.frozen()
            client.aws_access_key, client.aws_secret_key = found.access_key, found.secret_key
            client.aws_session_token = found.token

    connection = Connection(
        _PROVIDER, Authorized(client, authorize), AsyncStream[object], *account.secrets, events=event_stream
    )
    return Messages(connection, _PROVIDER)


def _open_chat(account: _Account, wire: str) -> ChatCompletions:
    from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes most of a second, for its users only
    from openai.providers import bedrock  # noqa: PLC0415 - the same

    provider = bedrock(
        endpoint="runtime" if wire == "runtime" else "mantle",
        region=account.place(),
        base_url=f"{account.base_url.rstrip('/')}/openai/v1" if account.base_url else None,
        api_key=account.api_key or None,
        credential_provider=None if account.api_key else lambda: account.found,
    )
    client = AsyncOpenAI(provider=provider, max_retries=0, http_client=http_client(DefaultAioHttpClient))
    connection = Connection(_PROVIDER, Authorized(client, account.authorize), AsyncStream[object], *account.secrets)
    return ChatCompletions(connection, _PROVIDER)


VENDOR = Vendor(
    connect,
    variables={
        "api_key": "AWS_BEARER_TOKEN_BEDROCK",
        "access_key": "AWS_ACCESS_KEY_ID",
        "secret_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
        "profile": "AWS_PROFILE",
        "region": "AWS_REGION",
        "base_url": "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    },
    prices="aws",
    structured=_structured,
)
