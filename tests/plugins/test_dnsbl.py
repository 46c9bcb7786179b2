"""A DNS blocklist: a real rbldnsd serves it, and a real Postfix rejects mail by it."""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from connector_dnsbl import DnsblAdapter, DnsblSettings
from edl_programs import free_port
from outcome_words import words_on
from output_pages import blocks
from postfix_host import PostfixHost, folder, postfix, require_postfix
from pydantic import ValidationError
from rbldnsd_host import RbldnsdHost, rbldnsd

from connector.adapter import (
    Entry,
    Observable,
    ObservableType,
    OutputContext,
    RefusedError,
    UnavailableError,
    observable_of,
)
from connector.testing.adapter_suite import AdapterSuite

T = ObservableType
SENDER, CLIENT = "someone@bad.example", "198.51.100.7"
CLEAN = "someone@fine.example"
VERSIONS = count(1)


def entries(*values: str) -> list[Entry]:
    found = [observable_of(T.IPV4_ADDR, one) or observable_of(T.DOMAIN_NAME, one) for one in values]
    made = [Entry(one) for one in found if one is not None]
    return sorted(made, key=lambda entry: (entry.type, entry.value))


def adapter_of(host: RbldnsdHost, **options: object) -> DnsblAdapter:
    settings = DnsblSettings(**(host.options | options))
    return DnsblAdapter(settings, OutputContext("mail", host.folder))


def adapter_in(folder: Path, **options: object) -> DnsblAdapter:
    files = {option: folder / f"{option}.zone" for option in ("ipv4", "ipv6", "domains")}
    return DnsblAdapter(DnsblSettings(**(files | options)), OutputContext("mail", folder))


def publish(adapter: DnsblAdapter, *values: str) -> None:
    adapter.context.version = next(VERSIONS)  # as the core: it only grows
    assert not adapter.publish(entries(*values))
    adapter.activate()


class TestDnsbl(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "it refuses by what a value is, which other tests try",
        "fill": "a zone is as large as the disk",
        "foreign": "its files are ours alone, and published anew",
        "neighbour": "each list has files of its own",
        "wrong_credentials": "files have none but the rights of their folder",
        "restart_target": "its zones are files",
        "troubles": "a file is swapped in one step",
    }

    @pytest.fixture
    def adapter(self, tmp_path):
        made = tmp_path / "lists"
        made.mkdir()
        return adapter_in(made)

    @pytest.fixture
    def row_count(self):
        return 5_000

    @pytest.fixture
    def break_target(self, adapter):
        return lambda: shutil.rmtree(adapter.settings.ipv4.parent)


@pytest.fixture(scope="module")
def host() -> Iterator[RbldnsdHost]:
    # Postfix asks at port 53 alone, so each process of tests has an address of its own.
    high, low = divmod(os.getpid() % 65_000 + 257, 256)
    with rbldnsd(f"127.{high}.{low}.53", 53) as made:
        publish(adapter_of(made, server=None))
        made.start()
        yield made


@pytest.fixture(scope="module")
def mail(host: RbldnsdHost) -> Iterator[PostfixHost]:
    require_postfix()
    by = next(block for block in blocks("dnsbl.md", "") if "reject_rbl_client" in block)
    with folder() as maps, postfix(maps, asks=host.address, by=by) as running:
        yield running


@pytest.mark.real_server
def test_mail_of_what_is_listed_is_rejected_until_it_left_the_list(host, mail):
    adapter = adapter_of(host)
    publish(adapter)
    assert mail.code(SENDER, client=CLIENT) == 250
    publish(adapter, "bad.example", "198.51.100.0/24", "2001:db8::/32")
    code, words = mail.answer(SENDER)
    assert (code, "someone@bad.example" in words) == (554, True)
    assert "Listed by threat-feed-connector: bad.example" in words
    assert mail.code(CLEAN, client=CLIENT) == 554
    assert mail.code(CLEAN, client="2001:db8::7") == 554
    assert mail.code(CLEAN, client="203.0.113.7") == 250
    assert mail.code("someone@x.bad.example") == 250
    publish(adapter, "*.bad.example", "198.51.100.8")
    assert mail.code(SENDER) == 250
    assert mail.code("someone@x.bad.example") == 554
    assert [mail.code(CLEAN, client=one) for one in (CLIENT, "198.51.100.8")] == [250, 554]


@pytest.mark.real_server
def test_nothing_is_written_before_rbldnsd_serves_it_and_a_version_within_a_second_is_served(host):
    adapter = adapter_of(host)
    for name in ("aaa.example", "bbb.example", "ccc.example"):
        publish(adapter, name)
        assert host.ask(f"{name}.dom.bl.example") == ("NOERROR", ["127.0.1.2"])
    assert host.ask("aaa.example.dom.bl.example")[0] == "NXDOMAIN"
    for listed in ("2.0.0.127.ip", "test.dom"):
        assert host.ask(f"{listed}.bl.example")[0] == "NOERROR"
    for not_listed in ("1.0.0.127.ip", "invalid.dom"):
        assert host.ask(f"{not_listed}.bl.example")[0] == "NXDOMAIN"
    assert "error" not in (host.folder / "log").read_text()


def test_a_server_that_does_not_answer_is_no_success(tmp_path: Path) -> None:
    options = {"address_zone": "ip.example", "domain_zone": "dom.example"}
    adapter = adapter_in(tmp_path, server=f"127.0.0.1#{free_port()}", **options)
    adapter.publish(entries("bad.example"))
    with pytest.raises(UnavailableError, match="rbldnsd at 127"):
        adapter.activate()


def test_each_file_is_later_than_the_one_before(tmp_path: Path) -> None:
    adapter = adapter_in(tmp_path)
    seconds = set()
    for _ in range(3):
        adapter.publish([])
        seconds.add(int((tmp_path / "ipv4.zone").stat().st_mtime))
    assert len(seconds) == 3


def test_what_others_do_to_a_file_changes_the_stamp_and_shows(tmp_path: Path) -> None:
    adapter = adapter_in(tmp_path)
    adapter.publish(entries("bad.example", "*.worse.example", "192.0.2.0/24"))
    before = adapter.stamp()
    with (tmp_path / "domains.zone").open("a", encoding="utf-8") as file:
        file.write("Other.Example :127.0.0.9:mine\n!bad.example\n")
    assert adapter.stamp() != before
    assert sorted(held.value for held in adapter.read()) == [
        "!bad.example", "*.worse.example", "192.0.2.0/24", "Other.Example :127.0.0.9:mine",
        "bad.example",
    ]  # fmt: skip
    os.unlink(tmp_path / "ipv4.zone")
    (tmp_path / "ipv4.zone").write_text("192.0.2.7\n")
    with pytest.raises(RefusedError, match="was not written by this output"):
        adapter.publish([])


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("test :127.0.1.2:list 0", "test :127.0.1.2:list 7", True),
        ("test :127.0.1.2:list", "test :127.0.9.9:list", False),
        (":127.0.1.2:Listed", ":127.0.9.9:Listed", False),
        ("$TTL 60", "$TTL 61", False),
        ("$NS 60 localhost.\n", "", False),
    ],
)
def test_what_others_do_above_the_entries_of_a_file_shows_on_each(
    tmp_path: Path, ours: str, theirs: str, same: bool
) -> None:
    adapter = adapter_in(tmp_path)
    listed = entries("bad.example", "worse.example", "192.0.2.7")
    adapter.publish(listed)
    as_held = {one.observable: one.fields for one in map(adapter.as_held, listed)}
    assert {one.observable: one.fields for one in adapter.read()} == as_held
    file = tmp_path / "domains.zone"
    text = file.read_text(encoding="utf-8")
    assert ours in text
    file.write_text(text.replace(ours, theirs), encoding="utf-8")
    altered = [one.value for one in adapter.read() if one.fields != as_held[one.observable]]
    assert altered == ([] if same else ["bad.example", "worse.example"])


@pytest.mark.parametrize("more", [" :127.0.9.9:", " ", ":127.0.9.9:"])
def test_a_line_that_says_more_than_its_entry_is_none(tmp_path: Path, more: str) -> None:
    adapter = adapter_in(tmp_path)
    adapter.publish(entries("bad.example", "worse.example"))
    file = tmp_path / "domains.zone"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("worse.example\n", f"worse.example{more}\n"), encoding="utf-8")
    told = [(one.type, one.value) for one in adapter.read()]
    assert told == [(T.DOMAIN_NAME, "bad.example"), (T.MUTEX, f"worse.example{more}")]


def test_a_test_point_and_a_name_that_nobody_could_ask_for_are_refused(tmp_path: Path) -> None:
    long = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 55, "test"])
    adapter = adapter_in(tmp_path, address_zone="ip.example", domain_zone="dom.example")
    asked = [*entries("bad.example", long), Entry(Observable(T.IPV4_ADDR, "127.0.0.2"))]
    told = words_on(adapter.publish(asked))
    assert told.keys() == {long, "127.0.0.2"}
    assert "at most 255" in told[long]
    assert [held.value for held in adapter.read()] == ["bad.example"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ipv4": None, "ipv6": None, "domains": None}, "name at least one file"),
        ({"domains": "/x/a", "ipv4": "/x/a"}, "should be different files"),
        ({"domain_zone": "a..example"}, "labels of 1 to 63"),
        ({"address_code": "127.0.0.1"}, "never answer"),
        ({"address_code": "127.0.0.999"}, "an address within"),
        ({"server": "ns.example"}, "should be an address"),
        ({"server": "127.0.0.1"}, "needs address_zone and domain_zone"),
        ({"text": "two\nlines"}, "match"),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path, options, words):
    with pytest.raises(ValidationError, match=words):
        adapter_in(tmp_path, **options)
