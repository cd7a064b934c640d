"""What the service counts about itself, for Prometheus; never anything of a record."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)


class Metrics:
    """The counters of one running service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("bingli_requests", "HTTP requests", labels, registry=self._registry)
        self.seconds = Histogram(
            "bingli_request_seconds",
            "Time to the last byte of an answer",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.findings = Counter(
            "bingli_findings", "Findings of checked records", ("severity",), registry=self._registry
        )
        self.hints = Counter("bingli_hints", "Hints shown", ("engine",), registry=self._registry)
        self.dismissals = Counter("bingli_dismissals", "Hints dismissed", registry=self._registry)
        self.followed = Counter("bingli_followed_hints", "Hints followed", registry=self._registry)
        self.has_model = Gauge(
            "bingli_model_available", "Whether a language model is open", registry=self._registry
        )

    def text(self) -> bytes:
        """Everything counted so far, in the text format of Prometheus."""
        return generate_latest(self._registry)
