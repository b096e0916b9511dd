"""Prometheus metrics: counts only, no names and no data.

Several processes that serve together write theirs into files of one folder, and each tells the sums.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from fieldsync.server import shared_metrics


class ServerMetrics:
    """One server's counters, in a registry of their own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.syncs = Counter("fieldsync_syncs", "Syncs answered", registry=registry)
        self.commits = Counter("fieldsync_commits", "Commits taken from devices", registry=registry)
        self.kept_aside = Counter("fieldsync_refused_commits", "Commits kept aside", registry=registry)
        self.refusals = Counter("fieldsync_refusals", "Requests refused, by reason", ["code"], registry=registry)
        self.joins = Counter("fieldsync_joins", "Devices enrolled", registry=registry)
        self.heals = Counter("fieldsync_heals", "Questions about differing digests", registry=registry)
        self.seconds = Histogram("fieldsync_push_seconds", "Time of syncs that brought commits", registry=registry)

    def count_sync(self, commits: int, refused: int) -> None:
        """Count one sync."""
        self.syncs.inc()
        self.commits.inc(commits)
        self.kept_aside.inc(refused)

    def to_text(self) -> bytes:
        """Return the figures as Prometheus reads them."""
        if shared_metrics.VARIABLE not in os.environ:
            return generate_latest(self._registry)
        sums = CollectorRegistry()
        MultiProcessCollector(sums)  # type: ignore[no-untyped-call]
        return generate_latest(sums)
