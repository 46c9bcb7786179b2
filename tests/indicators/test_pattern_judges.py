"""Our pattern reader before two judges that know nothing of it.

stix2-patterns says what is a pattern; stix2-matcher says what a pattern means: an observation
that holds nothing but an enforceable observable must match.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

import pytest
from hypothesis import assume, example, given, reject, settings
from hypothesis import strategies as st
from stix2matcher.matcher import MatcherException, Pattern
from stix2patterns.exceptions import ParseException
from stix2patterns.v20.pattern import Pattern as Pattern20
from stix2patterns.v21.pattern import Pattern as Pattern21

from connector.indicators.pattern.comparisons import PatternTooLargeError
from connector.indicators.pattern.grammar import parse
from connector.indicators.pattern.reader import read_in_full, read_pattern
from connector.indicators.pattern.tokens import PatternSyntaxError
from connector.model import Observable, ObservableType, Reason

T = ObservableType
JUDGED = settings(max_examples=250, derandomize=True, deadline=None, database=None)

ADDRESSES = ["203.0.113.5", "203.0.113.6", "198.51.100.7"]
NAMES = ["bad.example", "a.bad.test"]
DIGESTS = ["0a" * 32, "1b" * 32]
VALUES = {
    "ipv4-addr:value": ADDRESSES,
    "ipv6-addr:value": ["2001:db8::7", "2001:db8::8"],
    "network-traffic:dst_ref.value": [*ADDRESSES, *NAMES],
    "network-traffic:src_ref.value": [*ADDRESSES, *NAMES],
    "domain-name:value": NAMES,
    "url:value": ["http://bad.example/x", "https://bad.example/y?z=1"],
    "email-addr:value": ["x@bad.example", "y@bad.example"],
    "email-message:from_ref.value": ["x@bad.example", "y@bad.example"],
    "email-message:subject": ["Pay now", "It's due\\now"],
    "file:name": ["a.exe", "b.exe"],
    "file:hashes.'SHA-256'": DIGESTS,
    "mutex:name": ["Global\\bad", "bad"],
    "process:command_line": ["cmd 'x' \\y", 'cmd "z"'],
}
SAYS_NOTHING = [
    "file:size > 5",
    "url:value MATCHES 'bad'",
    "domain-name:value LIKE '%bad%'",
    "network-traffic:dst_port = 80",
    "network-traffic:protocols[*] = 'tcp'",
    "network-traffic:dst_ref.type = 'ipv4-addr'",
    "network-traffic:dst_ref.type = 'domain-name'",
    "ipv4-addr:type = 'ipv4-addr'",
    "EXISTS file:name",
    "user-account:user_id = 'x'",
    "ipv4-addr:value IN ()",
]


def quoted(value):
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


sets = st.one_of(
    *[
        st.tuples(st.just(path), st.lists(st.sampled_from(values), min_size=1, max_size=3))
        for path, values in VALUES.items()
    ]
)
# One flat list, so that each is drawn as often as any other.
TESTS = [
    *[f"{path} = {quoted(value)}" for path, values in VALUES.items() for value in values],
    *[f"{path} != {quoted(values[0])}" for path, values in VALUES.items()],
    *[f"{path} NOT = {quoted(values[0])}" for path, values in VALUES.items()],
    *[f"{path} IN ({', '.join(map(quoted, values))})" for path, values in VALUES.items()],
    *[f"{path} NOT IN ({', '.join(map(quoted, values))})" for path, values in VALUES.items()],
    *SAYS_NOTHING,
    "ipv4-addr:value ISSUBSET '198.51.100.0/24'",
    "ipv4-addr:value ISSUBSET '198.51.0.0/16'",
    "ipv4-addr:value NOT ISSUBSET '198.51.100.0/24'",
    "network-traffic:dst_ref.value ISSUBSET '198.51.100.0/25'",
    "domain-name:value LIKE '%.bad.test'",
    "domain-name:value NOT LIKE '%.bad.test'",
]
tests = st.sampled_from(TESTS)
AROUND = [" AND ", " OR "]
comparisons = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(AROUND), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        # The MISP form, which chance would hardly find.
        inner.map(lambda text: f"network-traffic:dst_ref.type = 'ipv4-addr' AND ({text})"),
    ),
    max_leaves=5,
)
QUALIFIERS = [
    "",
    " WITHIN 5 SECONDS",
    " REPEATS 1 TIMES",
    " REPEATS 2 TIMES",
    " START t'2030-01-01T00:00:00Z' STOP t'2031-01-01T00:00:00Z'",
]
observations = st.tuples(comparisons.map("[{}]".format), st.sampled_from(QUALIFIERS)).map("".join)
patterns = st.recursive(
    observations,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([*AROUND, " FOLLOWEDBY "]), inner).map("".join),
        st.tuples(inner.map("({})".format), st.sampled_from(QUALIFIERS)).map("".join),
    ),
    max_leaves=3,
)


def observed(objects):
    """Return a bundle with one observation of these objects; the first is what others refer to."""
    sighted = {
        "type": "observed-data",
        "id": "observed-data--b67d30ff-02ac-498a-92f9-32f845f448cf",
        "first_observed": "2026-01-01T00:00:00Z",
        "last_observed": "2026-01-01T00:00:00Z",
        "number_observed": 1,
        "object_refs": [str(number) for number in range(len(objects))],
    }
    numbered = [{"id": str(number), **value} for number, value in enumerate(objects)]
    return {"type": "bundle", "objects": [sighted, *numbered]}


def traffic(end, **more):
    return {"type": "network-traffic", f"{end}_ref": "0", **more}


def worlds(observable):
    """Return every observation that holds nothing but this observable, in one of its roles."""
    kind, value = observable.type, observable.value
    host = {"type": str(kind), "value": value}
    if kind is T.DOMAIN_NAME and observable.below:
        host["value"] = "any" + value[1:]
    if kind in {T.IPV4_ADDR, T.IPV6_ADDR}:
        host["value"] = value.replace(".0/24", ".9").replace(".0/25", ".9")
    if kind in {T.IPV4_ADDR, T.IPV6_ADDR, T.DOMAIN_NAME}:
        return [[host], [host, traffic("dst")], [host, traffic("src")]]
    if kind is T.EMAIL_ADDR:
        return [[host], [host, {"type": "email-message", "from_ref": "0"}]]
    if kind is T.ENDPOINT:
        address, _, rest = value.rpartition(":")
        port, _, protocol = rest.partition("/")
        host = {"type": "ipv4-addr", "value": address}
        return [[host, traffic("dst", dst_port=int(port), protocols=["ipv4", protocol])]]
    return [[OBJECTS[kind](value)]]


OBJECTS = {
    T.URL: lambda value: {"type": "url", "value": value},
    T.EMAIL_SUBJECT: lambda value: {"type": "email-message", "subject": value},
    T.FILE_NAME: lambda value: {"type": "file", "name": value},
    T.FILE_SHA256: lambda value: {"type": "file", "hashes": {"SHA-256": value}},
    T.FILE_SHA1: lambda value: {"type": "file", "hashes": {"SHA-1": value}},
    T.FILE_MD5: lambda value: {"type": "file", "hashes": {"MD5": value}},
    T.MUTEX: lambda value: {"type": "mutex", "name": value},
    T.PROCESS_COMMAND: lambda value: {"type": "process", "command_line": value},
}


@lru_cache(maxsize=1)
def judged(pattern):
    """Return a pattern as the matcher reads it, which takes longer than to match."""
    return Pattern(pattern, "2.1")


def matches_alone(pattern, observable):
    try:
        return any(judged(pattern).match([observed(world)]) for world in worlds(observable))
    except MatcherException:
        reject()  # the matcher fails where a name stands before ISSUBSET; it is false, no more


def is_identity(pattern, observable):
    """Return whether the stated exception may be at work: a strong hash in an AND about a file."""
    return observable.type is T.FILE_SHA256 and " AND " in pattern and "file:" in pattern


@settings(JUDGED, max_examples=1500)
@given(patterns)
@example("[network-traffic:dst_ref.value = '203.0.113.5' AND network-traffic:dst_port = 80]")
@example(
    "[network-traffic:dst_ref.value = '203.0.113.5' AND network-traffic:dst_port = 80"
    " AND network-traffic:protocols[*] = 'tcp' AND network-traffic:protocols[*] = 'ipv4']"
)
@example("[domain-name:value LIKE '%.bad.test'] OR [ipv4-addr:value ISSUBSET '198.51.100.0/24']")
def test_whatever_is_enforced_matches_by_itself(pattern):
    assume("EXISTS" not in pattern)  # the matcher has no answer to it
    for claim in read_pattern(pattern):
        if claim.enforceable and not matches_alone(pattern, claim.observable):
            assert is_identity(pattern, claim.observable), (pattern, claim)


@settings(JUDGED, max_examples=2000)
@given(st.lists(tests, min_size=2, max_size=3).map(" AND ".join))
def test_whatever_is_enforced_of_an_and_matches_by_itself(comparison):
    assume("EXISTS" not in comparison)  # the matcher has no answer to it
    pattern = f"[{comparison}]"
    for claim in read_pattern(pattern):
        if claim.enforceable and not matches_alone(pattern, claim.observable):
            assert is_identity(pattern, claim.observable), (pattern, claim)


TRAFFIC = [
    *[f"network-traffic:dst_ref.value = '{value}'" for value in [*ADDRESSES[:2], *NAMES[:1]]],
    "network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24'",
    "network-traffic:dst_ref.type = 'ipv4-addr'",
    *[
        f"network-traffic:dst_port {test}"
        for test in ("= 80", "= 443", "!= 22", "> 79", "IN (80, 443)")
    ],
    *[
        f"network-traffic:protocols[*] = '{name}'"
        for name in ("tcp", "udp", "ipv4", "ipv6", "http")
    ],
    "network-traffic:src_ref.value = '203.0.113.6'",
    "network-traffic:is_active = true",
]


@settings(JUDGED, max_examples=1000)
@given(st.lists(st.sampled_from(TRAFFIC), min_size=2, max_size=6))
def test_an_endpoint_that_is_enforced_matches_by_itself(tests):
    pattern = f"[{' AND '.join(tests)}]"
    for claim in read_pattern(pattern):
        if claim.enforceable:
            assert matches_alone(pattern, claim.observable), (pattern, claim)


FILE_TESTS = [
    *[f"file:hashes.'SHA-256' = '{digest}'" for digest in DIGESTS],
    *[f"file:hashes.'SHA-1' = '{digest}'" for digest in ("0a" * 20, "1b" * 20)],
    f"file:hashes.MD5 = '{'0a' * 16}'",
    *["file:name = 'a.exe'", "file:name = 'b.exe'", "file:name != 'b.exe'", "file:size = 5"],
]
HASH_KEYS = {T.FILE_MD5: "MD5", T.FILE_SHA1: "SHA-1", T.FILE_SHA256: "SHA-256"}  # by strength


@settings(JUDGED, max_examples=500)
@given(st.lists(st.sampled_from(FILE_TESTS), min_size=2, max_size=5, unique=True))
def test_the_hash_that_is_enforced_is_the_strongest_of_a_file_that_can_be(tests):
    pattern = f"[{' AND '.join(tests)}]"
    claims = read_pattern(pattern)
    seen = {claim.observable.type: claim.observable.value for claim in claims if claim.observable}
    hashes = {HASH_KEYS[kind]: seen[kind] for kind in HASH_KEYS if kind in seen}
    the_file = {"type": "file", "size": 5, "hashes": hashes, "name": seen.get(T.FILE_NAME, "a.exe")}
    for claim in claims:
        if claim.enforceable:
            kind = claim.observable.type
            assert HASH_KEYS[kind] == list(hashes)[-1]
            assert kind is T.FILE_SHA256 or all("hashes" in test for test in tests)
            assert "!=" not in pattern
            assert judged(pattern).match([observed([the_file])])


@settings(JUDGED, max_examples=1000)
@given(patterns)
def test_what_is_watched_for_needing_more_does_not_match_by_itself(pattern):
    """Reading is as complete as it is sound, except where the words say that we are careful."""
    assume("EXISTS" not in pattern)  # the matcher has no answer to it
    careful = ("cannot equal", "no object is", "must not match", "excludes", "alone")
    for claim in read_pattern(pattern):
        if claim.observable is None or claim.enforceable or any(w in claim.why for w in careful):
            continue
        if matches_alone(pattern, claim.observable):
            assert "ISSUBSET" in pattern or "LIKE" in pattern or "type" in pattern, (pattern, claim)


@settings(JUDGED, max_examples=120)
@given(
    st.lists(st.lists(sets, min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from(["IN", "OR"]),
)
def test_nothing_is_missing_of_ors_of_equalities(brackets, form):
    def comparison(path, values):
        if form == "IN":
            return f"{path} IN ({', '.join(map(quoted, values))})"
        return " OR ".join(f"{path} = {quoted(value)}" for value in values)

    pattern = " OR ".join(
        f"[{' OR '.join(comparison(path, values) for path, values in tests)}]" for tests in brackets
    )
    claims = read_pattern(pattern)
    values = [value for tests in brackets for _, values in tests for value in values]
    assert [claim.observable.value for claim in claims] == list(dict.fromkeys(values))
    assert all(claim.enforceable for claim in claims)
    assert all(matches_alone(pattern, claim.observable) for claim in claims)


@dataclass(frozen=True)
class Verdict:
    is_pattern: bool
    was_repaired: bool = False


def verdict(pattern, version="2.1"):
    try:
        return Verdict(True, bool(parse(pattern, version).repairs))
    except PatternSyntaxError:
        return Verdict(False)
    except PatternTooLargeError:
        return Verdict(True)


def judge_parses(pattern, judge=Pattern21):
    try:
        judge(pattern)
    except ParseException:
        return False
    return True


@JUDGED
@given(patterns)
def test_every_generated_pattern_parses_for_the_judge_and_for_us(pattern):
    assert judge_parses(pattern)
    assert verdict(pattern) == Verdict(True)
    assert all(claim.reason is not Reason.UNREADABLE for claim in read_pattern(pattern))


WORDS = [
    *(
        "[",
        "]",
        "(",
        ")",
        ":",
        ".",
        ",",
        "*",
        "=",
        "==",
        "!=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "-",
        "+",
    ),
    *(
        "AND",
        "OR",
        "NOT",
        "FOLLOWEDBY",
        "LIKE",
        "MATCHES",
        "ISSUBSET",
        "ISSUPERSET",
        "EXISTS",
        "IN",
    ),
    *("START", "STOP", "WITHIN", "SECONDS", "REPEATS", "TIMES", "LAST", "true", "false"),
    *("a", "ipv4-addr", "value", "hashes", "x_y", "A1", "and", "t", "h", "b"),
    *("'x'", "''", r"'\''", r"'\\'", r"'\n'", "'", "h'0aFF'", "h'0'", "b'QUJD'", "b'QQ=='", "b'Q'"),
    *("t'2026-01-01T00:00:00Z'", "t'2026-01-01T00:00:60.5Z'", "t'2026-13-01T00:00:00Z'"),
    *("0", "1", "007", "-5", "+5", "1.5", ".5", "-.5", "5.", "1e5", "00.5", "1.2.3"),
    *(
        " ",
        "\t",
        "\r\n",
        "\u00a0",
        "\x1c",
        "\ufeff",
        "/* c */",
        "/*",
        "*/",
        "// c\n",
        "/",
        "#",
        "\\",
    ),
]
a_test = st.sampled_from(["a:b = 1", "a:b IN ('x', 2)", "a:'b-c'[*].d LIKE 'x'", "EXISTS a:b[0]"])


@settings(JUDGED, max_examples=1500)
@given(
    st.lists(st.one_of(st.sampled_from(WORDS), a_test), max_size=9),
    st.sampled_from(["", " "]),
    st.booleans(),
)
def test_what_is_a_pattern_is_what_the_judge_says(words, blank, in_brackets):
    text = blank.join(words)
    pattern = f"[a:b = {text}]" if in_brackets else text
    ours = verdict(pattern)
    assume(not ours.was_repaired)
    assume("WITHIN" not in pattern or pattern.count("WITHIN") == 1)
    assert ours.is_pattern == judge_parses(pattern), pattern


BLANKS = [
    chr(code) for code in range(0x3001) if chr(code).isspace() or code in range(0x2000, 0x2010)
]


@pytest.mark.parametrize(
    "character", [*BLANKS, "\x00", "\x08", "\u00ad", "\u180e", "\ufeff"], ids=ascii
)
def test_what_means_nothing_between_words_is_what_the_judge_says(character):
    pattern = f"[a:b{character}= 1]"
    assert verdict(pattern).is_pattern == judge_parses(pattern)


@settings(JUDGED, max_examples=600)
@given(patterns, st.data())
def test_a_damaged_pattern_is_a_pattern_when_the_judge_says_so(pattern, data):
    start = data.draw(st.integers(0, len(pattern)))
    length = data.draw(st.integers(0, 6))
    put_in = data.draw(st.one_of(st.just(""), st.sampled_from(WORDS), st.text(max_size=2)))
    damaged = pattern[:start] + put_in + pattern[start + length :]
    ours = verdict(damaged)
    assume(not ours.was_repaired)
    if not judge_parses(damaged):
        assert not ours.is_pattern, damaged
    elif not ours.is_pattern:
        # Two qualifiers of a kind are grammar, but against the specification.
        assert any(damaged.count(word) > 1 for word in ("WITHIN", "REPEATS", "START")), damaged


@settings(JUDGED, max_examples=150)
@given(patterns)
def test_versions_differ_in_exists_alone(pattern):
    assert verdict(pattern, "2.0").is_pattern == judge_parses(pattern, Pattern20)
    if "EXISTS" not in pattern:
        assert read_pattern(pattern, "2.0") == read_pattern(pattern, "2.1")


@pytest.mark.parametrize(
    "pattern",
    [
        '[ipv4-addr:value = "203.0.113.5"]',
        "ipv4-addr:value = '203.0.113.5'",
        f"[file:hashes.SHA-256 = '{DIGESTS[0]}']",
    ],
)
def test_what_the_judge_refuses_and_we_read_is_reported_as_repaired(pattern):
    assert not judge_parses(pattern)
    (claim,) = read_in_full(pattern)
    assert claim.enforceable
    assert "repaired" in claim.why


@JUDGED
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_escapes_are_undone(text):
    (claim,) = read_pattern(f"[email-message:subject = {quoted(text)}]")
    value = claim.observable.value
    assert claim.observable == Observable(T.EMAIL_SUBJECT, value)
    assert json.dumps(value)  # no half of a surrogate pair
    assume(value == text)
    assert matches_alone(f"[email-message:subject = {quoted(text)}]", claim.observable)
