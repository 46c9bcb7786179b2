"""Any history of feeds, clocks, restarts and failing targets ends as if nothing had been broken."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenario_site import FREED, Clock, Object, Site
from stix_samples import PRODUCER, START, STRANGER, TLP, indicator, stamp

from connector.errors import ConnectorError, UnavailableError, UndecidedError
from connector.model import Observable, ObservableType

VALUES = ["192.0.2.1", "192.0.2.2", "198.51.100.0/24", "a.example", "b.example", "2001:db8::1"]
FILES = ("one", "two")
FEEDS = ("mine", "theirs")
ANCHOR = indicator("anchor", "203.0.113.1", confidence=100)
RULE = indicator(
    "anchored",
    pattern="rule anchored { condition: true }",
    pattern_type="yara",
    confidence=100,
)
Step = tuple[Any, ...]

names = st.sampled_from(["i1", "i2", "i3", "i4"])
files = st.sampled_from([(feed, file) for feed in FEEDS for file in FILES])
versions = st.fixed_dictionaries(
    {
        "value": st.sampled_from(VALUES),
        "creator": st.sampled_from([PRODUCER, PRODUCER, STRANGER]),
        "confidence": st.sampled_from([None, 0, 40, 80]),
        "starts": st.sampled_from([0, 0, 5]),
        "lasts": st.sampled_from([None, None, 3, 12]),
        "marking": st.sampled_from([None, "clear", "red"]),
        "watch_only": st.booleans(),
        "revoked": st.sampled_from([False, False, False, True]),
        "odd": st.sampled_from([False, False, False, False, True]),
        "rule": st.sampled_from([None, None, None, "a", "b"]),
    }
)
devices = st.sampled_from(["edge", "small", "hunt"])
news = st.one_of(
    st.tuples(st.just("publish"), files, names, versions),
    st.tuples(st.just("publish"), files, names, versions),
    st.tuples(st.just("withdraw"), st.integers(0, 20)),
    st.tuples(st.just("replay"), files, st.integers(0, 20)),
    st.tuples(st.just("turn"), files),
    st.tuples(st.just("tick"), st.sampled_from([1, 2, 3, 12])),
)
trouble = st.one_of(
    st.tuples(st.just("poll"), st.sampled_from(FEEDS)),
    st.tuples(st.just("refresh"), st.sampled_from(["perimeter", "hunting"])),
    st.tuples(st.just("sync"), st.sampled_from(["edge", "small", "hunt", "file", "detect"])),
    st.tuples(st.just("fail"), devices, st.integers(0, 3)),
    st.tuples(st.just("refuse"), devices, st.sampled_from(VALUES)),
    st.tuples(st.just("by hand"), devices, st.sampled_from(VALUES)),
    st.tuples(st.just("mend")),
    st.tuples(st.just("restart")),
)
rounds = st.tuples(
    st.lists(news, min_size=1, max_size=4),
    st.lists(trouble, max_size=3),
    st.just([("cycle",)]),
)


def config() -> dict[str, Any]:
    def firewall(listed: str, device: str, **more: Any) -> dict[str, Any]:
        options = {"device": device, "batch_size": 2}
        return {"list": listed, "adapter": "firewall", "options": options, **more}

    bundle = {"type": "bundle", "unmarked_tlp": "clear", "max_age": "40d"}
    exception = {"value": "198.51.100.7", "why": "ours", "until": "2026-03-02"}
    rules = {"file": "detect.yar", "language": "yara", "compile": False}
    comment = {"comment": {"template": "{indicator.id} {confidence}"}}
    return {
        "feeds": {name: {**bundle, "path": f"{name}/"} for name in FEEDS},
        "allowlist": {**FREED, "exceptions": [exception]},
        "lists": {
            "perimeter": {"purpose": "block", "rank_by": ["newest"]},
            "hunting": {"purpose": "watch", "select": {"min_confidence": 30}},
        },
        "outputs": {
            "edge": firewall("perimeter", "edge", mapping=comment),
            "small": firewall("perimeter", "small", limits={"max_entries": 3}),
            "hunt": firewall("hunting", "hunt"),
            "file": {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}},
            "detect": {"list": "hunting", "adapter": "rules", "options": rules},
        },
    }


@dataclass
class History:
    """A site, what its feeds publish, and every state of them that was polled."""

    site: Site
    published: dict[tuple[str, str], dict[str, Object]] = field(default_factory=dict)
    said: list[tuple[str, Object]] = field(default_factory=list)
    polled: list[tuple[datetime, str, dict[str, list[Object]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.site.configure(**config())
        self.published = {(feed, file): {} for feed in FEEDS for file in FILES}
        self.published["mine", "one"]["anchor"] = ANCHOR
        self.published["theirs", "two"]["anchor"] = ANCHOR
        self.published["mine", "one"]["anchored"] = RULE

    def take(self, step: Step) -> None:
        verb, *details = step
        getattr(self, f"_{verb.replace(' ', '_')}")(*details)
        self.site.consistent(settled=False)

    def _publish(self, where: tuple[str, str], name: str, said: dict[str, Any]) -> None:
        made = version(name, said, len(self.said))
        self.said.append((name, made))
        self.published[where][name] = made

    def _replay(self, where: tuple[str, str], number: int) -> None:
        if self.said:
            name, made = self.said[number % len(self.said)]
            self.published[where][name] = made

    def _withdraw(self, number: int) -> None:
        shown = [(where, name) for where in self.published for name in self.published[where]]
        where, name = shown[number % len(shown)]
        if not name.startswith("anchor"):
            del self.published[where][name]

    def _turn(self, where: tuple[str, str]) -> None:
        self.published[where] = dict(reversed(self.published[where].items()))

    def _poll(self, feed: str) -> None:
        shown = {file: list(self.published[feed, file].values()) for file in FILES}
        self.polled.append((self.site.clock.moment, feed, shown))
        poll(self.site, feed, shown)

    def _refresh(self, name: str) -> None:
        self.site.service.lists.refresh(name)

    def _sync(self, name: str) -> None:
        try:
            self.site.service.outputs.sync(name)
        except UndecidedError:
            pass  # a rule moved on since its list was decided: the output follows the list
        except ConnectorError:
            assert self.site.output(name)["state"] in ("failing", "held")

    def _cycle(self) -> None:
        for feed in FEEDS:
            self._poll(feed)
        for name in self.site.service.lists:
            self._refresh(name)
        self.site.consistent(settled=False, decided=True)
        for name in self.site.service.outputs:
            self._sync(name)

    def _tick(self, hours: int) -> None:
        self.site.clock.advance(hours=hours)

    def _fail(self, device: str, after: int) -> None:
        """The device goes away after so many points of the writes to come."""
        left = after

        def breaks(_point: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise UnavailableError("no answer")

        self.site.rack[device].hook = breaks

    def _refuse(self, device: str, value: str) -> None:
        self.site.rack[device].refuses = {value: "reserved"}

    def _by_hand(self, device: str, value: str) -> None:
        """Somebody adds an entry at the device, at any time but while ours may be on its way."""
        observable = Observable(ObservableType.DOMAIN_NAME, value)
        firewall = self.site.rack[device]
        if not value.endswith("example") or observable in firewall.entries():
            return
        store, listed = self.site.service.store, self.site.service.outputs[device].listing
        number = store.outputs.open(device, listed.number).number
        with self.site.service.store.database.read() as transaction:
            known = store.wanted.numbers_of(transaction, [observable])
            ours = store.ledger.ours_among(transaction, number, list(known.values()))
        if not ours:
            firewall.put_by_hand(observable, {})

    def _mend(self) -> None:
        for device in ("edge", "small", "hunt"):
            self.site.rack[device].hook = lambda _point: None
            self.site.rack[device].refuses = {}

    def _restart(self) -> None:
        self.site.open()


def version(name: str, said: dict[str, Any], number: int) -> Object:
    """One version of an indicator; later ones have a later `modified`."""
    begins = START + timedelta(hours=said["starts"])
    ends = None if said["lasts"] is None else stamp(begins + timedelta(hours=said["lasts"]))
    made = indicator(name, said["value"], created_by_ref=said["creator"])
    made |= {"modified": stamp(START - timedelta(days=29) + timedelta(minutes=number))}
    if said["watch_only"]:
        made["pattern"] = made["pattern"][:-1] + " AND file:name = 'x.exe']"
    extra = {"valid_from": stamp(begins), "valid_until": ends, "confidence": said["confidence"]}
    made |= {key: kept for key, kept in extra.items() if kept is not None}
    if said["marking"]:
        made["object_marking_refs"] = [TLP[said["marking"]]]
    if said["rule"]:
        text = f"rule {said['rule']} {{ condition: filesize > {number} }}"
        made |= {"pattern": text, "pattern_type": "yara"}
    if said["odd"]:
        made["pattern"] = "[ipv4-addr:value LIKE '192.%'"
    return {**made, "revoked": True} if said["revoked"] else made


def poll(site: Site, feed: str, shown: dict[str, list[Object]]) -> None:
    for file, objects in shown.items():
        site.write(f"../{feed}/{file}.json", objects)
    site.service.feeds.poll(feed)


def in_memory(test: Callable[[Path], None]) -> None:
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="connector-", dir=base) as folder:
        test(Path(folder))


def settle(history: History) -> None:
    history._mend()
    history._cycle()
    history.site.consistent()
    for _ in range(2):
        outcome = history.site.once()
        assert not outcome.failures
        assert not outcome.held


def from_scratch(history: History, folder: Path) -> Site:
    """A site that polled the same, in one go, and decided and wrote only at the end."""
    site = Site(folder, Clock())
    site.configure(**config())
    for moment, feed, shown in history.polled:
        site.clock.moment = moment
        poll(site, feed, shown)
    site.clock.moment = history.site.clock.moment
    site.once()
    return site


def check(folder: Path, taken: list[Step]) -> None:
    history = History(Site(folder / "lived"))
    try:
        history.take(("cycle",))
        for step in taken:
            history.take(step)
        settle(history)
        history.site.consistent()
        assert history.site.idle()
        compare(history, folder)
    finally:
        history.site.close()


def compare(history: History, folder: Path) -> None:
    fresh = from_scratch(history, folder / "fresh")
    try:
        fresh.consistent()
        assert history.site.status()["lists"] == fresh.status()["lists"]
        assert history.site.lines("list.txt") == fresh.lines("list.txt")
        assert called(history.site) == called(fresh)
        for device in ("edge", "small", "hunt"):
            by_hand = {observable.value for observable in history.site.rack[device].by_hand}
            ours = set(history.site.at(device)) - by_hand
            assert ours == set(fresh.at(device)) - by_hand
    finally:
        fresh.close()


def called(site: Site) -> list[str]:
    """The names of the published rules: of two with one name, either may be there."""
    rules = (line for line in site.lines("detect.yar") if line.startswith("rule "))
    return sorted(line.split()[1] for line in rules)


def test_an_output_waits_while_a_rule_moved_on_that_its_list_has_not_seen(tmp_path: Path) -> None:
    said = {
        "value": VALUES[0], "creator": PRODUCER, "confidence": None, "starts": 0, "lasts": None,
        "marking": None, "watch_only": False, "revoked": False, "odd": False, "rule": None,
    }  # fmt: skip
    taken: list[Step] = [
        ("publish", ("mine", "one"), "i1", said),
        ("cycle",),
        ("withdraw", 1),
        ("publish", ("theirs", "one"), "i1", {**said, "rule": "a"}),
        ("poll", "theirs"),
    ]
    history = History(Site(tmp_path / "lived"))
    for step in taken:
        history.take(step)
    before = history.site.lines("detect.yar")
    with pytest.raises(UndecidedError, match="hunting is still being decided"):
        history.site.service.outputs.sync("detect")
    assert history.site.lines("detect.yar") == before
    history.site.close()
    check(tmp_path, [*taken, ("sync", "detect")])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lived=st.lists(rounds, min_size=2, max_size=6))
def test_every_history_ends_as_if_nothing_had_been_broken(
    lived: list[tuple[list[Step], ...]],
) -> None:
    taken = [step for each in lived for part in each for step in part]
    in_memory(lambda folder: check(folder, taken))
