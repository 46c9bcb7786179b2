"""A target that only takes events: `written` is what it took, and each event is sent once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_syslog import SyslogAdapter
from scenario_site import QuickRegistry, Site
from stix_samples import Object, indicator, revoked
from syslog_hosts import Rsyslog, make_certificates

from connector.adapter import (
    Event,
    EventAdapter,
    EventSettings,
    FilePath,
    ObservableType,
    Refused,
    Taken,
    Text,
    UnavailableError,
)
from connector.errors import ConnectorError
from connector.feeds.bundle import BundleFeed


class ReceiverSettings(EventSettings):
    folder: FilePath
    longest: int = 1000
    dies: bool = False

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        return frozenset({("receiver", self.folder)})


class ReceiverAdapter(EventAdapter[ReceiverSettings]):
    """Sends to a file, unless a file `away` is beside it."""

    settings_type = ReceiverSettings
    supports = frozenset(ObservableType)
    fields: ClassVar = {"name": Text()}
    default_mapping: ClassVar = {"name": {"from": "indicator.name"}}
    part_bytes = 200

    def worded(self, event: Event) -> str | Refused:
        told = f"{event.action} {event.entry.value} {event.entry.fields.get('name', '')}".strip()
        return told if len(told) <= self.settings.longest else Refused("it is too long")

    def hand_over(self, events: Sequence[str]) -> Taken:
        if (self.settings.folder / "away").exists():
            raise UnavailableError("nobody is there")
        with (self.settings.folder / "received").open("a") as received:
            received.write(f"{events[0]}\n")
        return Taken(1)  # as a receiver may take a part


class Receiver:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def come(self) -> None:
        (self.folder / "away").unlink()

    def leave(self) -> None:
        (self.folder / "away").touch()

    def received(self) -> list[str]:
        """What came since this was asked last."""
        path = self.folder / "received"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def receiver(site: Site) -> Receiver:
    return Receiver(site.folder / "receiver")


@pytest.fixture
def siem(site: Site, receiver: Receiver) -> Site:
    site.registry = QuickRegistry({"receiver": ReceiverAdapter}, {"bundle": BundleFeed})
    configure(site)
    return site


def configure(site: Site, **options: Any) -> None:
    edge = {"list": "perimeter", "adapter": "receiver"}
    site.configure(
        outputs={"edge": {**edge, "options": {"folder": "receiver", **options}}},
        lists={"perimeter": {"purpose": "block"}},
    )


def named(word: str, value: str, *, days: float = 0, name: str = "") -> Object:
    return {**indicator(word, value, days=days), "name": name or word}


ONE = named("one", "192.0.2.1")
TWO = named("two", "192.0.2.2")


def fails(site: Site) -> str:
    with pytest.raises(ConnectorError):
        site.change()
    return str(site.output()["error"])


def test_there_is_one_event_as_an_entry_comes_changes_and_goes(
    siem: Site, receiver: Receiver
) -> None:
    siem.write("feed.json", [ONE, TWO])
    siem.once()
    assert sorted(receiver.received()) == ["add 192.0.2.1 one", "add 192.0.2.2 two"]
    told = siem.output()
    assert (told["state"], told["written"], told["read_back"]) == ("ok", 2, False)
    siem.write("feed.json", [named("one", "192.0.2.1", name="new", days=1), revoked(TWO)])
    siem.change()
    assert sorted(receiver.received()) == ["remove 192.0.2.2", "update 192.0.2.1 new"]
    siem.open()
    siem.once()  # reads everything, and knows what it sent
    assert receiver.received() == []
    assert siem.output()["reasons"] == {"written": 1, "revoked": 1}


def test_what_happens_while_the_receiver_is_away_is_pending_and_is_sent_in_order_when_it_is_back(
    siem: Site, receiver: Receiver
) -> None:
    receiver.leave()
    siem.write("feed.json", [ONE, TWO])
    assert fails(siem) == "nobody is there; 2 events wait on disk"
    assert siem.output()["reasons"] == {"pending": 2}
    siem.write("feed.json", [revoked(ONE), TWO])
    assert fails(siem) == "nobody is there; 3 events wait on disk"
    assert fails(siem) == "nobody is there; 3 events wait on disk"
    siem.open()  # as after a kill: only the disk knows
    receiver.come()
    siem.change()
    received = receiver.received()
    assert sorted(received) == ["add 192.0.2.1 one", "add 192.0.2.2 two", "remove 192.0.2.1"]
    assert received.index("add 192.0.2.1 one") < received.index("remove 192.0.2.1")
    assert siem.output()["reasons"] == {"written": 1, "revoked": 1}
    siem.change()
    assert receiver.received() == []


def test_what_was_handed_over_before_a_kill_is_not_sent_again(
    siem: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    siem.write("feed.json", [ONE, TWO])
    service = siem.open()
    monkeypatch.setattr(service.outputs.applier.store.ledger, "confirm", killed)
    with pytest.raises(KeyboardInterrupt):
        siem.change()
    assert len(receiver.received()) == 2
    siem.open()
    siem.change()
    assert receiver.received() == []
    assert siem.output()["reasons"] == {"written": 2}


def test_an_event_is_renewed_in_time_and_only_then(siem: Site, receiver: Receiver) -> None:
    configure(siem, renew_every="1d")
    siem.write("feed.json", [ONE])
    siem.once()
    assert receiver.received() == ["add 192.0.2.1 one"]
    siem.clock.advance(hours=23)
    siem.change()
    assert receiver.received() == []
    for _ in range(2):
        siem.clock.advance(hours=25)
        siem.change()
        assert receiver.received() == ["renew 192.0.2.1 one"]


def test_an_event_that_cannot_be_made_is_rejected_and_tried_again_under_other_options(
    siem: Site, receiver: Receiver
) -> None:
    configure(siem, longest=17)
    siem.write("feed.json", [ONE, named("long", "192.0.2.22")])
    siem.once()
    assert receiver.received() == ["add 192.0.2.1 one"]
    assert siem.output()["reasons"] == {"rejected": 1, "written": 1}
    configure(siem, longest=100)
    siem.open()
    siem.once()
    assert receiver.received() == ["add 192.0.2.22 long"]
    assert siem.output()["reasons"] == {"written": 2}


def test_a_full_spool_is_told_and_what_it_could_not_keep_follows_later(
    siem: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.leave()
    many = [named(f"{number}", f"192.0.2.{number}", name="x" * 200) for number in range(1, 9)]
    siem.write("feed.json", many)
    siem.open()
    adapter = siem.service.outputs["edge"].adapter
    monkeypatch.setattr(adapter._spool, "_most", 1000)
    assert "wait on disk" in fails(siem)
    assert siem.output()["reasons"] == {"pending": 8}
    waiting = len(adapter._spool)
    assert 0 < waiting < 8
    receiver.come()
    siem.change()
    siem.change()
    assert len(receiver.received()) == 8
    assert siem.output()["reasons"] == {"written": 8}


def test_a_receiver_that_is_left_is_told_that_all_of_ours_went(
    siem: Site, receiver: Receiver
) -> None:
    siem.write("feed.json", [ONE, TWO])
    siem.once()
    receiver.received()
    other = Receiver(siem.folder / "other")
    configure(siem, folder="other")
    siem.open()
    siem.once()
    siem.once()
    assert sorted(other.received()) == ["add 192.0.2.1 one", "add 192.0.2.2 two"]
    assert sorted(receiver.received()) == ["remove 192.0.2.1", "remove 192.0.2.2"]


RENAMED = named("one", "192.0.2.1", name="new", days=1)
BACK = named("one", "192.0.2.1", name="one", days=2)


@pytest.mark.parametrize("cycle_between", [False, True])
def test_a_change_that_waits_is_pending_and_is_taken_back_where_the_feed_takes_it_back(
    siem: Site, receiver: Receiver, *, cycle_between: bool
) -> None:
    siem.write("feed.json", [ONE])
    siem.once()
    receiver.leave()
    siem.write("feed.json", [RENAMED])
    fails(siem)
    assert siem.output()["reasons"] == {"pending": 1}
    siem.write("feed.json", [BACK])
    if cycle_between:
        fails(siem)
    receiver.come()
    siem.change()
    assert receiver.received()[-1] == "update 192.0.2.1 one"
    siem.change()
    assert siem.output()["reasons"] == {"written": 1}
    assert receiver.received() == []


@pytest.mark.parametrize("waits", [False, True])
def test_a_change_that_is_refused_leaves_the_entry_ours_and_its_end_is_sent(
    siem: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, *, waits: bool
) -> None:
    siem.write("feed.json", [ONE])
    siem.once()
    siem.write("feed.json", [RENAMED])
    if waits:
        receiver.leave()
        fails(siem)
        receiver.come()
    with monkeypatch.context() as refusing:
        refuse = Taken(1, {0: "I do not take this"})
        refusing.setattr(ReceiverAdapter, "hand_over", lambda _self, _events: refuse)
        siem.change()
    receiver.received()
    siem.write("feed.json", [revoked(RENAMED)])
    siem.change()
    siem.change()
    assert receiver.received() == ["remove 192.0.2.1"]
    assert siem.output()["reasons"] == {"revoked": 1}


@pytest.mark.real_server
def test_a_real_rsyslog_reads_what_came_and_went_while_it_was_down(
    site: Site, tmp_path: Path
) -> None:
    host = Rsyslog(make_certificates(tmp_path))
    options = {"host": "127.0.0.1", "port": host.ports["tcp"], "transport": "tcp", "format": "json"}
    edge = {"list": "perimeter", "adapter": "syslog", "options": options}
    site.registry = QuickRegistry({"syslog": SyslogAdapter}, {"bundle": BundleFeed})
    site.configure(outputs={"edge": edge}, lists={"perimeter": {"purpose": "block"}})
    try:
        host.start()
        site.write("feed.json", [ONE])
        site.once()
        host.stop()
        site.write("feed.json", [ONE, TWO])
        assert "wait on disk" in fails(site)
        site.write("feed.json", [revoked(ONE), revoked(TWO)])
        assert "3 events wait on disk" in fails(site)
        site.open()
        host.start()
        site.change()
        told = [json.loads(message["parsed"]) for message in host.received(4)]
    finally:
        host.close()
    assert [(one["action"], one["value"]) for one in told] == [
        ("add", "192.0.2.1"),
        ("add", "192.0.2.2"),
        ("remove", "192.0.2.1"),
        ("remove", "192.0.2.2"),
    ]
    assert (told[0]["feed"], told[0]["name"], told[0]["tlp"]) == ("files", "one", "clear")
    assert site.output()["reasons"] == {"revoked": 2}


def test_nothing_is_sent_for_a_plan(siem: Site, receiver: Receiver) -> None:
    siem.write("feed.json", [ONE])
    siem.open()
    siem.service.feeds.poll("files")
    siem.service.lists.refresh("perimeter")
    assert len(siem.service.outputs.propose("edge").plan.add) == 1
    assert receiver.received() == []
