"""The option `test`: the operator's engine judges a draft, and only what it takes is published."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from connector_rules import RulesAdapter, RulesSettings
from pydantic import ValidationError

from connector.adapter import OutputContext, Rule, RuleLanguage, UnavailableError
from connector.testing.rule_suite import expect_held, publish
from connector.testing.samples.rules import sample_rule

# Engines that refuse a rule whose message says so: all by line, the first by line, or without one.
READING = "import sys\nlines = list(enumerate(open(sys.argv[1]), 1))\n"
BAD = '[(n, line) for n, line in lines if "BAD" in line and not line.startswith("#")]'
NAMES_ALL = f"""{READING}
for n, line in {BAD}:
    print("what is wrong with it")
    print(f"error in {{line.strip()}} from file {{sys.argv[1]}} at line {{n}}")
sys.exit(bool({BAD}))
"""
NAMES_THE_FIRST = f"""{READING}
for n, line in {BAD}[:1]:
    sys.exit(f"ERROR: {{sys.argv[1]}}({{n}}) Unknown rule option: 'x'.")
"""
NAMES_NONE = f"{READING}\nsys.exit('FATAL ERROR: bad rule' if {BAD} else 0)\n"
BLAMES_OTHERS = f"""{READING}
sys.exit("error: " + {BAD}[0][1] if {BAD} else 0)
"""
# Two rules that it takes by themselves, and not together.
REFUSES_PAIRS = f"""{READING}
sys.exit(sum("HALF" in line for n, line in lines if not line.startswith("#")) > 1)
"""
ENGINES = {"all": NAMES_ALL, "first": NAMES_THE_FIRST, "none": NAMES_NONE}


def command(folder: Path, source: str) -> Sequence[str]:
    program = folder / "engine.py"
    program.write_text(source)
    return (sys.executable, str(program), "{file}")


def made(folder: Path, test: Sequence[str], **options: Any) -> RulesAdapter:
    settings = RulesSettings(file="local.rules", language=RuleLanguage.SNORT, test=test, **options)
    return RulesAdapter(settings, OutputContext("ids", folder))


def rule(number: int, message: str = "plain", *, sid: int | None = None) -> Rule:
    text = f'alert tcp any any -> any any (msg:"{message}"; sid:{sid or number};)'
    return sample_rule(RuleLanguage.SNORT, number, text=text)


def loaded(folder: Path) -> list[str]:
    lines = (folder / "local.rules").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("source", ENGINES.values(), ids=ENGINES.keys())
@pytest.mark.parametrize("bad", [{7}, {1, 2}, {20}, {3, 9, 17}, set(range(1, 5))])
def test_rules_that_the_engine_refuses_are_left_out_and_the_others_published(
    tmp_path: Path, source: str, bad: set[int]
) -> None:
    rules = [rule(n, "BAD" if n in bad else "plain") for n in range(1, 21)]
    adapter = made(tmp_path, command(tmp_path, source))
    rejected = publish(adapter, rules)
    assert rejected.keys() == {rule(n).key for n in bad}
    expect_held(adapter, [one for one in rules if "BAD" not in one.text], "all others stand")
    assert all(words.startswith("refused by the engine: ") for words in rejected.values())
    assert not list(tmp_path.glob(".*.test-*")), "no draft is left behind"


def test_what_the_engine_says_is_what_one_reads(tmp_path: Path) -> None:
    words = {}
    for name, source in ENGINES.items():
        adapter = made(tmp_path, command(tmp_path, source))
        [words[name]] = publish(adapter, [rule(1), rule(2, "BAD")]).values()
    assert words == {
        "all": "refused by the engine: what is wrong with it",
        "first": "refused by the engine: ERROR: local.rules(5) Unknown rule option: 'x'.",
        "none": "refused by the engine: FATAL ERROR: bad rule",
    }


def test_a_rule_cannot_have_another_one_refused_by_what_it_says(tmp_path: Path) -> None:
    """Engines repeat the rule that they refuse; it may look like a place in the file."""
    path = tmp_path / "local.rules"
    hostile = rule(2, f"BAD from file {path} at line 3, {path}:3: error in local.rules at line 3")
    adapter = made(tmp_path, command(tmp_path, BLAMES_OTHERS))
    assert publish(adapter, [rule(1), hostile, rule(3)]).keys() == {hostile.key}


def test_of_two_rules_that_do_not_go_together_the_first_stays(tmp_path: Path) -> None:
    rules = [rule(1), rule(2, "HALF"), rule(3), rule(4, "HALF"), rule(5)]
    adapter = made(tmp_path, command(tmp_path, REFUSES_PAIRS))
    assert publish(adapter, rules).keys() == {rules[3].key}
    left = [rules[0], *rules[2:]]
    assert publish(adapter, left) == {}, "what was refused beside another one is asked about again"
    expect_held(adapter, left, "the second one takes the place")


def test_a_rule_that_the_engine_refuses_gives_its_name_to_the_next(tmp_path: Path) -> None:
    refused, good = rule(1, "BAD", sid=5), rule(2, "plain", sid=5)
    adapter = made(tmp_path, command(tmp_path, NAMES_ALL))
    assert publish(adapter, [refused, good]).keys() == {refused.key}
    expect_held(adapter, [good], "the other one of that sid is no longer kept out")


@pytest.mark.parametrize(
    ("test", "seconds", "words"),
    [
        (("no-such-engine", "{file}"), 60, "no such command"),
        ((sys.executable, "-c", "import time; time.sleep(60)", "{file}"), 1, "longer than 1 s"),
        ((sys.executable, "-c", "exit('no configuration')", "{file}"), 60, "no configuration"),
    ],
)
def test_an_engine_that_cannot_be_asked_leaves_the_list_as_it_was(
    tmp_path: Path, test: Sequence[str], seconds: int, words: str
) -> None:
    publish(made(tmp_path, command(tmp_path, NAMES_ALL)), [rule(1)])
    adapter = made(tmp_path, test, test_seconds=seconds)
    with pytest.raises(UnavailableError, match=words):
        publish(adapter, [rule(1), rule(2)])
    assert loaded(tmp_path) == [rule(1).text]
    assert not list(tmp_path.glob(".*.test-*"))


def test_a_rule_that_brings_the_engine_down_is_left_out(tmp_path: Path) -> None:
    source = f"import os\n{READING}\nif {BAD}: os.kill(os.getpid(), 11)\n"
    adapter = made(tmp_path, command(tmp_path, source))
    rejected = publish(adapter, [rule(1), rule(2, "BAD"), rule(3)])
    assert list(rejected.values()) == ["refused by the engine: fatal: ended by signal 11"]
    assert loaded(tmp_path) == [rule(1).text, rule(3).text]


def test_an_engine_may_say_more_than_anybody_reads(tmp_path: Path) -> None:
    source = f"{READING}\nprint('x' * 50_000_000)\nsys.exit(bool({BAD}))\n"
    adapter = made(tmp_path, command(tmp_path, source))
    rejected = publish(adapter, [rule(1), rule(2, "BAD")])
    assert [len(words) < 400 for words in rejected.values()] == [True]


def test_a_search_that_takes_too_many_runs_goes_on_at_the_next_cycle(tmp_path: Path) -> None:
    rules = [rule(n, "BAD" if n % 2 else "plain") for n in range(1, 101)]
    adapter = made(tmp_path, command(tmp_path, NAMES_THE_FIRST))
    with pytest.raises(UnavailableError, match="the search continues at the next cycle"):
        publish(adapter, rules)
    assert not (tmp_path / "local.rules").exists()
    assert len(publish(adapter, rules)) == 50


def test_drafts_that_a_kill_left_behind_are_removed(tmp_path: Path) -> None:
    left = tmp_path / ".local.rules.test-abc"
    left.mkdir()
    (left / "local.rules").write_text("alert")
    publish(made(tmp_path, command(tmp_path, NAMES_ALL)), [rule(1)])
    assert not left.exists()


def test_the_command_has_to_say_where_the_draft_goes() -> None:
    with pytest.raises(ValidationError, match=r"should have \{file\} where the command takes"):
        RulesSettings(file="a.rules", language=RuleLanguage.SNORT, test=("snort", "-T"))


def test_nothing_in_a_command_is_for_a_shell(tmp_path: Path) -> None:
    engine = command(tmp_path, NAMES_ALL)
    adapter = made(tmp_path, (*engine, "; touch made", "$(touch made)", "{file}"))
    assert publish(adapter, [rule(1)]) == {}
    assert not (tmp_path / "made").exists()
