"""Which kinds may share a place whose readers are told none, and what their lines could be."""

import pytest

from connector.indicators.observables.kinds import as_prefix, families_of, misreading
from connector.model import ObservableType

T = ObservableType


def test_the_two_kinds_of_address_are_one_family_and_every_other_kind_is_one_by_itself() -> None:
    families = families_of(T)
    assert families[0] == {T.IPV4_ADDR, T.IPV6_ADDR}
    assert sorted(kind for family in families for kind in family) == sorted(T)
    assert [len(family) for family in families[1:]] == [1] * (len(T) - 2)
    assert families_of([T.DOMAIN_NAME, T.IPV6_ADDR]) == [{T.IPV6_ADDR}, {T.DOMAIN_NAME}]
    assert families_of([]) == []


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("8.8.8.8", "an address"),
        ("0.0.0.0/0", "an address"),
        ("::", "an address"),
        ("fe80::1%eth0", "an address"),
        ("10.0.0.0-10.255.255.255", "an address"),
        ("10.0.0.0 255.0.0.0", "an address"),
        ("8.8.8.8 is down", "an address"),
        ("8.8.8.8,C2", "an address"),
        ("'8.8.8.8'", "an address"),
        ("8[.]8[.]8[.]8", "an address"),
        ("\uff18.8.8.8", "an address"),
        ("0x7f.1", "an address"),
        ("2130706433", "an address"),
        ("15169", "an address"),
        ("8.8.8.8:53", "an address"),
        ("[2001:db8::7]:53", "an address"),
        ("8.8.8.8\\share", "an address"),
        ("AS15169", "an AS number"),
        ("ASN 8075", "an AS number"),
        ("gov", "a domain name"),
        ("com.", "a domain name"),
        ("bad.example", "a domain name"),
        ("google\u3002com", "a domain name"),
        ("m\u00fcnchen.de", "a domain name"),
        ("printer.local", "a domain name"),
        ("run.sh", "a domain name"),
        ("bad.example is down", "a domain name"),
        ("bad.example:443", "a URL"),
        ("bad.example/x", "a URL"),
        ("hxxp://bad[.]example", "a URL"),
        ("sender@bad.example", "an e-mail address"),
        ("u@[192.0.2.1]", "an e-mail address"),
        ("a/b@bad.example", "an e-mail address"),
        ("d41d8cd98f00b204e9800998ecf8427e", "a hash"),
        ("HKLM\\Software", "a registry key"),
        ("any", "everything"),
    ],
)
def test_a_text_that_looks_like_something_else_is_reported_as_what_it_looks_like(
    text: str, looks: str
) -> None:
    for kind in (T.MUTEX, T.FILE_NAME, T.EMAIL_SUBJECT, T.USER_AGENT, T.PROCESS_COMMAND):
        assert misreading(kind, text) == f"could be read as {looks}"


@pytest.mark.parametrize(
    "text", ["*", "a*", "a?", "#x", "a #x", ";x", "!x", "@x", ".x", "/x/", "//"]
)
def test_a_text_that_looks_like_a_pattern_or_a_comment_is_said_to_be_so(text: str) -> None:
    assert "which readers take" in str(misreading(T.MUTEX, text))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (T.MUTEX, "Global\\sample"),
        (T.MUTEX, "Local\\sample"),
        (T.FILE_NAME, "invoice.exe"),
        (T.FILE_NAME, "Invoice March.pdf"),
        (T.EMAIL_SUBJECT, "Re: your invoice of 2024"),
        (T.EMAIL_SUBJECT, "2024 tax return"),
        (T.PROCESS_COMMAND, "net use x: \\\\server\\share"),
        (T.PROCESS_COMMAND, "cmd.exe /c dir"),
        (T.USER_AGENT, "Mozilla/5.0 (compatible; sample 1)"),
        (T.USER_AGENT, "curl/8.5.0"),
        (T.REGISTRY_KEY, "HKEY_LOCAL_MACHINE\\Software\\Sample"),
        (T.AUTONOMOUS_SYSTEM, "AS64496"),
        (T.URL, "https://bad.example/a?b=c"),
        (T.URL, "bad.example/a"),
        (T.EMAIL_ADDR, "o'brien+x@bad.example"),
        (T.IPV4_ADDR, "198.51.100.0/24"),
        (T.IPV6_ADDR, "2001:db8::/32"),
        (T.DOMAIN_NAME, "*.bad.example"),
        (T.ENDPOINT, "203.0.113.7:443/tcp"),
        (T.FILE_MD5, "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_what_can_only_be_itself_has_its_line(kind: ObservableType, text: str) -> None:
    assert misreading(kind, text) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (T.IPV4_ADDR, "2130706433"),
        (T.IPV4_ADDR, "010.8.8.8"),
        (T.IPV4_ADDR, "8.8.8.8/33"),
        (T.IPV6_ADDR, "8.8.8.8"),
        (T.DOMAIN_NAME, "1.2.3.4"),
        (T.DOMAIN_NAME, "0x7f.1"),
        (T.DOMAIN_NAME, "gov"),
        (T.DOMAIN_NAME, "*"),
        (T.AUTONOMOUS_SYSTEM, "64496"),
        (T.AUTONOMOUS_SYSTEM, "AS0"),
        (T.FILE_MD5, "0" * 32),
        (T.FILE_MD5, "1e" + "0" * 30),
        (T.FILE_SHA1, "d41d8cd98f00b204e9800998ecf8427e"),
        (T.URL, "http://bad.example/*"),
        (T.URL, "bad.example"),
        (T.URL, "bad.example/"),
        (T.URL, "203.0.113.0/24"),
        (T.URL, "203.0.113.7:443/tcp"),
        (T.URL, "//bad.example/x"),
        (T.URL, "sender@bad.example/x"),
        (T.EMAIL_ADDR, "*@bad.example"),
        (T.EMAIL_ADDR, "#a@bad.example"),
        (T.EMAIL_ADDR, "a/b@bad.example"),
        (T.EMAIL_ADDR, "a@[192.0.2.1]"),
        (T.EMAIL_ADDR, '"a b"@bad.example'),
    ],
)
def test_what_could_be_something_else_has_none(kind: ObservableType, text: str) -> None:
    assert misreading(kind, text)


@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("203.0.113.0/24", "could be read as a prefix"),
        ("0/0", "could be read as a prefix"),
        ("8.8.8.8:53", "could be read as an address"),
        ("203.0.113.7/", None),
        ("bad.example/24", None),
    ],
)
def test_a_url_without_its_scheme_may_read_as_a_prefix(line: str, reads: str | None) -> None:
    assert as_prefix(line) == reads
