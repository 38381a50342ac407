"""What is counted where it happens: HTTP requests, models asked, tools used. Names of people are in none of it."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from toolkit.usage.watching import Asked, Began, Told, ToolUsed

OTHER: Final = "other"
"""Stands for whatever there could be any number of."""

MOST_NAMES: Final = 100
"""Models, and tools, that have figures of their own: about twenty time series each."""

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_OF_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # seconds
_OF_ANSWERS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120)
_OF_FIRST_WORDS = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20)
_NANO: Final = 1e9


class HttpFigures(Collector):
    """Requests by the template of their route.

    One event loop counts, so plain numbers do; those of the library take a lock each, which costs more than the rest of
    what is done for a request.

    Args:
        registry: where they are read.

    Attributes:
        under_way: how many are being served.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.under_way = 0
        self._counts: dict[tuple[str, str, int], int] = {}
        self._places: dict[str, list[int]] = {}  # by route, how many requests fell into each bucket
        self._sums: dict[str, float] = {}
        registry.register(self)

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was served."""
        key = (method if method in _METHODS else OTHER, route, status // 100)
        self._counts[key] = self._counts.get(key, 0) + 1
        places = self._places.get(route)
        if places is None:
            places = self._places[route] = [0] * (len(_OF_REQUESTS) + 1)
        places[bisect_left(_OF_REQUESTS, seconds)] += 1
        self._sums[route] = self._sums.get(route, 0.0) + seconds

    def collect(self) -> Iterator[Metric]:
        """What was noted, for a scrape."""
        yield GaugeMetricFamily(
            "toolkit_http_requests_under_way", "Requests that are being served.", value=self.under_way
        )
        requests = CounterMetricFamily(
            "toolkit_http_requests", "Requests that were served.", labels=["method", "route", "status"]
        )
        for (method, route, kind), count in self._counts.items():
            requests.add_metric([method, route, f"{kind}xx"], count)
        yield requests
        seconds = HistogramMetricFamily(
            "toolkit_http_request_seconds", "From a request to the end of its answer.", labels=["route"]
        )
        bounds = [*map(str, map(float, _OF_REQUESTS)), "+Inf"]
        for route, places in self._places.items():
            seconds.add_metric([route], list(zip(bounds, accumulate(places), strict=True)), self._sums[route])
        yield seconds


class ModelFigures:
    """What the ledger tells, counted by model.

    Args:
        registry: where it is read.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._models, self._tools = Names(), Names()
        self._calls = Counter(
            "toolkit_model_calls",
            "Times that a model was asked.",
            ["model", "provider", "kind", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "toolkit_model_answer_seconds",
            "From a question to the end of its answer.",
            ["model"],
            buckets=_OF_ANSWERS,
            registry=registry,
        )
        self._first = Histogram(
            "toolkit_model_first_token_seconds",
            "From a question to the first words of a streamed answer.",
            ["model"],
            buckets=_OF_FIRST_WORDS,
            registry=registry,
        )
        self._tokens = Counter(
            "toolkit_tokens",
            "Tokens that vendors counted; cached ones are input, too.",
            ["model", "type"],
            registry=registry,
        )
        self._cost = Counter("toolkit_cost_usd", "US dollars, where the price is known.", ["model"], registry=registry)
        self._unpriced = Counter("toolkit_unpriced_answers", "Answers of unknown price.", ["model"], registry=registry)
        self._fallbacks = Counter(
            "toolkit_fallbacks",
            "Questions that went to another model, by the one that was left.",
            ["model"],
            registry=registry,
        )
        self._retries = Counter("toolkit_retries", "Models that were asked once more.", ["model"], registry=registry)
        self._tool_calls = Counter("toolkit_tool_calls", "Calls of tools.", ["tool", "status"], registry=registry)

    def hear(self, told: Told) -> None:
        """Count what the ledger tells."""
        match told:
            case Asked(status="cached"):
                return  # the cache counts its hits
            case Asked():
                self._asked(told)
            case Began(model=model, listed=listed, seconds=seconds):
                self._first.labels(self.model(model, listed=listed)).observe(seconds)
            case ToolUsed(tool=tool, status=status):
                self._tool_calls.labels(self._tools.label(tool), status).inc()

    def model(self, name: str, *, listed: bool) -> str:
        """The label of a model; one that is not in the table has none of its own."""
        return self._models.label(name) if listed else OTHER

    def known(self, name: str) -> str:
        """The label that a model has had before."""
        return self._models.known(name)

    def _asked(self, told: Asked) -> None:
        attempt, model = told.attempt, self.model(told.attempt.name, listed=told.listed)
        outcome = (
            "ok" if told.status == "ok" else "cancelled" if told.status == "cancelled" else attempt.error or "error"
        )
        self._calls.labels(model, attempt.provider, told.kind, outcome).inc()
        if told.status == "ok" and attempt.milliseconds:  # nobody waited for an answer of a batch
            self._seconds.labels(model).observe(attempt.milliseconds / 1000)
        if usage := attempt.usage:
            for kind, tokens in (
                ("input", usage.input_tokens),
                ("output", usage.output_tokens),
                ("cached", usage.cached_tokens),
            ):
                self._tokens.labels(model, kind).inc(tokens)
        if attempt.cost_nano_usd is not None:
            self._cost.labels(model).inc(attempt.cost_nano_usd / _NANO)
        elif told.status == "ok":
            self._unpriced.labels(model).inc()
        self._again(told, model)

    def _again(self, told: Asked, model: str) -> None:
        before = told.before
        if before is None or before.ok or before.error == "Cancelled" or told.status == "cancelled":
            return  # the first; or one of two that were asked at once
        if before.name == told.attempt.name:
            self._retries.labels(model).inc()
        else:
            self._fallbacks.labels(self.known(before.name)).inc()


class Names:
    """Labels for names of which there might be any number: the first hundred are their own."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, name: str) -> str:
        """The name, if it is one of the first."""
        if name not in self._known:
            if len(self._known) >= MOST_NAMES:
                return OTHER
            self._known.add(name)
        return name

    def known(self, name: str) -> str:
        """The name, if it is one that had a label before."""
        return name if name in self._known else OTHER
