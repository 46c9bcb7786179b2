"""Every format of a polled list keeps an adapter's promises and is written to the byte."""

import hashlib
import os
from collections.abc import Callable
from ipaddress import collapse_addresses, ip_network
from pathlib import Path

import pytest
from connector_edl import EdlAdapter, EdlSettings
from connector_edl.cover import collapsed
from connector_edl.dialects import Format
from edl_files import (
    ADDRESSES,
    DOMAIN,
    FORMATS,
    MAILBOX,
    SHA256,
    URL,
    V4,
    V6,
    edl,
    entries,
    lines,
    name_of,
    published,
)
from hypothesis import given
from hypothesis import strategies as st
from outcome_words import as_entries
from pydantic import ValidationError
from test_edl import EdlSuite

from connector.adapter import Entry, Observable, ObservableType

GOLDEN = Path(__file__).parent.parent / "golden" / "edl"
T = ObservableType


# The suites of test_edl.py show the others; of each format the family with most to get wrong.
NEWER = {
    form: (form, family)
    for form, family in FORMATS
    if form not in {Format.PANOS, Format.FORTIGATE} and (DOMAIN in family or len(family) < 3)
}


class TestEveryFormat(EdlSuite):
    @pytest.fixture(params=NEWER.values(), ids=name_of)
    def adapter(self, folder: Path, request: pytest.FixtureRequest) -> EdlAdapter:
        form, family = request.param
        return edl(folder, format=form, types=family, widen=True)

    @pytest.fixture
    def foreign(self, folder: Path, adapter: EdlAdapter) -> Callable[[Entry], None]:
        def by_hand(entry: Entry) -> None:
            settings = adapter.settings
            options = {"format": settings.format, "types": settings.types, "widen": True}
            theirs, _ = published(folder.parent / "by-hand", [entry], **options)
            with (folder / "list.txt").open("ab") as file:
                file.write(theirs.read_bytes())

        return by_hand


PLACES = [
    *entries(V4, "192.0.2.0/25", comment="${run{/bin/sh}}\ttab", severity="high", score=120),
    *entries(V4, "192.0.2.7", "192.0.2.128/25", "203.0.113.9"),
    *entries(V6, "2001:db8::7", "2001:db8:1::/64", source="ais", category=2),
]
HOSTS = entries(V4, "192.0.2.7", "203.0.113.9") + entries(V6, "2001:db8::7")
SITES = [
    *entries(DOMAIN, "*.both.example", "*.worse.example"),
    *entries(DOMAIN, "a.both.example", "bad.example", "both.example", "xn--bcher-kva.example"),
]
EXACT = entries(DOMAIN, "bad.example", "both.example", "xn--bcher-kva.example")
WORDS = entries(T.USER_AGENT, "Mozilla/5.0 (compatible; sample)", "curl/8.0")
SENDERS = entries(MAILBOX, "a.b+c@bad.example", "phish@bad.example", comment="ais: ${x}")
PAGES = entries(URL, "bad.example/a", "http://bad.example/", "https://bad.example/a?x=1")
OF_ALL_KINDS = [
    *PLACES,
    *EXACT,
    *SENDERS,
    *entries(T.FILE_NAME, "invoice 1.exe"),
    *entries(SHA256, "0" * 63 + "1", reference="https://cert.example/a"),
    *PAGES,
    *WORDS,
]
GOLDEN_CASES: dict[str, tuple[dict[str, object], list[Entry]]] = {
    "checkpoint": (
        {"format": "checkpoint"},
        [
            *entries(V4, "192.0.2.7", "198.51.100.0/24", comment="ais, x", confidence=85),
            *entries(DOMAIN, "bad.example", severity="critical"),
            *entries(URL, "https://bad.example/a?x=1"),
            *entries(SHA256, "0" * 63 + "1"),
            *entries(MAILBOX, "phish@bad.example"),
            *entries(T.EMAIL_SUBJECT, "Your invoice"),
        ],
    ),
    "csv": (
        {"format": "csv", "mapped": ["source", "comment", "confidence"]},
        [
            *entries(V4, "192.0.2.7", comment='say "x", y', confidence=85, source="ais"),
            *entries(DOMAIN, "*.bad.example", comment="=cmd()", source="金融"),
            *entries(T.MUTEX, 'Global\\a,"b"'),
        ],
    ),
    "jsonl": (
        {"format": "jsonl"},
        [
            *entries(V4, "192.0.2.7", comment="two\nlines", confidence=85),
            *entries(T.MUTEX, 'Global\\a,"b"', source="金融"),
        ],
    ),
    "empty-csv": ({"format": "csv", "mapped": ["source"]}, []),
    "fmc-addresses": ({"format": "fmc", "types": ADDRESSES}, PLACES),
    "fmc-domains": ({"format": "fmc", "types": ["domain-name"]}, SITES),
    "fmc-domains-widened": (
        {"format": "fmc", "types": ["domain-name"], "widen": True},
        SITES,
    ),
    "fmc-urls": ({"format": "fmc", "types": ["url"]}, PAGES),
    "empty-checkpoint": ({"format": "checkpoint"}, []),
    "empty-fmc-domains": ({"format": "fmc", "types": ["domain-name"], "widen": True}, []),
    "hosts": ({"format": "hosts"}, EXACT),
    "dnsmasq": ({"format": "dnsmasq"}, SITES),
    "unbound": ({"format": "unbound"}, SITES),
    "unbound-widened": ({"format": "unbound", "widen": True}, SITES),
    "squid-addresses": ({"format": "squid", "types": ADDRESSES}, PLACES),
    "squid-domains": ({"format": "squid", "types": ["domain-name"]}, SITES),
    "squid-domains-widened": (
        {"format": "squid", "types": ["domain-name"], "widen": True},
        SITES,
    ),
    "nginx-addresses": ({"format": "nginx", "types": ADDRESSES}, PLACES),
    "nginx-domains": ({"format": "nginx", "types": ["domain-name"]}, SITES),
    "suricata-dataset-addresses": ({"format": "suricata-dataset", "types": ADDRESSES}, HOSTS),
    "suricata-dataset-domains": (
        {"format": "suricata-dataset", "types": ["domain-name"]},
        EXACT,
    ),
    "suricata-dataset-agents": ({"format": "suricata-dataset", "types": ["user-agent"]}, WORDS),
    "suricata-dataset-hashes": (
        {"format": "suricata-dataset", "types": ["file-sha256"]},
        entries(SHA256, "0" * 63 + "1"),
    ),
    "suricata-dataset-certificates": (
        {"format": "suricata-dataset", "types": ["x509-sha1"]},
        entries(T.X509_SHA1, "0" * 38 + "a1"),
    ),
    "suricata-iprep": ({"format": "suricata-iprep"}, PLACES),
    "zeek": ({"format": "zeek"}, OF_ALL_KINDS),
    "snort": ({"format": "snort"}, PLACES),
    "spamassassin-senders": ({"format": "spamassassin", "types": ["email-addr"]}, SENDERS),
    "spamassassin-domains": ({"format": "spamassassin", "types": ["domain-name"]}, SITES),
    "exim-senders": ({"format": "exim", "types": ["email-addr"]}, SENDERS),
    "exim-domains": ({"format": "exim", "types": ["domain-name"]}, SITES),
    "exim-addresses": ({"format": "exim", "types": ADDRESSES}, PLACES),
    "collapsed": ({"collapse": True}, PLACES),
}


@pytest.mark.parametrize("name", GOLDEN_CASES)
def test_each_format_is_written_to_the_byte(name: str, tmp_path: Path) -> None:
    options, listed = GOLDEN_CASES[name]
    path, refused = published(tmp_path, listed, **options)
    written, golden = path.read_bytes(), GOLDEN / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_bytes(written)
    assert written == golden.read_bytes()
    taken = [entry for entry in listed if entry.value not in refused]
    assert as_entries(edl(tmp_path, **options).read()) == taken


MORE = "can only be written so that it means more"


@pytest.mark.parametrize(
    ("options", "kind", "value", "words"),
    [
        ({"format": "squid"}, DOMAIN, "*.worse.example", MORE),
        ({"format": "csv"}, T.MUTEX, "=cmd()", "read as a formula"),
        ({"format": "jsonl"}, T.MUTEX, "a\u2028b", "line break"),
        ({"format": "fmc"}, DOMAIN, "bad.example", MORE),
        ({"format": "fmc"}, URL, "http://bad.example:8080/a", "names a port"),
        ({"format": "fmc"}, URL, "http://[2001:db8::7]/a", "IPv6"),
        ({"format": "fmc"}, V4, "0.0.0.0/0", "every address"),
        ({"format": "checkpoint"}, T.EMAIL_SUBJECT, "a,b", "several columns"),
        ({"format": "checkpoint"}, T.EMAIL_SUBJECT, "=cmd", "several columns"),
        ({"format": "unbound"}, DOMAIN, "*.worse.example", MORE),
        ({"format": "spamassassin"}, MAILBOX, "a#b@bad.example", "local part"),
        ({"format": "spamassassin"}, MAILBOX, "a*b@bad.example", "local part"),
        ({"format": "spamassassin"}, MAILBOX, "j\u00fcrgen@bad.example", "not in ASCII"),
        ({"format": "exim"}, MAILBOX, "a:b@bad.example", "local part"),
        ({"format": "zeek"}, T.FILE_NAME, "#x", "could be read by Zeek"),
        ({"format": "zeek"}, T.FILE_NAME, "-", "could be read by Zeek"),
        ({"format": "zeek"}, T.FILE_NAME, "a\\x41", "could be read by Zeek"),
        ({"format": "zeek"}, T.FILE_NAME, "a\tIntel::ADDR", "line break or control"),
        ({"format": "zeek"}, URL, "http://192.0.2.0/24", "read as a prefix"),
        ({"format": "nginx"}, DOMAIN, "bad.example;", "not a domain name"),
        ({"format": "dnsmasq"}, DOMAIN, "bad.example/1.2.3.4", "not a domain name"),
        ({"format": "unbound"}, DOMAIN, 'bad.example"', "not a domain name"),
    ],
)
def test_what_a_format_cannot_say_exactly_is_refused_in_words(
    options: dict[str, object], kind: ObservableType, value: str, words: str, tmp_path: Path
) -> None:
    several = options["format"] not in {"zeek", "unbound", "dnsmasq", "checkpoint", "csv", "jsonl"}
    if several:
        options = {**options, "types": ADDRESSES if kind is V4 else [kind]}
    path, refused = published(tmp_path, entries(kind, value), **options)
    assert words in refused[value]
    assert as_entries(edl(tmp_path, **options).read()) == []
    assert value not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("form", "kind", "value"),
    [
        ("hosts", DOMAIN, "*.worse.example"),
        ("zeek", DOMAIN, "*.worse.example"),
        ("suricata-dataset", DOMAIN, "*.worse.example"),
        ("suricata-dataset", V4, "192.0.2.0/24"),
    ],
)
def test_what_a_format_never_has_a_line_for_is_not_accepted(
    form: str, kind: ObservableType, value: str, tmp_path: Path
) -> None:
    types = {"types": ADDRESSES if kind is V4 else [kind]}
    adapter = edl(tmp_path, format=form, **types)
    assert not adapter.accepts(Observable(kind, value))
    (refused,) = adapter.publish(entries(kind, value)).values()
    assert "does not accept" in str(refused)
    assert not set(lines(tmp_path / "list.txt")) - {"server:"} or form == "zeek"


@pytest.mark.parametrize("form", ["squid", "unbound"])
def test_a_name_under_a_wider_one_of_the_list_has_no_line_of_its_own(
    form: str, tmp_path: Path
) -> None:
    listed = [
        *entries(DOMAIN, "*.a.bad.example", "*.bad.example"),
        *entries(DOMAIN, "bad.example", "www.bad.example", "xbad.example"),
    ]
    options = {"format": form, **({"types": ["domain-name"]} if form == "squid" else {})}
    path, refused = published(tmp_path, listed, **options)
    assert not refused
    said = [line for line in lines(path) if line != "server:"]
    assert len([line for line in said if "xbad" not in line]) == 1
    assert as_entries(edl(tmp_path, **options).read()) == listed


def test_a_prefix_that_squid_would_ignore_beside_its_hosts_is_the_line(tmp_path: Path) -> None:
    listed = entries(V4, "192.0.2.0/24", "192.0.2.7", "203.0.113.7")
    path, _ = published(tmp_path, listed, format="squid", types=ADDRESSES)
    assert lines(path) == ["192.0.2.0/24", "203.0.113.7"]


PREFIXES = st.integers(0, 255).flatmap(
    lambda last: st.integers(24, 32).map(
        lambda length: str(ip_network(f"198.51.100.{last}/{length}", strict=False)).removesuffix(
            "/32"
        )
    )
)


@given(st.sets(PREFIXES, max_size=40))
def test_collapsed_prefixes_hold_exactly_the_addresses_of_the_list(values: set[str]) -> None:
    listed = [Observable(V4, value) for value in sorted(values)]
    written = [str(line) for line in collapsed(listed, False).values() if line]
    expected = collapse_addresses(ip_network(value) for value in values)
    assert sorted(written) == sorted(str(one).removesuffix("/32") for one in expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "hosts", "types": ["url"]}, r"has other types: set types to \[domain-name\]"),
        ({"format": "squid"}, r"set types to \[ipv4-addr, ipv6-addr\] or \[domain-name\]"),
        ({"format": "suricata-dataset", "types": ["url"]}, "has one type a file"),
        (
            {"format": "suricata-dataset", "types": ["domain-name"], "empty": "comment"},
            "has no comments",
        ),
        ({"types": ["domain-name"], "collapse": True}, "only addresses"),
        ({"format": "zeek", "comments": True}, "have room for comments"),
    ],
)
def test_options_that_no_program_could_read_are_refused_in_words(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        EdlSettings.model_validate({"file": "list.txt", **options})


def test_the_form_of_a_file_tells_what_decides_on_its_lines(tmp_path: Path) -> None:
    listed = entries(V4, "192.0.2.0", "192.0.2.1")
    published(tmp_path, listed)
    found = as_entries(edl(tmp_path, collapse=True).read())
    assert found == entries(V4, "192.0.2.0", "192.0.2.1", comment="written as plain")


@pytest.mark.parametrize(("form", "family"), FORMATS, ids=map(name_of, FORMATS))
def test_lines_that_others_added_or_lost_are_seen(
    form: Format, family: frozenset[ObservableType], tmp_path: Path
) -> None:
    kind = min(family)
    values = {V4: ["192.0.2.7", "203.0.113.9"], DOMAIN: ["bad.example", "worse.example"]}
    two = values.get(kind, ["a" * 40, "b" * 40])
    options = {"format": form, "types": family, "widen": True}
    listed = [Entry(Observable(kind, value)) for value in two]
    if form is Format.ZEEK or kind not in values:
        pytest.skip("shown for addresses and names")
    path, _ = published(tmp_path, listed[:1], **options)
    theirs, _ = published(tmp_path / "theirs", listed[1:], **options)
    path.write_bytes(theirs.read_bytes())
    found = [(entry.type, entry.value) for entry in edl(tmp_path, **options).read()]
    assert set(found) == {(kind, two[1])}


def test_the_checksum_beside_a_file_of_fmc_is_its_digest_alone(tmp_path: Path) -> None:
    options: dict[str, object] = {"format": "fmc", "types": ADDRESSES}
    path, _ = published(tmp_path, PLACES, **options)
    beside = tmp_path / "list.txt.md5"
    assert beside.read_text() == hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
    assert {name for _, name in edl(tmp_path, **options).settings.places} == {
        "list.txt",
        "list.txt.md5",
    }


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("0" * 32)])
def test_a_checksum_that_is_not_the_files_is_a_difference_and_is_written_again(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    options: dict[str, object] = {"format": "fmc", "types": ADDRESSES}
    published(tmp_path, PLACES, **options)
    adapter = edl(tmp_path, **options)
    stamp = adapter.stamp()
    damage(tmp_path / "list.txt.md5")
    assert adapter.stamp() != stamp
    found = as_entries(adapter.read())
    assert {entry.fields["comment"] for entry in found} == {"written as fmc without its checksum"}
    adapter.publish(iter(PLACES))
    assert as_entries(adapter.read()) == PLACES


@pytest.mark.parametrize(
    ("device", "options", "room"),
    [
        ("panos", {"format": "panos", "types": ADDRESSES}, 50_000),
        ("panos-large", {"format": "panos", "types": ["url"]}, 250_000),
        ("fortigate-before-7.4.4", {"format": "fortigate", "types": ["file-md5"]}, 131_072),
        ("fortigate-mid", {"format": "fortigate", "types": ["domain-name"]}, 3_000_000),
        ("sonicwall-tz", {}, 25_000),
        ("opnsense", {}, 200_000),
        ("checkpoint", {"format": "checkpoint"}, 2_000_000),
    ],
)
def test_a_device_says_how_much_it_holds(
    device: str, options: dict[str, object], room: int, tmp_path: Path
) -> None:
    assert edl(tmp_path, device=device, **options).pools() == {"": room}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "panos"}, "panos reads format panos, not plain"),
        ({"device": "sonicwall-tz", "types": ["url"]}, "is not known"),
    ],
)
def test_a_device_that_reads_something_else_is_refused(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        EdlSettings.model_validate({"file": "list.txt", **options})
