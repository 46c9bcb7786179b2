"""The facts of `status` as Prometheus metrics."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from connector.sync.calls import BOUNDS, CallTimes


class StatusCollector(Collector):
    """Reads the status at each scrape, so that metrics and `status` always agree."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        """Return nothing: the metrics depend on the configuration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of feeds, lists and outputs."""
        facts = self._status()
        if not facts:
            return
        claims = GaugeMetricFamily("connector_claims", "Claims in the store.")
        claims.add_metric([], facts["claims"])
        yield claims
        yield from _parts("feed", facts["feeds"])
        yield from _parts("output", facts["outputs"])
        objects = GaugeMetricFamily("connector_feed_objects", "Objects received.", labels=["feed"])
        for feed in facts["feeds"]:
            objects.add_metric([feed["name"]], feed["objects"])
        yield objects
        gaps = GaugeMetricFamily(
            "connector_feed_gaps", "Unacknowledged gaps of a feed.", labels=["feed"]
        )
        for feed in facts["feeds"]:
            gaps.add_metric([feed["name"]], len(feed["gaps"]))
        yield gaps
        waiting = GaugeMetricFamily(
            "connector_feed_purges_waiting",
            "Markings whose objects are waiting for a person to purge them.", labels=["feed"],
        )  # fmt: skip
        for feed in facts["feeds"]:
            waiting.add_metric([feed["name"]], len(feed["purges"]))
        yield waiting
        notes = CounterMetricFamily(
            "connector_feed_notes",
            "Values that were normalised when read.",
            labels=["feed", "note"],
        )
        for feed in facts["feeds"]:
            for note, count in feed["notes"].items():
                notes.add_metric([feed["name"], note], count)
        yield notes
        alarms = GaugeMetricFamily(
            "connector_feed_alarm", "1 while an alarm of a feed is open.", labels=["feed", "alarm"]
        )
        for feed in facts["feeds"]:
            for alarm in feed["alarms"]:
                alarms.add_metric([feed["name"], alarm["name"]], 1)
        yield alarms
        yield from _caps(facts["feeds"])
        yield _buckets("list", "claims", facts["lists"])
        suppressed = GaugeMetricFamily(
            "connector_list_suppressed", "Claims suppressed by the allowlist, by group.",
            labels=["list", "group"],
        )  # fmt: skip
        for listed in facts["lists"]:
            for group, count in listed["suppressed"].items():
                suppressed.add_metric([listed["name"], group], count)
        yield suppressed
        drifted = CounterMetricFamily(
            "connector_output_drifted",
            "Entries that others changed at a target.",
            labels=["output"],
        )
        for output in facts["outputs"]:
            drifted.add_metric([output["name"]], output["drift"]["total"] if output["drift"] else 0)
        yield drifted
        left = GaugeMetricFamily(
            "connector_output_left_behind", "Entries at places that an output left.",
            labels=["output", "left"],
        )  # fmt: skip
        for (name, standing), count in _left(facts["left_behind"]).items():
            left.add_metric([name, standing], count)
        yield left
        yield _silent(facts["clients"])
        yield _held(facts["outputs"])
        yield _rolling(facts["outputs"])
        yield _removals(facts["outputs"])
        yield _additions(facts["outputs"])
        yield _buckets("output", "entries", facts["outputs"])


class CallCollector(Collector):
    """How long the calls of adapters took since the process began."""

    def __init__(self, times: Callable[[], CallTimes]) -> None:
        self._times = times

    def describe(self) -> list[Metric]:
        """Return nothing: the metric depends on the configuration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield a histogram by output and verb."""
        family = HistogramMetricFamily(
            "connector_adapter_seconds", "How long calls of an output's adapter took.",
            labels=["output", "verb"],
        )  # fmt: skip
        bounds = [*map(str, BOUNDS), "+Inf"]
        for labels, (counts, total) in sorted(self._times().items()):
            family.add_metric(list(labels), list(zip(bounds, counts, strict=True)), total)
        yield family


def _silent(clients: list[dict[str, Any]]) -> Metric:
    silent = GaugeMetricFamily(
        "connector_client_silent",
        "Whether a client has not fetched a file for too long; without a file if it never did.",
        labels=["client", "file"],
    )
    for client in clients:
        for one in client["lists"]:
            silent.add_metric([client["name"], one["file"]], float(one["silent"]))
        if not client["lists"]:
            silent.add_metric([client["name"], ""], float(client["state"] == "silent"))
    return silent


def _left(places: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Return the entries that outputs left: one may have left several places."""
    counts: Counter[tuple[str, str]] = Counter()
    for place in places:
        counts[place["output"], place["left"]] += place["entries"]
    return counts


def _parts(kind: str, parts: list[dict[str, Any]]) -> Iterator[Metric]:
    healthy = GaugeMetricFamily(f"connector_{kind}_ok", "1 while healthy.", labels=[kind])
    success = GaugeMetricFamily(
        f"connector_{kind}_last_success_timestamp_seconds", "Last success.", labels=[kind]
    )
    for part in parts:
        healthy.add_metric([part["name"]], float(part["state"] == "ok"))
        if part["last_success"]:
            success.add_metric([part["name"]], _epoch(part["last_success"]))
    yield healthy
    yield success


def _caps(feeds: list[dict[str, Any]]) -> Iterator[Metric]:
    limits = GaugeMetricFamily("connector_feed_cap", "Bounds of feeds.", labels=["feed", "cap"])
    kept = GaugeMetricFamily(
        "connector_feed_capped",
        "Number of items that a bound of a feed excludes now.",
        labels=["feed", "cap"],
    )
    for feed in feeds:
        for name, cap in feed["caps"].items():
            limits.add_metric([feed["name"], name], cap["limit"])
            if cap["keeps_off"] is not None:
                kept.add_metric([feed["name"], name], cap["keeps_off"])
    yield limits
    yield kept


def _held(outputs: list[dict[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "connector_output_held", "Changes in holds, by what a person has said of them.",
        labels=["output", "state", "change"],
    )  # fmt: skip
    for output in outputs:
        counts = dict.fromkeys(product(("held", "refused", "accepted"), ("add", "remove")), 0)
        for hold in output["held"]:
            for change in ("add", "remove"):
                counts[hold["state"], change] += hold[change]
        for (state, change), count in counts.items():
            family.add_metric([output["name"], state, change], count)
    return family


def _rolling(outputs: list[dict[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "connector_output_rollout_waiting", "Additions that wait for another output.",
        labels=["output"],
    )  # fmt: skip
    for output in outputs:
        if output["rollout"]:
            family.add_metric([output["name"]], output["rollout"]["waiting"])
    return family


def _removals(outputs: list[dict[str, Any]]) -> Metric:
    family = HistogramMetricFamily(
        "connector_removal_seconds", "Time from when an entry had to go until it was removed.",
        labels=["output", "reason"],
    )  # fmt: skip
    for output in outputs:
        for reason, times in output["removal_seconds"].items():
            family.add_metric([output["name"], reason], _cumulated(times), times["sum"])
    return family


def _additions(outputs: list[dict[str, Any]]) -> Metric:
    family = HistogramMetricFamily(
        "connector_enforce_seconds", "Time from when an entry was due until it was written.",
        labels=["output"],
    )  # fmt: skip
    for output in outputs:
        for times in output["enforce_seconds"].values():
            family.add_metric([output["name"]], _cumulated(times), times["sum"])
    return family


def _cumulated(times: dict[str, Any]) -> list[tuple[str, float]]:
    within = [(f"{float(bound)}", count) for bound, count in times["within"].items()]
    return [*within, ("+Inf", times["count"])]


def _buckets(kind: str, what: str, parts: list[dict[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        f"connector_{kind}_{what}", "Claims by reason.", labels=[kind, "reason"]
    )
    for part in parts:
        for reason, count in part["reasons"].items():
            family.add_metric([part["name"], reason], count)
    return family


def _epoch(moment: str) -> float:
    return datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
