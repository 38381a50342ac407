"""The environment, read in one place.

A variable of the process wins over the same one in a file `.env` of the working directory.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from toolkit.errors import ConfigError

_TEN_YEARS = 315_360_000  # seconds
Record: TypeAlias = Literal["none", "once", "new_episodes", "all"]
"""Which calls are recorded to a cassette; the words are those of pytest-recording."""
LogFormat: TypeAlias = Literal["text", "json"]
"""How the log is written: lines for people, or one JSON object per line."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Who may call over HTTP, and from where.

    Attributes:
        api_keys: keys that open everything, beside those of the table.
        secret_key: what tokens of HS256 are signed with, and what is sealed for replicas; None: no such tokens.
        jwks_url: where the public keys of other tokens are; None: no such tokens.
        jwt_issuer: who must have issued a token; None: whoever has the key.
        jwt_audience: for whom a token must be issued, beside for this server's own address; None: see the docs.
        allowed_hosts: names by which the server is called, beside those of this machine.
        allowed_origins: web pages that may call, `https://host` or with a port, beside those of this machine.
        trusted_proxies: addresses and networks whose `X-Forwarded-*` headers are believed.
        max_body_mb: megabytes (2^20 bytes) of a request's body, at most.
        grace_seconds: how long requests under way may still take when the server is told to end. A container is killed
            30 seconds after it was told, where nobody says otherwise, and the database is to be closed by then.
    """

    api_keys: tuple[str, ...] = field(default=(), repr=False)
    secret_key: str | None = field(default=None, repr=False)
    jwks_url: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    max_body_mb: int = 4
    grace_seconds: int = 20

    @property
    def asks(self) -> bool:
        """Whether callers must say who they are, whatever keys the database has."""
        return bool(self.api_keys or self.secret_key or self.jwks_url)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "HttpSettings":
        """What `env` says of it.

        Raises:
            ConfigError: a value that cannot be used; the message names its variable.
        """
        return cls(
            api_keys=_words(env, "TOOLKIT_API_KEYS"),
            secret_key=env.get("TOOLKIT_SECRET_KEY") or None,
            jwks_url=_jwks_url(env.get("TOOLKIT_JWKS_URL")),
            jwt_issuer=env.get("TOOLKIT_JWT_ISSUER") or None,
            jwt_audience=env.get("TOOLKIT_JWT_AUDIENCE") or None,
            allowed_hosts=tuple(map(_host, _words(env, "TOOLKIT_ALLOWED_HOSTS"))),
            allowed_origins=tuple(map(_origin, _words(env, "TOOLKIT_ALLOWED_ORIGINS"))),
            trusted_proxies=tuple(map(_proxy, _words(env, "TOOLKIT_TRUSTED_PROXIES"))),
            max_body_mb=_whole(env, "TOOLKIT_MAX_BODY_MB", default=4, least=1, most=1024),
            grace_seconds=_whole(env, "TOOLKIT_GRACE_SECONDS", default=20, least=0, most=3600),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; docs/configuration.md lists every variable.

    Attributes:
        database_url: `sqlite:///file.db`, `sqlite://` (memory) or `postgresql://…`.
        schema: the Postgres schema that holds the tables.
        min_connections: Postgres connections kept open.
        max_connections: Postgres connections at most.
        default_model: a name, or `provider/model`: asked before the chain where no model is named, and what `"default"`
            means where no row is marked as the default.
        session_ttl: seconds that an unused session lives.
        summary_model: the model that sums up the beginning of a conversation that outgrows a window; None: nobody does.
        cache_ttl: seconds that an answer may be given again where the caller does not say; None: only who asks for it.
        cache_max_mb: megabytes of answers that are kept, at most.
        cache_similarity: how alike two questions must be to get the same answer, from 0 to 1; None: the very same.
        embedding_model: what turns questions into vectors, `provider/model` or a name.
        rate_limit_rpm: requests per minute of each user; None is no limit.
        rate_limit_tpm: tokens per minute of each user; None is no limit.
        budget_usd_per_day: what all together may spend in a day, in US dollars; None is no limit.
        redis_url: where limits and cached answers are kept instead of the database, None: in the database.
        tools: which tools a host is offered where its command line does not say: presets and names, as for `--tools`.
        max_result_tokens: how long a tool's result may be, in tokens of 4 bytes, before a host gets it in parts.
        tools_file: tools that are HTTP calls, and other MCP servers; None without one.
        code_roots: folders whose code the built-in tools may read; none is the working directory.
        webhook_urls: who is told of events.
        cassette: the file that calls are recorded to and replayed from; None: models are asked.
        record: `none`, `once`, `new_episodes` or `all`: which calls are recorded.
        prompts_dir: a folder of the user's own prompts, None without one.
        log_level: a level of Python's logging.
        log_format: `text` or `json`.
        log_content: the log also has the beginnings of what is asked and answered over HTTP.
        slow_query_ms: milliseconds from which on a statement to the database is logged as slow; 0 is never.
        http: who may call over HTTP.
        environ: the whole environment, for the names that models' rows refer to.
    """

    database_url: str
    schema: str = "toolkit"
    min_connections: int = 1
    max_connections: int = 10
    default_model: str | None = None
    session_ttl: int = 86_400
    summary_model: str | None = None
    cache_ttl: int | None = None
    cache_max_mb: int = 256
    cache_similarity: float | None = None
    embedding_model: str | None = None
    rate_limit_rpm: int | None = None
    rate_limit_tpm: int | None = None
    budget_usd_per_day: float | None = None
    redis_url: str | None = None
    tools: str = "default"
    max_result_tokens: int = 20_000
    tools_file: Path | None = None
    code_roots: tuple[Path, ...] = ()
    webhook_urls: tuple[str, ...] = ()
    cassette: Path | None = None
    record: Record = "none"
    prompts_dir: Path | None = None
    log_level: str = "WARNING"
    log_format: LogFormat = "text"
    log_content: bool = False
    slow_query_ms: int = 500
    http: HttpSettings = field(default_factory=HttpSettings)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, database_url: str | None = None) -> "Settings":
        """Settings from `environ`, by default the process's and `.env`.

        Args:
            environ: names to values.
            database_url: wins over the variables.

        Raises:
            ConfigError: a value that cannot be used; the message names its variable.
        """
        env = read_environ() if environ is None else environ
        settings = cls(
            database_url=database_url or env.get("TOOLKIT_DATABASE_URL") or env.get("DATABASE_URL") or default_url(),
            schema=env.get("TOOLKIT_SCHEMA") or "toolkit",
            min_connections=_whole(env, "TOOLKIT_MIN_CONNECTIONS", default=1, least=0),
            max_connections=_whole(env, "TOOLKIT_MAX_CONNECTIONS", default=10, least=1),
            default_model=env.get("TOOLKIT_DEFAULT_MODEL") or None,
            session_ttl=_whole(env, "TOOLKIT_SESSION_TTL", default=86_400, least=1, most=_TEN_YEARS),
            summary_model=env.get("TOOLKIT_SUMMARY_MODEL") or None,
            cache_ttl=_whole_or_none(env, "TOOLKIT_CACHE_TTL", most=_TEN_YEARS),
            cache_max_mb=_whole(env, "TOOLKIT_CACHE_MAX_MB", default=256, least=1),
            cache_similarity=_number(env, "TOOLKIT_CACHE_SIMILARITY", most=1.0),
            embedding_model=env.get("TOOLKIT_EMBEDDING_MODEL") or None,
            rate_limit_rpm=_whole_or_none(env, "TOOLKIT_RATE_LIMIT_RPM", most=1_000_000),
            rate_limit_tpm=_whole_or_none(env, "TOOLKIT_RATE_LIMIT_TPM", most=1_000_000_000),
            budget_usd_per_day=_number(env, "TOOLKIT_BUDGET_USD_PER_DAY", most=1_000_000),
            redis_url=env.get("TOOLKIT_REDIS_URL") or None,
            tools=env.get("TOOLKIT_TOOLS") or "default",
            max_result_tokens=_whole(env, "TOOLKIT_MAX_RESULT_TOKENS", default=20_000, least=500, most=1_000_000),
            tools_file=_path(env, "TOOLKIT_TOOLS_FILE"),
            code_roots=tuple(Path(part) for part in env.get("TOOLKIT_CODE_ROOTS", "").split(os.pathsep) if part),
            webhook_urls=tuple(env.get("TOOLKIT_WEBHOOK_URLS", "").replace(",", " ").split()),
            cassette=_path(env, "TOOLKIT_CASSETTE"),
            record=_record(env.get("TOOLKIT_RECORD") or "none"),
            prompts_dir=_path(env, "TOOLKIT_PROMPTS_DIR"),
            log_level=_level(env.get("TOOLKIT_LOG_LEVEL") or "WARNING"),
            log_format=_log_format(env.get("TOOLKIT_LOG_FORMAT") or "text"),
            log_content=env.get("TOOLKIT_LOG_CONTENT") == "1",
            slow_query_ms=_whole(env, "TOOLKIT_SLOW_QUERY_MS", default=500, least=0),
            http=HttpSettings.from_env(env),
            environ=env,
        )
        if settings.min_connections > settings.max_connections:
            raise ConfigError("TOOLKIT_MIN_CONNECTIONS is larger than TOOLKIT_MAX_CONNECTIONS; lower it.")
        return settings


def read_environ() -> Mapping[str, str]:
    """The process's environment over what a file `.env` in the working directory says."""
    if not Path(".env").is_file():
        return dict(os.environ)
    from dotenv import dotenv_values  # noqa: PLC0415 - most starts have no .env, and none should pay for it

    try:
        file = dotenv_values(".env")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file .env cannot be read ({error}); mend or remove it.") from error
    return {**{name: value for name, value in file.items() if value is not None}, **os.environ}


def default_url() -> str:
    """A SQLite file in the folder where the user's programs keep their data."""
    return f"sqlite:///{data_folder() / 'toolkit.db'}"


def data_folder() -> Path:
    """The folder where the user's programs keep their data; it may not be there yet."""
    from platformdirs import user_data_path  # noqa: PLC0415 - who names a database seldom needs it

    return user_data_path("toolkit-mcp", appauthor=False)


def _whole(env: Mapping[str, str], name: str, *, default: int, least: int, most: int | None = None) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.strip().isdecimal() or int(text) < least:
        raise ConfigError(f"{name} is {text!r}; it must be a whole number of at least {least}.")
    if most is not None and int(text) > most:
        raise ConfigError(f"{name} is {text!r}; it must be {most:,} at most.")
    return int(text)


def _whole_or_none(env: Mapping[str, str], name: str, *, most: int) -> int | None:
    return _whole(env, name, default=0, least=1, most=most) if env.get(name) else None


def _number(env: Mapping[str, str], name: str, *, most: float) -> float | None:
    text = env.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= most:
        raise ConfigError(f"{name} is {text!r}; it must be a number above 0 and at most {most:,g}.")
    return value


def _path(env: Mapping[str, str], name: str) -> Path | None:
    text = env.get(name)
    return Path(text) if text else None


def _words(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(env.get(name, "").replace(",", " ").split())


def _jwks_url(text: str | None) -> str | None:
    """Over plain HTTP anybody on the way could put in a key of their own, so that is for this machine alone."""
    if not text:
        return None
    parts = urlsplit(text)
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))
    ):
        raise ConfigError(f"TOOLKIT_JWKS_URL is {text!r}; it must be an address that begins with https://.")
    return text


def _host(text: str) -> str:
    if "/" in text or "*" in text:
        raise ConfigError(f"TOOLKIT_ALLOWED_HOSTS has {text!r}; write names alone, e.g. toolkit.example.org.")
    return text.lower()


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or "*" in text
        or text != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ConfigError(
            f"TOOLKIT_ALLOWED_ORIGINS has {text!r}; write scheme and name, e.g. https://chat.example.org."
        )
    return text.lower()


def _proxy(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ConfigError(
            f"TOOLKIT_TRUSTED_PROXIES has {text!r}; write addresses or networks, e.g. 10.0.0.0/8."
        ) from error
    return text


def _record(text: str) -> Record:
    for word in get_args(Record):
        if text.lower() == word:
            known: Record = word
            return known
    raise ConfigError(f"TOOLKIT_RECORD is {text!r}; it must be one of {', '.join(get_args(Record))}.")


def _level(text: str) -> str:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    if text.upper() not in levels:
        raise ConfigError(f"TOOLKIT_LOG_LEVEL is {text!r}; it must be one of {', '.join(levels)}.")
    return text.upper()


def _log_format(text: str) -> LogFormat:
    for word in get_args(LogFormat):
        if text.lower() == word:
            known: LogFormat = word
            return known
    raise ConfigError(f"TOOLKIT_LOG_FORMAT is {text!r}; it must be text or json.")
