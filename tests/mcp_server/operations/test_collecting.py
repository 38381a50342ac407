"""Whether spans are sent, and what is said where they cannot be."""

import sys

import pytest
from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

from mcp_server.operations.collecting import exporting
from toolkit.errors import ConfigError

HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize("env", [{}, {**HERE, "OTEL_SDK_DISABLED": "true"}, {**HERE, "OTEL_TRACES_EXPORTER": "none"}])
def test_where_nothing_asks_for_it_nothing_is_set_up(env: dict[str, str]) -> None:
    with exporting(env):
        assert isinstance(get_tracer_provider(), ProxyTracerProvider)


def test_without_the_extra_the_sentence_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", HERE["OTEL_EXPORTER_OTLP_ENDPOINT"])
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"pip install 'toolkit-mcp\[otel\]'"), exporting(HERE):
        pass


def test_another_protocol_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'grpc'"), exporting({**HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}):
        pass
