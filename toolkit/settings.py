"""The environment, read in one place.

A variable of the process wins over the same one in a file `.env` of the working directory.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.errors import ConfigError


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
        prompts_dir: a folder of the user's own prompts, None without one.
        log_level: a level of Python's logging.
        slow_query_ms: milliseconds from which on a statement to the database is logged as slow; 0 is never.
        environ: the whole environment, for the names that models' rows refer to.
    """

    database_url: str
    schema: str = "toolkit"
    min_connections: int = 1
    max_connections: int = 10
    default_model: str | None = None
    session_ttl: int = 86_400
    prompts_dir: Path | None = None
    log_level: str = "WARNING"
    slow_query_ms: int = 500
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
        prompts = env.get("TOOLKIT_PROMPTS_DIR")
        settings = cls(
            database_url=database_url or env.get("TOOLKIT_DATABASE_URL") or env.get("DATABASE_URL") or default_url(),
            schema=env.get("TOOLKIT_SCHEMA") or "toolkit",
            min_connections=_whole(env, "TOOLKIT_MIN_CONNECTIONS", default=1, least=0),
            max_connections=_whole(env, "TOOLKIT_MAX_CONNECTIONS", default=10, least=1),
            default_model=env.get("TOOLKIT_DEFAULT_MODEL") or None,
            session_ttl=_whole(env, "TOOLKIT_SESSION_TTL", default=86_400, least=1),
            prompts_dir=Path(prompts) if prompts else None,
            log_level=_level(env.get("TOOLKIT_LOG_LEVEL") or "WARNING"),
            slow_query_ms=_whole(env, "TOOLKIT_SLOW_QUERY_MS", default=500, least=0),
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
    from platformdirs import user_data_path  # noqa: PLC0415 - only asked where no URL is given

    return f"sqlite:///{user_data_path('toolkit-mcp', appauthor=False) / 'toolkit.db'}"


def _whole(env: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.strip().isdecimal() or int(text) < least:
        raise ConfigError(f"{name} is {text!r}; it must be a whole number of at least {least}.")
    return int(text)


def _level(text: str) -> str:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    if text.upper() not in levels:
        raise ConfigError(f"TOOLKIT_LOG_LEVEL is {text!r}; it must be one of {', '.join(levels)}.")
    return text.upper()
