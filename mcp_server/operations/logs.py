"""The log of the server: on standard error, because standard output belongs to the protocol."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from toolkit.redaction import redact
from toolkit.settings import LogFormat

request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the HTTP request that is being served; None elsewhere."""

_CHATTY = ("httpx", "httpx2", "httpcore", "httpcore2")  # their lines for each request say less than the ledger


class RedactingFormatter(logging.Formatter):
    """Writes a record, traceback included, without keys, tokens and passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one text, redacted, with the id of the request in brackets."""
        line, fields = super().format(record), _fields(record)
        if fields:
            line += "".join(f" {name}={_plain(value)}" for name, value in fields.items() if value is not None)
        found = request_id.get()
        return redact(f"{line} [{found}]" if found else line)


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object on one line, each of its texts redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, with its traceback as `exception`."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **_fields(record),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        clean = {name: redact(value) if isinstance(value, str) else value for name, value in said.items()}
        return json.dumps(clean, ensure_ascii=False, default=str)


def log_to_stderr(level: str, form: LogFormat = "text") -> None:
    """Send every logger's records of `level` and above to standard error, as lines for people or as JSON."""
    handler = logging.StreamHandler()
    text = RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "DEBUG" else logging.WARNING)


def announce(sentence: str, form: LogFormat = "text") -> None:
    """Write `sentence` to standard error whatever the level is: for whoever starts the server."""
    record = logging.makeLogRecord(
        {"name": "mcp_server", "levelno": logging.INFO, "levelname": "INFO", "msg": sentence}
    )
    sys.stderr.write((JsonFormatter().format(record) if form == "json" else sentence) + "\n")
    sys.stderr.flush()


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says beside its message."""
    found: dict[str, Any] = getattr(record, "fields", {})
    return found


def _plain(value: object) -> str:
    """A value that cannot be taken for another one, or for another line."""
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text, ensure_ascii=False)
