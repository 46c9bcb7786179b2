"""The adapter `rules`: a file that an engine loads, spoiled by no rule that a feed sends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
import yara
from connector_rules import RulesAdapter, RulesSettings

from connector.adapter import OutputContext, Rule, RuleLanguage
from connector.testing.rule_suite import RuleAdapterSuite, expect_held, publish
from connector.testing.samples.rules import HOSTILE_RULES, sample_rule

SUFFIX = {"yara": "yar", "sigma": "yml", "snort": "rules", "suricata": "rules"}


def made(folder: Path, language: str, **options: Any) -> RulesAdapter:
    settings = RulesSettings(file=f"ids/local.{SUFFIX[language]}", language=language, **options)
    return RulesAdapter(settings, OutputContext("detect", folder))


def published(folder: Path, language: str) -> str:
    return (folder / f"ids/local.{SUFFIX[language]}").read_text(encoding="utf-8")


def loaded(folder: Path, language: str) -> list[str]:
    """What an engine finds in the file: of YARA the real one."""
    text = published(folder, language)
    if language == "yara":
        return [rule.identifier for rule in yara.compile(source=text)]
    if language == "sigma":
        return [rule["title"] for rule in yaml.safe_load_all(text) if rule is not None]
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize(
    ("language", "compiles"), [*((language, None) for language in SUFFIX), ("yara", False)]
)
class TestRules(RuleAdapterSuite):
    @pytest.fixture
    def adapter(self, tmp_path: Path, language: str, compiles: bool | None) -> RulesAdapter:
        return made(tmp_path, language, compile=compiles)

    @pytest.fixture
    def engine(self, tmp_path: Path, language: str) -> Callable[[], list[str]]:
        return lambda: loaded(tmp_path, language)

    @pytest.fixture
    def foreign(self, tmp_path: Path, language: str) -> Callable[[], None]:
        path = tmp_path / f"ids/local.{SUFFIX[language]}"
        return lambda: path.write_text(published(tmp_path, language) + "# by hand\n")

    @pytest.fixture
    def break_target(self, adapter: RulesAdapter) -> Callable[[], None]:
        folder = adapter.context.publish_folder / "ids"

        def gone() -> None:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
            folder.symlink_to(folder)

        return gone


def rule(number: int, text: str, language: str = "yara", **fields: Any) -> Rule:
    plain = sample_rule(RuleLanguage(language), number, text=text)
    return Rule(plain.indicator, plain.language, text, **fields)


def test_each_rule_stands_under_a_line_that_says_where_it_comes_from(tmp_path: Path) -> None:
    text = "rule a {\n  condition: true\n}\n"
    publish(made(tmp_path, "yara"), [rule(1, text, name="Bad\n*/ thing", feed="isac")])
    assert published(tmp_path, "yara") == (
        "// Kept by Connector: changes made here by hand are replaced.\n"
        f"// {rule(1, text).indicator} from isac: Bad */ thing\n"
        "rule a {\n  condition: true\n}\n"
    )


def test_names_of_indicators_add_no_rule(tmp_path: Path) -> None:
    name = "x\nrule more { condition: true }\r\n---\nalert tcp any any -> any any (sid:7;)\\"
    for language in SUFFIX:
        plain = sample_rule(RuleLanguage(language), 1)
        named = Rule(plain.indicator, plain.language, plain.text, name, "isac")
        publish(made(tmp_path, language), [named, sample_rule(plain.language, 2)])
        assert len(loaded(tmp_path, language)) == 2


def test_of_two_rules_with_one_name_the_one_that_is_there_stays(tmp_path: Path) -> None:
    one, other = sorted(
        (rule(n, "rule same { condition: true }") for n in (1, 2)), key=lambda each: each.indicator
    )
    adapter = made(tmp_path, "yara")
    publish(adapter, [other])
    rejected = publish(adapter, [one, other])
    assert rejected == {one.key: f"has the name same, which the rule of {other.key} has too"}
    expect_held(adapter, [other], "the newcomer should push nobody out")
    assert publish(adapter, [one]) == {}
    expect_held(adapter, [one], "the name is free once its rule is gone")


def test_names_may_be_exchanged_between_two_versions(tmp_path: Path) -> None:
    adapter = made(tmp_path, "yara")
    a, b = "rule a { condition: true }", "rule b { condition: true }"
    publish(adapter, [rule(1, a), rule(2, b)])
    later = [rule(1, b), rule(2, a)]
    assert publish(adapter, later) == {}
    expect_held(adapter, later, "both names are taken, by the other rule each")


@pytest.mark.parametrize("language", ["snort", "suricata"])
def test_two_signatures_of_one_id_are_not_both_written(tmp_path: Path, language: str) -> None:
    text = 'alert tcp any any -> any any (msg:"{}"; sid:5; rev:{};)'
    rules = [rule(n, text.format(n, n), language) for n in (1, 2)]
    other = rule(3, 'alert tcp any any -> any any (msg:"c"; gid:3; sid:5;)', language)
    adapter = made(tmp_path, language)
    rejected = publish(adapter, [*rules, other])
    assert list(rejected.values()) == [
        f"has the name 1:5, which the rule of {rules[0].key} has too"
    ]
    assert len(loaded(tmp_path, language)) == 2


def test_what_the_engine_would_refuse_is_rejected_in_its_words(tmp_path: Path) -> None:
    undefined = rule(1, "rule a { condition: $nowhere }")
    adapter = made(tmp_path, "yara")
    rejected = publish(adapter, [undefined, sample_rule(RuleLanguage.YARA, 2)])
    assert rejected == {undefined.key: 'does not compile: line 1: undefined string "$nowhere"'}
    assert loaded(tmp_path, "yara") == ["sample_2"]


def test_a_rule_that_was_judged_is_not_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [sample_rule(RuleLanguage.YARA, n) for n in range(50)]
    publish(made(tmp_path, "yara"), rules)
    compiled: list[str] = []
    compiler = yara.compile

    def counted(**options: Any) -> object:
        compiled.append(options["source"])
        return compiler(**options)

    monkeypatch.setattr(yara, "compile", counted)
    changed = rule(7, "rule changed { condition: true }")
    publish(made(tmp_path, "yara"), [*rules[:7], changed, *rules[8:]])
    assert compiled == [changed.text]
    compiled.clear()
    publish(made(tmp_path, "yara", modules=["pe"]), rules)
    assert len(compiled) == 50, "other options are other checks"


@pytest.mark.parametrize(
    "text",
    [
        'rule a : tag other { meta: x = "}" condition: true }',
        "rule a { strings: $a = { 4D 5A ?? [2-4] ( 01 | 02 ) } // }\n condition: $a at 0 }",
        'rule a { strings: $a = "\\"}" $b = /a\\/[}]{2,3}/is condition: any of them }',
        'import "pe" private rule a { condition: pe.is_dll() } rule b { condition: a }',
        "rule a { /* } rule b { */ condition: filesize < 10KB and uint16(0) == 0x5A4D }",
        'rule include_this { strings: $include = "include" condition: #include > 2 }',
        'rule a { strings: $a = "böse" condition: $a }',
    ],
)  # fmt: skip
@pytest.mark.parametrize("compiles", [None, False])
def test_takes_what_yara_takes(tmp_path: Path, text: str, compiles: bool | None) -> None:
    yara.compile(source=text)
    assert publish(made(tmp_path, "yara", compile=compiles), [rule(1, text)]) == {}
    yara.compile(source=published(tmp_path, "yara"))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("snort", 'alert http ( msg:"a service"; http_uri; content:"/x"; sid:1; )'),
        ("snort", 'alert tcp [10.0.0.0/8, !10.1.0.0/16] any -> $HOME_NET [80,443] (sid:1;)'),
        ("suricata", 'alert tls any any <> !$HOME_NET 1024: (msg:"a\\; b"; tls.sni; sid:1;)'),
        ("suricata", 'alert dns any any -> any any (msg:"x"; content:"|3b|(|22|"; sid:1; rev:2;)'),
        ("suricata", 'alert tcp any any -> any any (pcre:"/a\\"b[(]\\;/Ri"; sid:1;) \n'),
    ],
)  # fmt: skip
def test_takes_signatures_as_they_are_written(tmp_path: Path, language: str, text: str) -> None:
    assert publish(made(tmp_path, language), [rule(1, text, language)]) == {}
    assert loaded(tmp_path, language) == [text.strip()]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("suricata", "alert tcp " + "[] " * 200_000 + "(sid:1;)"),
        ("suricata", "alert tcp any any -> any any (" + 'msg:"' * 100_000 + ")"),
        ("suricata", "alert tcp any any -> any any (" + "a:" + "\\;" * 200_000 + ")"),
        ("snort", "alert tcp " + "[" * 500_000 + " any -> any any (sid:1;)"),
        ("sigma", "title: " + "1:1" * 200_000 + "\n"),
        ("sigma", "[" * 500_000),
        ("sigma", "title: a\n" + "? " * 200_000),
        ("yara", "rule a { condition: " + "(" * 500_000),
        ("yara", "rule a { strings: $a = /" + "(" * 500_000),
        ("yara", "/*" * 300_000),
        ("yara", "rule " * 200_000),
    ],
    ids=range(11),
)
def test_a_rule_made_to_be_slow_is_refused(tmp_path: Path, language: str, text: str) -> None:
    assert publish(made(tmp_path, language), [rule(1, text, language)])


def test_actions_that_stop_traffic_have_to_be_named(tmp_path: Path) -> None:
    text = 'drop tcp any any -> any any (msg:"a"; sid:1;)'
    rejected = publish(made(tmp_path, "suricata"), [rule(1, text, "suricata")])
    assert list(rejected.values()) == ["would drop traffic, and `actions` allows only alert"]
    adapter = made(tmp_path, "suricata", actions=["alert", "drop"])
    assert publish(adapter, [rule(1, text, "suricata")]) == {}


@pytest.mark.parametrize(
    ("language", "option", "reach"),
    [
        ("suricata", "filemd5:list", "opens files on the sensor"),
        ("suricata", "FILESHA1:list", "opens files on the sensor"),
        ("suricata", "filesha256:!list", "opens files on the sensor"),
        ("suricata", "dataset:set,a,state a.lst", "opens files on the sensor"),
        ("suricata", "lua:a.lua", "runs code"),
        ("suricata", "luaxform:a.lua", "runs code"),
        ("suricata", "tls_store", "writes traffic to files"),
        ("suricata", "xbits:toggle,a,track ip_src", "clears marks that other rules wait for"),
        ("suricata", "filesha512:list", "is not known to only inspect traffic"),
        ("snort", "logto:x", "writes traffic to files"),
        (
            "snort",
            "stream_reassemble:disable,both,fastpath",
            "stops the engine from inspecting",
        ),
        ("snort", "enable:no", "stops the engine from inspecting"),
    ],
)
def test_keywords_that_reach_beyond_traffic_have_to_be_named(
    tmp_path: Path, language: str, option: str, reach: str
) -> None:
    text = f'alert tcp any any -> any any (msg:"a"; {option}; sid:1;)'
    [words] = publish(made(tmp_path, language), [rule(1, text, language)]).values()
    keyword = option.partition(":")[0].lower()
    assert words.startswith(f"uses {keyword}, which {reach}")
    named = made(tmp_path, language, keywords=[keyword])
    assert publish(named, [rule(1, text, language)]) == {}


@pytest.mark.parametrize("option", ["flowbits:set,a", "flowbits:isnotset,a", "noalert", "http.uri"])
def test_keywords_that_look_at_traffic_need_no_name(tmp_path: Path, option: str) -> None:
    text = f'alert http any any -> any any (msg:"a"; {option}; sid:1;)'
    assert publish(made(tmp_path, "suricata"), [rule(1, text, "suricata")]) == {}


def test_variables_and_modules_may_be_named(tmp_path: Path) -> None:
    text = "alert tcp $DMZ any -> any any (sid:1;)"
    adapter = made(tmp_path, "snort", variables=["DMZ"])
    assert publish(adapter, [rule(1, text, "snort")]) == {}
    text = 'import "console" rule a { condition: console.log("x") }'
    assert publish(made(tmp_path, "yara", modules=["console"]), [rule(2, text)]) == {}


def test_a_sigma_rule_may_begin_its_document_itself(tmp_path: Path) -> None:
    first, second = (sample_rule(RuleLanguage.SIGMA, n) for n in (1, 2))
    opened = Rule(second.indicator, second.language, f"---\n{second.text}...\n")
    third = sample_rule(RuleLanguage.SIGMA, 3)
    assert publish(made(tmp_path, "sigma"), [first, opened, third]) == {}
    assert sorted(loaded(tmp_path, "sigma")) == ["Sample 1", "Sample 2", "Sample 3"]


def test_hostile_yara_would_have_spoiled_the_file() -> None:
    """The samples are worth something: the engine refuses nearly each of them by itself."""
    refused = 0
    for text in HOSTILE_RULES[RuleLanguage.YARA]:
        try:
            yara.compile(source=f"rule ours {{ condition: true }}\n{text}", includes=False)
        except (yara.Error, ValueError):
            refused += 1
    assert refused >= len(HOSTILE_RULES[RuleLanguage.YARA]) - 4
