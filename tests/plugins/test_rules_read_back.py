"""Files of rules held against readers of their languages: one rule is one rule."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
import yara
from connector_rules import RulesAdapter, RulesSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snort_reader import SnortRefusesError, rules_read_by_snort

from connector.adapter import OutputContext, RuleLanguage
from connector.testing.rule_suite import held, publish
from connector.testing.samples.rules import HOSTILE_RULES, sample_rule

SNORT, SIGMA, YARA = RuleLanguage.SNORT, RuleLanguage.SIGMA, RuleLanguage.YARA
Texts = Sequence[str]
OWN_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def made(folder: Path, language: RuleLanguage, **options: Any) -> RulesAdapter:
    chosen = RulesSettings(file="rules.txt", language=language, **options)
    return RulesAdapter(chosen, OutputContext("detect", folder))


def published(folder: Path) -> str:
    return (folder / "rules.txt").read_text(encoding="utf-8")


def after(adapter: RulesAdapter, texts: Texts) -> Texts:
    """Publish texts between plain rules; return what is held, in the file's order."""
    language = adapter.settings.language
    rules = [sample_rule(language, n, text=text) for n, text in enumerate(texts, 10)]
    publish(adapter, [sample_rule(language, 1), *rules, sample_rule(language, 2)])
    return [one.text.strip() for one in held(adapter).values()]


def hostile(language: RuleLanguage, pieces: Texts, frame: str) -> st.SearchStrategy[list[str]]:
    """Texts of pieces that a reader gives a meaning, bare and in the frame of a whole rule."""
    parts = st.lists(st.sampled_from(pieces), max_size=8).map("".join)
    framed = parts.map(lambda inner: frame.replace("@", inner))
    known = st.sampled_from([text for text in HOSTILE_RULES[language] if len(text) < 1000])
    return st.lists(parts | framed | known, min_size=1, max_size=10)


ALERT = "alert tcp any any -> any any "
SNORT_PIECES = [
    *'();:"\\,[]!$#/* a', "\\;", '\\"', "\\x", "\\x41", "/*", "*/", "#", "\xa0", 'msg:"a";',
    "rem:b;", 'content:"b",depth 3;', "metadata:a b;", "metadata:", "reference:url,x.example;",
    "reference:", 'pcre:"/a/";', "pcre:", "classtype:", "flags:!S;", "dsize:>3;", "sid:9;",
    "gid:2;", ";)", "sid:1;)", "drop tcp any any -> any any (", f"{ALERT}(",
    "include /etc/passwd ",
]  # fmt: skip


@OWN_FOLDER
@given(texts=hostile(SNORT, SNORT_PIECES, f"{ALERT}(@sid:5; rev:1;)"))
def test_whatever_a_feed_sends_snort_reads_the_rules_that_were_meant(
    tmp_path: Path, texts: Texts
) -> None:
    snort_reads_what_was_meant(tmp_path, texts)


def test_a_blank_that_is_no_blank_to_snort_is_part_of_no_option(tmp_path: Path) -> None:
    snort_reads_what_was_meant(tmp_path, [f"{ALERT}(\xa0sid:5; rev:1;)"])


def snort_reads_what_was_meant(tmp_path: Path, texts: Texts) -> None:
    meant = after(made(tmp_path, SNORT), texts)
    read = rules_read_by_snort(published(tmp_path))
    assert [action for action, _options in read] == ["alert"] * len(meant)
    assert all(options.count("sid") == 1 for _action, options in read)


def test_the_reader_of_snort_falls_into_the_traps() -> None:
    """It is worth something: each of these is more, or less, than the one rule that it seems."""
    two = rules_read_by_snort(f'{ALERT}(classtype:a) drop tcp any any -> any any (msg:"b"; sid:1;)')
    assert [action for action, _options in two] == ["alert", "drop"]
    lost = rules_read_by_snort(f"{ALERT}(rem:a; sid:1;)\n{ALERT}(rem:/*; sid:2;)\n{ALERT}(*/b;)")
    assert len(lost) == 2
    for text in ("(rem:#a; sid:1;)", "(rem:[a; sid:1;)", '(msg:"a\\x"; sid:1;)', "(rem:; sid:1;)"):
        with pytest.raises(SnortRefusesError):
            rules_read_by_snort(f"{ALERT}{text}")


@pytest.mark.parametrize(
    "options",
    [
        'msg:"a"; content:!"b", depth 10, nocase; reference:url,x.example/a_(b); classtype:x;',
        'msg:"a|3b|"; pcre:"/^a\\x{41}[;]/Ri"; metadata:policy balanced-ips drop, service http;',
        'msg:"a"; pcre:!"/\\x2e(a|b)\\;/"; flags:S,12; flow:to_server,established; dsize:300<>400;',
        "byte_test:4,>,1000,20,relative; detection_filter:track by_src, count 30, seconds 60;",
        'msg:"it\\"s"; content:"\\x41\\x5c"; http_header:field user-agent; ip_proto:!6;',
    ],
)
def test_snort_rules_are_taken_as_they_are_written(tmp_path: Path, options: str) -> None:
    text = f"{ALERT}({options} sid:7; rev:2;)".replace("[;]", "[a]")
    assert text in after(made(tmp_path, SNORT), [text])
    assert len(rules_read_by_snort(published(tmp_path))) == 3


SIGMA_RULE = "title: a\nlogsource: {product: a}\ndetection: {condition: a}\n"
SIGMA_PIECES = [
    "---", "---\n", "--- ", "...", "...\n", "\n", "\r", "\r\n", " ", "\t", "  a: b\n", "# c\n",
    "#", "- a\n", "a: b\n", "---x: 1\n", "|\n  a\n", ">-\n", "'", '"', "{", "}", "[", "]",
    "? a\n", ": ", "<<: {action: global}\n", "action: reset\n", "filter: {}\n",
    "date: 2026-99-99\n", "x: 0b_\n", "x: 190:20:30\n", "id: a\n", "x: =\n", "title: b\n",
    "%YAML 1.2\n", "!!str", "&a ", "*a", "x: " + "9" * 60 + "\n", SIGMA_RULE,
]  # fmt: skip


@OWN_FOLDER
@given(texts=hostile(SIGMA, SIGMA_PIECES, f"{SIGMA_RULE}@"))
def test_whatever_a_feed_sends_each_sigma_rule_is_the_document_that_it_was(
    tmp_path: Path, texts: Texts
) -> None:
    meant = after(made(tmp_path, SIGMA), texts)
    read = list(yaml.safe_load_all(published(tmp_path)))
    assert read == [
        next(one for one in yaml.safe_load_all(text) if one is not None) for text in meant
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"---x: 1\n{SIGMA_RULE}",
        f"# a comment\n---\n{SIGMA_RULE}...\n",
        f"---\n{SIGMA_RULE}...\n# that is all\n",
        "--- {title: a, logsource: {product: a}, detection: {condition: a}}",
        f"{SIGMA_RULE}description: |\n  one\n\n  two\ndate: 2026-03-01\nmodified: 2026/03/02\n",
    ],
)
def test_a_sigma_rule_is_one_document_whatever_marks_it_begins_with(
    tmp_path: Path, text: str
) -> None:
    after(made(tmp_path, SIGMA), [text])
    titles = [one["title"] for one in yaml.safe_load_all(published(tmp_path))]
    assert titles == ["Sample 1", "a", "Sample 2"]


YARA_PIECES = [
    *'{}()/"*$:#\\', " ", "\n", "\r", "//", "/*", "*/", "rule ", "private ", "global ",
    "include ", 'import "pe" ', "condition: ", "strings: ", "true ", "any of ", "of ", "them ",
    "(sample_*)", "(a*, b)", "(a)", "aa ", "sample_1 ", '$a = "x" ', "$a = /x/ ", "$a = { 41 } ",
    "rule aa { condition: true } ", "rule pe { condition: true } ", "ä",
]  # fmt: skip


@OWN_FOLDER
@given(texts=hostile(YARA, YARA_PIECES, 'rule zz { strings: $a = "x" condition: $a @ }'))
def test_whatever_a_feed_sends_the_engine_compiles_the_file_whole(
    tmp_path: Path, texts: Texts
) -> None:
    meant = after(made(tmp_path, YARA), texts)
    found = [rule.identifier for rule in yara.compile(source=published(tmp_path), includes=False)]
    alone = [rule.identifier for text in meant for rule in yara.compile(source=text)]
    assert sorted(found) == sorted(alone)


def test_a_yara_rule_reserves_no_names_for_itself(tmp_path: Path) -> None:
    """Alone it compiles; with it, none that is called as its set begins would."""
    text = "rule sample_a { condition: true } rule b { condition: any of (sample_*) }"
    yara.compile(source=text)
    with pytest.raises(yara.Error, match="previously used wildcard"):
        yara.compile(source=f"{text} rule sample_1 {{ condition: true }}")
    assert len(after(made(tmp_path, YARA), [text])) == 2
    named = (
        "rule a { condition: true } "
        'rule b { strings: $a1 = "x" condition: any of (a) or any of ($a*) }'
    )
    assert named in after(made(tmp_path, YARA), [named])


def test_texts_longer_than_yara_reads_are_refused_without_the_engine(tmp_path: Path) -> None:
    longest = f'rule a {{ strings: $a = "{"x" * 8190}" condition: $a }}'
    yara.compile(source=longest)
    longer = longest.replace('"x', '"xx').replace("rule a", "rule b")
    with pytest.raises(yara.Error):
        yara.compile(source=longer)
    after(made(tmp_path, YARA, compile=False), [longest, longer])
    named = re.findall(r"^rule (\w+)", published(tmp_path), re.MULTILINE)
    assert named == ["sample_1", "a", "sample_2"]
