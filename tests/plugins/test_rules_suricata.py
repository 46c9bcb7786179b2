"""Files of rules as the real Suricata judges them: it loads what we mean, and nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import suricata_engine
from connector_rules import RulesAdapter, RulesSettings, keywords
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from suricata_engine import its_own_test, loaded_by_suricata, suricata

from connector.adapter import OutputContext, Rule, RuleLanguage
from connector.testing.rule_suite import RuleAdapterSuite, held, publish
from connector.testing.samples.rules import sample_rule

pytestmark = pytest.mark.real_server("suricata")

PLAIN = 'alert tcp any any -> any any (msg:"plain {n}"; content:"x"; sid:{n}; rev:1;)'
# What a feed could send to have an engine do more than alert, or to lose the rules beside it.
SMUGGLED = 'drop tcp any any -> any any (msg:"smuggled"; content:"x"; sid:666;)'


def made(folder: Path, **options: Any) -> RulesAdapter:
    options = {"file": "ids/local.rules", "language": "suricata", **options}
    return RulesAdapter(RulesSettings(**options), OutputContext("ids", folder))


def rule(number: int, text: str) -> Rule:
    return sample_rule(RuleLanguage.SURICATA, number, text=text)


def long_rule(length: int, last: str = "", *, sid: int = 5) -> str:
    """A rule of so many bytes, whose last ones are given."""
    head, tail = f'alert tcp any any -> any any (sid:{sid}; content:"x"; msg:"', f'{last}";)'
    return head + "a" * (length - len(head) - len(tail)) + tail


class TestAgainstTheEngine(RuleAdapterSuite):
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> RulesAdapter:
        suricata()
        return made(tmp_path)

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Callable[[], list[str]]:
        return lambda: loaded_by_suricata(tmp_path / "ids/local.rules")

    @pytest.fixture
    def foreign(self, tmp_path: Path) -> Callable[[], None]:
        path = tmp_path / "ids/local.rules"
        return lambda: path.write_text(f"{path.read_text()}{SMUGGLED}\n")

    @pytest.fixture
    def break_target(self, tmp_path: Path) -> Callable[[], None]:
        def gone() -> None:
            shutil.rmtree(tmp_path / "ids")
            (tmp_path / "ids").symlink_to(tmp_path / "ids")

        return gone


def test_a_rule_of_the_longest_line_is_one_rule_to_the_engine(tmp_path: Path) -> None:
    suricata()
    longest = long_rule(8191)
    adapter = made(tmp_path)
    assert publish(adapter, [rule(1, longest), rule(2, PLAIN.format(n=2))]) == {}
    assert sorted(loaded_by_suricata(tmp_path / "ids/local.rules")) == sorted(
        [longest, PLAIN.format(n=2)]
    )


def smuggling(first: int) -> str:
    """One rule by its form, whose value holds another one that begins after so many bytes."""
    head = "alert tcp any any -> any any (metadata:"
    return f'{head}{"a" * (first - len(head))}drop tcp any any -> any any (content:"x"; sid:666;)'


def test_a_longer_rule_would_smuggle_another_one_and_is_refused(tmp_path: Path) -> None:
    suricata()
    path = tmp_path / "as-it-is.rules"
    path.write_text(f"{smuggling(8191)}\n")
    [smuggled] = loaded_by_suricata(path)
    assert smuggled.startswith("drop "), "the engine reads lines of 8,192 bytes"
    hostile = rule(1, smuggling(8191))
    rejected = publish(made(tmp_path), [hostile, rule(2, PLAIN.format(n=2))])
    assert "the engine reads lines of at most 8191" in rejected[hostile.key]
    assert loaded_by_suricata(tmp_path / "ids/local.rules") == [PLAIN.format(n=2)]


def test_the_length_of_a_line_is_counted_in_bytes(tmp_path: Path) -> None:
    umlauts = long_rule(8191).replace("aa", "ä" * 2)
    assert len(umlauts) == 8191
    assert publish(made(tmp_path), [rule(1, umlauts)])


def test_each_keyword_of_the_engine_is_judged() -> None:
    """A keyword that a newer engine brings is refused until somebody has looked at it."""
    unknown = suricata_engine.keywords() - keywords.SURICATA - keywords.REACHING.keys()
    assert unknown == set()


PIECES = st.sampled_from([
    *'();:"\\,[]!$#/* \t\r\n|', "\\;", '\\"', "\\\\;", "\\\n", "\u2028", "\xa0", "\x85", "ä",
    "sid:1;", "sid:2;", "gid:1;", 'msg:"a";', 'content:"b";', "metadata:a b;", "noalert;",
    "reference:url,x.example;", "filemd5:/etc/passwd;", "FileSHA256:x;", "lua:a.lua;", "any", "->",
    "dataset:set,a,state a.lst;", "alert", "drop", "pass", "tcp", "$HOME_NET", "$UNHEARD", "# ",
    "a" * 4000, SMUGGLED, "alert tcp any any -> any any (", "drop tcp any any -> any any (", ";)",
])  # fmt: skip
WHOLE = st.lists(PIECES, max_size=12).map("".join)
INNER = st.lists(PIECES, max_size=8).map(
    lambda parts: f"alert tcp any any -> any any ({''.join(parts)}sid:7; rev:1;)"
)
LONG = st.integers(8189, 8193).map(smuggling)
HOSTILE = st.lists(WHOLE | INNER | LONG, min_size=10, max_size=30)
SLOW = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def numbered(texts: list[str]) -> list[Rule]:
    """Hostile texts after a plain rule, with a sid each where they have the usual one."""
    named = [text.replace("sid:7;", f"sid:{n};") for n, text in enumerate(texts, 1000)]
    return [rule(n, text) for n, text in enumerate([PLAIN.format(n=99), *named])]


@settings(SLOW, max_examples=40)
@given(texts=HOSTILE)
def test_whatever_a_feed_sends_the_engine_loads_no_more_than_was_meant(
    tmp_path: Path, texts: list[str]
) -> None:
    suricata()
    adapter = made(tmp_path)
    publish(adapter, numbered(texts))
    meant = {one.text.strip() for one in held(adapter).values()}
    loaded = loaded_by_suricata(tmp_path / "ids/local.rules")
    assert PLAIN.format(n=99) in loaded
    assert len(loaded) == len(set(loaded))
    assert meant.issuperset(loaded)
    assert all(text.startswith("alert ") for text in meant)


@settings(SLOW, max_examples=8)
@given(texts=HOSTILE)
def test_after_its_own_test_the_engine_loads_exactly_what_was_meant(
    tmp_path: Path, texts: list[str]
) -> None:
    adapter = made(tmp_path, test=its_own_test())
    publish(adapter, numbered(texts))
    meant = sorted(one.text.strip() for one in held(adapter).values())
    assert sorted(loaded_by_suricata(tmp_path / "ids/local.rules")) == meant


def test_what_the_engine_refuses_is_left_out_and_rejected_in_its_words(tmp_path: Path) -> None:
    good = [rule(n, PLAIN.format(n=n)) for n in range(1, 40)]
    bad = {
        50: 'alert tcp any any -> any any (msg:"a"; flow:sideways; sid:50;)',
        51: 'alert tcp any any -> any any (msg:"open; sid:51;)',
        52: 'alert nothing any any -> any any (msg:"a"; sid:52;)',
        53: 'alert tcp any any -> any any (msg:"at line 3"; distance:4; sid:53;)',
    }
    rules = [*good[:20], *(rule(n, text) for n, text in bad.items()), *good[20:]]
    adapter = made(tmp_path, test=its_own_test())
    rejected = publish(adapter, rules)
    assert rejected.keys() == {rule(n, "").key for n in bad}
    assert rejected[rule(52, "").key].startswith(
        'refused by the engine: E: detect-parse: protocol "nothing" cannot be used in a signature'
    )
    loaded = loaded_by_suricata(tmp_path / "ids/local.rules")
    assert sorted(loaded) == sorted(one.text for one in good)


def test_a_refused_rule_too_long_for_the_engines_words_is_found_all_the_same(
    tmp_path: Path,
) -> None:
    """Its messages end after 2,048 bytes, before they name the line."""
    bad = rule(3, long_rule(4000).replace("content:", "flow:sideways; content:"))
    good = [rule(n, PLAIN.format(n=n)) for n in (1, 2, 4, 6)]
    rejected = publish(made(tmp_path, test=its_own_test()), [*good[:2], bad, *good[2:]])
    assert rejected.keys() == {bad.key}
    assert len(loaded_by_suricata(tmp_path / "ids/local.rules")) == 4
