"""Decide is pure at run time: inside it a service asks no store, clock, log, lock or socket."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import CodeType, FrameType
from typing import Any

import pytest
from scenario_site import FREED, Site
from stix_samples import PRODUCER, STRANGER, TLP, indicator, revoked, sid

from connector.decisions.allowlist.allowlist import Protection
from connector.decisions.decide import decide
from connector.log import log
from connector.model import Observable, Purpose

# All of the product that may run inside decide; of other packages, none of these.
PURE = ("decisions", "indicators", "model", "instants")
IMPURE = {
    "_io", "_socket", "_sqlite3", "_thread", "asyncio", "fcntl", "io", "logging", "os", "pathlib",
    "posix", "psycopg", "random", "select", "socket", "sqlalchemy", "sqlite3", "ssl", "structlog",
    "subprocess", "threading", "time",
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "open", "print", "input"}


class Watch:
    """Notes what runs inside one function, on this thread."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.calls, self.inside = 0, 0
        self.seen: set[str] = set()
        self.impure: set[str] = set()

    def __call__(self, frame: FrameType, event: str, what: Any) -> None:
        if frame.f_code is self.code and event in ("call", "return"):
            self.calls += event == "call"
            self.inside += 1 if event == "call" else -1
        elif self.inside and event == "call":
            self._note(frame.f_globals.get("__name__", ""), frame.f_code.co_name)
        elif self.inside and event == "c_call":
            owner = getattr(what, "__self__", None)
            kind = owner if isinstance(owner, type) else type(owner)
            module = what.__module__ or kind.__module__ or ""
            self._note(module, what.__name__)

    def _note(self, module: str, name: str) -> None:
        self.seen.add(module)
        top, _, rest = module.partition(".")
        ours = top == "connector" and rest.partition(".")[0] not in PURE
        if ours or top in IMPURE or name in IMPURE_CALLS:
            self.impure.add(f"{module}.{name}")


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch what runs inside decide, while the block runs."""
    watch = Watch(decide.__code__)
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield watch
    finally:
        sys.setprofile(before)


CONTEXT = [
    {"type": "malware", "spec_version": "2.1", "id": sid("malware", "rat"), "name": "Rat",
     "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z", "is_family": True},
    {"type": "relationship", "spec_version": "2.1", "id": sid("relationship", "r"),
     "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
     "relationship_type": "indicates", "source_ref": sid("indicator", "told"),
     "target_ref": sid("malware", "rat")},
    {"type": "identity", "spec_version": "2.1", "id": PRODUCER, "name": "A producer",
     "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
     "identity_class": "organization", "country": "US"},
]  # fmt: skip


@pytest.fixture
def several_feeds(site: Site) -> Site:
    """Three feeds that agree, differ and take back; a list of each purpose and three audiences."""
    feeds = {
        name: {"type": "bundle", "path": f"{name}.json", "unmarked_tlp": "clear"} | given
        for name, given in {
            "ais": {}, "isac": {"default_confidence": 60, "max_confidence": 80},
            "partner": {"max_age": {"ipv4-addr": "30d"}},
        }.items()
    }  # fmt: skip
    lists = {
        "block": {"purpose": "block", "select": {"min_confidence": 20}},
        "two": {"purpose": "block", "select": {"min_sources": 2}},
        "told": {"purpose": "watch", "select": {"context": {"malware": ["rat"]}}},
        "shared": {"purpose": "watch", "audience": "community"},
    }
    mapping = {"comment": {"template": "{producer.name}: {context.malware}"}}
    outputs = {
        name: {
            "list": name, "adapter": "firewall", "options": {"device": name}, "mapping": mapping
        }
        for name in lists
    }  # fmt: skip
    exceptions = [{"value": "192.0.2.3", "until": "2027-01-01", "why": "ours"}]
    site.configure(
        feeds=feeds, lists=lists, outputs=outputs, allowlist=FREED | {"exceptions": exceptions}
    )
    gone = indicator("gone", "192.0.2.9")
    said = {
        "ais": [
            *(indicator(n, f"192.0.2.{n}", confidence=50) for n in range(1, 6)),
            indicator("red", "192.0.2.7", object_marking_refs=[TLP["red"]]),
            indicator("green", "192.0.2.8", object_marking_refs=[TLP["green"]], confidence=90),
            indicator("late", "192.0.2.10", valid_until="2025-12-01T00:00:00Z"),
            indicator("told", "192.0.2.11", created_by_ref=PRODUCER), *CONTEXT,
        ],
        "isac": [
            *(indicator(f"i{n}", f"192.0.2.{n}", created_by_ref=STRANGER) for n in range(2, 7)),
            gone, revoked(gone),
        ],
        "partner": [indicator(f"p{n}", f"https://a{n}.example/x") for n in range(3)],
    }  # fmt: skip
    for name, objects in said.items():
        site.write(f"../{name}.json", objects)
    site.open()
    for name in feeds:
        site.service.feeds.poll(name)
    return site


def refresh_all(site: Site) -> Watch:
    with watched() as watch:
        for name in site.service.lists:
            site.service.lists.refresh(name, everything=True)
    return watch


def test_nothing_is_asked_inside_decide_while_a_service_refreshes_its_lists(
    several_feeds: Site,
) -> None:
    watch = refresh_all(several_feeds)
    assert watch.impure == set()
    assert watch.calls > 4 * 12, "each list decides on every observable"
    assert "connector.decisions.allowlist.allowlist" in watch.seen, "also what asks the allowlist"
    for name in ("block", "two", "told"):
        several_feeds.service.outputs.sync(name)
    assert several_feeds.at("block") == [f"192.0.2.{n}" for n in (1, 2, 4, 5, 6, 8)]
    assert several_feeds.at("two") == [f"192.0.2.{n}" for n in (2, 4, 5)]
    assert several_feeds.at("told") == ["192.0.2.11"]
    counted = several_feeds.reasons("shared")
    assert counted["withheld"] == 1
    assert counted["expired"] == 1


class AskingVerdicts(dict[Any, Any]):
    """Verdicts that are looked up when they are asked for, as they once were."""

    def __init__(self, verdicts: Mapping[Any, Any], ask: Callable[[int], object]) -> None:
        super().__init__(verdicts)
        self._ask = ask

    def __getitem__(self, key: Any) -> Any:
        self._ask(key[0])
        return super().__getitem__(key)


class AskingAllowlist:
    """An allowlist that does something of its own before it answers that nobody protects."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def protects(self, _value: Observable, _now: datetime, _purpose: Purpose) -> Protection | None:
        self._act()
        return None


@pytest.mark.parametrize(
    ("act", "found"),
    [
        (time.time, "time.time"),
        (lambda: datetime.now(UTC), "datetime.now"),
        (lambda: log.debug("asked"), "connector.log"),
        (lambda: open("/dev/null").close(), "open"),
    ],
)
def test_the_watch_finds_what_an_allowlist_would_do(
    several_feeds: Site, act: Callable[[], object], found: str
) -> None:
    listing = several_feeds.service.lists["block"]
    object.__setattr__(listing, "allowlist", lambda: AskingAllowlist(act))
    assert any(found in each for each in refresh_all(several_feeds).impure)


def test_the_watch_finds_a_verdict_that_asks_the_store(
    several_feeds: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = several_feeds.service
    judge = service.lists["block"].judge
    filled = judge.verdicts
    attributes = service.store.attributes
    monkeypatch.setattr(
        judge, "verdicts", lambda claims, now: AskingVerdicts(filled(claims, now), attributes)
    )
    assert any("connector.store" in each for each in refresh_all(several_feeds).impure)
