"""Detection rules for tests: plain ones by number, and ones that would harm their file."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from connector.adapter import Rule, RuleLanguage

_L: Final = RuleLanguage
_PLAIN: Final[Mapping[RuleLanguage, str]] = {
    _L.YARA: 'rule sample_{n} {{\n  strings:\n    $a = "sample {n}"\n  condition:\n    $a\n}}',
    _L.SIGMA: (
        "title: Sample {n}\nid: 00000000-0000-4000-8000-{n:012d}\nlogsource:\n  product: windows\n"
        "detection:\n  selection:\n    Image|endswith: sample{n}.exe\n  condition: selection\n"
    ),
    _L.SNORT: (
        'alert tcp $EXTERNAL_NET any -> $HOME_NET any (msg:"sample {n}"; content:"sample {n}"; '
        "sid:{sid}; rev:1;)"
    ),
    _L.SURICATA: (
        'alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"sample {n}"; http.uri; '
        'content:"/sample{n}"; sid:{sid}; rev:1;)'
    ),
}
_SIGMA: Final = "title: a\nlogsource: {product: a}\ndetection: {condition: a}\n"
_RULE: Final = "alert tcp any any -> any any "
_DROP: Final = "drop tcp any any -> any any "
# Written as it is, each would add a rule, lose one, open a file or break the set.
HOSTILE_RULES: Final[Mapping[RuleLanguage, Sequence[str]]] = {
    _L.YARA: (
        "",
        "rule half {",
        "rule half { condition: true /* }",
        'rule half { strings: $a = "x condition: $a }',
        "rule half { strings: $a = /x condition: $a }",
        "rule more { condition: true } }",
        "rule more { condition: true } rule",
        'include "/etc/passwd"',
        'rule inner { include "/etc/passwd" condition: true }',
        "global rule all_off { condition: false }",
        'import "cuckoo" rule needs { condition: cuckoo.network.http_get(/x/) }',
        "rule twice { condition: true } rule twice { condition: true }",
        "rule nul { condition: true }\x00",
        "rule unseen { condition: true } \u202e",
        "rule for { condition: true }",
        "rule pr_a { condition: true } rule pr_b { condition: any of (pr_*) }",
        f'rule long {{ meta: a = "{"x" * 9000}" condition: true }}',
        "condition: true",
        "<html>404 not found</html>",
    ),
    _L.SIGMA: (
        "",
        "- a list",
        "title: no more than that",
        "title: [broken",
        "title: a\nlogsource: {product: a}\ndetection: {condition: a}\n---\ntitle: b\n",
        "title: &x a\nlogsource: {product: *x}\ndetection: {condition: a}\n",
        "title: !!python/name:os.system a\nlogsource: {a: b}\ndetection: {condition: a}\n",
        "action: global\ntitle: a\nlogsource: {product: a}\ndetection: {condition: a}\n",
        "%YAML 1.1\n---\ntitle: a\nlogsource: {product: a}\ndetection: {condition: a}\n",
        "title: " + "[" * 200 + "]" * 200,
        f"{_SIGMA}filter: {{rules: any, selection: {{a: b}}, condition: selection}}\n",
        f"{_SIGMA}correlation: {{type: event_count, rules: [a]}}\n",
        f"{_SIGMA}<<: {{action: global}}\n",
        f"{_SIGMA}title: twice\n",
        f"{_SIGMA}date: 2026-99-99\n",  # spoils the file for readers that make dates of it
        f"{_SIGMA}level: {'9' * 5000}\n",
        "title: 5\nlogsource: {product: a}\ndetection: {condition: a}\n",
        "<html>404 not found</html>",
    ),
    _L.SNORT: (
        "",
        'alert tcp any any -> any any (msg:"a"; sid:1;)\nalert tcp any any -> any any (sid:2;)',
        "include /etc/passwd",
        "var HOME_NET any",
        'drop tcp any any -> any any (msg:"stops everything"; sid:1;)',
        'pass tcp any any -> any any (msg:"looks away"; sid:1;)',
        'alert tcp any any -> any any (msg:"no id";)',
        'alert tcp any any -> any any (msg:"two ids"; sid:1; sid:2;)',
        'alert tcp any any -> any any (msg:"open; sid:1;)',
        'alert tcp any any -> any any (msg:"a"; logto:"/etc/cron.d/a"; sid:1;)',
        'alert tcp $UNHEARD_OF any -> any any (msg:"a"; sid:1;)',
        'alert tcp any any -> any any (msg:"a"; sid:1;) drop tcp any any -> any any (sid:2;)',
        f'{_RULE}(classtype:a) {_DROP}(msg:"b"; sid:1;)',
        f'{_RULE}(service:a"b) {_DROP}(msg:"c"; sid:1;)',
        f'{_RULE}(msg:"\\x"; classtype:a) {_DROP}(msg:"b"; sid:1;)',
        f"{_RULE}(rem:[a; sid:1;)",
        f"{_RULE}(rem:#a; sid:1;)",
        f"{_RULE}(rem:/*a; sid:1;)",
        f"{_RULE}(rem:; sid:1;)",
        f"{_RULE}(reference:url,x.example/$UNHEARD_OF; sid:1;)",
        f"{_RULE}(stream_reassemble:disable,both,fastpath; sid:1;)",
        f"{_RULE}(so:eval; sid:1;)",
        f"{_RULE}(flowbits:unset,seen; sid:1;)",
        f"{_RULE}(never_heard_of; sid:1;)",
        f'{_RULE}(sid:1; msg:"{"a" * 40_000}";)',
        "<html>404 not found</html>",
    ),
    _L.SURICATA: (
        "",
        'alert tcp any any -> any any (msg:"a"; sid:1;)\rdrop tcp any any -> any any (sid:2;)',
        'alert tcp any any -> any any (msg:"a"; sid:1;)\u2028drop tcp any any -> any any (sid:2;)',
        'reject tcp any any -> any any (msg:"answers"; sid:1;)',
        'config logging any any -> any any (config:logging disable, type tx; sid:1;)',
        'alert tcp any any -> any any (msg:"a"; lua:/tmp/evil.lua; sid:1;)',
        'alert dns any any -> any any (dns.query; dataset:set,x,state /etc/a.lst; sid:1;)',
        'alert tcp any any -> any any (msg:"a"; bypass; sid:1;)',
        'alert tcp any any -> any any (msg:"a; b"; sid:1;)',
        'alert tcp any any -> any any (msg:"a"; sid:99999999999;)',
        'alert tcp any any -> any any (msg:"a"; sid:1)',
        "alert tcp any any -> any any",
        "# only a comment",
        f'{_RULE}(metadata:{"a" * (8181 - len(_RULE))}{_DROP}(content:"x"; sid:2;)',
        f"{_RULE}(filemd5:/etc/passwd; sid:1;)",
        f"{_RULE}(FileSHA256: list; sid:1;)",
        f"{_RULE}(filesha1:list; sid:1;)",
        f"{_RULE}(tls.store; sid:1;)",
        f"{_RULE}(tag:session,9,seconds; sid:1;)",
        f"{_RULE}(flowbits:unset,seen; sid:1;)",
        f"{_RULE}(never.heard.of; sid:1;)",
        f"{_RULE}(metadata:a\\\\; sid:1; content:x;)",
        "alert\xa0tcp any any -> any any (sid:1;)",
        "alert tcp any\tany -> any any (sid:1;)",
        "alert tcp any any -> any any(sid:1;)",
    ),
}  # fmt: skip


def sample_rule(language: RuleLanguage, number: int, *, text: str | None = None) -> Rule:
    """Return the plain rule with a number; `text` replaces its own."""
    own = _PLAIN[language].format(n=number, sid=9_000_000 + number)
    return Rule(
        f"indicator--{uuid5(NAMESPACE_URL, f'https://feed.example/{language}/{number}')}",
        language,
        own if text is None else text,
        f"Sample {number}",
        "sample",
        datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number),
    )
