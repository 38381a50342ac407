"""The log of the server: on standard error, because standard output belongs to the protocol."""

import logging

from toolkit.redaction import redact


class RedactingFormatter(logging.Formatter):
    """Writes a record, traceback included, without keys, tokens and passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one text, redacted."""
        return redact(super().format(record))


def log_to_stderr(level: str) -> None:
    """Send every logger's records of `level` and above to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
