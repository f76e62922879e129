"""``/metrics`` and ``/healthz`` on a port and in threads of its own.

The daemon's loop publishes what it has seen each second; a scrape reads the last of that and nothing else, so
no scrape can hold the loop, and a loop that hangs is told by the age of what it saw.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from ccbridge.health import Health, judge
from ccbridge.metrics.families import FAMILIES, Family, Seen
from ccbridge.metrics.tally import Spread

log = structlog.get_logger(__name__)

PEER_LIMIT = 5.0  # seconds in which a peer must send its request, and take each piece of the answer
AT_ONCE = 8  # connections served; more are closed at once


class Pages(Collector):
    """What can be asked for; ``publish`` is called by the daemon's loop, the rest by the server's threads."""

    def __init__(self) -> None:
        self._seen: Seen | None = None
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def publish(self, seen: Seen) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        seen = self._seen
        if seen is not None:
            for family in FAMILIES:
                yield _metric(family, seen)

    def health(self) -> Health:
        seen = self._seen
        if seen is None:
            return Health("unhealthy", ("the daemon is starting",))
        return judge(seen.status, time.monotonic() - seen.at)

    def page(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        match path.partition("?")[0]:
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(self.registry)
            case "/healthz":
                health = self.health()
                text = "\n".join((health.word, *health.reasons)) + "\n"
                return 503 if health.word == "unhealthy" else 200, "text/plain; charset=utf-8", text.encode()
        return 404, "text/plain; charset=utf-8", b"/metrics and /healthz are here\n"


class MetricsServer(ThreadingMixIn, TCPServer):
    """Serves ``pages`` from its making until ``stop()``. Raises OSError if the address cannot be had."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages = pages
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((host, port), _Peer)
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away in the middle, or dawdles, is no news."""
        if not isinstance(sys.exception(), OSError):
            log.exception("metrics.failed")


class _Peer(BaseHTTPRequestHandler):
    server: MetricsServer
    timeout = PEER_LIMIT
    server_version = "ccbridge"
    sys_version = ""

    def do_GET(self) -> None:
        code, kind, body = self.server.pages.page(self.path)
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """No line for each scrape."""


def _metric(family: Family, seen: Seen) -> Metric:
    found = family.read(seen)
    if isinstance(found, Spread):
        buckets, total = [], 0
        for bound, count in zip((*map(str, found.bounds), "+Inf"), found.counts, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(family.name, family.meaning, buckets=buckets, sum_value=found.sum)
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.meaning, labels=family.labels)
    for labels, value in found:
        metric.add_metric(labels, value)
    return metric
