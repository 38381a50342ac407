"""What a Prometheus reads: what was counted where it happened, and what the rooms of the toolkit count themselves."""

from collections import Counter as Tally
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mcp_server.house import House
from mcp_server.operations.figures import ModelFigures
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit


def metrics_routes(house: House, registry: CollectorRegistry) -> list[Route]:
    """`/metrics`, in the text format that the `Accept` header asks for.

    Args:
        house: whose toolkit is measured.
        registry: has what is measured besides.
    """
    figures = ModelFigures(registry)
    house.tell(lambda tk: tk.usage.watchers.add(figures.hear))
    registry.register(_Rooms(house, figures))
    ProcessCollector(registry=registry)

    async def metrics(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        try:
            return Response(encode(registry), media_type=media_type)
        except ConfigError as error:
            return PlainTextResponse(str(error), status_code=503)

    return [Route("/metrics", metrics)]


class _Rooms(Collector):
    """What the rooms of the toolkit count, asked anew for each scrape; zero while nothing is open."""

    def __init__(self, house: House, figures: ModelFigures) -> None:
        self._house = house
        self._figures = figures

    def describe(self) -> list[Metric]:
        """Nothing: a registry that shall know the names beforehand would assemble the toolkit at start."""
        return []

    def collect(self) -> Iterator[Metric]:
        tk = self._house.toolkit
        yield from _database(tk)
        yield from _records(tk)
        yield from self._breakers(tk)

    def _breakers(self, tk: "Toolkit") -> Iterator[Metric]:
        keys = Tally((self._figures.known(key.model), key.state) for key in tk.router.health())
        gauge = GaugeMetricFamily(
            "toolkit_breaker_keys", "Keys of models by the state of their breaker.", labels=["model", "state"]
        )
        for (model, state), count in keys.items():
            gauge.add_metric([model, state], count)
        yield gauge


def _database(tk: "Toolkit") -> Iterator[Metric]:
    stats = tk.db.pool_stats()
    connections = GaugeMetricFamily("toolkit_db_connections", "Open connections.", labels=["state"])
    connections.add_metric(["idle"], stats.idle)
    connections.add_metric(["busy"], stats.connections - stats.idle)
    yield connections
    yield GaugeMetricFamily("toolkit_db_connections_max", "Connections that may be open.", value=stats.most)
    yield GaugeMetricFamily("toolkit_db_waiting", "Operations that wait for a connection.", value=stats.waiting)
    yield CounterMetricFamily("toolkit_db_reads", "Queries that were answered.", value=stats.reads)
    yield CounterMetricFamily("toolkit_db_writes", "Lists of statements that were kept.", value=stats.writes)
    yield CounterMetricFamily("toolkit_db_commits", "Transactions that the writes shared.", value=stats.commits)
    yield CounterMetricFamily("toolkit_db_slow_statements", "Statements over the limit.", value=stats.slow)


def _records(tk: "Toolkit") -> Iterator[Metric]:
    yield CounterMetricFamily("toolkit_cache_hits", "Questions whose answer was there.", value=tk.cache.hits)
    yield CounterMetricFamily("toolkit_cache_misses", "Questions whose answer was looked for.", value=tk.cache.misses)
    refused = CounterMetricFamily(
        "toolkit_limit_refusals", "Requests without room, by whose limit and of what it is.", labels=["kind", "unit"]
    )
    for (kind, unit), count in tk.limits.refused.items():
        refused.add_metric([kind, unit], count)
    yield refused
    yield GaugeMetricFamily(
        "toolkit_ledger_waiting", "Lists of rows that are still to be written.", value=tk.usage.waiting
    )
    yield CounterMetricFamily("toolkit_ledger_dropped", "Lists of rows that were given up.", value=tk.usage.dropped)
    yield CounterMetricFamily("toolkit_ledger_failures", "Lists of rows that failed at first.", value=tk.usage.failures)
