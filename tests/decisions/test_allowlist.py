from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from connector.decisions.allowlist.allowlist import (
    Allowlist,
    ExceptionRule,
    Protection,
    Scope,
    SiteRule,
    parse_site_lines,
)
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.allowlist.networks import Ranges
from connector.decisions.allowlist.public_suffixes import PublicSuffixes
from connector.decisions.allowlist.site import end_of_day
from connector.decisions.allowlist.values import Kind, read_allow_value
from connector.indicators.observables.canonical import canonical
from connector.indicators.observables.errors import UnfitValueError
from connector.model import Observable, ObservableType, Purpose

NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NO_GROUPS = frozenset(BuiltinGroup)
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def seen(kind, value):
    return Observable(ObservableType(kind), value)


def group_of(allowlist, kind, value, now=NOW):
    found = allowlist.protects(seen(kind, value), now)
    return found and found.group


@pytest.fixture(scope="module")
def floor():
    return Allowlist.build()


@pytest.fixture(scope="module")
def without_documentation():
    return Allowlist.build(without={"documentation"})


def site(*values, **more):
    rules = [SiteRule(value, f"allow.txt:{n}", **more) for n, value in enumerate(values, start=1)]
    return Allowlist.build(without=NO_GROUPS, site=rules)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("domain-name", "hidden.onion"),
        ("domain-name", "*.printer.local"),
        ("domain-name", "db.internal"),
        ("domain-name", "name.alt"),
        ("domain-name", "evil.localhost"),
        ("domain-name", "host.home.arpa"),
        ("domain-name", "bad.test"),
        ("domain-name", "bad.invalid"),
        ("url", "http://hidden.onion/market"),
        ("email-addr", "x@hidden.onion"),
    ],
)
def test_special_use_names_are_kept_off_blocklists_and_watched(floor, kind, value):
    assert floor.protects(seen(kind, value), NOW, Purpose.BLOCK) is not None
    assert floor.protects(seen(kind, value), NOW, Purpose.WATCH) is None


@pytest.mark.parametrize("value", ["10.1.2.3", "127.0.0.1", "198.51.100.7"])
def test_special_use_addresses_are_on_no_list(floor, value):
    for purpose in Purpose:
        assert floor.protects(seen("ipv4-addr", value), NOW, purpose) is not None


ROOTS = [
    *("*", "%2F", "%2f", "%2e", "%2E%2e", ";", ";jsessionid=1", ".", "./", "/", "//", "?", "?q=*"),
    *("..%2f", "%20", "%252F", "%25252e", "a/..", "a/%2e%2e", "a/..;/", "a/../?x", "a\\..", "%5C"),
    *(
        "*/",
        "**",
        "%2A",
        "%3B",
        "%00",
        "-",
        "_",
        "~",
        "+",
        "%09",
        "%c0%af",
        "%EF%BC%8F",
        ",",
        "(*)",
    ),
    *("x/./..//", "a/b/../..", ";/;/", "%3f", "%23"),
]


@pytest.mark.parametrize("path", ROOTS)
def test_a_path_that_comes_out_as_the_root_is_judged_as_the_root(floor, path):
    for url in (f"http://gmail.com/{path}", f"gmail.com/{path}"):
        assert group_of(floor, "url", url) == "mail_providers"


@pytest.mark.parametrize(
    "path", ["a", "a/", "%61", "a/../b", "x;y", "%E4%BD%A0", "index.html", "-/a", "a%2f..%2fb", "0"]
)
def test_a_page_at_a_host_that_many_share_is_no_root(floor, path):
    assert group_of(floor, "url", f"http://gmail.com/{path}") is None


@pytest.mark.parametrize(
    "path", ["team/doc", "%74eam/doc", "x/../team/", "/team", "team;a=1/x", "te%2561m", "team/*"]
)
def test_a_protected_url_is_found_however_its_path_is_written(path):
    for rule in ("https://docs.test/team", "https://docs.test/team/*", "docs.test/x/../%74eam/"):
        assert group_of(site(rule), "url", f"http://docs.test/{path}") == "site"


@pytest.mark.parametrize(
    ("value", "group"),
    [
        ("*@gmail.com", "mail_providers"),
        ("j*@gmail.com", "mail_providers"),
        ("%@gmail.com", "mail_providers"),
        ("?@co.uk", "public_suffixes"),
        ("john@gmail.com", None),
        ("*@bad-site.com", None),
        ("x@[8.8.8.8]", "public_resolvers"),
        ("x@[ipv6:2001:4860:4860::8888]", "public_resolvers"),
        ("x@[12.34.56.78]", None),
    ],
)
def test_of_an_address_with_a_wildcard_the_domain_behind_it_is_asked(floor, value, group):
    assert group_of(floor, "email-addr", value) == group


@pytest.mark.parametrize("value", ["*@partner.test", "%@partner.test", "a?@partner.test"])
def test_a_wildcard_in_an_address_is_refused_with_what_would_do(value):
    with pytest.raises(ValueError, match=r"just the domain: partner\.test"):
        read_allow_value(value)


@pytest.mark.parametrize(
    ("value", "observed"),
    [
        ("o'brien@bad.test", "o'brien@bad.test"),
        ('email-addr:"John Doe"@bad.test', '"john doe"@bad.test'),
        ("u@[192.0.2.1]", "u@[192.0.2.1]"),
        ("jürgen@bad.test", "jürgen@bad.test"),
    ],
)
def test_every_address_that_can_be_listed_can_be_an_exception(value, observed):
    allowlist = Allowlist.build(without=NO_GROUPS, exceptions=[ExceptionRule(value)])
    assert group_of(allowlist, "email-addr", observed) == "exception"


@pytest.mark.parametrize(
    ("kind", "value", "group"),
    [
        ("ipv4-addr", "0.1.2.3", "special_purpose"),
        ("ipv4-addr", "10.1.2.3", "special_purpose"),
        ("ipv4-addr", "100.64.0.1", "special_purpose"),
        ("ipv4-addr", "127.0.0.1", "special_purpose"),
        ("ipv4-addr", "169.254.169.254", "special_purpose"),
        ("ipv4-addr", "172.31.255.255", "special_purpose"),
        ("ipv4-addr", "172.32.0.0", None),
        ("ipv4-addr", "192.0.0.9", "special_purpose"),
        ("ipv4-addr", "192.88.99.1", "special_purpose"),
        ("ipv4-addr", "192.168.0.1", "special_purpose"),
        ("ipv4-addr", "198.19.255.255", "special_purpose"),
        ("ipv4-addr", "198.20.0.0", None),
        ("ipv4-addr", "223.255.255.255", None),
        ("ipv4-addr", "224.0.0.1", "special_purpose"),
        ("ipv4-addr", "240.0.0.1", "special_purpose"),
        ("ipv4-addr", "255.255.255.255", "special_purpose"),
        ("ipv4-addr", "192.168.0.0/24", "special_purpose"),
        ("ipv4-addr", "172.0.0.0/8", "wide_prefixes"),
        ("ipv4-addr", "9.9.0.0/16", "public_resolvers"),
        ("ipv4-addr", "9.9.0.0/15", "wide_prefixes"),
        ("ipv4-addr", "0.0.0.0/0", "wide_prefixes"),
        ("ipv4-addr", "12.34.0.0/16", None),
        ("ipv4-addr", "8.8.8.8", "public_resolvers"),
        ("ipv4-addr", "8.8.8.0/24", "public_resolvers"),
        ("ipv4-addr", "8.8.8.9", None),
        ("ipv4-addr", "1.1.1.1", "public_resolvers"),
        ("ipv4-addr", "208.67.222.222", "public_resolvers"),
        ("ipv4-addr", "198.51.100.7", "documentation"),
        ("ipv4-addr", "198.51.0.0/16", "documentation"),
        ("ipv6-addr", "::", "special_purpose"),
        ("ipv6-addr", "::1", "special_purpose"),
        ("ipv6-addr", "::ffff:12.34.56.78", "special_purpose"),
        ("ipv6-addr", "64:ff9b::c000:201", "special_purpose"),
        ("ipv6-addr", "2001:0:1::1", "special_purpose"),
        ("ipv6-addr", "2002:c000:201::1", "special_purpose"),
        ("ipv6-addr", "4000::1", "special_purpose"),
        ("ipv6-addr", "fd12::1", "special_purpose"),
        ("ipv6-addr", "fe80::1", "special_purpose"),
        ("ipv6-addr", "ff02::1", "special_purpose"),
        ("ipv6-addr", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "special_purpose"),
        ("ipv6-addr", "2001:db8::7", "documentation"),
        ("ipv6-addr", "3fff:fff::1", "documentation"),
        ("ipv6-addr", "2600::/31", "wide_prefixes"),
        ("ipv6-addr", "2600::/32", None),
        ("ipv6-addr", "2620:fe::/48", "public_resolvers"),
        ("ipv6-addr", "2606:4700:4700::1111", "public_resolvers"),
        ("ipv6-addr", "2600:1f18::7", None),
        ("endpoint", "192.168.0.1:443/tcp", "special_purpose"),
        ("endpoint", "[2001:db8::7]:443/tcp", "documentation"),
        ("endpoint", "8.8.8.8:53/udp", "public_resolvers"),
        ("endpoint", "12.34.56.78:443/tcp", None),
        ("autonomous-system", "AS64500", "documentation"),
        ("autonomous-system", "64500", "documentation"),
        ("autonomous-system", "AS0", "special_purpose"),
        ("autonomous-system", "AS64512", "special_purpose"),
        ("autonomous-system", "AS4294967295", "special_purpose"),
        ("autonomous-system", "AS15169", None),
    ],
)
def test_the_floor_protects_addresses_both_ways(floor, kind, value, group):
    assert group_of(floor, kind, value) == group


@pytest.mark.parametrize(
    ("kind", "value", "group"),
    [
        ("domain-name", "localhost", "public_suffixes"),
        ("domain-name", "db.localhost", "special_purpose"),
        ("domain-name", "printer.local", "special_purpose"),
        ("domain-name", "vault.internal", "special_purpose"),
        ("domain-name", "router.home.arpa", "special_purpose"),
        ("domain-name", "7.100.51.198.in-addr.arpa", "special_purpose"),
        ("domain-name", "hidden.onion", "special_purpose"),
        ("domain-name", "notlocal", "public_suffixes"),
        ("domain-name", "bad.example", "documentation"),
        ("domain-name", "www.bad.test", "documentation"),
        ("domain-name", "nowhere.invalid", "documentation"),
        ("domain-name", "example.com", "documentation"),
        ("domain-name", "www.example.com", "documentation"),
        ("domain-name", "notexample.com", None),
        ("domain-name", "com", "public_suffixes"),
        ("domain-name", "*.com", "public_suffixes"),
        ("domain-name", "gov", "public_suffixes"),
        ("domain-name", "mil", "public_suffixes"),
        ("domain-name", "agency.gov", None),
        ("domain-name", "co.uk", "public_suffixes"),
        ("domain-name", "*.co.uk", "public_suffixes"),
        ("domain-name", "bad.co.uk", None),
        ("domain-name", "*.bad.co.uk", None),
        ("domain-name", "github.io", "public_suffixes"),
        ("domain-name", "bad.github.io", None),
        ("domain-name", "k12.va.us", "public_suffixes"),
        ("domain-name", "ck", "public_suffixes"),
        ("domain-name", "any.ck", "public_suffixes"),
        ("domain-name", "www.ck", None),
        ("domain-name", "xn--p1ai", "public_suffixes"),
        ("domain-name", "gmail.com", "mail_providers"),
        ("domain-name", "*.gmail.com", "mail_providers"),
        ("domain-name", "evil.gmail.com", None),
        ("domain-name", "onmicrosoft.com", "mail_providers"),
        ("domain-name", "evil.onmicrosoft.com", None),
        ("domain-name", "docs.google.com", "mail_providers"),
        ("domain-name", "google.com", "public_resolvers"),
        ("domain-name", "*.google.com", "public_resolvers"),
        ("domain-name", "dns.google", "public_resolvers"),
        ("domain-name", "one.one.one.one", "public_resolvers"),
        ("domain-name", "one.one", "public_resolvers"),
        ("domain-name", "mozilla.cloudflare-dns.com", "public_resolvers"),
        ("domain-name", "bad-host.com", None),
        ("email-addr", "phish@gmail.com", None),
        ("email-addr", "phish@github.io", None),
        ("email-addr", "phish@bad.example", "documentation"),
        ("email-addr", "root@localhost", "special_purpose"),
        ("email-addr", "phish@bad-host.com", None),
    ],
)
def test_the_floor_protects_names_that_stop_too_much(floor, kind, value, group):
    assert group_of(floor, kind, value) == group


@pytest.mark.parametrize(
    ("value", "group"),
    [
        ("http://192.168.0.1/login", "special_purpose"),
        ("http://8.8.8.8:8080/x", "public_resolvers"),
        ("http://[2001:db8::7]:8080/x", "documentation"),
        ("http://[2600:1f18::7]/x", None),
        ("http://12.34.56.78/x", None),
        ("http://12.34.56.78/", None),
        ("http://www.bad.example/x", "documentation"),
        ("https://dns.google/resolve?name=x", "public_resolvers"),
        ("https://docs.google.com/forms/d/phish", None),
        ("https://docs.google.com/", "mail_providers"),
        ("https://docs.google.com", "mail_providers"),
        ("https://docs.google.com:443/?usp=x", "mail_providers"),
        ("https://docs.google.com//", "mail_providers"),
        ("https://docs.google.com/.", "mail_providers"),
        ("docs.google.com/forms/d/phish", None),
        ("docs.google.com/", "mail_providers"),
        ("https://github.io/", "public_suffixes"),
        ("https://github.io/kit.zip", None),
        ("https://bad.github.io/", None),
        ("https://user:pass@bit.ly/", "mail_providers"),
        ("https://user:pass@bit.ly/2xPhish", None),
        ("https://google.com/phish", None),
        ("https://google.com/", "public_resolvers"),
        ("https://bad-host.com/go?to=http://10.0.0.1/", None),
        ("bad-host.com/go?to=http://10.0.0.1/", None),
        ("https://bad-host.com/#https://gmail.com/", None),
    ],
)
def test_a_url_is_protected_by_its_host_and_a_shared_host_only_as_a_whole(floor, value, group):
    assert group_of(floor, "url", value) == group


@pytest.mark.parametrize(
    ("kind", "value", "group"),
    [
        ("file-md5", "d41d8cd98f00b204e9800998ecf8427e", "empty_files"),
        ("file-sha1", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "empty_files"),
        ("file-sha256", EMPTY_SHA256, "empty_files"),
        ("file-sha512", "f" * 128, "empty_files"),
        ("file-md5", "0" * 32, "empty_files"),
        ("x509-sha1", "0" * 40, "empty_files"),
        ("file-sha256", "a" * 64, None),
        ("file-name", "invoice.exe", None),
        ("user-agent", "localhost", None),
    ],
)
def test_the_floor_protects_digests_of_nothing(floor, kind, value, group):
    assert group_of(floor, kind, value) == group


def test_the_empty_file_has_the_digests_we_say():
    import hashlib

    floor = Allowlist.build()
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, b"", usedforsecurity=False).hexdigest()
        assert group_of(floor, f"file-{name}", digest) == "empty_files"


@pytest.mark.parametrize(
    ("group", "kind", "value"),
    [
        ("special_purpose", "ipv4-addr", "10.1.2.3"),
        ("documentation", "ipv4-addr", "198.51.100.7"),
        ("documentation", "ipv4-addr", "203.0.113.0/24"),
        ("documentation", "ipv6-addr", "2001:db8::7"),
        ("documentation", "domain-name", "bad.example"),
        ("documentation", "domain-name", "*.bad.test"),
        ("documentation", "url", "http://bad.example/x"),
        ("documentation", "url", "http://bad.example/"),
        ("documentation", "email-addr", "phish@bad.example"),
        ("documentation", "endpoint", "203.0.113.7:443/tcp"),
        ("documentation", "autonomous-system", "AS64500"),
        ("public_resolvers", "ipv4-addr", "9.9.9.9"),
        ("public_suffixes", "domain-name", "co.ke"),
        ("public_suffixes", "domain-name", "github.io"),
        ("mail_providers", "domain-name", "gmail.com"),
        ("empty_files", "file-sha256", EMPTY_SHA256),
        ("wide_prefixes", "ipv6-addr", "2800::/16"),
    ],
)
def test_leaving_out_a_group_frees_exactly_what_only_it_protects(floor, group, kind, value):
    assert group_of(floor, kind, value) == group
    assert group_of(Allowlist.build(without=[group]), kind, value) is None


def test_a_wide_prefix_is_still_held_by_what_lies_in_it():
    allowlist = Allowlist.build(without=["wide_prefixes"])
    assert group_of(allowlist, "ipv4-addr", "172.0.0.0/8") == "special_purpose"
    assert allowlist.protects(seen("ipv4-addr", "0.0.0.0/0"), NOW) is not None


def test_the_bounds_of_wide_prefixes_can_be_moved():
    allowlist = Allowlist.build(shortest_ipv4=24, shortest_ipv6=48)
    assert group_of(allowlist, "ipv4-addr", "12.34.0.0/23") == "wide_prefixes"
    assert group_of(allowlist, "ipv4-addr", "12.34.0.0/24") is None
    assert group_of(allowlist, "ipv6-addr", "2600:1f18::/47") == "wide_prefixes"
    assert group_of(allowlist, "ipv6-addr", "2600:1f18::/48") is None


def test_an_unknown_group_is_refused_with_the_names_that_would_do():
    with pytest.raises(ValueError, match="documentations; should be among special_purpose, doc"):
        Allowlist.build(without=["documentations"])


def test_without_any_group_nothing_is_protected():
    nothing = Allowlist.build(without=NO_GROUPS, own_hosts=["taxii.agency.example"])
    for kind, value in [
        ("ipv4-addr", "0.0.0.0/0"),
        ("ipv6-addr", "::/0"),
        ("domain-name", "com"),
        ("domain-name", "taxii.agency.example"),
        ("url", "http://com/"),
        ("file-sha256", EMPTY_SHA256),
        ("user-agent", "curl"),
    ]:
        assert nothing.protects(seen(kind, value), NOW) is None


@pytest.mark.parametrize(
    ("host", "kind", "value", "protected"),
    [
        ("taxii.agency.gov", "domain-name", "taxii.agency.gov", True),
        ("taxii.agency.gov", "domain-name", "agency.gov", True),
        ("taxii.agency.gov", "domain-name", "*.agency.gov", True),
        ("taxii.agency.gov", "domain-name", "www.agency.gov", False),
        ("taxii.agency.gov", "domain-name", "x.taxii.agency.gov", False),
        ("taxii.agency.gov", "url", "https://taxii.agency.gov/evil", True),
        ("taxii.agency.gov", "url", "https://agency.gov/evil", False),
        ("taxii.agency.gov", "email-addr", "x@taxii.agency.gov", True),
        ("https://taxii.agency.gov:8443/taxii2/", "domain-name", "taxii.agency.gov", True),
        ("taxii.agency.gov:8443", "domain-name", "taxii.agency.gov", True),
        ("fw01", "domain-name", "fw01", True),
        ("198.51.100.7", "ipv4-addr", "198.51.100.0/24", True),
        ("198.51.100.7", "ipv4-addr", "198.51.100.8", False),
        ("198.51.100.7:8089", "ipv4-addr", "198.51.100.7", True),
        ("198.51.100.0/24", "ipv4-addr", "198.51.100.9", True),
        ("2001:db8::7", "endpoint", "[2001:db8::7]:443/tcp", True),
        ("[2001:db8::7]:8089", "ipv6-addr", "2001:db8::7", True),
        ("https://198.51.100.7/api", "ipv4-addr", "198.51.100.7", True),
    ],
)
def test_the_hosts_this_service_talks_to_are_protected(host, kind, value, protected):
    own = Allowlist.build(without=NO_GROUPS - {"own_hosts"}, own_hosts=[host])
    assert group_of(own, kind, value) == ("own_hosts" if protected else None)


@pytest.mark.parametrize(
    ("rule", "kind", "value", "protected"),
    [
        ("198.51.100.0/24", "ipv4-addr", "198.51.100.7", True),
        ("198.51.100.0/24", "ipv4-addr", "198.51.100.128/25", True),
        ("198.51.100.0/24", "ipv4-addr", "198.51.0.0/16", True),
        ("198.51.100.0/24", "ipv4-addr", "198.51.101.0/24", False),
        ("198.51.100.0/24", "endpoint", "198.51.100.7:80/tcp", True),
        ("198.51.100.0/24", "url", "http://198.51.100.7/x", True),
        ("198.51.100.7", "ipv4-addr", "198.51.100.7", True),
        ("::ffff:198.51.100.7", "ipv4-addr", "198.51.100.7", True),
        ("::ffff:c633:6407", "ipv4-addr", "198.51.100.7", True),
        ("2001:db8::/48", "ipv6-addr", "2001:db8::/32", True),
        ("2001:db8::/48", "ipv6-addr", "2001:db8:1::", False),
        ("www.agency.gov", "domain-name", "www.agency.gov", True),
        ("www.agency.gov", "domain-name", "a.www.agency.gov", True),
        ("www.agency.gov", "domain-name", "agency.gov", True),
        ("www.agency.gov", "domain-name", "*.agency.gov", True),
        ("www.agency.gov", "domain-name", "*.www.agency.gov", True),
        ("www.agency.gov", "domain-name", "gov", True),
        ("www.agency.gov", "domain-name", "mail.agency.gov", False),
        ("www.agency.gov", "domain-name", "*.mail.agency.gov", False),
        ("www.agency.gov", "domain-name", "xwww.agency.gov", False),
        ("www.agency.gov", "url", "https://a.www.agency.gov/x", True),
        ("www.agency.gov", "url", "https://agency.gov/x", False),
        ("www.agency.gov", "url", "https://agency.gov/", True),
        ("www.agency.gov", "email-addr", "phish@www.agency.gov", True),
        ("www.agency.gov", "email-addr", "phish@agency.gov", False),
        ("*.agency.gov", "domain-name", "agency.gov", True),
        (".Agency.Gov.", "domain-name", "www.agency.gov", True),
        ("bücher.example", "domain-name", "xn--bcher-kva.example", True),
        ("gov", "domain-name", "agency.gov", True),
        ("https://portal.example/login", "url", "https://portal.example/login", True),
        ("https://portal.example/login", "url", "http://portal.example/login/", True),
        ("https://portal.example/login", "url", "portal.example/login/form?x=1", True),
        ("https://portal.example/login", "url", "https://portal.example:8443/login#x", True),
        ("https://portal.example/login", "url", "https://portal.example/", True),
        ("https://portal.example/login", "url", "https://portal.example/log", False),
        ("https://portal.example/login", "url", "https://portal.example/evil", False),
        ("https://portal.example/login", "domain-name", "portal.example", True),
        ("https://portal.example/login", "domain-name", "a.portal.example", False),
        ("https://portal.example/a/b?q=1", "url", "https://portal.example/a", True),
        ("https://portal.example/a/b?q=1", "url", "https://portal.example/a/b", True),
        ("https://portal.example/a/b?q=1", "url", "https://portal.example/a/b?q=2", False),
        ("portal.example/login", "url", "https://portal.example/login", True),
        ("http://198.51.100.7/x", "ipv4-addr", "198.51.100.7", True),
        ("http://[2001:db8::7]/x", "ipv6-addr", "2001:db8::7", True),
        ("Partner@Shared.example", "email-addr", "partner@shared.example", True),
        ("partner@shared.example", "email-addr", "PARTNER@shared.example", True),
        ("partner@shared.example", "email-addr", "other@shared.example", False),
        ("partner@shared.example", "domain-name", "shared.example", True),
        ("partner@shared.example", "url", "http://shared.example/x", False),
        ("A" * 64, "file-sha256", "a" * 64, True),
        ("a" * 64, "x509-sha256", "a" * 64, True),
        ("a" * 64, "file-sha256", "b" * 64, False),
        ("AS64500", "autonomous-system", "AS64500", True),
        ("AS64496-AS64511", "autonomous-system", "AS64511", True),
        ("as64496-64511", "autonomous-system", "AS64512", False),
        ("user-agent:curl/8.5.0", "user-agent", "curl/8.5.0", True),
        ("user-agent: Our Scanner 1.0", "user-agent", "our scanner 1.0", True),
        ("user-agent:curl/8.5.0", "file-name", "curl/8.5.0", False),
        ("file-name:setup.exe", "file-name", "Setup.exe", True),
    ],
)
def test_a_site_value_protects_what_would_stop_it(rule, kind, value, protected):
    assert group_of(site(rule), kind, value) == ("site" if protected else None)


def test_a_protection_tells_who_said_so_and_why():
    until = NOW + DAY
    rule = SiteRule("192.0.2.0/24", "allow.txt:7", "data centre", "NET-112", until, "warninglist")
    found = Allowlist.build(without=NO_GROUPS, site=[rule]).protects(
        seen("ipv4-addr", "192.0.2.7"), NOW
    )
    assert found == Protection(
        "warninglist", "192.0.2.0/24", until, "data centre (NET-112)", "allow.txt:7"
    )


@pytest.mark.parametrize(
    ("scope", "protected"),
    [
        (Scope.TREE, {"exact", "below", "above", "page", "below page", "mail"}),
        (Scope.HOST, {"exact", "above", "page", "mail"}),
        (Scope.SHARED, {"exact", "above"}),
    ],
)
def test_the_scope_of_a_name_says_how_far_it_reaches(scope, protected):
    allowlist = site("mail.agency.gov", scope=scope)
    values = {
        "exact": ("domain-name", "mail.agency.gov"),
        "below": ("domain-name", "a.mail.agency.gov"),
        "above": ("domain-name", "agency.gov"),
        "beside": ("domain-name", "www.agency.gov"),
        "page": ("url", "https://mail.agency.gov/x"),
        "below page": ("url", "https://a.mail.agency.gov/x"),
        "mail": ("email-addr", "x@mail.agency.gov"),
    }
    held = {name for name, (kind, value) in values.items() if group_of(allowlist, kind, value)}
    assert held == protected


@pytest.mark.parametrize(
    ("value", "kind", "observed"),
    [
        ("192.0.2.0/24", "ipv4-addr", "192.0.2.7"),
        ("192.0.2.0/24", "ipv4-addr", "192.0.0.0/16"),
        ("2001:db8::/32", "ipv6-addr", "2001:db8::7"),
        ("agency.example", "domain-name", "www.agency.example"),
        ("www.agency.example", "domain-name", "agency.example"),
        ("agency.example", "url", "https://agency.example/x"),
        ("https://agency.example/x", "url", "https://agency.example/x/y"),
        ("x@agency.example", "email-addr", "x@agency.example"),
        ("a" * 32, "file-md5", "a" * 32),
        ("AS64500", "autonomous-system", "AS64500"),
        ("mutex:ours", "mutex", "ours"),
    ],
)
def test_an_exception_holds_until_its_end_and_not_a_moment_longer(value, kind, observed):
    until = end_of_day(date(2026, 11, 30))
    exception = ExceptionRule(value, why="state data centre", ticket="NET-112", until=until)
    allowlist = Allowlist.build(without=NO_GROUPS, exceptions=[exception])
    last_moment = datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)
    found = allowlist.protects(seen(kind, observed), last_moment)
    assert found is not None
    assert (found.group, found.value, found.until) == ("exception", value, until)
    assert allowlist.protects(seen(kind, observed), until) is None
    assert until == datetime(2026, 12, 1, tzinfo=UTC)


def test_of_several_protections_the_one_that_lasts_longest_answers():
    exceptions = [
        ExceptionRule("192.0.2.0/24", until=NOW + DAY),
        ExceptionRule("192.0.2.0/25", until=NOW + 3 * DAY),
        ExceptionRule("192.0.2.7", until=NOW + 2 * DAY),
        ExceptionRule("www.agency.example", until=NOW + DAY),
        ExceptionRule("agency.example", until=NOW + 3 * DAY),
        ExceptionRule("other.example", until=NOW + DAY),
    ]
    rules = [SiteRule("other.example", "allow.txt:1")]
    allowlist = Allowlist.build(without=NO_GROUPS, site=rules, exceptions=exceptions)
    for kind, value, until in [
        ("ipv4-addr", "192.0.2.7", NOW + 3 * DAY),
        ("ipv4-addr", "192.0.2.200", NOW + DAY),
        ("ipv4-addr", "192.0.0.0/16", NOW + 3 * DAY),
        ("ipv4-addr", "192.0.2.128/25", NOW + DAY),
        ("domain-name", "www.agency.example", NOW + 3 * DAY),
        ("domain-name", "other.example", None),
    ]:
        found = allowlist.protects(seen(kind, value), NOW)
        assert found is not None
        assert found.until == until
    assert allowlist.protects(seen("ipv4-addr", "192.0.0.0/16"), NOW + 3 * DAY) is None


def test_a_value_that_cannot_be_read_is_never_left_out_in_silence():
    with pytest.raises(ValueError, match=r"^allowlist.exceptions: bad\[.\]example: should be"):
        Allowlist.build(exceptions=[ExceptionRule("bad[.]example")])
    with pytest.raises(ValueError, match=r"^own_hosts: : should be"):
        Allowlist.build(own_hosts=[""])


def test_a_site_file_gives_its_rules_with_place_and_reason():
    lines = [
        "\ufeff# state data centre\n",
        "\n",
        "203.0.113.0/24   # main site\r\n",
        "  *.agency.example\n",
        "https://portal.example/#/login\n",
        "   # indented comment\n",
        "user-agent:Our Scanner 1.0 # weekly scan",
    ]
    rules, problems = parse_site_lines("allow.txt", lines)
    assert problems == []
    assert rules == [
        SiteRule("203.0.113.0/24", "allow.txt:3", "main site"),
        SiteRule("*.agency.example", "allow.txt:4"),
        SiteRule("https://portal.example/#/login", "allow.txt:5"),
        SiteRule("user-agent:Our Scanner 1.0", "allow.txt:7", "weekly scan"),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("203.0.113.77/24", "write 203.0.113.0/24, or just 203.0.113.77"),
        ("2001:db8::1/32", "write 2001:db8::/32, or just 2001:db8::1"),
        ("010.1.1.1", "without leading zeros"),
        ("192.0.2.300", "should be an address or a prefix"),
        ("192.0.2.0/33", "should be an address or a prefix"),
        ("fe80::1%eth0", "has a zone"),
        ("fe80::1%eth0/64", "has a zone"),
        ("0.0.0.0/0", "covers every address"),
        ("::/0", "covers every address"),
        ("192.0.2.1-192.0.2.9", "should be an address, prefix, domain"),
        ("bad[.]example", "not bad[.]example"),
        ("two words", "one value without spaces"),
        ("tab\there", "one value without spaces"),
        ("@agency.example", "or just the domain: agency.example"),
        ("x@", "should be an address, prefix, domain"),
        ("-bad.example", "should be an address, prefix, domain"),
        ("a..example", "should be an address, prefix, domain"),
        ("a" * 64 + ".example", "should be an address, prefix, domain"),
        (".".join(["abc"] * 64), "should be an address, prefix, domain"),
        ("ho\u2024st.exam ple", "one value without spaces"),
        ("\u0378.example", "should be one value without spaces"),
        ("ü" * 63 + ".example", "should be a domain name: "),
        ("AS4294967296", "up to AS4294967295"),
        ("AS64511-AS64496", "should be AS numbers in order"),
        ("user-agent:", "should have a value after user-agent:"),
        ("http://192.0.2.300/x", "should be an address or a prefix"),
        ("http://[fe80::1%eth0]/x", "has a zone"),
        ("https:///x", "should be an address, prefix, domain"),
        ("*", "should be an address, prefix, domain"),
    ],
)
def test_a_site_file_says_what_is_wrong_with_a_line(line, words):
    rules, problems = parse_site_lines("allow.txt", ["192.0.2.1", line])
    assert [rule.value for rule in rules] == ["192.0.2.1"]
    (problem,) = problems
    assert problem.startswith(f"allow.txt:2: {line[:80]}: ")
    assert words in problem


@given(st.text(max_size=60))
def test_any_line_is_a_rule_or_a_problem_or_nothing(line):
    rules, problems = parse_site_lines("allow.txt", [line])
    assert len(rules) + len(problems) <= 1
    Allowlist.build(without=NO_GROUPS, site=rules)


def test_values_are_told_apart_without_being_asked():
    kinds = {value: read_allow_value(value).kind for value in ("dead.beef", "1" * 32, "::1")}
    assert kinds == {"dead.beef": Kind.NAME, "1" * 32: Kind.DIGEST, "::1": Kind.NETWORK}


ends = st.sampled_from([None, NOW - DAY, NOW, NOW + DAY, NOW + 2 * DAY])


def dominant(protections):
    """Return the latest end among those in force, or "none" where there is none."""
    alive = [until for until in protections if until is None or until > NOW]
    if not alive:
        return "none"
    return None if None in alive else max(alive)


def networks(kind, base, bits):
    """Draw prefixes that nest and touch often: all within a few bits of one base."""

    def make(bits_set, length):
        top = int(ip_network(base).network_address)
        shifted = top | bits_set << (bits - 12)
        return kind((shifted >> (bits - length) << (bits - length), length))

    return st.builds(make, st.integers(0, 4095), st.integers(1, 12)) | st.builds(
        make, st.integers(0, 4095), st.sampled_from([16, 24, bits - 1, bits])
    )


@pytest.mark.parametrize(
    ("kind", "network_type", "base", "bits"),
    [
        ("ipv4-addr", IPv4Network, "0.0.0.0/12", 32),
        ("ipv6-addr", IPv6Network, "::/12", 128),
    ],
)
def test_prefixes_are_held_as_a_linear_scan_would(kind, network_type, base, bits):
    drawn = networks(network_type, base, bits)

    @given(st.lists(st.tuples(drawn, ends), max_size=12), drawn)
    def check(rules, observed):
        exceptions = [ExceptionRule(str(network), until=until) for network, until in rules]
        allowlist = Allowlist.build(without=NO_GROUPS, exceptions=exceptions)
        value = str(observed).removesuffix(f"/{bits}")
        found = allowlist.protects(seen(kind, value), NOW)
        scanned = dominant([until for network, until in rules if network.overlaps(observed)])
        assert ("none" if found is None else found.until) == scanned
        if found is not None:
            assert ip_network(found.value).overlaps(observed)

    check()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), ends), max_size=12),
    st.integers(0, 60),
    st.integers(0, 20),
)
def test_spans_are_held_as_a_linear_scan_would(drawn, first, width):
    """The span that counts first of those that overlap has each number, and no other has."""
    spans = [(start, start + length, number) for number, (start, length, _) in enumerate(drawn)]
    ranges = Ranges(spans)

    def scan(number):
        return next((s[2] for s in spans if s[0] <= number <= s[1]), None)

    owners = [ranges[place][2] for place in ranges.touching(first, first)]
    assert owners == [owner for owner in [scan(first)] if owner is not None]
    pieces = [ranges[place] for place in ranges.touching(first, first + width)]
    found = {number: owner for low, high, owner in pieces for number in range(low, high + 1)}
    for number in range(first, first + width + 1):
        assert found.get(number) == scan(number)


labels = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(tuple)


def at_or_below(name, parent):
    return name[-len(parent) :] == parent


def reaches(scope, rule, name, host_only):
    """Tell by definition whether stopping a name (or just what is at it) hits a rule's name."""
    if scope is Scope.TREE and at_or_below(name, rule):
        return True
    below_listed = name == rule or (len(rule) > 1 and at_or_below(name, rule))
    if host_only:
        return (scope is Scope.HOST and name == rule) or (scope is Scope.MAIL and below_listed)
    if scope is Scope.NAMES and at_or_below(name, rule):
        return True
    if scope is Scope.LISTED and below_listed:
        return True
    return scope is not Scope.MAIL and at_or_below(rule, name)


@given(
    st.lists(st.tuples(labels, st.sampled_from(Scope), ends), max_size=8),
    labels,
    st.sampled_from([("domain-name", "{}"), ("domain-name", "*.{}"), ("email-addr", "x@{}")]),
)
def test_names_are_held_as_a_linear_scan_would(rules, name, form):
    kind, pattern = form
    site_rules = [
        SiteRule(".".join(rule), "allow.txt:1", until=until, scope=scope)
        for rule, scope, until in rules
    ]
    allowlist = Allowlist.build(without=NO_GROUPS, site=site_rules)
    found = allowlist.protects(seen(kind, pattern.format(".".join(name))), NOW)
    scanned = dominant(
        [until for rule, scope, until in rules if reaches(scope, rule, name, kind == "email-addr")]
    )
    assert ("none" if found is None else found.until) == scanned


paths = st.lists(st.sampled_from("ab"), max_size=3).map(tuple)


@given(st.lists(st.tuples(paths, ends), max_size=6), paths)
def test_urls_are_held_as_a_linear_scan_would(rules, path):
    def url(steps):
        return "http://h.example/" + "/".join(steps)

    exceptions = [ExceptionRule(url(steps), until=until) for steps, until in rules]
    allowlist = Allowlist.build(without=NO_GROUPS, exceptions=exceptions)
    found = allowlist.protects(seen("url", url(path)), NOW)
    touching = [
        until for steps, until in rules if steps[: len(path)] == path or path[: len(steps)] == steps
    ]
    assert ("none" if found is None else found.until) == dominant(touching)


hosts = st.sampled_from(
    ["bad.example", "gmail.com", "co.uk", "192.0.2.7", "[2001:db8::7]", "8.8.8.8", "bücher.test"]
)
texts = st.text(max_size=20) | st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "http://", "https://u:p@", "*.", "x@", "hxxp://"]),
    hosts,
    st.sampled_from(["", "/24", "/64", ":80", ":443/tcp", "/.", "/a?b", "#", ".", "/%2e"]),
    st.text(max_size=5),
)


@given(kind=st.sampled_from(ObservableType), text=texts)
def test_whatever_the_reader_of_values_lets_through_can_be_asked(floor, kind, text):
    try:
        observable = canonical(kind, text)
    except UnfitValueError:
        return
    found = floor.protects(observable, NOW)
    assert found is None or found.value


def test_public_suffixes_agree_with_the_library():
    ours, theirs = PublicSuffixes.shipped(), PublicSuffixList()
    assert "co.uk" in ours
    names = ["www.ck", "city.kawasaki.jp", "a.city.kawasaki.jp", "nowhere", "a.nowhere"]
    for suffix in sorted(theirs._publicsuffix):
        name = suffix.lstrip("!*.")
        names += [name, f"a.{name}", f"a.b.{name}", name.partition(".")[2] or name]
    ascii_names = [name for name in names if name.isascii()]
    assert [n for n in ascii_names if (n in ours) != theirs.is_public(n)] == []
    others = [name for name in names if not name.isascii()]
    assert len(others) > 1000
    for name in others:
        assert (idna.encode(name).decode("ascii") in ours) == theirs.is_public(name), name


@pytest.mark.parametrize(
    "name", ["xn--a.example", "xn--999999999999.com", "xn--\u00e9.com", "xn--"]
)
def test_a_label_that_cannot_be_decoded_is_no_public_suffix(name: str) -> None:
    assert (name in PublicSuffixes.shipped()) is (name == "xn--")
