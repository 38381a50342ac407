"""The environment, and what is said where it cannot be used."""

import os
import re
from pathlib import Path

import pytest

from toolkit.errors import ConfigError
from toolkit.settings import Settings, read_environ


def test_without_any_variable_everything_has_a_default_and_the_store_is_a_file_of_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = Settings.from_env({})
    assert settings.database_url == f"sqlite:///{tmp_path}/toolkit-mcp/toolkit.db"
    assert (settings.schema, settings.min_connections, settings.max_connections) == ("toolkit", 1, 10)
    assert (settings.default_model, settings.session_ttl, settings.prompts_dir) == (None, 86_400, None)
    assert (settings.log_level, settings.slow_query_ms) == ("WARNING", 500)


def test_each_variable_is_read() -> None:
    settings = Settings.from_env(
        {
            "TOOLKIT_DATABASE_URL": "sqlite://",
            "TOOLKIT_SCHEMA": "mine",
            "TOOLKIT_MIN_CONNECTIONS": "0",
            "TOOLKIT_MAX_CONNECTIONS": "3",
            "TOOLKIT_DEFAULT_MODEL": "openai/x",
            "TOOLKIT_SESSION_TTL": "60",
            "TOOLKIT_TOOLS": "default,-ingest",
            "TOOLKIT_MAX_RESULT_TOKENS": "9000",
            "TOOLKIT_PROMPTS_DIR": "prompts",
            "TOOLKIT_LOG_LEVEL": "info",
            "TOOLKIT_SLOW_QUERY_MS": "250",
        }
    )
    assert settings.database_url == "sqlite://"
    assert (settings.schema, settings.min_connections, settings.max_connections) == ("mine", 0, 3)
    assert (settings.default_model, settings.session_ttl) == ("openai/x", 60)
    assert (settings.prompts_dir, settings.log_level) == (Path("prompts"), "INFO")
    assert settings.slow_query_ms == 250
    assert (settings.tools, settings.max_result_tokens) == ("default,-ingest", 9000)


@pytest.mark.parametrize(
    ("environ", "given", "used"),
    [
        ({"DATABASE_URL": "sqlite:///a.db"}, None, "sqlite:///a.db"),
        ({"DATABASE_URL": "sqlite:///a.db", "TOOLKIT_DATABASE_URL": "sqlite:///b.db"}, None, "sqlite:///b.db"),
        ({"TOOLKIT_DATABASE_URL": "sqlite:///b.db"}, "sqlite:///c.db", "sqlite:///c.db"),
    ],
)
def test_the_nearest_database_url_wins(environ: dict[str, str], given: str | None, used: str) -> None:
    assert Settings.from_env(environ, database_url=given).database_url == used


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TOOLKIT_SESSION_TTL", "soon", "TOOLKIT_SESSION_TTL is 'soon'; it must be a whole number of at least 1."),
        ("TOOLKIT_SESSION_TTL", "0", "TOOLKIT_SESSION_TTL is '0'; it must be a whole number of at least 1."),
        ("TOOLKIT_SESSION_TTL", "²", "TOOLKIT_SESSION_TTL is '²'; it must be a whole number of at least 1."),
        ("TOOLKIT_MAX_CONNECTIONS", "-1", "TOOLKIT_MAX_CONNECTIONS is '-1'; it must be a whole number of at least 1."),
        ("TOOLKIT_MIN_CONNECTIONS", "11", "TOOLKIT_MIN_CONNECTIONS is larger than TOOLKIT_MAX_CONNECTIONS; lower it."),
        ("TOOLKIT_LOG_LEVEL", "loud", "TOOLKIT_LOG_LEVEL is 'loud'; it must be one of DEBUG"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({"TOOLKIT_DATABASE_URL": "sqlite://", name: value})
    assert str(refused.value).startswith(said)


def test_the_process_wins_over_a_dotenv_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOOLKIT_SCHEMA=from_file\nTOOLKIT_SESSION_TTL=7\nEMPTY\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_SCHEMA", "from_process")
    monkeypatch.delenv("TOOLKIT_SESSION_TTL", raising=False)
    environ = read_environ()
    assert (environ["TOOLKIT_SCHEMA"], environ["TOOLKIT_SESSION_TTL"]) == ("from_process", "7")
    assert "EMPTY" not in environ


def test_a_dotenv_file_that_is_not_text_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\xfa")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"The file \.env cannot be read"):
        read_environ()


def test_the_environment_with_its_keys_is_not_in_the_repr() -> None:
    settings = Settings.from_env({"TOOLKIT_DATABASE_URL": "sqlite://", "OPENAI_API_KEY": "sk-very-secret-key"})
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TOOLKIT_RATE_LIMIT_RPM", "999999999999", "1,000,000 at most"),
        ("TOOLKIT_RATE_LIMIT_TPM", "-1", "at least 1"),
        ("TOOLKIT_BUDGET_USD_PER_DAY", "1e300", "above 0 and at most 1e+06"),
        ("TOOLKIT_BUDGET_USD_PER_DAY", "nan", "above 0"),
        ("TOOLKIT_CACHE_TTL", "999999999999", "315,360,000 at most"),
        ("TOOLKIT_CACHE_SIMILARITY", "1.5", "above 0 and at most 1"),
        ("TOOLKIT_SESSION_TTL", "999999999999", "315,360,000 at most"),
        ("TOOLKIT_RECORD", "some", "one of none, once, new_episodes, all"),
    ],
)
def test_a_value_that_cannot_be_is_refused_under_its_variables_name(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is .*{re.escape(words)}"):
        Settings.from_env({name: value})


def test_the_variables_of_limits_cache_and_tools_are_read() -> None:
    settings = Settings.from_env(
        {
            "TOOLKIT_RATE_LIMIT_RPM": "60",
            "TOOLKIT_BUDGET_USD_PER_DAY": "1.5",
            "TOOLKIT_CACHE_TTL": "600",
            "TOOLKIT_CODE_ROOTS": os.pathsep.join(["a", "b"]),
            "TOOLKIT_WEBHOOK_URLS": "http://a/x, http://b/y#session.*",
            "TOOLKIT_CASSETTE": "x.yaml",
            "TOOLKIT_RECORD": "ONCE",
        }
    )
    assert (settings.rate_limit_rpm, settings.rate_limit_tpm) == (60, None)
    assert settings.budget_usd_per_day == 1.5
    assert settings.cache_ttl == 600
    assert settings.code_roots == (Path("a"), Path("b"))
    assert settings.webhook_urls == ("http://a/x", "http://b/y#session.*")
    assert (settings.cassette, settings.record) == (Path("x.yaml"), "once")
