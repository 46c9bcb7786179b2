"""One canonical form for each observable, or a refusal in words."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.indicators.observables.canonical import (
    UnfitValueError,
    WildcardError,
    canonical,
    read_host,
    read_observable,
)
from connector.model import Observable, ObservableType

T = ObservableType
SHA1, MD5 = "da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e"
SHA256, SHA512 = "ab" * 32, "cd" * 64
QUICK = settings(max_examples=400, derandomize=True, deadline=None, database=None)

CANONICAL = [
    (T.IPV4_ADDR, "203.0.113.5", "203.0.113.5"),
    (T.IPV4_ADDR, " 203.0.113.5\n", "203.0.113.5"),
    (T.IPV4_ADDR, "203.0.113.5/32", "203.0.113.5"),
    (T.IPV4_ADDR, "198.51.100.0/24", "198.51.100.0/24"),
    (T.IPV4_ADDR, "0.0.0.0/0", "0.0.0.0/0"),
    (T.IPV6_ADDR, "2001:DB8:0:0::7", "2001:db8::7"),
    (T.IPV6_ADDR, "2001:db8::/32", "2001:db8::/32"),
    (T.IPV6_ADDR, "2001:db8::7/128", "2001:db8::7"),
    (T.ENDPOINT, "203.0.113.7:443/TCP", "203.0.113.7:443/tcp"),
    (T.ENDPOINT, "[2001:DB8::7]:53/udp", "[2001:db8::7]:53/udp"),
    (T.DOMAIN_NAME, "bad.example", "bad.example"),
    (T.DOMAIN_NAME, "Bad.Example.", "bad.example"),
    (T.DOMAIN_NAME, "*.Bad.Example", "*.bad.example"),
    (T.DOMAIN_NAME, "_dmarc.bad_host.example", "_dmarc.bad_host.example"),
    (T.DOMAIN_NAME, "bücher.example", "xn--bcher-kva.example"),
    (T.DOMAIN_NAME, "xn--bcher-kva.example", "xn--bcher-kva.example"),
    (T.DOMAIN_NAME, "bad。example", "bad.example"),
    (T.DOMAIN_NAME, "archive.zip", "archive.zip"),
    (T.DOMAIN_NAME, "Hidden.onion", "hidden.onion"),
    (T.DOMAIN_NAME, "printer.local", "printer.local"),
    (T.DOMAIN_NAME, "db.internal", "db.internal"),
    (T.DOMAIN_NAME, "name.alt", "name.alt"),
    (T.DOMAIN_NAME, "4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa"),
    (T.DOMAIN_NAME, "bad.xn--p1ai", "bad.xn--p1ai"),
    (T.URL, "HTTP://Bad.Example/Path?Q=1", "http://bad.example/Path?Q=1"),
    (T.URL, "http://bad.example", "http://bad.example/"),
    (T.URL, "http://bad.example?q", "http://bad.example/?q"),
    (T.URL, "http://bad.example:80/x", "http://bad.example/x"),
    (T.URL, "https://bad.example:443/x", "https://bad.example/x"),
    (T.URL, "https://bad.example:80/x", "https://bad.example:80/x"),
    (T.URL, "http://bad.example:/x", "http://bad.example/x"),
    (T.URL, "Bad.example/X", "bad.example/X"),
    (T.URL, "bad.example", "bad.example/"),
    (T.URL, "203.0.113.5:9100", "203.0.113.5:9100/"),
    (T.URL, "http://[2001:DB8::7]:8080/x", "http://[2001:db8::7]:8080/x"),
    (T.URL, "http://bad.example/a b/ü,<x>", "http://bad.example/a%20b/%C3%BC%2C%3Cx%3E"),
    (T.URL, "http://bad.example/%7Euser%2f", "http://bad.example/%7Euser%2f"),
    (T.URL, "http://bücher.example/", "http://xn--bcher-kva.example/"),
    (T.EMAIL_ADDR, "Phisher+1@Bad.Example", "phisher+1@bad.example"),
    (T.URL, "http://bad.example/o'neil.php", "http://bad.example/o'neil.php"),
    (T.URL, 'http://bad.example/"x`y', "http://bad.example/%22x%60y"),
    (T.URL, "stratum+tcp://Bad.Example:3333", "stratum+tcp://bad.example:3333/"),
    (T.URL, "imaps://bad.example:993/x", "imaps://bad.example/x"),
    (T.EMAIL_ADDR, "O'Brien@bad.example", "o'brien@bad.example"),
    (T.EMAIL_ADDR, "a!#$&'+/=^_`{|}~-@bad.example", "a!#$&'+/=^_`{|}~-@bad.example"),
    (T.EMAIL_ADDR, '"John Doe"@bad.example', '"john doe"@bad.example'),
    (T.EMAIL_ADDR, '"john"@bad.example', "john@bad.example"),
    (T.EMAIL_ADDR, r'"jo\hn"@bad.example', "john@bad.example"),
    (T.EMAIL_ADDR, r'"a\"b\\c@d"@bad.example', r'"a\"b\\c@d"@bad.example'),
    (T.EMAIL_ADDR, "Jürgen@bad.example", "jürgen@bad.example"),
    (T.EMAIL_ADDR, "用户@bücher.example", "用户@xn--bcher-kva.example"),
    (T.EMAIL_ADDR, "u@[192.0.2.1]", "u@[192.0.2.1]"),
    (T.EMAIL_ADDR, "u@[IPv6:2001:DB8:0::7]", "u@[ipv6:2001:db8::7]"),
    (T.EMAIL_SUBJECT, " Your invoice, please ", "Your invoice, please"),
    (T.FILE_MD5, MD5.upper(), MD5),
    (T.FILE_SHA1, SHA1, SHA1),
    (T.FILE_SHA256, "0" * 64, "0" * 64),
    (T.FILE_SHA512, SHA512.upper(), SHA512),
    (T.FILE_NAME, "invoice.pdf.exe", "invoice.pdf.exe"),
    (T.FILE_NAME, "Invoice, March.exe", "Invoice, March.exe"),
    (T.FILE_NAME, 'o\'neil "final".doc', 'o\'neil "final".doc'),
    (T.MUTEX, "Local\\it's, here", "Local\\it's, here"),
    (T.AUTONOMOUS_SYSTEM, "AS64496", "64496"),
    (T.AUTONOMOUS_SYSTEM, "64496", "64496"),
    (T.USER_AGENT, "Mozilla/5.0 (like Gecko, really)", "Mozilla/5.0 (like Gecko, really)"),
    (T.X509_SHA1, "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09", SHA1),
    (T.X509_SHA256, SHA256, SHA256),
    (T.MUTEX, r"Global\{a-b}", r"Global\{a-b}"),
    (T.REGISTRY_KEY, "hklm\\Software\\Bad\\", "HKEY_LOCAL_MACHINE\\Software\\Bad"),
    (T.PROCESS_COMMAND, 'cmd /c "a, b"', 'cmd /c "a, b"'),
]


@pytest.mark.parametrize(("kind", "text", "value"), CANONICAL)
def test_a_value_has_one_canonical_form(kind, text, value):
    assert canonical(kind, text) == Observable(kind, value)


@pytest.mark.parametrize(("kind", "value"), sorted({(kind, value) for kind, _, value in CANONICAL}))
def test_a_canonical_form_is_its_own(kind, value):
    assert read_observable(kind, value) == (Observable(kind, value), ())


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (T.IPV4_ADDR, "300.1.1.1", "each part is 0 to 255"),
        (T.IPV4_ADDR, "010.1.1.1", "each part is 0 to 255"),
        (T.IPV4_ADDR, "203.0.113.5:8080", "not an IP address"),
        (T.IPV4_ADDR, "203.0.113.0/33", "not an IP address or prefix"),
        (T.IPV4_ADDR, "203.0.113.0/024", "not a plain number"),
        (T.IPV4_ADDR, "203.0.113.0/255.255.255.0", "not a plain number"),
        (T.IPV4_ADDR, "bad.example", "not an IP address"),
        (T.IPV4_ADDR, "٢٠٣.0.113.5", "not an IP address"),
        (T.IPV4_ADDR, "", "empty"),
        (T.IPV6_ADDR, "fe80::1%eth0", "zone"),
        (T.IPV6_ADDR, "2001:db8:::1", "not an IP address"),
        (T.ENDPOINT, "203.0.113.7:443", "address:port/tcp"),
        (T.ENDPOINT, "203.0.113.7:70000/tcp", "more than 65535"),
        (T.ENDPOINT, "203.0.113.7:443/icmp", "address:port/tcp"),
        (T.DOMAIN_NAME, "despachosnegocios", "single label"),
        (T.DOMAIN_NAME, "*.example", "single label"),
        (T.DOMAIN_NAME, "*.*.bad.example", "not written as a domain name"),
        (T.DOMAIN_NAME, ".bad.example", "not written as a domain name"),
        (T.DOMAIN_NAME, "bad..example", "not written as a domain name"),
        (T.DOMAIN_NAME, "-bad.example", "not written as a domain name"),
        (T.DOMAIN_NAME, "Fix-Your-Files.txt", "no top-level domain 'txt'"),
        (T.DOMAIN_NAME, "AveBelial.xml", "no top-level domain 'xml'"),
        (T.DOMAIN_NAME, "a@bad.example", "not written as a domain name"),
        (T.DOMAIN_NAME, "bad.example,good.example", "not written as a domain name"),
        (T.DOMAIN_NAME, "bad.example\ngood.example", "unprintable character"),
        (T.DOMAIN_NAME, "bad.example\u202e", "unprintable character"),
        (T.DOMAIN_NAME, "bad\ud800.example", "unprintable character"),
        (T.DOMAIN_NAME, "a." * 130 + "example", "longer than 253"),
        (T.DOMAIN_NAME, "a" * 64 + ".example", "not written as a domain name"),
        (T.URL, "javascript:alert(1)", "not a host"),
        (T.URL, "file://bad.example/x", "not a scheme"),
        (T.URL, "mailto:x@bad.example", "no scheme"),
        (T.URL, "http://bad.example\\@good.example/", "backslash"),
        (T.URL, "http://bad.example/\r\nx", "unprintable character"),
        (T.URL, "http://bad.example:99999/", "not a port"),
        (T.URL, "http://localhost/", "single label"),
        (T.URL, "http:///x", "single label"),
        (T.URL, "http://*.bad.example/", "more than one host"),
        (T.URL, "http://bad.example/" + "a" * 2048, "longer than 2048"),
        (T.URL, "http://bad.example/" + "ü" * 600, "longer than 2048"),
        (T.EMAIL_ADDR, "bad.example", "no @"),
        (T.EMAIL_ADDR, "Bad Man <x@bad.example>", "no mailbox can have"),
        (T.EMAIL_ADDR, "a..b@bad.example", "no mailbox can have"),
        (T.EMAIL_ADDR, 'a"b@bad.example', "no mailbox can have"),
        (T.EMAIL_ADDR, '"a"b"@bad.example', "no mailbox can have"),
        (T.EMAIL_ADDR, "x@*.bad.example", "more than one domain"),
        (T.EMAIL_ADDR, "x" * 65 + "@bad.example", "no mailbox can have"),
        (T.EMAIL_ADDR, "ü" * 33 + "@bad.example", "no mailbox can have"),
        (T.EMAIL_ADDR, "x" * 64 + "@" + "bad." * 47 + "example", "longer than 254"),
        (T.EMAIL_ADDR, "x@203.0.113.5", "not written as a domain name"),
        (T.EMAIL_ADDR, "x@[203.0.113.0/24]", "not written as a domain name"),
        (T.EMAIL_ADDR, "x@[2001:db8::7]", "not an address literal"),
        (T.EMAIL_ADDR, "x@[IPv6:203.0.113.5]", "not an address literal"),
        (T.FILE_MD5, "xyz", "not a hash"),
        (T.FILE_SHA256, "ab" * 48, "not a hash"),
        (T.FILE_SHA256, "٣" * 64, "not a hash"),
        (T.X509_SHA1, MD5, "not a hash of 40, 64"),
        (T.FILE_NAME, "a\x00.exe", "unprintable character"),
        (T.FILE_NAME, "a" * 2000, "longer than 1024"),
        (T.AUTONOMOUS_SYSTEM, "4294967296", "not an autonomous system number"),
        (T.AUTONOMOUS_SYSTEM, "0", "not an autonomous system number"),
        (T.REGISTRY_KEY, "Software", "no backslash"),
    ],
)
def test_an_unfit_value_is_refused_in_words(kind, text, words):
    with pytest.raises(UnfitValueError, match=words):
        canonical(kind, text)


@pytest.mark.parametrize(
    ("kind", "text", "found", "notes"),
    [
        (T.DOMAIN_NAME, "94.140.0.1", Observable(T.IPV4_ADDR, "94.140.0.1"), ("retyped",)),
        (T.DOMAIN_NAME, "bad.example/x", Observable(T.URL, "bad.example/x"), ("retyped",)),
        (
            T.DOMAIN_NAME,
            "http://bad.example",
            Observable(T.URL, "http://bad.example/"),
            ("retyped",),
        ),
        (T.IPV6_ADDR, "203.0.113.5", Observable(T.IPV4_ADDR, "203.0.113.5"), ("retyped",)),
        (T.IPV4_ADDR, "2001:db8::7", Observable(T.IPV6_ADDR, "2001:db8::7"), ("retyped",)),
        (
            T.IPV4_ADDR,
            "203.0.113.5/24",
            Observable(T.IPV4_ADDR, "203.0.113.0/24"),
            ("host_bits_masked",),
        ),
        (
            T.IPV6_ADDR,
            "2001:DB8::1/64",
            Observable(T.IPV6_ADDR, "2001:db8::/64"),
            ("host_bits_masked",),
        ),
        (
            T.IPV6_ADDR,
            "::ffff:198.51.100.7/120",
            Observable(T.IPV4_ADDR, "198.51.100.0/24"),
            ("retyped", "host_bits_masked"),
        ),
        (T.IPV6_ADDR, "::ffff:203.0.113.5", Observable(T.IPV4_ADDR, "203.0.113.5"), ("retyped",)),
        (
            T.IPV6_ADDR,
            "::ffff:198.51.100.0/120",
            Observable(T.IPV4_ADDR, "198.51.100.0/24"),
            ("retyped",),
        ),
        (T.EMAIL_ADDR, "@Bad.Example", Observable(T.DOMAIN_NAME, "bad.example"), ("retyped",)),
        (T.FILE_MD5, SHA256, Observable(T.FILE_SHA256, SHA256), ("hash_name_mismatch",)),
        (T.FILE_SHA256, MD5, Observable(T.FILE_MD5, MD5), ("hash_name_mismatch",)),
        (T.X509_SHA1, SHA256, Observable(T.X509_SHA256, SHA256), ("hash_name_mismatch",)),
        (
            T.URL,
            "http://me:secret@bad.example/x#part",
            Observable(T.URL, "http://bad.example/x"),
            ("userinfo_dropped", "fragment_dropped"),
        ),
        (
            T.URL,
            "http://good.example@bad.example/",
            Observable(T.URL, "http://bad.example/"),
            ("userinfo_dropped",),
        ),
        (
            T.URL,
            "ftp://me:secret@bad.example/x",
            Observable(T.URL, "ftp://bad.example/x"),
            ("account_dropped",),
        ),
    ],
)
def test_what_was_normalised_is_reported(kind, text, found, notes):
    assert read_observable(kind, text) == (found, notes)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (T.DOMAIN_NAME, "bad[.]example", "bad.example"),
        (T.DOMAIN_NAME, "bad(.)example", "bad.example"),
        (T.DOMAIN_NAME, "bad[.example", "bad.example"),
        (T.DOMAIN_NAME, "bad.]example", "bad.example"),
        (T.DOMAIN_NAME, "bad(.example", "bad.example"),
        (T.DOMAIN_NAME, "a{.bad.)example", "a.bad.example"),
        (T.IPV4_ADDR, "203.0.113[.5", "203.0.113.5"),
        (T.IPV4_ADDR, "203.]0.113[.5", "203.0.113.5"),
        (T.URL, "hxxp[:]//bad[.example/x", "http://bad.example/x"),
        (T.URL, "hxxps[://bad.example/x", "https://bad.example/x"),
        (T.URL, "hxxp(:)//bad{.}example/x", "http://bad.example/x"),
        (T.EMAIL_ADDR, "x[@bad[.example", "x@bad.example"),
        (T.EMAIL_ADDR, "x@]bad.example", "x@bad.example"),
        (T.DOMAIN_NAME, "bad{.}example", "bad.example"),
        (T.DOMAIN_NAME, "bad[dot]example", "bad.example"),
        (T.DOMAIN_NAME, "bad(DOT)example", "bad.example"),
        (T.DOMAIN_NAME, "bad dot example", "bad.example"),
        (T.DOMAIN_NAME, r"bad\.example", "bad.example"),
        (T.IPV4_ADDR, "203[.]0[.]113[.]5", "203.0.113.5"),
        (T.IPV6_ADDR, "2001[:]db8::7", "2001:db8::7"),
        (T.URL, "hxxp://bad[.]example/x", "http://bad.example/x"),
        (T.URL, "hXXps://bad.example/x", "https://bad.example/x"),
        (T.URL, "h**p://bad.example/x", "http://bad.example/x"),
        (T.URL, "http[:]//bad.example/x", "http://bad.example/x"),
        (T.URL, "hxxps[://]bad.example/x", "https://bad.example/x"),
        (T.EMAIL_ADDR, "x[@]bad.example", "x@bad.example"),
        (T.EMAIL_ADDR, "x [at] bad [dot] example", "x@bad.example"),
        (T.EMAIL_ADDR, "x at bad dot example", "x@bad.example"),
    ],
)
def test_a_defanged_value_is_read_and_counted(kind, text, value):
    observable, notes = read_observable(kind, text)
    assert observable == Observable(kind, value)
    assert "refanged" in notes


@pytest.mark.parametrize("text", ["bad[.]txt", "bad[.]", "hxxp://", "[.][.]"])
def test_what_is_no_value_after_refanging_either_is_refused(text):
    for kind in (T.DOMAIN_NAME, T.IPV4_ADDR, T.EMAIL_ADDR, T.URL):
        with pytest.raises(UnfitValueError):
            canonical(kind, text)


def test_brackets_in_the_path_of_a_sound_url_are_left_alone():
    assert canonical(T.URL, "http://bad.example/a[.]b").value == "http://bad.example/a[.]b"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (T.DOMAIN_NAME, "a.*.example"),
        (T.DOMAIN_NAME, "bad*.example"),
        (T.DOMAIN_NAME, "*bad.example"),
        (T.DOMAIN_NAME, "%.bad.example"),
        (T.DOMAIN_NAME, "b?d.example"),
        (T.DOMAIN_NAME, r"^bad\.example$"),
        (T.DOMAIN_NAME, r"(.+\.)?bad\.example|x"),
        (T.DOMAIN_NAME, "*.*.bad.example"),
        (T.DOMAIN_NAME, "*.example"),
        (T.DOMAIN_NAME, "*"),
        (T.DOMAIN_NAME, "1.2.3.*"),
        (T.IPV4_ADDR, "1.2.3.*"),
        (T.IPV4_ADDR, "1.2.*.*"),
        (T.IPV4_ADDR, "1.2.3.?"),
        (T.IPV4_ADDR, "1.2.3.%"),
        (T.IPV4_ADDR, "1.2.3.x"),
        (T.IPV4_ADDR, "*"),
        (T.IPV6_ADDR, "2001:db8:*"),
        (T.URL, "http://*.bad.example/"),
        (T.URL, "http://%.bad.example/"),
        (T.URL, "*.bad.example/x"),
        (T.URL, "http*://bad.example/"),
        (T.EMAIL_ADDR, "x@*.bad.example"),
        (T.EMAIL_ADDR, ".*@bad.example"),
        (T.EMAIL_ADDR, "*"),
    ],
)
def test_a_wildcard_where_none_has_a_meaning_is_distinguished_from_what_cannot_be_read(kind, text):
    with pytest.raises(WildcardError, match="wildcard"):
        canonical(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (T.DOMAIN_NAME, "Fix-Your-Files.txt"),
        (T.IPV6_ADDR, "fe80::1%eth0"),
        (T.URL, "http://localhost/?a=%20"),
        (T.EMAIL_ADDR, "Bad Man <x@bad.example>"),
        (T.FILE_MD5, "*"),
    ],
)
def test_what_is_unfit_without_a_wildcard_is_not_called_one(kind, text):
    with pytest.raises(UnfitValueError) as refused:
        canonical(kind, text)
    assert not isinstance(refused.value, WildcardError)


@pytest.mark.parametrize(
    ("kind", "text", "wild"),
    [
        (T.EMAIL_ADDR, "*@bad.example", True),
        (T.EMAIL_ADDR, "a%@bad.example", True),
        (T.EMAIL_ADDR, "?dmin@bad.example", True),
        (T.EMAIL_ADDR, '"*"@bad.example', True),
        (T.EMAIL_ADDR, "a+b@bad.example", False),
        (T.URL, "http://bad.example/*", True),
        (T.URL, "http://bad.example/?q=*", True),
        (T.URL, "http://bad.example/?q=%2A", False),
        (T.DOMAIN_NAME, "*.bad.example", False),
        (T.FILE_NAME, "*.exe", True),
        (T.FILE_NAME, "invoice?.doc", True),
        (T.FILE_NAME, "100%.exe", False),
        (T.USER_AGENT, "*", True),
        (T.USER_AGENT, "Bad/1.0 (*)", False),
        (T.EMAIL_SUBJECT, "% - %", True),
        (T.EMAIL_SUBJECT, "Really?", False),
        (T.MUTEX, "**", True),
        (T.PROCESS_COMMAND, "del *.*", False),
        (T.REGISTRY_KEY, "HKCR\\*\\shell", False),
        (T.IPV4_ADDR, "198.51.100.0/24", False),
    ],
)
def test_a_value_that_a_reader_may_take_for_many_is_known(kind, text, wild):
    assert canonical(kind, text).wild is wild


def test_a_command_line_is_not_refanged():
    assert canonical(T.PROCESS_COMMAND, "wget hxxp://a[.]b").value == "wget hxxp://a[.]b"


def test_a_host_is_an_address_or_a_name():
    assert read_host("203.0.113.5") == (Observable(T.IPV4_ADDR, "203.0.113.5"), ())
    assert read_host("2001:db8::7") == (Observable(T.IPV6_ADDR, "2001:db8::7"), ())
    assert read_host("Bad.example") == (Observable(T.DOMAIN_NAME, "bad.example"), ())
    assert read_host("bad[.]example") == (Observable(T.DOMAIN_NAME, "bad.example"), ("refanged",))
    with pytest.raises(UnfitValueError, match="not a host"):
        read_host("http://bad.example/x")


@pytest.mark.parametrize("kind", list(T))
def test_a_giant_text_is_refused_by_its_length(kind):
    with pytest.raises(UnfitValueError, match="longer than"):
        canonical(kind, "a" * 1_000_000)


@QUICK
@given(kind=st.sampled_from(list(T)), text=st.text(max_size=80))
@example(kind=T.URL, text="bad.example/\ud800")
@example(kind=T.DOMAIN_NAME, text="\u0130.example")
def test_any_text_is_refused_or_has_a_form_that_is_safe_and_final(kind, text):
    try:
        observable = canonical(kind, text)
    except UnfitValueError:
        return
    assert observable.value.isprintable()
    assert observable.value.strip() == observable.value != ""
    observable.value.encode()
    assert read_observable(observable.type, observable.value) == (observable, ())


hosts = st.sampled_from(
    ["bad.example", "BAD.example.", "bücher.test", "203.0.113.5", "[2001:db8::7]"]
)
paths = st.text(st.sampled_from("aZ09/?&=%#.~-_ ü,;:@![]()|'\"`*"), max_size=20)
schemes = st.sampled_from(["", "http://", "HTTPS://", "ftp://", "hxxp://", "http://u:p@"])
ports = st.sampled_from(["", ":80", ":443", ":8080"])


@QUICK
@given(st.tuples(schemes, hosts, ports, paths).map("".join))
def test_a_url_keeps_its_canonical_form_and_never_breaks_a_list(text):
    try:
        observable = canonical(T.URL, text)
    except UnfitValueError:
        return
    assert observable.value.isascii()
    assert not set(observable.value) & set(' \t\n"`\\,<>#')
    assert read_observable(T.URL, observable.value) == (observable, ())
