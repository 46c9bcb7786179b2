import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config.warninglist_files import (
    ListFile,
    installed_folder,
    installed_names,
    no_such_list,
    read_warninglists,
    warning_about,
)
from connector.decisions.allowlist.allowlist import Allowlist, ExceptionRule
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.allowlist.networks import read_ipv4_networks, read_network
from connector.decisions.allowlist.texts import (
    MANY,
    Needles,
    Parents,
    SortedTexts,
    Texts,
    parents_of,
)
from connector.decisions.allowlist.values import read_names, read_pattern
from connector.decisions.allowlist.warninglist import ListKind, Warninglist
from connector.decisions.allowlist.warninglists import WarninglistIndex, types_of
from connector.errors import ConfigError
from connector.model import Observable, ObservableType

NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)
NAMES = ("domain", "hostname", "url", "domain|ip")
ADDRESSES = ("ip-src", "ip-dst", "domain|ip")
MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def of(kind, *entries, attributes=NAMES, name="sample", number=0):
    stated = None if attributes is None else frozenset(attributes)
    return Warninglist(number, name, ListKind(kind), stated, iter(entries))


@dataclass(frozen=True)
class OnEveryList:
    """An index as an allowlist asks it."""

    index: WarninglistIndex

    def protects(self, observable, _purpose):
        return self.index.protects(observable)


def files_of(folder, *names):
    return [ListFile(name, folder / name / "list.json") for name in names]


def protects(index, kind, value):
    """Return what protects a value, without the prefix that all groups here share."""
    found = index.protects(Observable(ObservableType(kind), value))
    return found and (found.group.removeprefix("warninglist:"), found.value)


def protected(listed, kind, value):
    return protects(WarninglistIndex([listed]), kind, value) is not None


@pytest.mark.parametrize(
    ("kind", "asked", "expected"),
    [
        ("string", "popular.example", True),
        ("string", "www.popular.example", False),
        ("string", "unpopular.example", False),
        ("string", "*.popular.example", True),
        ("string", "example", True),  # stopping it and all below would stop the listed name
        ("string", "*.example", True),
        ("hostname", "popular.example", True),
        ("hostname", "www.popular.example", True),
        ("hostname", "*.cdn.popular.example", True),
        ("hostname", "unpopular.example", False),
        ("hostname", "popular.example.evil.test", False),
        ("substring", "popular.example", True),
        ("substring", "xpopular.example.evil.test", True),
        ("substring", "popular.test", False),
        ("substring", "*.example", True),
    ],
)
def test_a_name_is_held_against_a_list_by_the_lists_own_type(kind, asked, expected):
    assert protected(of(kind, "popular.example"), "domain-name", asked) is expected


def test_a_name_above_a_listed_one_is_protected_at_every_step():
    index = WarninglistIndex([of("string", "a.b.c.example")])
    for name in ("a.b.c.example", "b.c.example", "c.example", "example"):
        assert protects(index, "domain-name", name) == ("sample", name)
    assert protects(index, "domain-name", "x.c.example") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://popular.example/", True),
        ("http://popular.example", True),
        ("https://popular.example/?q=1", True),
        ("https://popular.example:8443/", True),
        ("https://popular.example/page", False),
        ("https://www.popular.example/", True),
        ("https://example/", True),
    ],
)
def test_a_url_that_is_only_a_host_is_held_like_it_and_a_page_is_not(url, expected):
    assert protected(of("hostname", "popular.example"), "url", url) is expected


def test_a_listed_url_is_protected_and_so_is_all_that_contains_it():
    index = WarninglistIndex([of("string", "https://Sites.example/a/B?x=1")])
    assert protects(index, "url", "http://sites.example/a/B?x=1")
    assert protects(index, "url", "https://sites.example/a")
    assert protects(index, "domain-name", "sites.example")
    assert protects(index, "domain-name", "*.example")
    assert protects(index, "url", "https://sites.example/a/other") is None


@pytest.mark.parametrize("entry", [".Popular.Example", "*.popular.example", "popular.example."])
def test_names_are_read_however_lists_write_them(entry):
    assert protected(of("hostname", entry), "domain-name", "www.popular.example")


def test_a_name_with_letters_beyond_ascii_is_found_by_its_canonical_form():
    listed = of("hostname", "bücher.example", "\udcff.example")
    assert protected(listed, "domain-name", "xn--bcher-kva.example")


def test_a_host_of_digits_that_is_no_address_is_no_fault():
    assert not protected(of("hostname", "popular.example"), "url", "http://203.0.113/")


def test_a_single_label_does_not_free_a_whole_top_level_domain():
    listed = of("hostname", "corona")
    assert not protected(listed, "domain-name", "evil.corona")
    assert protected(of("hostname", "corona"), "domain-name", "corona")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("ipv4-addr", "203.0.113.7", True),
        ("ipv4-addr", "203.0.114.0", False),
        ("ipv4-addr", "203.0.112.255", False),
        ("ipv4-addr", "203.0.113.64/26", True),
        ("ipv4-addr", "203.0.0.0/16", True),
        ("ipv4-addr", "198.51.100.0/24", True),  # it holds one listed address
        ("ipv4-addr", "198.51.100.8", False),
        ("ipv6-addr", "2001:db8::7", True),
        ("ipv6-addr", "2001::/16", True),
        ("ipv6-addr", "2001:db9::", False),
        ("endpoint", "203.0.113.7:443/tcp", True),
        ("endpoint", "[2001:db8::7]:443/tcp", True),
        ("endpoint", "203.0.114.7:443/tcp", False),
        ("url", "http://203.0.113.7/", True),
        ("url", "http://[2001:db8::7]/", True),
        ("url", "http://203.0.113.7/page", False),
        ("domain-name", "203.example", False),
    ],
)
def test_networks_are_held_against_each_other_both_ways(kind, value, expected):
    listed = of("cidr", "203.0.113.0/24", "198.51.100.7", "2001:DB8::/32", attributes=ADDRESSES)
    assert protected(listed, kind, value) is expected


def test_an_entry_that_is_no_network_is_left_out_and_told():
    index = WarninglistIndex(
        [
            of("cidr", "203.0.113.0/33", "0.0.0.0/0", "::/0", "203.0.113.300", "1.2.3.x", "x",
               "203.0.113.1/24")
        ]
    )  # fmt: skip
    assert len(index.unread) == 6
    assert (
        index.unread[0] == "warninglist sample: 203.0.113.0/33: cannot be read, so it is left out"
    )
    assert protects(index, "ipv4-addr", "203.0.113.9") == ("sample", "203.0.113.0/24")
    assert protects(index, "ipv4-addr", "192.0.2.1") is None


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("file-md5", MD5, True),
        ("file-sha1", SHA1, False),  # the list is about MD5 only
        ("file-md5", MD5[::-1], False),
        ("x509-sha1", SHA1, False),
        ("domain-name", MD5, False),
    ],
)
def test_a_list_protects_only_the_types_that_it_is_about(kind, value, expected):
    listed = of("string", MD5.upper(), SHA1, attributes=("filename|md5",))
    assert protected(listed, kind, value) is expected


def test_a_list_of_certificates_protects_certificates_and_the_files_it_names():
    index = WarninglistIndex([of("string", SHA1, attributes=("x509-fingerprint-sha1",), name="ca")])
    assert protects(index, "x509-sha1", SHA1) == ("ca", SHA1)
    assert protects(index, "file-sha1", SHA1) is None


def test_a_list_without_attributes_is_about_every_type():
    entries = ("popular.example", "198.51.100.7", MD5, "curl/8.5.0", "abuse@popular.example")
    index = WarninglistIndex([of("string", *entries, attributes=None)])
    for kind, value in [
        ("domain-name", "popular.example"),
        ("ipv4-addr", "198.51.100.0/24"),
        ("file-md5", MD5),
        ("user-agent", "Curl/8.5.0"),
        ("email-addr", "Abuse@Popular.example"),
    ]:
        assert protects(index, kind, value), (kind, value)
    assert protects(index, "email-addr", "x@popular.example") is None


def test_an_address_with_a_wildcard_is_held_like_its_whole_domain():
    index = WarninglistIndex([of("string", "popular.example")])
    assert protects(index, "email-addr", "*@popular.example")
    assert not protects(index, "email-addr", "x@popular.example")
    assert not protects(index, "email-addr", "*@other.example")


def test_a_path_that_comes_out_as_the_root_is_held_like_its_host():
    index = WarninglistIndex([of("string", "popular.example")])
    for path in ("*", "%2F", "a/..", ";a", "%252e"):
        assert protects(index, "url", f"http://popular.example/{path}")
    assert not protects(index, "url", "http://popular.example/a")


def test_mail_at_a_host_of_a_list_about_mail_is_protected():
    listed = of("hostname", "mail.example", attributes=("email-src",))
    assert protected(listed, "email-addr", "a@sub.mail.example")
    assert not protected(of("hostname", "mail.example"), "email-addr", "a@mail.example")


def test_a_list_about_nothing_that_we_know_is_told():
    index = WarninglistIndex([of("regex", "/[0-9]+/", attributes=("phone-number",))])
    assert index.unread == ("warninglist sample: is about nothing that a list of ours could hold",)


def test_a_pair_of_domain_and_address_stands_for_what_the_list_holds():
    assert ObservableType.IPV4_ADDR in types_of(ListKind.CIDR, frozenset({"domain|ip"}))
    assert types_of(ListKind.STRING, frozenset({"domain|ip"})) == {ObservableType.DOMAIN_NAME}


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (r"/^(security|noc)\@.*\..*$/i", "NOC@a.example", True),
        (r"/^(security|noc)\@.*\..*$/i", "knoc@a.example", False),
        ("noc@", "noc@a.example", True),
        ("/NOC@/", "noc@a.example", False),
    ],
)
def test_a_pattern_is_asked_as_its_list_writes_it(pattern, value, expected):
    listed = of("regex", pattern, attributes=("email-src",))
    assert protected(listed, "email-addr", value) is expected


@pytest.mark.parametrize("pattern", ["/(/", "/a/q", "", "//", "/(?<=a+)b/"])
def test_a_pattern_that_cannot_be_read_is_told(pattern):
    assert read_pattern(pattern) is None
    index = WarninglistIndex([of("regex", pattern, "/ok/", attributes=("email-src",))])
    assert len(index.unread) == 1
    assert protects(index, "email-addr", "ok@a.example")


def test_a_pattern_searches_no_further_than_a_value_can_be_long():
    listed = of("regex", "/needle/", attributes=("url",))
    assert not protected(listed, "url", f"https://a.example/{'x' * 3000}needle")


def test_a_substring_that_is_an_address_is_held_against_networks():
    listed = of("substring", "198.51.100.7", attributes=("ip-dst",))
    assert protected(listed, "ipv4-addr", "198.51.100.0/24")


@pytest.mark.parametrize("backwards", [False, True])
def test_of_several_lists_the_first_named_is_credited_however_they_are_read(backwards):
    def lists():
        many = [f"n{number}.example" for number in range(60_000)]
        return [
            of("string", "both.example", name="first", number=0),
            of("string", "both.example", *many, name="second", number=1),
            of("string", "both.example", "n7.example", name="third", number=2),
            of(
                "string",
                *(f"m{number}.example" for number in range(60_000)),
                name="fourth",
                number=3,
            ),
        ][:: -1 if backwards else 1]

    index = WarninglistIndex(lists())
    assert protects(index, "domain-name", "both.example") == ("first", "both.example")
    assert protects(index, "domain-name", "n7.example") == ("second", "n7.example")
    assert protects(index, "domain-name", "m7.example") == ("fourth", "m7.example")
    networks = [
        of("cidr", "203.0.113.0/24", name="one", number=0),
        of("cidr", "203.0.113.0/24", name="two", number=1),
    ][:: -1 if backwards else 1]
    assert protects(WarninglistIndex(networks), "ipv4-addr", "203.0.113.1")[0] == "one"


LABEL_ALONE = ["a", "b", "aa", "www", "a-b", "z"]
LABELS = st.sampled_from(LABEL_ALONE)
SOME_NAMES = st.lists(st.lists(LABELS, min_size=1, max_size=4).map(".".join), max_size=300)


@settings(deadline=None)  # a busy machine is no fault
@given(SOME_NAMES, SOME_NAMES)
def test_a_long_list_kept_as_text_answers_like_a_set(held, asked):
    texts = SortedTexts(list(held))
    assert all((name in texts) == (name in set(held)) for name in [*held, *asked])


@settings(deadline=None)  # a busy machine is no fault
@given(SOME_NAMES)
def test_parents_are_every_ending_behind_a_dot(names):
    expected = {name[at + 1 :] for name in names for at, c in enumerate(name) if c == "."}
    assert sorted(parents_of(names)) == sorted(expected)
    long = SortedTexts(list(names))
    kept = set(long.parents())
    assert kept <= expected
    assert all(long.holds_below(name) for name in expected - kept)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.tuples(SOME_NAMES, st.booleans()), max_size=4), SOME_NAMES)
def test_what_is_above_many_lists_is_found_in_the_first_that_has_something_below(lists, asked):
    above, expected = Parents(), {}
    for owner, (names, long) in reversed(list(enumerate(lists))):
        above.add_above(SortedTexts(list(names)) if long else names, owner)
        expected |= dict.fromkeys(parents_of(names), owner)
    find = above.finder()
    for name in {*asked, *expected, *LABEL_ALONE}:
        assert find(name) == expected.get(name), name


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.text("abc", max_size=6), max_size=8), st.text("abcd", max_size=20))
def test_substrings_are_found_wherever_they_stand(needles, value):
    index = Needles()
    index.add(needles, 3)
    found = index.find(value)
    expected = [needle for needle in needles if needle and needle in value]
    assert (found is not None) == bool(expected)
    assert found is None or (found[0] in expected and found[1] == 3)


def _networks(address, lengths):
    return st.tuples(address, lengths).map(lambda made: ip_network(made, strict=False))


NETWORKS = _networks(
    st.integers(0xC0000200, 0xC00002FF), st.integers(22, 32)
)  # 192.0.2.0/24 and what is around it


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(NETWORKS, max_size=12), NETWORKS)
def test_networks_answer_as_the_standard_library_does(listed, asked):
    """Of lists as an index asks them: the widest network, of those that are alike the first."""
    lists = [
        of("cidr", str(net), attributes=ADDRESSES, name=str(number), number=number)
        for number, net in enumerate(listed)
    ]
    found = protects(WarninglistIndex(lists), "ipv4-addr", str(asked).removesuffix("/32"))
    assert (found is not None) == any(asked.overlaps(net) for net in listed)
    if found is not None:
        owner, told = int(found[0]), ip_network(found[1])
        assert asked.overlaps(told)
        assert told == listed[owner]
        assert owner == listed.index(told)
        assert not any(net != told and net.supernet_of(told) for net in listed)


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(st.tuples(st.sampled_from(["string", "hostname"]), SOME_NAMES), max_size=4),
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.sampled_from([1, MANY]),
)
def test_lists_of_names_are_held_as_a_linear_scan_would_be_they_short_or_long(lists, name, many):
    listed = [
        of(kind, *names, name=str(number), number=number)
        for number, (kind, names) in enumerate(lists)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connector.decisions.allowlist.texts.MANY", many)
        found = protects(WarninglistIndex(listed), "domain-name", name)
    scanned = [
        number
        for number, (kind, names) in enumerate(lists)
        if any(_holds(kind, entry, name) for entry in names)
    ]
    assert (found is not None) == bool(scanned)
    assert found is None or int(found[0]) in scanned


def _holds(kind, entry, name):
    """Tell by definition whether stopping a name would stop what a list names."""
    below = kind == "hostname" and "." in entry and name.endswith(f".{entry}")
    return entry == name or entry.endswith(f".{name}") or below


@settings(deadline=None)  # a busy machine is no fault
@given(NETWORKS)
def test_a_network_is_read_quickly_as_the_standard_library_reads_it(net):
    assert read_network(str(net)) == (4, int(net[0]), int(net[-1]))
    assert read_ipv4_networks([str(net)]) == [(int(net[0]), int(net[-1]))]


@pytest.mark.parametrize(
    "text",
    ["192.0.2.007", "7 .0.2.1", "+7.0.2.1", "192.0.2.0/\u0663", "192.0.2.0/", "192.0.2.0/-1",
     "2001:db8::/129", "2001:db8::/", "2001:db8::\u0663", "1::2::3", "\x00::"],
)  # fmt: skip
def test_what_the_standard_library_takes_for_no_network_is_none(text):
    with pytest.raises(ValueError, match=r"does not appear to be|[Nn]etmask"):
        ip_network(text, strict=False)
    assert read_network(text) is None
    assert read_ipv4_networks([text]) is None


ENTRIES = st.one_of(
    NETWORKS.map(str),
    NETWORKS.map(lambda net: str(net[0])),
    st.sampled_from(["192.0.2.256", "192.0.2.7/33", "192.0.2.1/0", "2001:db8::/32", "192.0.2", ""]),
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(ENTRIES, max_size=20))
def test_networks_read_all_at_once_are_those_read_one_by_one(entries):
    alone = [read_network(entry) for entry in entries]
    found = read_ipv4_networks(entries)
    if found is None:
        assert not entries or not all(span and span.version == 4 for span in alone)
    else:
        assert sorted(found) == sorted((span.first, span.last) for span in alone)


def test_texts_of_no_list_find_nothing():
    assert Texts().finder()("a") is None
    assert read_names([]) == ([], [])


def test_an_exception_that_ends_does_not_hide_a_warninglist_that_stays():
    until = NOW + timedelta(days=1)
    allowlist = Allowlist.build(
        without=frozenset(BuiltinGroup),
        exceptions=[ExceptionRule("popular.example", until=until)],
        warninglists=OnEveryList(WarninglistIndex([of("string", "popular.example")])),
    )
    seen = Observable(ObservableType.DOMAIN_NAME, "popular.example")
    found = allowlist.protects(seen, NOW)
    assert (found.group, found.until) == ("warninglist:sample", None)
    below = Observable(ObservableType.DOMAIN_NAME, "www.popular.example")
    assert allowlist.protects(below, NOW).group == "exception"
    assert allowlist.protects(below, until) is None


def test_the_floor_is_named_before_a_warninglist():
    index = WarninglistIndex([of("cidr", "10.0.0.0/8", attributes=ADDRESSES)])
    allowlist = Allowlist.build(warninglists=OnEveryList(index))
    found = allowlist.protects(Observable(ObservableType.IPV4_ADDR, "10.1.2.3"), NOW)
    assert found.group == "special_purpose"


def test_a_name_that_is_not_installed_is_told_with_those_that_would_do():
    installed = ("akamai", "cisco_top1000", "cisco_top5k")
    assert no_such_list("cisco_top100", installed) == (
        "cisco_top100 is not an installed warninglist (cisco_top1000, cisco_top5k)"
    )
    assert no_such_list("qqq", installed) == (
        "qqq is not an installed warninglist (there are 3, such as public-dns-v4 and tranco10k)"
    )


def test_lists_that_say_what_a_value_is_are_warned_of():
    assert warning_about("shodan-scanning").startswith("shodan-scanning says what a value is")
    assert warning_about("vpn-ipv4")
    assert warning_about("public-dns-v4") is None


@pytest.mark.parametrize("content", ["{", '{"type": "cidr"}', '{"type": "odd", "list": []}', None])
def test_a_list_that_cannot_be_read_is_an_error_and_not_an_empty_list(tmp_path, content):
    folder = tmp_path / "broken"
    folder.mkdir()
    if content is not None:
        (folder / "list.json").write_text(content)
    with pytest.raises(ConfigError, match=r"allowlist\.warninglists: broken: cannot be read"):
        list(read_warninglists(files_of(tmp_path, "broken")))


def test_lists_are_numbered_as_named_and_read_the_largest_first(tmp_path):
    for name, entries in (("small", ["a.example"]), ("large", ["a.example", "b.example"] * 9)):
        (tmp_path / name).mkdir()
        text = json.dumps({"type": "string", "list": entries, "matching_attributes": ["domain"]})
        (tmp_path / name / "list.json").write_text(text)
    read = list(read_warninglists(files_of(tmp_path, "small", "large")))
    assert [(listed.name, listed.number) for listed in read] == [("large", 1), ("small", 0)]
    index = WarninglistIndex(read_warninglists(files_of(tmp_path, "small", "large")))
    assert protects(index, "domain-name", "a.example") == ("small", "a.example")
    assert installed_names(tmp_path) == ("large", "small")


ALL_LISTS = """
import resource
from pathlib import Path
from connector.config.warninglist_files import *
from connector.decisions.allowlist.warninglists import WarninglistIndex
files = list(installed_lists().values())
def kilobytes(what):
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines()
                    if line.startswith(what)).split()[1])
before = kilobytes("VmRSS")
index = WarninglistIndex(read_warninglists(files))
print(len(files), kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc: run on Linux")
def test_all_installed_lists_load_in_little_memory():
    done = subprocess.run(
        [sys.executable, "-c", ALL_LISTS], check=True, capture_output=True, text=True
    )
    names, kilobytes = done.stdout.split()
    assert int(names) > 100
    assert int(kilobytes) < 200_000


@pytest.fixture(scope="module")
def shipped():
    """An index of lists of every type, as they are installed."""
    names = ["cisco_top1000", "tranco10k", "public-dns-v4", "amazon-aws", "empty-hashes",
             "mozilla-CA", "common-contact-emails", "automated-malware-analysis"]  # fmt: skip
    return WarninglistIndex(read_warninglists(files_of(installed_folder(), *names)))


@pytest.mark.parametrize(
    ("kind", "value", "group"),
    [
        ("domain-name", "google.com", "cisco_top1000"),
        ("domain-name", "mail.google.com", "cisco_top1000"),
        ("domain-name", "nothing-of-that-name.google.com", "tranco10k"),
        ("ipv4-addr", "8.8.8.8", "public-dns-v4"),
        ("ipv4-addr", "8.8.8.0/24", "public-dns-v4"),
        ("file-md5", MD5, "empty-hashes"),
        ("email-addr", "abuse@a.example", "common-contact-emails"),
        ("domain-name", "app.any.run", "automated-malware-analysis"),
        ("domain-name", "bad.example", None),
        ("url", "https://google.com/malware.exe", None),
    ],
)
def test_what_is_installed_protects_what_it_names(shipped, kind, value, group):
    found = protects(shipped, kind, value)
    assert (found and found[0]) == group


def test_everything_that_an_installed_list_of_networks_names_is_protected(shipped):
    text = (installed_folder() / "amazon-aws" / "list.json").read_text(encoding="utf-8")
    for entry in json.loads(text)["list"]:
        kind = "ipv6-addr" if ":" in entry else "ipv4-addr"
        assert protects(shipped, kind, re.sub("/(32|128)$", "", entry)), entry
