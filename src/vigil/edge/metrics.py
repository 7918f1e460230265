"""What ``/metrics`` shows: the state of the node, and events in steps of k. No label beyond list, door and class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from vigil.edge.counts import in_steps
from vigil.edge.node import Node
from vigil.edge.state import readiness

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class NodeCollector(Collector):
    """Reads the node at each scrape; keeps nothing."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """All families; names begin with ``vigil_edge_``."""
        yield from self._gauges()
        yield from self._counters()
        yield self._events()
        yield self._shadow()

    def _gauges(self) -> Iterator[Metric]:
        node = self._node
        seen = readiness(node.state, node.clock.now(), [])
        yield GaugeMetricFamily("vigil_edge_ready", "1 while traffic may be sent here.", int(seen.ready))
        yield GaugeMetricFamily("vigil_edge_edition", "Number of the edition in force; 0 for none.", seen.edition or 0)
        yield GaugeMetricFamily("vigil_edge_edition_age_seconds", "Age of the edition in force.", seen.age_seconds or 0)
        yield GaugeMetricFamily("vigil_edge_counts_waiting", "Vectors not yet taken by the hotline.", node.waiting())

        if node.config.webhooks:
            yield GaugeMetricFamily("vigil_edge_webhooks_waiting", "Notices not yet taken by a receiver.", node.webhooks.waiting)
            lost = node.webhooks.lost + node.webhooks.given_up
            yield CounterMetricFamily("vigil_edge_webhooks_lost", "Notices refused, given up, or without room.", lost)
        if node.certified is not None:
            yield GaugeMetricFamily("vigil_edge_certified", "1 while the last self-test was green.", int(node.certified))

    def _counters(self) -> Iterator[Metric]:
        traffic = self._node.traffic
        rejects = sum(self._node.state.refusals.values())
        yield CounterMetricFamily("vigil_edge_requests", "Requests answered.", traffic.requests)
        yield CounterMetricFamily("vigil_edge_problems", "Requests refused.", traffic.problems)
        yield CounterMetricFamily("vigil_edge_faults", "Mistakes of the node.", traffic.faults)
        yield CounterMetricFamily("vigil_edge_media_busy", "Uploads turned away for lack of room.", traffic.media_busy)
        yield CounterMetricFamily("vigil_edge_lost_counts", "Events that found no room in shared memory.", traffic.lost_counts)
        yield CounterMetricFamily("vigil_edge_edition_rejects", "Editions not taken or not reached.", rejects)

    def _events(self) -> Metric:
        family = CounterMetricFamily(
            "vigil_edge_events", "Events by list, door and class, in steps of counts.k.", labels=["list", "door", "class"]
        )
        k = self._node.config.file.counts.k
        for (name, door, kind), number in sorted(self._node.tally.by_door().items()):
            family.add_metric([name, door.value, kind.value], in_steps(number, k))
        return family

    def _shadow(self) -> Metric:
        family = CounterMetricFamily(
            "vigil_edge_shadow",
            "Hits that policy.shadow would treat otherwise, in steps of counts.k.",
            labels=["door", "actions"],
        )
        k = self._node.config.file.counts.k
        for name, number in sorted(self._node.tally.notes().items()):
            if name.startswith("shadow:"):
                family.add_metric(name.split(":")[1:], in_steps(number, k))
        return family


def exposition(registry: CollectorRegistry) -> bytes:
    """The text format of Prometheus."""
    return generate_latest(registry)


def registry_of(node: Node) -> CollectorRegistry:
    """A registry of this node alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(node))
    return registry
