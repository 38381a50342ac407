"""Sends spans to a collector of OpenTelemetry, where the environment names one."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from toolkit.errors import ConfigError

_ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OURS = "http/protobuf"


@contextmanager
def exporting(environ: Mapping[str, str]) -> Iterator[None]:
    """Inside, spans are sent to the collector that `environ` names; at the end the last ones are.

    Args:
        environ: the usual variables, `OTEL_…`; those of a file `.env` are given to OpenTelemetry, too.

    Raises:
        ConfigError: the extra `otel` is missing, or another protocol is asked for.
    """
    if not _wanted(environ):
        yield
        return
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _OURS)
    if protocol != _OURS:
        raise ConfigError(f"Spans are sent by {_OURS}; set OTEL_EXPORTER_OTLP_PROTOCOL so (it is {protocol!r}).")
    for name, value in environ.items():
        if name.startswith("OTEL_"):
            os.environ.setdefault(name, value)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
        from opentelemetry.trace import set_tracer_provider  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise ConfigError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and what sends spans is not installed; "
            "install it with: pip install 'toolkit-mcp[otel]'"
        ) from error
    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create(None if named else {SERVICE_NAME: "toolkit-mcp"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def _wanted(environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environ.get(name) for name in _ADDRESSES)
