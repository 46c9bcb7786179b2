"""No value of one kind is read as another kind, as a wildcard or as wider, at any target.

Hostile texts of every kind go through every adapter in every format. What was written is read by
the target's rules (`target_readers`), and each reading must be that of an entry that was asked for.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import list_readers as programs
import lmdb
import nft_hosts
import pytest
import target_readers as readers
from connector_edl import EdlAdapter, EdlSettings
from connector_edl.dialects import DIALECTS, Format
from connector_haproxy import HaproxyAdapter, HaproxySettings
from connector_nftables import NftablesAdapter, NftablesSettings
from connector_postfix import PostfixAdapter, PostfixSettings
from connector_rules import RulesAdapter
from connector_splunk_kvstore import SplunkKvstoreAdapter, SplunkSettings
from connector_splunk_kvstore.emulator.server import SplunkEmulator
from connector_squid import SquidAdapter, SquidSettings
from hypothesis import given, settings
from hypothesis import strategies as st
from target_readers import Read

from connector.adapter import (
    Auth,
    Entry,
    EntryAdapter,
    Observable,
    ObservableType,
    OutputContext,
    SecretValue,
    families_of,
)
from connector.http.client import Http
from connector.indicators.observables.canonical import UnfitValueError, canonical
from connector.testing.samples.entries import hostile_values, sample_values

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "connector_plainlist"))

from connector_plainlist import PlainListAdapter, PlainListSettings

T = ObservableType
Reader = Callable[[str], Iterator[Read]]

ANY = "0.0.0.0"  # noqa: S104 - a value that nobody binds to
ATOMS = (
    *("8.8.8.8", ANY, "/0", "/24", "2001:db8::1", "::", "0x7f.1", "2130706433", "010"),
    *("google.com", "gov", ".", "*", "*.", "?", "~", "^", "$", "(", ")", "[", "]", "{", "}"),
    *("AS", "15169", "@", "#", " #", ";", "!", "|", ",", " ", "\t", '"', "'", "-", "_", "%2e"),
    *("http://", "https://bad.test/", "/x", "?a=b", ":443", "/tcp", "\\", "HKEY_USERS\\", "HKLM\\"),
    *(
        "sample",
        "Global\\",
        "invoice.exe",
        "run.sh",
        "bad.test",
        "a" * 32,
        "0" * 40,
        "1e" + "0" * 62,
    ),
    *("\uff18", "\u3002", "\u200b", "\n", "\u2028", "caf\u00e9", "any", "all", "//", "[.]", "hxxp"),
)
NAMED = (
    *("8.8.8.8", "0.0.0.0/0", "::/0", "0/0", "10.0.0.0-10.255.255.255", "10.0.0.0 255.0.0.0"),
    *("127.1", "0x7f.1", "2130706433", "15169", "AS15169", "ASN 8075", "010.8.8.8", "8.8.8.8:53"),
    *("*", "**", "?", ".*", "*.gov", "gov", "com.", ".com", "google.com", "google.com/", "co.uk"),
    *("google.com/24", "203.0.113.0/24", "http://203.0.113.0/24", "http://0.0.0.0/0", "1.2.3.4/x"),
    *(
        "https://bad.test/*",
        "bad.test/a@gmail.com",
        "sender@gmail.com",
        "*@gmail.com",
        "@gmail.com",
    ),
    *("a/b@gmail.com", "gmail.com/x@bad.test", "8.8.8.8@bad.test", "!8.8.8.8", "#x", ";x", "~x"),
    *(
        "8.8.8.8 is down",
        '"8.8.8.8"',
        "8.8.8.8,x",
        "google.com;x",
        "google.com\\x",
        "google.com:443",
    ),
    *("0" * 32, "1" * 40, "1e" + "2" * 62, "d41d8cd98f00b204e9800998ecf8427e", "0" * 127 + "1"),
    *("any", "all", "localhost", "HKLM\\Software\\*", "8.8.8.8\\x", "\\\\8.8.8.8\\share", "<>"),
    *("203.0.113.7:443/tcp", "[2001:db8::7]:53/udp", "fe80::1%eth0", "[::]", "1.2.3.4.", "x" * 300),
    *(
        "\uff18.8.8.8",
        "google\u3002com",
        "run.sh",
        "payload.zip",
        "^google.com",
        "||google.com^",
        "/.*/",
    ),
)
_SAMPLES = [value for kind in T for value in hostile_values(kind)]
_SAMPLES += [next(sample_values(kind)) for kind in T]
TEXTS = st.one_of(
    st.sampled_from((*NAMED, *_SAMPLES)),
    st.lists(st.sampled_from(ATOMS), min_size=1, max_size=5).map("".join),
)
MANY = st.lists(TEXTS, min_size=20, max_size=60)


def as_read(texts: Iterable[str], kinds: Iterable[ObservableType] = T) -> list[Observable]:
    """Return what the reading of a feed makes of each text under each kind."""
    found: set[Observable] = set()
    for text in texts:
        for kind in kinds:
            try:
                found.add(canonical(kind, text))
            except UnfitValueError:
                continue
    return sorted(found)


def unread(texts: Iterable[str], kinds: Iterable[ObservableType] = T) -> list[Observable]:
    """Return each text under each kind, whether it is of that kind or not."""
    return sorted({Observable(kind, text) for text in texts for kind in kinds})


def meant(observable: Observable) -> Iterator[Read]:
    """Yield what may be read where this observable was asked for."""
    kind, value = observable
    if kind in {T.IPV4_ADDR, T.IPV6_ADDR}:
        try:
            yield Read("address", str(ip_network(value)))
        except ValueError:
            return  # nothing may be read
    elif kind is T.DOMAIN_NAME:
        below = value.startswith("*.")
        yield Read("below" if below else "domain", value.removeprefix("*."))
    elif kind is T.URL:
        yield Read("url", value)
        bare = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", value)
        host, rest = re.fullmatch(r"([^/?#]*)(.*)", bare, re.DOTALL).groups()  # type: ignore[union-attr]
        yield from (Read("url", bare), Read("url", f"{host}{'' if rest[:1] == '/' else '/'}{rest}"))
    elif "-sha" in kind or "-md5" in kind:
        yield Read("digest", value)
    else:
        named = {T.EMAIL_ADDR: "email", T.AUTONOMOUS_SYSTEM: "system"}
        yield Read(named.get(kind, kind.value), value)


def put(adapter: Any, observables: Iterable[Observable]) -> list[Observable]:
    """Hand over what the adapter accepts, as the core does; return what it was handed."""
    asked = [observable for observable in observables if adapter.accepts(observable)]
    entries = [Entry(observable) for observable in asked]
    if isinstance(adapter, EntryAdapter):
        adapter.add(entries)
    else:
        adapter.publish(iter(entries))
    return asked


def expect_meant(read: Iterable[Read], asked: Iterable[Observable]) -> None:
    allowed = set(chain.from_iterable(map(meant, asked)))
    assert not sorted(set(read) - allowed)


def lines(path: Path) -> list[str]:
    """Return the lines as readers see them, whatever they take for the end of one."""
    return path.read_text(encoding="utf-8").splitlines()


PLAIN = [("plain", family, readers.plain) for family in families_of(T)]
DEVICES: list[tuple[str, frozenset[ObservableType], Reader]] = [
    ("panos", frozenset({T.IPV4_ADDR, T.IPV6_ADDR}), readers.panos_ip),
    ("panos", frozenset({T.DOMAIN_NAME}), readers.panos_domain),
    ("panos", frozenset({T.URL}), readers.panos_url),
    ("fortigate", frozenset({T.IPV4_ADDR, T.IPV6_ADDR}), readers.fortigate_address),
    ("fortigate", frozenset({T.DOMAIN_NAME}), readers.fortigate_domain),
    ("fortigate", frozenset({T.URL}), readers.fortigate_url),
    ("fortigate", frozenset({T.FILE_MD5}), readers.fortigate_hash),
    ("fortigate", frozenset({T.FILE_SHA1}), readers.fortigate_hash),
    ("fortigate", frozenset({T.FILE_SHA256}), readers.fortigate_hash),
]
ADDRESSES = frozenset({T.IPV4_ADDR, T.IPV6_ADDR})
ZEEK, CHECKPOINT = (DIALECTS[form].families[0] for form in (Format.ZEEK, Format.CHECKPOINT))
PROGRAMS: list[tuple[str, frozenset[ObservableType], Reader]] = [
    ("csv", frozenset(T), programs.csv_row),
    ("jsonl", frozenset(T), programs.json_line),
    ("checkpoint", CHECKPOINT, programs.checkpoint),
    ("fmc", ADDRESSES, programs.snort),
    ("fmc", frozenset({T.DOMAIN_NAME}), programs.fmc_domain),
    ("fmc", frozenset({T.URL}), programs.fmc_url),
    ("hosts", frozenset({T.DOMAIN_NAME}), programs.hosts),
    ("dnsmasq", frozenset({T.DOMAIN_NAME}), programs.dnsmasq),
    ("unbound", frozenset({T.DOMAIN_NAME}), programs.unbound),
    ("squid", ADDRESSES, programs.squid_address),
    ("squid", frozenset({T.DOMAIN_NAME}), programs.squid_domain),
    ("nginx", ADDRESSES, programs.nginx_geo),
    ("nginx", frozenset({T.DOMAIN_NAME}), programs.nginx_map),
    ("suricata-dataset", ADDRESSES, programs.suricata_address),
    ("suricata-dataset", frozenset({T.DOMAIN_NAME}), programs.suricata_text("domain")),
    ("suricata-dataset", frozenset({T.USER_AGENT}), programs.suricata_text("user-agent")),
    ("suricata-dataset", frozenset({T.FILE_NAME}), programs.suricata_text("file-name")),
    ("suricata-dataset", frozenset({T.X509_SHA1}), programs.suricata_text("digest")),
    ("suricata-dataset", frozenset({T.FILE_MD5}), programs.suricata_hash),
    ("suricata-dataset", frozenset({T.FILE_SHA256}), programs.suricata_hash),
    ("suricata-iprep", ADDRESSES, programs.suricata_iprep),
    ("zeek", ZEEK, programs.zeek),
    ("snort", ADDRESSES, programs.snort),
    ("spamassassin", frozenset({T.EMAIL_ADDR}), programs.spamassassin),
    ("spamassassin", frozenset({T.DOMAIN_NAME}), programs.spamassassin),
    ("exim", ADDRESSES, programs.exim_address),
    ("exim", frozenset({T.EMAIL_ADDR}), programs.exim_mailbox),
    ("exim", frozenset({T.DOMAIN_NAME}), programs.exim_domain),
]
ALL = [*PLAIN, *DEVICES, *PROGRAMS]


def test_every_format_and_family_has_a_reader() -> None:
    lined = {form: one for form, one in DIALECTS.items() if not one.objects}
    offered = {(form.value, family) for form, one in lined.items() for family in one.families}
    assert {(form, family) for form, family, _reader in ALL} == offered


@pytest.mark.parametrize(
    ("form", "family", "reader"),
    ALL,
    ids=[f"{form}-{min(family)}" for form, family, _reader in ALL],
)
@pytest.mark.parametrize("reading", [as_read, unread])
def test_a_line_of_a_polled_list_is_read_as_what_was_asked_for_and_as_nothing_else(
    form: str, family: frozenset[ObservableType], reader: Reader, reading: Any, tmp_path: Path
) -> None:
    options = {"file": "list.txt", "format": form, "types": family, "empty": "serve-empty"}
    adapter = EdlAdapter(EdlSettings.model_validate(options), OutputContext("edge", tmp_path))

    @settings(max_examples=8)
    @given(MANY)
    def holds(texts: list[str]) -> None:
        asked = put(adapter, reading(texts))
        written = lines(tmp_path / "list.txt")
        expect_meant(chain.from_iterable(map(reader, written)), asked)

    holds()


def test_a_file_with_all_defaults_holds_addresses_alone(tmp_path: Path) -> None:
    adapter = EdlAdapter(EdlSettings(file="list.txt"), OutputContext("edge", tmp_path))
    samples = [next(sample_values(kind)) for kind in T]
    asked = put(adapter, as_read([*NAMED, *samples]))
    assert {observable.type for observable in asked} == {T.IPV4_ADDR, T.IPV6_ADDR}
    expect_meant(chain.from_iterable(map(readers.plain, lines(tmp_path / "list.txt"))), asked)


@settings(max_examples=25)
@given(MANY)
def test_the_example_of_a_plain_list_holds_what_was_asked_for(texts: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        asked = put(
            PlainListAdapter(PlainListSettings(file=path), OutputContext("edge", path)),
            as_read(texts),
        )
        expect_meant(chain.from_iterable(map(readers.plain, lines(path))), asked)


@pytest.mark.parametrize("reading", [as_read, unread])
def test_a_key_of_a_map_of_haproxy_is_looked_up_as_what_was_asked_for_alone(
    reading: Any, tmp_path: Path
) -> None:
    maps = {option: tmp_path / option for option in readers.HAPROXY_MAPS}
    options = HaproxySettings(socket=tmp_path / "none", **maps)
    adapter = HaproxyAdapter(options, OutputContext("web", tmp_path))

    @settings(max_examples=8)
    @given(MANY)
    def holds(texts: list[str]) -> None:
        asked = put(adapter, reading(texts))
        expect_meant(
            (one for option in maps for line in lines(maps[option])
             for one in readers.haproxy_line(option, line)),
            asked,
        )  # fmt: skip

    holds()


@pytest.mark.parametrize("reading", [as_read, unread])
def test_a_line_of_a_list_of_squid_is_read_as_what_was_asked_for_alone(
    reading: Any, tmp_path: Path
) -> None:
    program = tmp_path / "squid"  # takes everything, so that only our own care counts
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    files = {"domains": tmp_path / "domains", "addresses": tmp_path / "addresses"}
    options = SquidSettings(**files, squid=(str(program),))
    adapter = SquidAdapter(options, OutputContext("web", tmp_path))

    @settings(max_examples=8)
    @given(MANY)
    def holds(texts: list[str]) -> None:
        asked = put(adapter, reading(texts))
        expect_meant(
            (one for option in files for line in lines(files[option])
             for one in readers.squid_line(option, line)),
            asked,
        )  # fmt: skip

    holds()


@pytest.mark.parametrize("parents_match", [True, False])
@pytest.mark.parametrize("maps", [{"senders": "all"}, {"senders": "one", "domains": "two"}, {}])
@pytest.mark.parametrize("reading", [as_read, unread])
def test_a_key_of_an_access_map_is_looked_up_as_what_was_asked_for_alone(
    maps: dict[str, str], parents_match: bool, reading: Any, tmp_path: Path
) -> None:
    options = {"folder": tmp_path, "clients": "clients", "parent_domains": parents_match}
    adapter = PostfixAdapter(PostfixSettings(**options, **maps), OutputContext("gateway", tmp_path))

    @settings(max_examples=6)
    @given(MANY)
    def holds(texts: list[str]) -> None:
        asked = put(adapter, reading(texts))
        read = [
            *chain.from_iterable(map(readers.client_key, keys(tmp_path / "clients.lmdb"))),
            *(
                one
                for stem in maps.values()
                for key in keys(tmp_path / f"{stem}.lmdb")
                for one in readers.sender_key(key, parents_match)
            ),
        ]
        expect_meant(read, asked)

    holds()


def keys(index: Path) -> list[str]:
    """Return the keys of a map; those in letters of other scripts stand beside an ASCII form."""
    with (
        lmdb.open(str(index), subdir=False, lock=False, readonly=True) as environment,
        environment.begin() as transaction,
    ):
        found = [bytes(key).rstrip(b"\0").decode() for key, _value in transaction.cursor()]
    return [key for key in found if key.isascii() and key != "ti-digest.invalid"]


def test_a_document_is_looked_up_by_what_was_asked_for_and_holds_no_wildcard(
    tmp_path: Path,
) -> None:
    with SplunkEmulator(tokens={"a-token"}) as splunk:
        told: dict[str, Any] = {"url": splunk.url, "app": "threat_lists", "collection": "all"}
        options = SplunkSettings(**told, auth=Auth(token=SecretValue("a-token")))
        held = splunk.collection("threat_lists", "all")
        with_http = Http(options)
        adapter = SplunkKvstoreAdapter(options, OutputContext("siem", tmp_path, http=with_http))
        asked = put(adapter, as_read([*NAMED, *_SAMPLES]))
        documents = list(held.documents.values())
        assert {document["type"] for document in documents} == {kind.value for kind in T}
        expect_meant(chain.from_iterable(map(readers.splunk_document, documents)), asked)
        adapter.close()
        with_http.close()


def test_what_takes_rules_takes_no_value_of_any_kind(tmp_path: Path) -> None:
    adapter: Any = RulesAdapter
    options = adapter.settings_type(file="rules.yar", language="yara")
    made = adapter(options, OutputContext("detect", tmp_path))
    assert not any(made.accepts(observable) for observable in as_read(_SAMPLES))


@pytest.fixture
def netns() -> Iterator[str]:
    nft_hosts.require_nftables()
    with nft_hosts.namespace() as name:
        yield name


@pytest.mark.real_server
def test_a_kernel_compares_packets_with_what_was_asked_for_and_with_nothing_else(
    netns: str,
) -> None:
    adapter = NftablesAdapter(NftablesSettings(netns=netns), OutputContext("edge", Path()))
    listing = ("ip", "netns", "exec", netns, "nft", "-j", "list", "table", "inet", "connector")

    @settings(max_examples=5)
    @given(MANY)
    def holds(texts: list[str]) -> None:
        asked = put(adapter, {*unread(texts), *as_read([*NAMED, *_SAMPLES])})
        read = list(readers.packet_filter(nft_hosts.run(*listing)))
        assert {one.kind for one in read} == {"address", "endpoint"}
        expect_meant(read, asked)
        adapter.remove([Entry(observable) for observable in asked])

    holds()
