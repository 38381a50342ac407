"""The environment variables that matter here, by name; a value of one is never shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.models.model import Model


SETTINGS = (
    "TOOLKIT_DATABASE_URL",
    "TOOLKIT_SCHEMA",
    "TOOLKIT_MIN_CONNECTIONS",
    "TOOLKIT_MAX_CONNECTIONS",
    "TOOLKIT_DEFAULT_MODEL",
    "TOOLKIT_SESSION_TTL",
    "TOOLKIT_SUMMARY_MODEL",
    "TOOLKIT_CACHE_TTL",
    "TOOLKIT_CACHE_MAX_MB",
    "TOOLKIT_CACHE_SIMILARITY",
    "TOOLKIT_EMBEDDING_MODEL",
    "TOOLKIT_RATE_LIMIT_RPM",
    "TOOLKIT_RATE_LIMIT_TPM",
    "TOOLKIT_BUDGET_USD_PER_DAY",
    "TOOLKIT_REDIS_URL",
    "TOOLKIT_TOOLS",
    "TOOLKIT_MAX_RESULT_TOKENS",
    "TOOLKIT_TOOLS_FILE",
    "TOOLKIT_TOOLS_ALLOW_PRIVATE",
    "TOOLKIT_CODE_ROOTS",
    "TOOLKIT_INGEST_HOSTS",
    "TOOLKIT_INGEST_ALLOW_PRIVATE",
    "TOOLKIT_WEBHOOK_URLS",
    "TOOLKIT_WEBHOOK_SECRET",
    "TOOLKIT_API_KEYS",
    "TOOLKIT_SECRET_KEY",
    "TOOLKIT_JWKS_URL",
    "TOOLKIT_JWT_ISSUER",
    "TOOLKIT_JWT_AUDIENCE",
    "TOOLKIT_ALLOWED_HOSTS",
    "TOOLKIT_ALLOWED_ORIGINS",
    "TOOLKIT_TRUSTED_PROXIES",
    "TOOLKIT_MAX_BODY_MB",
    "TOOLKIT_CASSETTE",
    "TOOLKIT_RECORD",
    "TOOLKIT_PROMPTS_DIR",
    "TOOLKIT_SLOW_QUERY_MS",
    "TOOLKIT_LOG_LEVEL",
    "TOOLKIT_LOG_FORMAT",
    "TOOLKIT_LOG_CONTENT",
    "TOOLKIT_GRACE_SECONDS",
)
"""What the toolkit reads beside DATABASE_URL; docs/configuration.md explains each."""


def vendors_variables() -> list[str]:
    """The vendors' own variables, by vendor, with those that hold several keys."""
    from toolkit import providers  # noqa: PLC0415 - not needed for `toolkit --help`

    names: dict[str, None] = {}
    for vendor in map(providers.vendor, providers.known()):
        for plain, variable in vendor.variables.items():
            names |= {variable: None} | ({f"{variable}S": None} if plain == "api_key" else {})
    return list(names)


def key_of(model: "Model", environ: Mapping[str, str]) -> str:
    """Whether what a model's row needs is there, in a word or two.

    It is `found`; of a pool, how many are; the names of the variables to set; `none set` where there may be one, but
    need not; or `none needed`.
    """
    from toolkit import providers  # noqa: PLC0415 - not needed for `toolkit --help`
    from toolkit.models.checks import is_secret_name  # noqa: PLC0415 - the same
    from toolkit.models.keys import keys_of  # noqa: PLC0415 - the same

    if lacking := lacks(model, environ):
        return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not set"
    pool = keys_of(model, environ)
    if len(pool) > 1:
        return f"{len(pool)} found"
    vendor = providers.find(model.provider)
    if vendor is None:
        return "unknown provider"
    if any(name in vendor.required or is_secret_name(name) for name in pool[0].auth):
        return "found"
    return "none set" if any(map(is_secret_name, vendor.variables)) else "none needed"


def lacks(model: "Model", environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that must be set before the model can be asked, by name."""
    from toolkit.models.reach import missing  # noqa: PLC0415 - not needed for `toolkit --help`

    return missing(model, environ)
