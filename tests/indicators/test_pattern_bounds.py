"""Patterns that are long, deep, tangled or hostile: read or refused, never an error."""

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.indicators.pattern.reader import read_pattern
from connector.model import Reason

QUICK = settings(max_examples=500, derandomize=True, deadline=None, database=None)
MANY = [f"10.{number >> 8}.{number & 255}.1" for number in range(5000)]
IP = "ipv4-addr:value"
DST = "network-traffic:dst_ref"
LISTED = ", ".join(f"'{address}'" for address in MANY)

LONG = {
    "OR": "[" + " OR ".join(f"{IP} = '{address}'" for address in MANY) + "]",
    "IN": f"[{IP} IN ({LISTED})]",
    "observation OR": " OR ".join(f"[{IP} = '{address}']" for address in MANY),
    "IN with a guard": f"[{DST}.type = 'ipv4-addr' AND {DST}.value IN ({LISTED})]",
    "OR in parentheses": "[(" + ") OR (".join(f"{IP} = '{address}'" for address in MANY) + ")]",
}


@pytest.mark.parametrize("pattern", LONG.values(), ids=LONG.keys())
def test_five_thousand_alternatives_are_all_enforced_in_order(pattern):
    claims = read_pattern(pattern)
    assert [claim.observable.value for claim in claims] == MANY
    assert all(claim.enforceable for claim in claims)


def test_five_thousand_observations_together_are_all_watched():
    claims = read_pattern(" AND ".join(f"[{IP} = '{address}']" for address in MANY))
    assert [claim.observable.value for claim in claims] == MANY
    assert not any(claim.enforceable for claim in claims)


def test_a_long_pattern_is_read_where_the_stack_is_nearly_full():
    def deeper(levels):
        return read_pattern(LONG["OR"]) if levels == 0 else deeper(levels - 1)

    frame, used = sys._getframe(), 0
    while frame := frame.f_back:
        used += 1
    assert len(deeper(sys.getrecursionlimit() - used - 60)) == len(MANY)


def nested(depth, *, observations):
    opened, closed = "(" * depth, ")" * depth
    inside = f"{IP} = '203.0.113.5'"
    return f"{opened}[{inside}]{closed}" if observations else f"[{opened}{inside}{closed}]"


@pytest.mark.parametrize("observations", [True, False])
def test_parentheses_are_read_to_a_depth_of_a_hundred(observations):
    (claim,) = read_pattern(nested(100, observations=observations))
    assert claim.enforceable
    for depth in (101, 50_000):
        (claim,) = read_pattern(nested(depth, observations=observations))
        assert claim.reason is Reason.UNSUPPORTED_PATTERN
        assert "more than 100 deep" in claim.why


def test_a_pattern_is_read_to_a_length_of_256_kibibytes():
    pattern = f"[{IP} = '203.0.113.5']"
    longest = pattern + " " * (256 * 1024 - len(pattern))
    assert read_pattern(longest)[0].enforceable
    (claim,) = read_pattern(longest + " ")
    assert (claim.enforceable, claim.reason) == (False, Reason.UNSUPPORTED_PATTERN)
    assert "longer than 262144" in claim.why
    (claim,) = read_pattern(f"[file:name = '{'a' * 300_000}']")
    assert claim.reason is Reason.UNSUPPORTED_PATTERN


def any_of(count, path):
    return "(" + " OR ".join(f"{path} = {number}" for number in range(count)) + ")"


def test_ands_of_ors_are_multiplied_out_to_512_terms():
    value = f"{DST}.value = '203.0.113.5'"
    ports = any_of(16, "network-traffic:dst_port")
    (claim,) = read_pattern(f"[{ports} AND {value} AND {any_of(32, 'network-traffic:src_port')}]")
    assert claim.observable.value == "203.0.113.5"
    (claim,) = read_pattern(f"[{ports} AND {value} AND {any_of(33, 'network-traffic:src_port')}]")
    assert (claim.observable, claim.reason) == (None, Reason.UNSUPPORTED_PATTERN)
    assert "more than 512 alternatives" in claim.why


def test_a_tower_of_ands_over_a_long_or_is_bounded():
    wide = f"{IP} IN ({LISTED})"
    for _ in range(90):
        wide = f"({wide} AND a:b = 1)"
    (claim,) = read_pattern(f"[{wide}]")
    assert claim.reason is Reason.UNSUPPORTED_PATTERN
    assert "more than 100000 comparisons" in claim.why


def test_many_ands_each_within_its_bound_are_bounded_together():
    others = " AND ".join(f"a:d != {number}" for number in range(190))
    tangle = f"({any_of(22, 'a:b')} AND {any_of(22, 'a:c')} AND {others})"
    (claim,) = read_pattern(f"[{tangle}]")
    assert "too large" not in claim.why
    (claim,) = read_pattern(f"[{tangle}] OR [{tangle} OR a:b = 1]")
    assert claim.reason is Reason.UNSUPPORTED_PATTERN
    assert "more than 100000 comparisons" in claim.why


HOSTILE = {
    "brackets": "[" * 200_000,
    "parentheses": "(" * 200_000,
    "quotes": "'" * 199_999,
    "double quotes": '"' * 199_999,
    "broken escapes": "'\\z" * 80_000,
    "open comments": "/* " * 80_000,
    "slashes": "/" * 200_000,
    "zeros": "0" * 200_000,
    "digits": "[a:b = " + "9" * 200_000 + "]",
    "points": ".0" * 100_000,
    "a span of time": f"[{IP} = '203.0.113.5'] WITHIN {'9' * 200_000} SECONDS",
    "a number of times": f"[{IP} = '203.0.113.5'] REPEATS {'9' * 200_000} TIMES",
    "a path": "[a:b" + ".c" * 100_000 + " = 1]",
    "an index": "[a:b[" + "1" * 200_000 + "] = 1]",
    "hex": "h'" + "ab" * 100_000,
    "base64": "b'AAAA" * 40_000,
    "times": "t'2020" * 40_000,
    "hyphens": "[file:hashes." + "a-" * 100_000,
    "labels": "[domain-name:value = '" + "a." * 100_000 + "']",
    "dots in words": "[domain-name:value = '" + " dot " * 800 + "']",
    "blanks": "[email-addr:value = 'a" + " " * 500 + "b']",
    "accents": "[file:name = '" + "\u0301" * 2000 + "']",
    "wide letters": "[domain-name:value = '" + "\u00e9" * 2000 + ".example']",
    "what must not be": f"[{IP} NOT IN ({LISTED}) AND {IP} IN ({LISTED[:8000]}'')]",
    "surrogates": "[domain-name:value = '\ud800.example'] OR [\udfff:b = '\ud800']",
}


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_pattern_costs_little_and_gives_nothing_false(pattern):
    claims = read_pattern(pattern)
    assert claims
    assert sum(len(claim.why) for claim in claims) < 5000
    for claim in claims:
        assert claim.why.isascii()
        assert claim.why.isprintable()


def assert_harmless(pattern, version="2.1"):
    claims = read_pattern(pattern, version)
    assert claims
    assert claims == read_pattern(pattern, version)
    observables = [claim.observable for claim in claims if claim.observable is not None]
    assert len(set(observables)) == len(observables)
    for claim in claims:
        assert claim.why.isascii()
        assert claim.enforceable <= (claim.observable is not None)
    for observable in observables:
        assert observable.value.isprintable()
        observable.value.encode()


@QUICK
@given(st.text(max_size=200), st.sampled_from(["2.0", "2.1", "", "\x00"]))
def test_any_text_is_read_without_an_error(text, version):
    assert_harmless(text, version)


PATHS = [
    *(IP, "ipv6-addr:value", "domain-name:value", "url:value", "email-addr:value", f"{DST}.value"),
    *("file:name", "file:hashes.MD5", "mutex:name", "windows-registry-key:key"),
    *("process:command_line", "email-message:subject", "autonomous-system:number"),
]


@settings(QUICK, max_examples=1500)
@given(st.sampled_from(PATHS), st.sampled_from(["=", "LIKE", "ISSUBSET"]), st.text(max_size=60))
def test_any_value_is_read_without_an_error(path, operator, value):
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    assert_harmless(f"[{path} {operator} '{quoted}']")
    assert_harmless(f"[{path} {operator} '{value}']")


def test_noise_in_a_sound_pattern_never_gives_an_error_or_a_value_that_breaks_a_list():
    noise = random.Random(20260101)  # noqa: S311 - noise, no secret
    sound = (
        f"[({DST}.type = 'ipv4-addr' AND {DST}.value = '203.0.113.5') OR url:value IN "
        "('http://bad.example/x', 'bad.test')] WITHIN 5 SECONDS OR ([domain-name:value LIKE "
        "'%.bad.test'] FOLLOWEDBY [file:hashes.'SHA-256' != 'ab'])"
    ).encode()
    for _ in range(3000):
        damaged = bytearray(sound)
        for _ in range(noise.randint(1, 6)):
            place = noise.randrange(len(damaged))
            if noise.random() < 0.3:
                del damaged[place]
            else:
                damaged[place] = noise.randrange(256)
        assert_harmless(damaged.decode("utf-8", "surrogateescape"))
        assert_harmless(damaged.decode("latin-1"))
