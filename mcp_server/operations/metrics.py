"""What a Prometheus reads: how busy the database is and what it did."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mcp_server.house import House
from toolkit.errors import ConfigError


def metrics_routes(house: House) -> list[Route]:
    """`/metrics`, in the text format that the `Accept` header asks for."""
    registry = CollectorRegistry()
    registry.register(_DatabaseMetrics(house))

    async def metrics(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        try:
            return Response(encode(registry), media_type=media_type)
        except ConfigError as error:
            return PlainTextResponse(str(error), status_code=503)

    return [Route("/metrics", metrics)]


class _DatabaseMetrics(Collector):
    """`PoolStats`, asked anew for each scrape; all zero but the maximum while the database is not open."""

    def __init__(self, house: House) -> None:
        self._house = house

    def describe(self) -> list[Metric]:
        """Nothing: a registry that shall know the names beforehand would assemble the toolkit at start."""
        return []

    def collect(self) -> Iterator[Metric]:
        stats = self._house.toolkit.db.pool_stats()
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
