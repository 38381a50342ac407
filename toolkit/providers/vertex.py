"""Google's Vertex AI: Anthropic's models through Anthropic's SDK, Google's and others' through OpenAI's."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from toolkit.errors import AuthenticationFailed, ConfigError
from toolkit.providers.base import Structured, Vendor
from toolkit.providers.wire.chat import ChatCompletions, Dialect
from toolkit.providers.wire.claude import beta_headers, has_forms_at_google, is_claude
from toolkit.providers.wire.cloud import Authorized, Cloud
from toolkit.providers.wire.connection import Connection, http_client
from toolkit.providers.wire.messages import Messages
from toolkit.providers.wire.row import address

_PROVIDER = "vertex"
_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_ADVICE: Final = (
    "run: gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account"
)
_DIALECT: Final = Dialect(prefix="google/")
_HOSTS: Final = {"global": "aiplatform", "us": "aiplatform.us.rep", "eu": "aiplatform.eu.rep"}
_METADATA_SECONDS: Final = 1.0  # Google's server for the machines in its cloud answers in milliseconds, or is not there


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> Cloud:
    """A connection to Vertex AI, or to the server at `base_url`.

    Without `access_token`, Google's own library finds the credentials where its tools keep them: in a file, or with the
    machine that this runs on ("application default credentials").

    Args:
        auth: `access_token`; or `credentials`, the path of a file; `project`, `region`, `base_url`.
        config: `project`, `region` and `base_url`, which win; `betas`, see Anthropic. The project may come with the
            credentials, and the region is `global` if not given. `base_url` ends with the version, e.g. `/v1`.

    Raises:
        ConfigError: `base_url` is no address, or the extra is not installed.
    """
    if not (find_spec("google") and find_spec("google.auth") and find_spec("requests")):
        raise ConfigError("The provider vertex needs more packages; run: pip install 'toolkit-mcp[vertex]'")
    account = _Account(
        token=auth.get("access_token", ""),
        file=auth.get("credentials"),
        project=config.get("project") or auth.get("project"),
        region=config.get("region") or auth.get("region") or "global",
        base_url=address(_PROVIDER, auth, config),
        betas=beta_headers(_PROVIDER, config),
    )
    return Cloud(_PROVIDER, lambda model: "messages" if is_claude(model) else "chat", partial(_open_wire, account))


def _structured(model: str) -> Structured:
    return "native" if has_forms_at_google(model) or "gemini" in model else "tool"


@dataclass(slots=True)
class _Account:
    """Who asks, and where.

    Attributes:
        token: good for an hour, where it was not given.
        file: the credentials' own, None if Google's library is to find them.
        found: Google's credentials, once they have been found.
    """

    token: str = field(repr=False)
    file: str | None
    project: str | None
    region: str
    base_url: str | None
    betas: dict[str, str]
    found: Any = field(default=None, repr=False)
    _renewal: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def root(self) -> str:
        """Where the paths of both wires begin."""
        host = _HOSTS.get(self.region, f"{self.region}-aiplatform")
        return (self.base_url or f"https://{host}.googleapis.com/v1").rstrip("/")

    def find(self) -> None:
        """Find the credentials, and the project that they belong to. Takes up to some seconds.

        Raises:
            AuthenticationFailed: there are none.
            ConfigError: there is no project.
        """
        if not self.token and self.found is None:
            project = self._find()
            self.project = self.project or project
        if not self.project:
            raise ConfigError("vertex needs to know the project; set GOOGLE_CLOUD_PROJECT.")

    async def authorize(self) -> None:
        """See to it that the token is good. Raises AuthenticationFailed where Google gives none."""
        if self.found is None:
            return
        if not self.found.valid:
            async with self._renewal:
                if not self.found.valid:
                    await asyncio.to_thread(self._renew)
        self.token = self.found.token

    def _find(self) -> str | None:
        from google.auth.exceptions import (  # noqa: PLC0415 - comes with an extra
            DefaultCredentialsError,
            GoogleAuthError,
            MalformedError,
        )

        try:
            self.found, project = _of_file(self.file) if self.file else _of_machine()
        except MalformedError as error:
            raise _refused(error, f" from {self.file}") from None
        except (_NobodyThereError, DefaultCredentialsError):
            raise AuthenticationFailed(
                f"vertex needs credentials and found none; {_ADVICE}.", provider=_PROVIDER
            ) from None
        except (OSError, GoogleAuthError, ValueError, KeyError) as error:
            raise _refused(error, f" from {self.file}" if self.file else "") from None
        return project

    def _renew(self) -> None:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - comes with an extra
        from google.auth.transport.requests import Request  # noqa: PLC0415 - the same
        from requests import Session  # noqa: PLC0415 - the same

        try:
            with Session() as session:
                self.found.refresh(Request(session))
        except (GoogleAuthError, OSError, ValueError) as error:
            raise _refused(error) from None


def _of_file(path: str) -> tuple[Any, str | None]:
    """The credentials in a file of a service account or of a user, and their project.

    Google's library reads other kinds of files only from where its own variable in the environment says.
    """
    from google.oauth2.credentials import Credentials as User  # noqa: PLC0415 - comes with an extra
    from google.oauth2.service_account import Credentials as Robot  # noqa: PLC0415 - the same

    user: Any = User  # neither is typed
    robot: Any = Robot
    info = json.loads(Path(path).read_text(encoding="utf-8"))
    match info["type"]:
        case "service_account":
            return robot.from_service_account_info(info, scopes=_SCOPES), info.get("project_id")
        case "authorized_user":
            return user.from_authorized_user_info(info, scopes=_SCOPES), info.get("quota_project_id")
    return _of_machine()


def _of_machine() -> tuple[Any, str | None]:
    """The credentials that Google's library finds where its tools keep them, and their project."""
    from google import auth  # noqa: PLC0415 - comes with an extra

    ask: Any = _ask_metadata  # a function will do
    credentials, project = auth.default(scopes=_SCOPES, request=ask)
    return credentials, project


class _NobodyThereError(Exception):
    """This is no machine of Google's."""


def _ask_metadata(*args: Any, **how: Any) -> Any:
    """Ask the server that tells Google's machines who they are; Google's library itself tries for ten seconds."""
    from google.auth.exceptions import TransportError  # noqa: PLC0415 - comes with an extra
    from google.auth.transport.requests import Request  # noqa: PLC0415 - the same
    from requests import Session  # noqa: PLC0415 - the same

    try:
        with Session() as session:
            session.trust_env = False  # no proxy leads to a server that is next to the machine
            return Request(session)(*args, **{**how, "timeout": _METADATA_SECONDS})
    except TransportError as error:
        raise _NobodyThereError from error


def _refused(error: Exception, where: str = "") -> AuthenticationFailed:
    # Not the error's own words: they may repeat what stands in a key's file.
    return AuthenticationFailed(
        f"vertex could not get its credentials{where} ({type(error).__name__}); {_ADVICE}.", provider=_PROVIDER
    )


def _open_wire(account: _Account, wire: str) -> Messages | ChatCompletions:
    account.find()
    return _open_messages(account) if wire == "messages" else _open_chat(account)


def _open_messages(account: _Account) -> Messages:
    from anthropic import AsyncAnthropicVertex, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes a second, for its users only

    client = AsyncAnthropicVertex(
        region=account.region,
        project_id=str(account.project),
        base_url=account.root,
        default_headers=account.betas,
        max_retries=0,
        http_client=http_client(DefaultAioHttpClient),
    )
    client._custom_headers = account.betas  # noqa: SLF001 - ANTHROPIC_CUSTOM_HEADERS may hold a key not for Google

    async def authorize() -> None:
        await account.authorize()
        client.access_token = account.token

    connection = Connection(_PROVIDER, Authorized(client, authorize), AsyncStream[object], account.token)
    return Messages(connection, _PROVIDER)


def _open_chat(account: _Account) -> ChatCompletions:
    from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes most of a second, for its users only
    from openai.providers import vertex  # noqa: PLC0415 - the same

    place = f"projects/{account.project}/locations/{account.region}/endpoints/openapi"
    provider = vertex(base_url=f"{account.root}/{place}", token_provider=lambda: account.token)
    client = AsyncOpenAI(provider=provider, max_retries=0, http_client=http_client(DefaultAioHttpClient))
    connection = Connection(_PROVIDER, Authorized(client, account.authorize), AsyncStream[object], account.token)
    return ChatCompletions(connection, _PROVIDER, _DIALECT)


VENDOR = Vendor(
    connect,
    variables={
        "access_token": "CLOUDSDK_AUTH_ACCESS_TOKEN",
        "credentials": "GOOGLE_APPLICATION_CREDENTIALS",
        "project": "GOOGLE_CLOUD_PROJECT",
        "region": "GOOGLE_CLOUD_LOCATION",
        "base_url": "ANTHROPIC_VERTEX_BASE_URL",
    },
    prices="google",
    structured=_structured,
)
