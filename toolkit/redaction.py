"""What must never be written down: keys, tokens and passwords, and how they are recognised."""

import re

_KEY = re.compile(
    r"""(?x)
    \b(?:
        sk-[A-Za-z0-9_-]{8,}            # OpenAI, Anthropic, OpenRouter
      | gsk_[A-Za-z0-9]{16,}            # Groq
      | fw_[A-Za-z0-9]{16,}             # Fireworks
      | AIza[A-Za-z0-9_-]{20,}          # Google
      | (?:AKIA|ASIA)[A-Z0-9]{16}       # AWS key id
      | gh[pousr]_[A-Za-z0-9]{20,}      # GitHub
      | xox[abp]-[A-Za-z0-9-]{10,}      # Slack
      | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*   # a JWT
    )"""
)
_LEAST = 4
_BEARER = re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
# Up to the last @ of the word: a password that was not escaped may hold any separator.
_PASSWORD = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*):\S+@", re.IGNORECASE)


def redact(text: str, *secrets: str) -> str:
    """`text` without keys, bearer tokens, passwords in URLs, and without each of `secrets`.

    A secret of less than four characters is none that could be kept: it would be found in every word.
    """
    for secret in sorted(secrets, key=len, reverse=True):  # one may begin as another does
        if len(secret) >= _LEAST:
            text = text.replace(secret, "***")
    text = _PASSWORD.sub(r"\g<scheme>:***@", text)
    text = _BEARER.sub(r"\1***", text)
    return _KEY.sub("***", text)


def looks_like_key(value: str) -> bool:
    """Whether `value` has the shape of a vendor's key or token."""
    return bool(_KEY.search(value) or _BEARER.search(value))
