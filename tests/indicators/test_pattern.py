"""What patterns claim, shape by shape: the table of the STIX reference, row by row."""

import re

import pytest

from connector.indicators.pattern.reader import read_pattern
from connector.model import Claim, Observable, ObservableType, Reason

T = ObservableType
MD5, SHA1, SHA256, SHA512 = "0a" * 16, "1b" * 20, "2c" * 32, "3d" * 64
OTHER_SHA256 = "4e" * 32
NOT_ENFORCEABLE = Reason.NOT_ENFORCEABLE
UNSUPPORTED = Reason.UNSUPPORTED_PATTERN
UNREADABLE = Reason.UNREADABLE


def enforced(pattern, version="2.1"):
    """Return the values that the pattern indicts by themselves."""
    return [claim.observable.value for claim in read_pattern(pattern, version) if claim.enforceable]


def watched(pattern, version="2.1"):
    """Return the values that only watchlists may take."""
    return [
        claim.observable.value
        for claim in read_pattern(pattern, version)
        if claim.observable is not None and not claim.enforceable
    ]


def failed(pattern, version="2.1"):
    """Return the reasons for what no observable was read from."""
    return [c.reason for c in read_pattern(pattern, version) if c.observable is None]


IP = "ipv4-addr:value"
DST = "network-traffic:dst_ref"
PORT = "network-traffic:dst_port"
PROTOCOL = "network-traffic:protocols[*]"
FILE_MD5 = f"file:hashes.MD5 = '{MD5}'"
FILE_SHA1 = f"file:hashes.'SHA-1' = '{SHA1}'"
FILE_SHA256 = f"file:hashes.'SHA-256' = '{SHA256}'"
FILE_SHA512 = f"file:hashes.'SHA-512' = '{SHA512}'"

ROWS = {
    # row and shape: (pattern, enforced, watched, failed)
    "1 equality": (f"[{IP} = '203.0.113.5']", ["203.0.113.5"], [], []),
    "1 equality of two equal signs": (f"[{IP} == '203.0.113.5']", ["203.0.113.5"], [], []),
    "2 OR": (
        f"[{IP} = '203.0.113.5' OR domain-name:value = 'bad.example']",
        ["203.0.113.5", "bad.example"],
        [],
        [],
    ),
    "2 OR with one that says nothing": (
        f"[file:size = 5 OR {IP} = '203.0.113.5' OR {IP} MATCHES '^203']",
        ["203.0.113.5"],
        [],
        [UNSUPPORTED],
    ),
    "3 IN": (
        "[domain-name:value IN ('a.example', 'B.example', 'a.example')]",
        ["a.example", "b.example"],
        [],
        [],
    ),
    "3 IN of nothing": (f"[{IP} IN ()]", [], [], [UNSUPPORTED]),
    "4 observation OR": (
        f"[{IP} = '203.0.113.5'] OR [url:value = 'http://bad.example/x']",
        ["203.0.113.5", "http://bad.example/x"],
        [],
        [],
    ),
    "5 ISSUBSET": (f"[{IP} ISSUBSET '198.51.100.0/24']", ["198.51.100.0/24"], [], []),
    "5 ISSUBSET with host bits": (
        f"[{IP} ISSUBSET '198.51.100.7/24']",
        ["198.51.100.0/24"],
        [],
        [],
    ),
    "5 ISSUBSET of one address": (f"[{IP} ISSUBSET '198.51.100.7/32']", ["198.51.100.7"], [], []),
    "5 ISSUBSET of a wide one": (f"[{IP} ISSUBSET '198.51.0.0/16']", ["198.51.0.0/16"], [], []),
    "5 ISSUBSET of IPv6": (
        "[ipv6-addr:value ISSUBSET '2001:db8:1::/48']",
        ["2001:db8:1::/48"],
        [],
        [],
    ),
    "5 ISSUBSET of a wide one of IPv6": (
        "[ipv6-addr:value ISSUBSET '2001:db8::/32']",
        ["2001:db8::/32"],
        [],
        [],
    ),
    "5 ISSUBSET of a name": ("[domain-name:value ISSUBSET 'bad.example']", [], [], [UNSUPPORTED]),
    "5 ISSUBSET of a referenced name": (
        f"[{DST}.value ISSUBSET 'a.example']",
        [],
        [],
        [UNREADABLE],
    ),
    "6 equality to a prefix": (f"[{IP} = '198.51.100.0/25']", ["198.51.100.0/25"], [], []),
    "6 equality to a wide prefix": (f"[{IP} = '198.0.0.0/8']", ["198.0.0.0/8"], [], []),
    "6 equality to an unclear prefix": (f"[{IP} = '198.51.100.7/24']", [], ["198.51.100.0/24"], []),
    "7 ISSUPERSET": (f"[{IP} ISSUPERSET '198.51.100.0/24']", [], ["198.51.100.0/24"], []),
    "8 LIKE any name below": ("[domain-name:value LIKE '%.Bad.test']", ["*.bad.test"], [], []),
    "8 LIKE any ending": ("[domain-name:value LIKE '%bad.test']", [], [], [UNSUPPORTED]),
    "8 LIKE one character": ("[domain-name:value LIKE '%.b_d.test']", [], [], [UNSUPPORTED]),
    "8 LIKE in the middle": ("[domain-name:value LIKE '%.b%d.test']", [], [], [UNSUPPORTED]),
    "8 LIKE a whole top level": ("[domain-name:value LIKE '%.test']", [], [], [UNREADABLE]),
    "8 LIKE of a URL": ("[url:value LIKE 'http://bad.test/%']", [], [], [UNSUPPORTED]),
    "9 MATCHES": ("[domain-name:value MATCHES '.*bad.*']", [], [], [UNSUPPORTED]),
    "10 AND with a type": (
        f"[{DST}.type = 'ipv4-addr' AND {DST}.value = '203.0.113.5']",
        ["203.0.113.5"],
        [],
        [],
    ),
    "10 AND with a type of a source": (
        "[network-traffic:src_ref.type = 'domain-name'"
        " AND network-traffic:src_ref.value = 'bad.example']",
        ["bad.example"],
        [],
        [],
    ),
    "10 AND with another type": (
        f"[{DST}.type = 'ipv6-addr' AND {DST}.value = '203.0.113.5']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "10 AND with a type of the other end": (
        f"[network-traffic:src_ref.type = 'ipv4-addr' AND {DST}.value = '203.0.113.5']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "10 AND with its own type": (
        f"[ipv4-addr:type = 'ipv4-addr' AND {IP} = '203.0.113.5']",
        ["203.0.113.5"],
        [],
        [],
    ),
    "10 type alone": (f"[{DST}.type = 'ipv4-addr']", [], [], [UNSUPPORTED]),
    "10 types alone": (
        "[ipv4-addr:type = 'ipv4-addr' AND (ipv4-addr:type = 'ipv4-addr')]",
        [],
        [],
        [UNSUPPORTED],
    ),
    "10 AND with itself": (
        f"[{IP} = '203.0.113.5' AND {IP} = '203.0.113.5']",
        ["203.0.113.5"],
        [],
        [],
    ),
    "11 hashes of one file": (
        f"[{FILE_MD5} AND {FILE_SHA1} AND {FILE_SHA256}]",
        [SHA256],
        [MD5, SHA1],
        [],
    ),
    "11 strongest is SHA-512": (f"[{FILE_SHA512} AND {FILE_SHA256}]", [SHA512], [SHA256], []),
    "11 weak hashes only": (f"[{FILE_MD5} AND {FILE_SHA1}]", [SHA1], [MD5], []),
    "11 hashes that contradict": (
        f"[{FILE_SHA256} AND file:hashes.SHA256 = '{OTHER_SHA256}']",
        [],
        [SHA256, OTHER_SHA256],
        [],
    ),
    "11 hashes that contradict under other names": (
        f"[{FILE_SHA256} AND file:hashes.MD5 = '{OTHER_SHA256}']",
        [],
        [SHA256, OTHER_SHA256],
        [],
    ),
    "12 strong hash and name": (
        f"[{FILE_SHA256} AND file:name = 'a.exe']",
        [SHA256],
        ["a.exe"],
        [],
    ),
    "12 strong hash and size": (f"[{FILE_SHA256} AND file:size > 100]", [SHA256], [], []),
    "12 name without a hash": ("[file:name = 'a.exe' AND file:size = 5]", [], ["a.exe"], []),
    "12 weak hash and name": (f"[{FILE_SHA1} AND file:name = 'a.exe']", [], [SHA1, "a.exe"], []),
    "12 weak hash and fuzzy hash": (
        f"[{FILE_MD5} AND file:hashes.SSDEEP = '3:a:b']",
        [],
        [MD5],
        [],
    ),
    "12 strong hash and what must not be": (
        f"[{FILE_SHA256} AND file:name != 'a.exe']",
        [],
        [SHA256],
        [],
    ),
    "12 strong hash and what cannot be": (
        f"[{FILE_SHA256} AND file:hashes.MD5 = 'zz']",
        [],
        [SHA256],
        [UNREADABLE],
    ),
    "12 strong hash of a certificate and more": (
        f"[x509-certificate:hashes.'SHA-256' = '{SHA256}' AND x509-certificate:issuer = 'x']",
        [],
        [SHA256],
        [],
    ),
    "13 address and port": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} = 8443]",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 address, port and protocol": (
        f"[{DST}.type = 'ipv4-addr' AND {DST}.value = '203.0.113.5' AND {PORT} = 8443"
        f" AND {PROTOCOL} = 'tcp']",
        ["203.0.113.5:8443/tcp"],
        ["203.0.113.5"],
        [],
    ),
    "13 IPv6 address, port and protocols": (
        f"[({DST}.value = '2001:db8::7' AND {PORT} = 53) AND {PROTOCOL} = 'ipv6'"
        f" AND {PROTOCOL} = 'udp']",
        ["[2001:db8::7]:53/udp"],
        ["2001:db8::7"],
        [],
    ),
    "13 and a further protocol": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} = 80 AND {PROTOCOL} = 'tcp'"
        f" AND {PROTOCOL} = 'http']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 and a further property": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} = 80 AND {PROTOCOL} = 'tcp'"
        " AND network-traffic:is_active = true]",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 name, port and protocol": (
        f"[{DST}.value = 'bad.example' AND {PORT} = 80 AND {PROTOCOL} = 'tcp']",
        [],
        ["bad.example"],
        [],
    ),
    "13 equality to a prefix, port and protocol": (
        f"[{DST}.value = '198.51.100.0/24' AND {PORT} = 80 AND {PROTOCOL} = 'tcp']",
        [],
        ["198.51.100.0/24"],
        [],
    ),
    "13 from the source": (
        "[network-traffic:src_ref.value = '203.0.113.5' AND network-traffic:src_port = 80"
        f" AND {PROTOCOL} = 'tcp']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 prefix and port": (
        f"[{DST}.value ISSUBSET '198.51.100.0/24' AND {PORT} = 80 AND {PROTOCOL} = 'tcp']",
        [],
        ["198.51.100.0/24"],
        [],
    ),
    "13 ports in a range": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} > 80 AND {PROTOCOL} = 'tcp']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 port written as text": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} = '80' AND {PROTOCOL} = 'tcp']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 impossible port": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} = 70000 AND {PROTOCOL} = 'tcp']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 not that protocol": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} = 80 AND {PROTOCOL} != 'tcp']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "13 several ports": (
        f"[{DST}.value = '203.0.113.5' AND {PORT} IN (80, 443) AND {PROTOCOL} = 'tcp']",
        ["203.0.113.5:80/tcp", "203.0.113.5:443/tcp"],
        ["203.0.113.5"],
        [],
    ),
    "13 port alone": (f"[{PORT} = 4444 AND {PROTOCOL} = 'tcp']", [], [], [UNSUPPORTED]),
    "14 domain and what it resolves to": (
        "[domain-name:value = 'bad.example'"
        " AND domain-name:resolves_to_refs[*].value = '203.0.113.5']",
        [],
        ["bad.example", "203.0.113.5"],
        [],
    ),
    "14 what a name resolves to, alone": (
        "[domain-name:resolves_to_refs[0].value = '203.0.113.5']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "15 one property, two values": (
        f"[{IP} = '203.0.113.5' AND {IP} = '203.0.113.6']",
        [],
        ["203.0.113.5", "203.0.113.6"],
        [],
    ),
    "16 two objects at once": (
        f"[domain-name:value = 'bad.example' AND {IP} = '203.0.113.5']",
        [],
        ["bad.example", "203.0.113.5"],
        [],
    ),
    "16 an object of another type": (
        "[ipv4-addr:type = 'ipv4-addr' AND domain-name:value = 'bad.example']",
        [],
        ["bad.example"],
        [],
    ),
    "15 one value, two spellings": (
        "[url:value = 'http://bad.example/#a' AND url:value = 'http://bad.example/#b']",
        [],
        ["http://bad.example/"],
        [],
    ),
    "17 observation AND": (
        f"[{IP} = '203.0.113.5'] AND [domain-name:value = 'bad.example']",
        [],
        ["203.0.113.5", "bad.example"],
        [],
    ),
    "17 observation AND with itself": (
        f"[{IP} = '203.0.113.5'] AND [{IP} = '203.0.113.5']",
        [],
        ["203.0.113.5"],
        [],
    ),
    "17 binds closer than OR": (
        f"[{IP} = '203.0.113.1'] OR [{IP} = '203.0.113.2'] AND [{IP} = '203.0.113.3']",
        ["203.0.113.1"],
        ["203.0.113.2", "203.0.113.3"],
        [],
    ),
    "18 FOLLOWEDBY": (
        f"[{IP} = '203.0.113.5'] FOLLOWEDBY [{IP} = '203.0.113.6']",
        [],
        ["203.0.113.5", "203.0.113.6"],
        [],
    ),
    "18 OR binds closer than FOLLOWEDBY": (
        f"[{IP} = '203.0.113.1'] OR [{IP} = '203.0.113.2'] FOLLOWEDBY [{IP} = '203.0.113.3']",
        [],
        ["203.0.113.1", "203.0.113.2", "203.0.113.3"],
        [],
    ),
    "18 in parentheses beside an OR": (
        f"([{IP} = '203.0.113.1'] FOLLOWEDBY [{IP} = '203.0.113.2']) OR [{IP} = '203.0.113.2']",
        ["203.0.113.2"],
        ["203.0.113.1"],
        [],
    ),
    "19 REPEATS": (f"[{IP} = '203.0.113.5'] REPEATS 5 TIMES", [], ["203.0.113.5"], []),
    "19 REPEATS once": (f"[{IP} = '203.0.113.5'] REPEATS 1 TIMES", ["203.0.113.5"], [], []),
    "19 REPEATS never": (f"[{IP} = '203.0.113.5'] REPEATS 0 TIMES", [], ["203.0.113.5"], []),
    "19 WITHIN": (f"[{IP} = '203.0.113.5'] WITHIN 300 SECONDS", ["203.0.113.5"], [], []),
    "19 WITHIN no time": (f"[{IP} = '203.0.113.5'] WITHIN 0 SECONDS", [], ["203.0.113.5"], []),
    "19 WITHIN over an AND": (
        f"([{IP} = '203.0.113.5'] AND [{IP} = '203.0.113.6']) WITHIN 0.5 SECONDS",
        [],
        ["203.0.113.5", "203.0.113.6"],
        [],
    ),
    "19 START and STOP": (
        f"[{IP} = '203.0.113.5'] START t'2026-01-01T00:00:00Z' STOP t'2026-02-01T00:00:00Z'",
        [],
        ["203.0.113.5"],
        [],
    ),
    "19 binds to the nearest": (
        f"[{IP} = '203.0.113.5'] OR [{IP} = '203.0.113.6'] REPEATS 2 TIMES",
        ["203.0.113.5"],
        ["203.0.113.6"],
        [],
    ),
    "19 binds to parentheses": (
        f"([{IP} = '203.0.113.5'] OR [{IP} = '203.0.113.6']) REPEATS 2 TIMES",
        [],
        ["203.0.113.5", "203.0.113.6"],
        [],
    ),
    "20 unequal": (f"[{IP} != '203.0.113.5']", [], [], [NOT_ENFORCEABLE]),
    "20 NOT equal": (f"[{IP} NOT = '203.0.113.5']", [], [], [NOT_ENFORCEABLE]),
    "20 NOT unequal": (f"[{IP} NOT != '203.0.113.5']", [], [], [NOT_ENFORCEABLE]),
    "20 NOT IN": (f"[{IP} NOT IN ('203.0.113.5', '203.0.113.6')]", [], [], [NOT_ENFORCEABLE]),
    "20 NOT LIKE": ("[domain-name:value NOT LIKE '%.bad.test']", [], [], [NOT_ENFORCEABLE]),
    "20 NOT MATCHES": ("[domain-name:value NOT MATCHES 'x']", [], [], [NOT_ENFORCEABLE]),
    "20 NOT ISSUBSET": (f"[{IP} NOT ISSUBSET '198.51.100.0/24']", [], [], [NOT_ENFORCEABLE]),
    "20 NOT ISSUPERSET": (f"[{IP} NOT ISSUPERSET '198.51.100.0/24']", [], [], [NOT_ENFORCEABLE]),
    "20 NOT in an AND": (
        f"[{IP} ISSUBSET '198.51.100.0/24' AND {IP} != '198.51.100.7']",
        [],
        ["198.51.100.0/24"],
        [],
    ),
    "20 NOT in an OR": (
        f"[{IP} = '203.0.113.5' OR {IP} != '203.0.113.6']",
        ["203.0.113.5"],
        [],
        [NOT_ENFORCEABLE],
    ),
    "20 what is taken out of an IN": (
        f"[{IP} IN ('203.0.113.5', '203.0.113.6') AND {IP} != '203.0.113.6']",
        [],
        ["203.0.113.5"],
        [NOT_ENFORCEABLE],
    ),
    "20 what a NOT IN takes out of an IN": (
        f"[{IP} IN ('203.0.113.5', '203.0.113.6') AND {IP} NOT IN ('203.0.113.4', '203.0.113.6')]",
        [],
        ["203.0.113.5"],
        [NOT_ENFORCEABLE],
    ),
    "21 ordering": ("[file:size > 100]", [], [], [UNSUPPORTED]),
    "21 ordering of an address": (f"[{IP} >= '203.0.113.5']", [], [], [UNSUPPORTED]),
    "21 ordering of systems": ("[autonomous-system:number < 64511]", [], [], [UNSUPPORTED]),
    "22 EXISTS": ("[EXISTS windows-registry-key:values]", [], [], [UNSUPPORTED]),
    "22 EXISTS of an address": (f"[EXISTS {IP}]", [], [], [UNSUPPORTED]),
    "22 NOT EXISTS": (f"[NOT EXISTS {IP}]", [], [], [NOT_ENFORCEABLE]),
    "23 OR over AND": (
        "[(domain-name:value = 'a.example' AND domain-name:x = 'b') OR url:value = 'http://c.example/']",
        ["http://c.example/"],
        ["a.example"],
        [],
    ),
    "23 AND binds closer than OR": (
        "[domain-name:value = 'a.example' AND domain-name:x = 'b'"
        " OR domain-name:value = 'c.example']",
        ["c.example"],
        ["a.example"],
        [],
    ),
    "23 AND over OR": (
        f"[({DST}.value = '203.0.113.5' OR {DST}.value = '203.0.113.6') AND {PORT} = 80]",
        [],
        ["203.0.113.5", "203.0.113.6"],
        [],
    ),
    "23 alone in one conjunction and not in another": (
        f"[({DST}.value = '203.0.113.5' AND {PORT} = 80) OR {DST}.value = '203.0.113.5']",
        ["203.0.113.5"],
        [],
        [],
    ),
    "23 guards over an IN": (
        f"[{DST}.type IN ('ipv4-addr', 'ipv6-addr')"
        f" AND {DST}.value IN ('203.0.113.5', '2001:db8::7')]",
        ["203.0.113.5", "2001:db8::7"],
        [],
        [],
    ),
    "24 no pattern": ("rule x { condition: true }", [], [], [UNREADABLE]),
    "24 an empty text": ("", [], [], [UNREADABLE]),
    "24 an address that is none": (f"[{IP} = '300.1.1.1']", [], [], [UNREADABLE]),
    "24 one value of four is none": (
        f"[{IP} IN ('203.0.113.5', '300.1.1.1', '203.0.113.6', '203.0.113.7')]",
        ["203.0.113.5", "203.0.113.6", "203.0.113.7"],
        [],
        [UNREADABLE],
    ),
}


@pytest.mark.parametrize(
    ("pattern", "alone", "together", "reasons"), ROWS.values(), ids=ROWS.keys()
)
def test_each_shape_claims_what_the_table_says(pattern, alone, together, reasons):
    assert enforced(pattern) == alone
    assert watched(pattern) == together
    assert failed(pattern) == reasons


def test_every_row_of_the_table_is_here():
    assert {int(shape.split()[0]) for shape in ROWS} == set(range(1, 25))


@pytest.mark.parametrize(
    ("pattern", "_alone", "_together", "_reasons"), ROWS.values(), ids=ROWS.keys()
)
def test_each_claim_is_whole_and_says_why(pattern, _alone, _together, _reasons):
    claims = read_pattern(pattern)
    assert claims
    for claim in claims:
        assert claim.enforceable == (claim.reason is None)
        assert claim.observable is not None or not claim.enforceable
        assert claim.observable is None or claim.reason in {None, NOT_ENFORCEABLE}
        assert claim.why or claim.enforceable


@pytest.mark.parametrize(
    ("pattern", "kind", "value"),
    [
        ("[ipv6-addr:value = '2001:DB8::7']", T.IPV6_ADDR, "2001:db8::7"),
        (f"[{DST}.value = '203.0.113.5']", T.IPV4_ADDR, "203.0.113.5"),
        ("[network-traffic:src_ref.value = 'bad.example']", T.DOMAIN_NAME, "bad.example"),
        ("[email-addr:value = 'X@bad.example']", T.EMAIL_ADDR, "x@bad.example"),
        ("[email-message:from_ref.value = 'x@bad.example']", T.EMAIL_ADDR, "x@bad.example"),
        ("[email-message:sender_ref.value = 'x@bad.example']", T.EMAIL_ADDR, "x@bad.example"),
        ("[email-message:subject = 'Pay, now']", T.EMAIL_SUBJECT, "Pay, now"),
        ("[email:subject = 'Pay, now']", T.EMAIL_SUBJECT, "Pay, now"),
        (f"[file:hashes.MD5 = '{MD5.upper()}']", T.FILE_MD5, MD5),
        (f"[file:hashes.'MD5' = '{MD5}']", T.FILE_MD5, MD5),
        (f"[file:hashes.SHA1 = '{SHA1}']", T.FILE_SHA1, SHA1),
        (f"[file:hashes.sha256 = '{SHA256}']", T.FILE_SHA256, SHA256),
        (f"[file:hashes.'sha-512' = '{SHA512}']", T.FILE_SHA512, SHA512),
        (f"[file:'hashes'.'SHA-256' = '{SHA256}']", T.FILE_SHA256, SHA256),
        ("[file:name = 'a.exe']", T.FILE_NAME, "a.exe"),
        ("[autonomous-system:number = 64496]", T.AUTONOMOUS_SYSTEM, "64496"),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Bad/1']",
            T.USER_AGENT,
            "Bad/1",
        ),
        ("[http-request-ext:request_header.'User-Agent' = 'Bad/1']", T.USER_AGENT, "Bad/1"),
        (f"[x509-certificate:hashes.'SHA-1' = '{SHA1}']", T.X509_SHA1, SHA1),
        (f"[x509-certificate:hashes.SHA256 = '{SHA256}']", T.X509_SHA256, SHA256),
        (r"[mutex:name = 'Global\\\\bad']", T.MUTEX, r"Global\\bad"),
        (
            r"[windows-registry-key:key = 'HKLM\\Bad\\Run']",
            T.REGISTRY_KEY,
            r"HKEY_LOCAL_MACHINE\Bad\Run",
        ),
        (r"[process:command_line = 'cmd \'a\' \\x']", T.PROCESS_COMMAND, r"cmd 'a' \x"),
        ("[IPv4-Addr:value = '203.0.113.5']", T.IPV4_ADDR, "203.0.113.5"),
        ("[domain-name:value = '203.0.113.5']", T.IPV4_ADDR, "203.0.113.5"),
        ("[domain-name:value = 'bad.example/x']", T.URL, "bad.example/x"),
        ("[domain-name:value = 'bad[.]example']", T.DOMAIN_NAME, "bad.example"),
        (f"[file:hashes.MD5 = '{SHA256}']", T.FILE_SHA256, SHA256),
    ],
)
def test_each_property_gives_its_observable(pattern, kind, value):
    (claim,) = read_pattern(pattern)
    assert claim.observable == Observable(kind, value)
    assert claim.enforceable


@pytest.mark.parametrize(
    ("pattern", "reason", "words"),
    [
        ("[email-message:to_refs[*].value = 'x@good.example']", UNSUPPORTED, "victim"),
        ("[email-message:cc_refs[0].value = 'x@good.example']", UNSUPPORTED, "victim"),
        ("[app:id = 'com.bad']", UNSUPPORTED, "app:id"),
        ("[file:size = 100]", UNSUPPORTED, "file:size"),
        (f"[file:hashes.SSDEEP = '{SHA256}']", UNSUPPORTED, "SSDEEP"),
        (f"[file:hashes.IMPHASH = '{MD5}']", UNSUPPORTED, "IMPHASH"),
        (f"[file:hashes.TLSH = '{SHA256}']", UNSUPPORTED, "TLSH"),
        (f"[file:hashes.'SHA3-256' = '{SHA256}']", UNSUPPORTED, "SHA3-256"),
        (f"[file:hashes.AUTHENTIHASH = '{SHA256}']", UNSUPPORTED, "AUTHENTIHASH"),
        (f"[file:'hashes.md5' = '{MD5}']", UNSUPPORTED, "hashes.md5"),
        (f"[file:contains_refs[*].hashes.MD5 = '{MD5}']", UNSUPPORTED, "contains_refs"),
        (f"[file:hashes.MD5[0] = '{MD5}']", UNSUPPORTED, "hashes.md5"),
        (f"[{DST}.resolves_to_refs[*].value = '203.0.113.5']", UNSUPPORTED, "resolves_to_refs"),
        ("[x509-certificate:serial_number = '36:f7']", UNSUPPORTED, "serial_number"),
        (f"[{IP} = 5]", UNREADABLE, "never equal"),
        (f"[{IP} = true]", UNREADABLE, "never equal"),
        (f"[{IP} = h'cb007105']", UNREADABLE, "never equal"),
        ("[autonomous-system:number = true]", UNREADABLE, "never equal"),
        ("[autonomous-system:number = 64496.5]", UNREADABLE, "never equal"),
        ("[domain-name:value = 'setup.exe']", UNREADABLE, "no top-level domain"),
        (r"[url:value = 'http://bad.example/\\']", UNREADABLE, "backslash"),
        ("[domain-name:value = 'a.*.example']", NOT_ENFORCEABLE, "wildcard"),
        (f"[{IP} = '203.0.113.*']", NOT_ENFORCEABLE, "wildcard"),
        (f"[{IP} = '203.*.0.0/16']", NOT_ENFORCEABLE, "wildcard"),
        ("[url:value = 'http://*.bad.example/']", NOT_ENFORCEABLE, "wildcard"),
        ("[email-addr:value = '.*@bad.example']", NOT_ENFORCEABLE, "wildcard"),
        ("[url:value = 'http://bad.example/\nx']", UNREADABLE, "unprintable"),
        (f"[{IP} = '203.0.113.5'", UNREADABLE, r"at character 33: expected \], not the end"),
        (f"[{IP} = 203.0.113.5]", UNREADABLE, "at character 25"),
        (f"{IP} = '203.0.113.5' OR {IP} = '203.0.113.6'", UNREADABLE, "expected end, not 'OR'"),
        ("[a:b = 'x' and a:b = 'y']", UNREADABLE, "not 'and'"),
        ("[file:name = 'a\\b']", UNREADABLE, "expected a constant"),
        ("[network-traffic:x-y = 'a']", UNREADABLE, "needs quotes"),
        (f"[{IP} = '203.0.113.5'] REPEATS -1 TIMES", UNREADABLE, "expected int"),
        (f"[{IP} = '203.0.113.5'] WITHIN 1 SECONDS WITHIN 2 SECONDS", UNREADABLE, "one qualifier"),
    ],
)
def test_what_gives_no_observable_says_why(pattern, reason, words):
    (claim,) = read_pattern(pattern)
    assert (claim.observable, claim.enforceable, claim.reason) == (None, False, reason)
    assert re.search(words, claim.why)


@pytest.mark.parametrize(
    ("pattern", "value", "words"),
    [
        ("[domain-name:value = '*.bad.example']", "*.bad.example", "wildcard"),
        ("[email-addr:value = '@bad.example']", "bad.example", "mail domain"),
        ("[autonomous-system:number = '64496']", "64496", "never equals a text"),
        (f"[process:image_ref.hashes.'SHA-256' = '{SHA256}']", SHA256, "running"),
        (f"[artifact:hashes.MD5 = '{MD5}']", MD5, "artifact"),
        ("[process:name = 'bad.exe']", "bad.exe", "process"),
        ("[email-addr:value = '*@gmail.com']", "*@gmail.com", "wildcard"),
        ("[email-message:sender_ref.value = '%@bad.example']", "%@bad.example", "wildcard"),
        ("[url:value = 'http://bad.example/a/*']", "http://bad.example/a/*", "wildcard"),
        ("[domain-name:value = 'http://bad.example/*']", "http://bad.example/*", "wildcard"),
        ("[file:name = '*.exe']", "*.exe", "wildcard"),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.Host = 'bad.example']",
            "bad.example",
            "request",
        ),
        ("[mutex:name = '*']", "*", "wildcard"),
        (
            "[url:value = 'http://www.search.example/?src=1#q=x']",
            "http://www.search.example/?src=1",
            "fragment",
        ),
        ("[url:value = 'hxxp://search[.]example/#q']", "http://search.example/", "fragment"),
        ("[url:value = 'ftp://me:x@files.example/a']", "ftp://files.example/a", "account"),
    ],
)
def test_an_equality_that_is_not_enough_is_watched(pattern, value, words):
    (claim,) = read_pattern(pattern)
    assert (claim.observable.value, claim.enforceable, claim.reason) == (
        value,
        False,
        NOT_ENFORCEABLE,
    )
    assert words in claim.why


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("[file:name = 'Invoice, March.exe']", "Invoice, March.exe"),
        (r"[url:value = 'http://bad.test/o\'neil.php']", "http://bad.test/o'neil.php"),
        (r"[email-addr:value = 'o\'brien@bad.test']", "o'brien@bad.test"),
        ("[email-addr:value = 'u@[192.0.2.1]']", "u@[192.0.2.1]"),
        ("[email-addr:value = 'Jürgen@bad.test']", "jürgen@bad.test"),
        ("[hostname:value = 'c2.bad.test']", "c2.bad.test"),
        ("[x-opencti-hostname:value='c2.bad.test']", "c2.bad.test"),
        ("[hostname:value = '203.0.113.5']", "203.0.113.5"),
        ("[user-agent:value = 'Bad/1.0 (a, b)']", "Bad/1.0 (a, b)"),
        ("[x-opencti-user-agent:value = 'Bad/1.0']", "Bad/1.0"),
        (
            "[network-traffic:dst_ref.type = 'domain-name' "
            "AND network-traffic:dst_ref.value = 'bad.test']",
            "bad.test",
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Bad/1']",
            "Bad/1",
        ),
        ("[email-addr:value = '\"john doe\"@bad.test']", '"john doe"@bad.test'),
        ("[url:value = 'http://bad.example/x#']", "http://bad.example/x"),
        ("[url:value = 'http://me:x@bad.example/a']", "http://bad.example/a"),
    ],
)
def test_a_legal_value_is_read_and_is_enough_by_itself(pattern, value):
    (claim,) = read_pattern(pattern)
    assert (claim.observable.value, claim.enforceable, claim.reason) == (value, True, None)


@pytest.mark.parametrize(
    ("pattern", "repair"),
    [
        (f"[file:hashes.SHA-256 = '{SHA256}']", "unquoted hash name"),
        (f'[file:hashes."SHA-256" = "{SHA256}"]', "double quotes"),
        (f"file:hashes.'SHA-256' = '{SHA256}'", "missing brackets"),
        (
            f'file:hashes.SHA-256 = "{SHA256}"',
            "unquoted hash name, double quotes, missing brackets",
        ),
    ],
)
def test_three_mistakes_are_repaired_and_reported(pattern, repair):
    assert read_pattern(pattern) == (
        Claim(Observable(T.FILE_SHA256, SHA256), True, None, f"repaired: {repair}"),
    )


def test_notes_on_a_value_are_in_its_claim():
    pattern = f"[file:hashes.MD5 = '{SHA256}' OR domain-name:value = 'bad[.]example']"
    assert [claim.why for claim in read_pattern(pattern)] == ["hash_name_mismatch", "refanged"]


def test_one_failure_represents_all_of_its_kind():
    claims = read_pattern(f"[{IP} IN ('300.1.1.1', '300.1.1.2', '300.1.1.2') OR a:b = 1]")
    assert [claim.reason for claim in claims] == [UNREADABLE, UNSUPPORTED]
    assert claims[0].why.endswith("(and 1 more)")


def test_claims_stand_in_the_order_of_the_pattern():
    pattern = (
        f"[({IP} = '203.0.113.9' OR {IP} = '203.0.113.8') AND ({IP} = '203.0.113.7')]"
        f" OR [{IP} = '203.0.113.1']"
    )
    assert watched(pattern) == ["203.0.113.9", "203.0.113.8", "203.0.113.7"]
    assert enforced(pattern) == ["203.0.113.1"]


def test_exists_is_no_word_of_the_older_version():
    assert failed("[EXISTS file:name]", "2.0") == [UNREADABLE]
    assert failed("[EXISTS file:name]", "2.1") == [UNSUPPORTED]


def test_blanks_and_comments_mean_nothing():
    pattern = f"/* x */ [\u00a0{IP}// y\n\t=\r\n'203.0.113.5'/**/]\u3000"
    assert enforced(pattern) == ["203.0.113.5"]
