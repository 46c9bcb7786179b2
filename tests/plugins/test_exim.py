"""Lookup files of Exim: the real one refuses what is listed, by the lines of our page."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_exim import EximAdapter, EximSettings
from connector_exim.cdb import DamagedError, records_in, written
from connector_exim.keys import observable_in
from edl_programs import open_folder
from exim_host import Exim
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_words import words_on
from output_pages import PAGES
from pydantic import ValidationError
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked
from test_edl_mail import CLIENTS, LISTED, OTHERS, SENDERS, SITES, hostile

from connector.adapter import Entry, Observable, ObservableType, OutputContext, RefusedError
from connector.feeds.bundle import BundleFeed
from connector.testing.adapter_suite import AdapterSuite

T = ObservableType
BAD = Entry(Observable(T.EMAIL_ADDR, "phish@bad.example"), {"text": "by our feed"})


def adapter_on(folder: Path, **options: Any) -> EximAdapter:
    return EximAdapter(EximSettings(folder=folder, **options), OutputContext("mx", folder))


def held(adapter: EximAdapter) -> set[str]:
    return {one.value for one in adapter.read()}


def acls(kind: str, folder: Path) -> str:
    """Return the ACLs that the page has for a kind of map."""
    page = (PAGES / "exim.md").read_text(encoding="utf-8")
    (lines,) = re.findall(rf"^With `type: {kind}`.*\n\n```\n((?:.*\n)+?)```", page, re.MULTILINE)
    hosts, *senders = lines.replace("/etc/exim4/connector", str(folder)).splitlines()
    return "\n".join(["clients:", hosts, "  accept", "senders:", *senders, "  accept", ""])


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


class TestExim(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "it refuses by what a value is, which other tests try",
        "fill": "a list is as large as the disk",
        "foreign": "its maps are ours alone, and published anew",
        "neighbour": "each map is a file of its own",
        "wrong_credentials": "files have none but the rights of their folder",
        "restart_target": "its maps are files",
        "troubles": "a map is swapped in one step",
    }

    @pytest.fixture
    def adapter(self, tmp_path):
        (tmp_path / "maps").mkdir()
        return adapter_on(tmp_path / "maps", type="cdb")

    @pytest.fixture
    def break_target(self, tmp_path):
        return lambda: shutil.rmtree(tmp_path / "maps")


@pytest.mark.real_server
@pytest.mark.parametrize("kind", ["lsearch", "cdb"])
def test_exim_refuses_what_is_listed_before_after_and_after_its_revocation(
    folder: Path, kind: str
) -> None:
    adapter, host = adapter_on(folder, type=kind), Exim(folder, acls(kind, folder))
    adapter.publish([])
    assert host.refused(*LISTED, *OTHERS) == set()
    assert adapter.publish([*SENDERS, *SITES, *CLIENTS]) == {}
    assert host.refused(*LISTED, *OTHERS) == set(LISTED)
    listed = ("192.0.2.200", "203.0.113.9", "2001:db8:1::5")
    assert [client for client in listed if host.refuses_client(client)] == list(listed)
    assert not any(map(host.refuses_client, ("203.0.113.8", "2001:db8:2::1")))
    adapter.publish(SENDERS[:1])
    assert host.refused(*LISTED, *OTHERS) == {SENDERS[0].value}
    assert not host.refuses_client("203.0.113.9")


@pytest.mark.real_server
@pytest.mark.parametrize("kind", ["lsearch", "cdb"])
def test_exim_reads_hostile_values_as_themselves_alone(folder: Path, kind: str) -> None:
    adapter, host = adapter_on(folder, type=kind), Exim(folder, acls(kind, folder))
    wide = {"0.0.0.0/0", "::/0"}
    values = [Entry(one.observable, {"text": "${run{/bin/false}}"}) for one in hostile()]
    adapter.publish([one for one in values if one.value not in wide])
    assert host.refused("x@yahoo.com", "x@www.gov", "anybody@mail.de", "root@agency.de") == set()
    assert not any(map(host.refuses_client, ("9.9.9.9", "2001:db8:7::1")))


@pytest.mark.real_server
def test_a_domain_in_other_letters_is_refused_as_it_is_sent(folder: Path) -> None:
    adapter, host = adapter_on(folder), Exim(folder, acls("lsearch", folder), utf8="*")
    adapter.publish([Entry(Observable(T.DOMAIN_NAME, "xn--bse-sna.example"))])
    senders = ("x@xn--bse-sna.example", "x@böse.example", "x@bose.example")
    assert host.refused(*senders) == set(senders[:2])
    assert held(adapter) == {"xn--bse-sna.example"}


@pytest.mark.real_server
def test_a_blocked_sender_sees_the_text_that_a_mapping_fills(folder: Path) -> None:
    adapter = adapter_on(folder, maps=["senders"], type="cdb")
    adapter.publish([BAD])
    line = f"  deny senders = cdb;{folder}/senders.cdb\n    message = $sender_data\n"
    host = Exim(folder, f"clients:\n  accept\nsenders:\n{line}  accept\n")
    assert host.answers(BAD.value)[BAD.value] == "550 by our feed"


@pytest.mark.real_server
@pytest.mark.parametrize("kind", ["lsearch", "cdb"])
def test_exim_refuses_what_a_feed_names_until_the_feed_takes_it_back(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    site, host = Site(tmp_path), Exim(folder, acls(kind, folder))
    few = [indicator("a", "203.0.113.7"), indicator("b", "bad.example")]
    site.registry = QuickRegistry({"exim": EximAdapter}, {"bundle": BundleFeed})
    options = {"folder": str(folder), "type": kind}
    edge = {"list": "perimeter", "adapter": "exim", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", few)
    site.service.feeds.poll("files")
    site.service.lists.refresh("perimeter")
    assert len(site.service.outputs.propose("edge").plan.add) == 2
    site.once()
    assert host.refused("x@bad.example") == {"x@bad.example"}
    assert host.refuses_client("203.0.113.7")
    assert site.idle()
    site.write("two.json", [revoked(few[0])])
    site.change()
    assert not host.refuses_client("203.0.113.7")
    damaged = next(path for path in folder.iterdir() if path.stem == "domains")
    damaged.write_bytes(damaged.read_bytes()[:-10])
    site.change()
    assert host.refused("x@bad.example") == {"x@bad.example"}
    site.write("three.json", [revoked(few[1])])
    site.change()
    assert host.refused("x@bad.example") == set()
    site.close()


def test_what_a_map_cannot_say_is_rejected_alone(tmp_path: Path) -> None:
    adapter = adapter_on(tmp_path)
    odd = [Entry(Observable(T.EMAIL_ADDR, value)) for value in ('"a b"@x.example', "é@x.example")]
    assert words_on(adapter.publish([BAD, *odd])).keys() == {one.value for one in odd}
    assert held(adapter) == {BAD.value}


@pytest.mark.parametrize("key", ["203.0.113.7", "2001:db8::7", "Bad.example"])
def test_a_key_that_means_another_type_than_its_map_has_is_no_entry(key: str) -> None:
    assert observable_in("domains", key) == Observable(T.MUTEX, key)


@pytest.mark.parametrize("kind", ["lsearch", "cdb"])
def test_a_file_of_others_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    adapter = adapter_on(tmp_path, type=kind, maps=["senders"])
    path = tmp_path / ("senders.cdb" if kind == "cdb" else "senders")
    theirs = b"".join(written([(b"theirs@x.example", b"")])) if kind == "cdb" else b"theirs@x:\n"
    path.write_bytes(theirs)
    with pytest.raises(RefusedError, match="was not written by this output"):
        adapter.publish([BAD])
    assert path.read_bytes() == theirs


@pytest.mark.parametrize("cut", [1, 40, 2048])
def test_a_damaged_database_is_no_entry_and_is_written_anew(tmp_path: Path, cut: int) -> None:
    adapter = adapter_on(tmp_path, type="cdb", maps=["senders"])
    adapter.publish([BAD])
    stamp, path = adapter.stamp(), tmp_path / "senders.cdb"
    path.write_bytes(path.read_bytes()[:-cut] if cut < 2048 else b"")
    assert adapter.stamp() != stamp
    assert held(adapter) == set()
    adapter.publish([BAD])
    assert held(adapter) == {BAD.value}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=50))
def test_a_database_has_what_was_written(records: list[tuple[bytes, bytes]]) -> None:
    *body, head = written(records)
    content = head + b"".join(body)[len(head) :]
    assert list(records_in(content)) == records
    with pytest.raises(DamagedError):
        list(records_in(content[:-1] if records else content[:100]))


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError, match="each map once"):
        EximSettings(folder="/x", maps=["senders", "senders"])
    some = EximSettings(folder="/x", type="cdb")
    assert some.narrowed([some.place_of("domains")]).maps == ("domains",)
    assert some.narrowed([("another",)]) is None
