"""Calls of adapters that take long: told, bounded by a deadline, and in nobody's way."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from scenario_site import QuickRegistry, Site, until
from stix_samples import indicator
from structlog.testing import capture_logs

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    Field,
    Held,
    ListAdapter,
    ObservableType,
    Outcomes,
    Settings,
    StagedAdapter,
)
from connector.daemon.workers import Workers
from connector.errors import StoppedError
from connector.feeds.bundle import BundleFeed
from connector.reports.metrics import CallCollector
from connector.service.build import Runtime, build
from connector.service.farewell import open_left_places
from connector.service.once import propose_all
from connector.sync.calls import Calls

ONE, TWO = "192.0.2.1", "192.0.2.2"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class NoSettings(Settings):
    """Nothing to choose but whose table it is."""

    table_of: str = Field("", description="Whose.")


class Hanging:
    """Verbs that wait where a test says so."""

    verb: ClassVar[str] = ""
    reached: ClassVar[threading.Event]
    released: ClassVar[threading.Event]
    table: ClassVar[dict[Any, Entry]]

    def _called(self, verb: str) -> None:
        if verb == self.verb:
            self.reached.set()
            assert self.released.wait(60)


class ListOne(Hanging, ListAdapter[NoSettings]):
    """A list in a dictionary."""

    settings_type = NoSettings
    supports = frozenset({ObservableType.IPV4_ADDR})

    def stamp(self) -> str | None:
        self._called("stamp")
        return "others were here" if self.verb == "read" else None

    def read(self) -> Iterator[Held]:
        self._called("read")
        return iter([Held(one) for one in self.table])

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        self._called("publish")
        fresh = {entry.observable: entry for entry in entries}
        self.table.clear()
        self.table.update(fresh)
        return ALL_WRITTEN

    def activate(self) -> None:
        self._called("activate")


class StagedOne(Hanging, StagedAdapter[NoSettings]):
    """A table in a dictionary, with stages."""

    settings_type = NoSettings
    supports = frozenset({ObservableType.IPV4_ADDR})

    def read(self) -> Iterator[Held]:
        return iter([Held(one) for one in self.table])

    def holds(self, observables: Any) -> Iterator[Held]:
        self._called("holds")
        return super().holds(observables)  # type: ignore[return-value]

    def begin(self) -> None:
        self._called("begin")

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        self._called("add")
        self.table.update({entry.observable: entry for entry in entries})
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self._called("remove")
        for one in held:
            self.table.pop(one.observable, None)
        return ALL_WRITTEN

    def commit(self) -> None:
        self._called("commit")

    def abandon(self) -> None:
        self._called("abandon")


LIST, STAGED = "list", "staged"
VERBS = [
    *((LIST, verb) for verb in ("stamp", "read", "publish", "activate")),
    *((STAGED, verb) for verb in ("holds", "begin", "add", "remove", "commit")),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = Site(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hanging(site: Site) -> Iterator[type[Hanging]]:
    """The adapters of a site, before they hang."""
    shared: dict[str, Any] = {
        "reached": threading.Event(), "released": threading.Event(), "table": {}, "verb": "",
    }  # fmt: skip

    for name, value in shared.items():
        setattr(Hanging, name, value)
    site.registry = QuickRegistry(
        {LIST: ListOne, STAGED: StagedOne, "firewall": site.rack.adapter}, {"bundle": BundleFeed}
    )
    yield Hanging
    shared["released"].set()


def configure(site: Site, adapter: str, **options: Any) -> None:
    site.configure(
        lists={"perimeter": {}},
        outputs={
            "edge": {"list": "perimeter", "adapter": adapter, **options},
            "core": {"list": "perimeter", "adapter": "firewall", "options": {"device": "core"}},
        },
    )


def started(site: Site, clock: Clock, calls: Calls | None = None) -> Workers:
    runtime = Runtime(site.clock, calls=calls or Calls(clock))
    service = build(site.load(), site.registry, site.service.store, runtime)
    workers = Workers(service, lambda error: pytest.fail(str(error)), clock)
    workers.start()
    return workers


def changed(site: Site, workers: Workers, *objects: dict[str, Any]) -> None:
    site.write("one.json", list(objects))
    workers.feeds["files"].ask()


@pytest.mark.parametrize(("adapter", "verb"), VERBS)
def test_a_call_that_hangs_is_told_and_fails_its_output_alone(
    site: Site, clock: Clock, hanging: type[Hanging], adapter: str, verb: str
) -> None:
    configure(site, adapter, deadlines={verb: "10m"})
    site.write("one.json", [indicator("a", ONE)])
    workers = started(site, clock)
    until(lambda: len(hanging.table) == 1 and site.output()["state"] == "ok")
    until(lambda: site.at("core") == [ONE])
    hanging.verb = verb
    revoked = indicator("a", ONE, revoked=True, modified="2026-03-01T11:00:00.000Z")
    with capture_logs() as logged:
        changed(site, workers, revoked, indicator("b", TWO))
        assert hanging.reached.wait(60)
        until(lambda: site.at("core") == [TWO])
        workers.tick()
        clock.seconds = 31
        workers.tick()
        clock.seconds = 60
        workers.tick()
        assert site.output()["state"] == "ok"
        clock.seconds = 601
        workers.tick()
        workers.tick()
    late = [line for line in logged if line["event"] in ("output.slow", "output.overdue")]
    told = [line for line in late if line["output"] == "edge"]
    assert [line["event"] for line in told] == ["output.slow", "output.overdue"]
    assert (told[0]["output"], told[0]["verb"], told[0]["seconds"]) == ("edge", verb, 31)
    assert site.output()["state"] == "failing"
    assert f"call of {verb} has not returned after 601 s" in site.output()["error"]
    hanging.released.set()
    until(lambda: site.output()["state"] == "ok")
    assert [one.value for one in hanging.table] == [TWO]
    workers.stop()


def test_an_output_with_nothing_to_do_recovers_from_a_call_past_its_deadline(
    site: Site, clock: Clock, hanging: type[Hanging]
) -> None:
    configure(site, LIST)
    site.write("one.json", [indicator("a", ONE)])
    workers = started(site, clock)
    until(lambda: len(hanging.table) == 1 and site.output()["state"] == "ok")
    hanging.verb = "stamp"
    workers.outputs["edge"].ask()
    assert hanging.reached.wait(60)
    clock.seconds = 3600
    workers.tick()
    assert site.output()["state"] == "failing"
    hanging.released.set()
    until(lambda: site.output()["state"] == "ok")
    workers.stop()


def test_the_end_leaves_a_call_behind_and_what_it_returns_counts_for_nothing(
    site: Site, clock: Clock, hanging: type[Hanging]
) -> None:
    configure(site, STAGED)
    hanging.verb = "add"
    site.write("one.json", [indicator("a", ONE)])
    calls = Calls(clock)
    workers = started(site, clock, calls)
    assert hanging.reached.wait(60)
    ending = threading.Thread(target=workers.stop)
    ending.start()
    until(workers.service.stop.asked)
    ending.join(0.3)
    assert ending.is_alive(), "the write in hand is waited for"
    clock.seconds = 61
    ending.join(60)
    assert not ending.is_alive(), "for a minute"
    following = started(site, clock, calls)
    following.outputs["edge"].ask()
    until(lambda: "from before this configuration" in (site.output()["error"] or ""))
    assert site.output()["reasons"] == {"pending": 1}
    with capture_logs() as logged:
        hanging.released.set()
        until(lambda: any(line["event"] == "output.returned" for line in logged))
    following.outputs["edge"].ask()
    until(lambda: site.output()["reasons"] == {"written": 1})
    following.stop()


def test_the_end_does_not_wait_for_a_call_past_its_deadline(
    site: Site, clock: Clock, hanging: type[Hanging]
) -> None:
    configure(site, STAGED, deadlines={"add": "30s"})
    hanging.verb = "add"
    site.write("one.json", [indicator("a", ONE)])
    workers = started(site, clock)
    assert hanging.reached.wait(60)
    clock.seconds = 31
    workers.stop()  # does not return otherwise
    hanging.released.set()


@pytest.mark.parametrize("adapter", [LIST, STAGED])
def test_the_metric_has_each_verb_of_an_output(
    site: Site, clock: Clock, hanging: type[Hanging], adapter: str
) -> None:
    configure(site, adapter)
    site.write("one.json", [indicator("a", ONE)])
    calls = Calls(clock)
    workers = started(site, clock, calls)
    until(lambda: site.output()["reasons"] == {"written": 1})
    workers.stop()
    (family,) = CallCollector(calls.times).collect()
    samples = {
        (sample.labels["verb"], sample.labels.get("le")): sample.value
        for sample in family.samples
        if sample.labels["output"] == "edge" and not sample.name.endswith("_sum")
    }
    verbs = {verb for verb, _bound in samples}
    assert verbs >= {verb for kind, verb in VERBS if kind == adapter} - {"remove", "holds"}
    assert all(samples[verb, "+Inf"] == samples[verb, "0.01"] > 0 for verb in verbs)


def test_a_call_that_waits_for_its_turn_is_not_slow(clock: Clock) -> None:
    calls = Calls(clock)
    output = calls.of("edge", {"read": 100})

    def read() -> Iterator[int]:
        yield 1
        clock.seconds += 200
        yield 2

    drawn = output.drawn("read", lambda: [1, 2])
    assert next(drawn) == 1
    clock.seconds += 500  # what the core does between two parts
    assert calls.look() == []
    assert list(drawn) == [2]
    assert sum(output.drawn("read", read)) == 3
    counts, total = calls.times()["edge", "read"]
    assert (counts[0], counts[-1], total) == (1, 2, 200)


def test_nothing_is_called_again_after_a_call_was_left_behind(clock: Clock) -> None:
    calls = Calls(clock)
    output = calls.of("edge")
    me = threading.current_thread()

    def leave() -> None:
        assert not calls.leave([me, threading.Thread()], late=False), "one ends by itself"
        assert not calls.leave([me], late=True)
        assert calls.leave([me], late=False)

    def left() -> None:
        with output("add"):
            leave()

    expect(StoppedError, left)
    expect(StoppedError, lambda: list(output.drawn("read", list)))
    assert output.left


def expect(error: type[Exception], act: Callable[[], object]) -> None:
    with pytest.raises(error):
        act()


def hang_for(hanging: type[Hanging], clock: Clock, verb: str, seconds: float) -> threading.Thread:
    """Have a verb hang, and so much time pass once it does."""
    hanging.verb = verb

    def pass_time() -> None:
        assert hanging.reached.wait(60)
        clock.seconds += seconds

    passing = threading.Thread(target=pass_time)
    passing.start()
    return passing


def site_with(site: Site, clock: Clock) -> None:
    """Have the calls of a command take as long as the clock says."""
    site.service.calls.monotonic = clock


@pytest.mark.parametrize(("adapter", "verb"), [(LIST, "publish"), (STAGED, "add")])
def test_a_single_pass_leaves_a_call_past_its_deadline_behind_and_goes_on(
    site: Site, clock: Clock, hanging: type[Hanging], adapter: str, verb: str
) -> None:
    configure(site, adapter, deadlines={verb: "10m"})
    site.write("one.json", [indicator("a", ONE)])
    site_with(site, clock)
    passing = hang_for(hanging, clock, verb, 601)
    failures = site.once().failures
    passing.join()
    assert f"call of {verb} has not returned after 601 s" in failures["output edge"]
    assert site.at("core") == [ONE]
    assert (site.output()["state"], site.output()["reasons"]) == ("failing", {"pending": 1})


def test_a_plan_does_not_wait_for_a_target_for_ever(
    site: Site, clock: Clock, hanging: type[Hanging]
) -> None:
    configure(site, LIST)
    site.write("one.json", [indicator("a", ONE)])
    site.once()
    site_with(site, clock)
    passing = hang_for(hanging, clock, "stamp", 3600)
    plans, failures = propose_all(site.service, None, lambda *_: None, polls=True)
    passing.join()
    assert set(plans) == {"core"}
    assert "edge: the adapter's call of stamp has not returned after 3600 s" in failures[0]


def test_outputs_at_a_device_that_hangs_do_not_wait_for_it(
    site: Site, clock: Clock, hanging: type[Hanging], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListOne, "shares", lambda _self: "device")
    site.configure(
        lists={"perimeter": {}},
        outputs={
            name: {"list": "perimeter", "adapter": LIST, "options": {"table_of": name}}
            for name in ("edge", "core")
        },
    )
    site.write("one.json", [indicator("a", ONE)])
    site_with(site, clock)
    passing = hang_for(hanging, clock, "publish", 3600)
    failures = site.once().failures
    passing.join()
    assert "call of publish has not returned" in failures["output edge"]
    assert "another output at the same device hangs" in failures["output core"]


def test_a_single_pass_that_is_interrupted_ends_after_the_write_in_hand(
    site: Site, hanging: type[Hanging], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(site, STAGED)
    site.write("one.json", [indicator("a", ONE)])
    hanging.verb = "add"

    def interrupt() -> list[Any]:
        if hanging.reached.is_set() and not site.service.stop.asked():
            threading.Timer(0.1, hanging.released.set).start()
            raise KeyboardInterrupt
        return []

    monkeypatch.setattr(site.service.calls, "look", interrupt)
    with pytest.raises(KeyboardInterrupt):
        site.once()
    assert [one.value for one in hanging.table] == [ONE]
    assert site.output()["reasons"] == {"written": 1}


def test_what_an_output_left_is_not_waited_for_for_ever(
    site: Site, clock: Clock, hanging: type[Hanging]
) -> None:
    configure(site, STAGED)
    site.write("one.json", [indicator("a", ONE)])
    site.once()
    site.close()
    site.configure(lists={"perimeter": {}}, outputs={})
    site.once()
    passing = hang_for(hanging, clock, "remove", 3600)
    site.close()
    with open_left_places(site.load(), site.registry) as places:
        places.cleaner.calls.monotonic = clock
        answer = places.withdraw("edge", "ada", "")
    passing.join()
    assert not answer.done
    assert "call of remove has not returned after 3600 s" in answer.words
