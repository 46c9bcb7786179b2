"""The short way for single equalities says what the grammar says, also on real feeds."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.indicators.pattern.paths import PROPERTIES
from connector.indicators.pattern.reader import read_in_full, read_pattern
from connector.model import Reason

QUICK = settings(max_examples=1500, derandomize=True, deadline=None, database=None)
REAL = Path(__file__).parents[2].parent / "shared" / "data"

keys = ["MD5", "'MD5'", "md5", "SHA1", "'SHA-1'", "'SHA-256'", "sha256", "'sha-256'", "'SHA-512'"]
paths = st.one_of(
    st.sampled_from(sorted(PROPERTIES)),
    st.sampled_from([f"file:hashes.{key}" for key in keys]),
    st.sampled_from(
        ["IPv4-addr:value", "ipv4-addr:'value'", "file:hashes.SHA-256", "a:b", "AND:b"]
    ),
    st.text(st.sampled_from("ipv4-adr:value.'[]*"), max_size=16),
)
values = st.one_of(
    st.sampled_from(
        [
            *(
                "203.0.113.5",
                "198.51.100.0/8",
                "300.1.1.1",
                "2001:db8::7",
                "bad.example",
                "*.bad.test",
            ),
            *("bad[.]example", "setup.exe", "http://bad.example/x", "bad.example/x#y", "@bad.test"),
            *("ab" * 16, "AB" * 32, "cd" * 64, "64496", "HKLM\\\\x", "it\\'s", "\\", "\n", "", "'"),
        ]
    ),
    st.text(max_size=12),
)
blanks = st.sampled_from(["", " ", "  ", "\t", "\u00a0", "\u2003", "/**/", "x"])
equalities = st.tuples(
    st.just("["), blanks, paths, blanks, st.sampled_from(["=", "==", "!=", "= NOT"]), blanks,
    values.map("'{}'".format), blanks, st.just("]"), st.sampled_from(["", "", "", " ", "\n"]),
).map("".join)  # fmt: skip


@QUICK
@given(equalities, st.sampled_from(["2.0", "2.1"]))
@example("[ipv4-addr:value = '203.0.113.5']", "2.1")
@example("[ipv4-addr:value = '203.0.113.5']\n", "2.1")
@example(f"[file:name = '{'a' * 300_000}']", "2.1")
@example("[autonomous-system:number = '64496']", "2.1")
@example("[domain-name:resolves_to_refs[*].value = '203.0.113.5']", "2.1")
def test_the_fast_path_says_what_the_grammar_says(pattern, version):
    assert read_pattern(pattern, version) == read_in_full(pattern, version)


@pytest.mark.parametrize("path", sorted(PROPERTIES))
@pytest.mark.parametrize(
    "value", ["203.0.113.5", "bad.example", "x@bad.example", "0f" * 32, "a\\b"]
)
def test_every_known_property_is_read_alike_both_ways(path, value):
    pattern = f"[{path} = '{value}']"
    assert read_pattern(pattern) == read_in_full(pattern)


def real_patterns(folder):
    for file in sorted((REAL / folder).iterdir()):
        if file.suffix in {".json", ".stix2"}:
            bundle = json.loads(file.read_text())
            for item in bundle["objects"]:
                if item["type"] == "indicator":
                    yield item["pattern"], item.get("spec_version", "2.0")


needs_real_feeds = pytest.mark.skipif(
    not REAL.is_dir(), reason="put public STIX bundles into ../shared/data"
)


@needs_real_feeds
@pytest.mark.parametrize(
    ("folder", "most_unread"), [("mvt-indicators", 0.06), ("unit42-iocs", 0.01)]
)
def test_real_feeds_are_read_alike_both_ways_and_nearly_all_of_it(folder, most_unread):
    patterns = set(real_patterns(folder))
    reasons = Counter()
    for pattern, version in patterns:
        claims = read_pattern(pattern, version)
        assert claims == read_in_full(pattern, version)
        reasons.update(claim.reason for claim in claims)
    assert len(patterns) > 1000
    unread = reasons[Reason.UNREADABLE] + reasons[Reason.UNSUPPORTED_PATTERN]
    assert unread <= most_unread * len(patterns), reasons


@needs_real_feeds
@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("[domain-name:value='fgr1w2gnsdvsb.xyz/x']", "fgr1w2gnsdvsb.xyz/x"),
        ("[domain-name:value = 'AveBelial.xml']", None),
        ("[domain-name:value='despachosnegocios']", None),
    ],
)
def test_dirt_of_real_feeds_is_normalised_or_refused(pattern, value):
    assert pattern in {real for folder in ("mvt-indicators", "unit42-iocs")
                       for real, _ in real_patterns(folder)}  # fmt: skip
    (claim,) = read_pattern(pattern)
    assert (claim.observable.value if claim.observable else None) == value
