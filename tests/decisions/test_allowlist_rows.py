"""What a target's row stops, read from its key, and what the values of an allowlist name."""

from collections.abc import Hashable
from datetime import UTC, datetime

import pytest

from connector.decisions.allowlist.allowlist import Allowlist, ExceptionRule
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.allowlist.rows import value_of_row
from connector.model import Observable
from connector.model import ObservableType as T

NOW = datetime(2026, 1, 1, tzinfo=UTC)
V4, V6, ENDPOINT, NAME, URL, MAIL = (
    T.IPV4_ADDR, T.IPV6_ADDR, T.ENDPOINT, T.DOMAIN_NAME, T.URL, T.EMAIL_ADDR,
)  # fmt: skip


def protects(value: str, row: Observable | None) -> bool:
    rules = [ExceptionRule(value)]
    allowlist = Allowlist.build(without=tuple(BuiltinGroup), exceptions=rules)
    return row is not None and allowlist.protects(row, NOW) is not None


@pytest.mark.parametrize(
    ("kind", "value", "key", "protected"),
    [
        (V4, "203.0.113.9", "203.0.113.0/24", "203.0.113.8"),
        (V4, "203.0.113.9", "203.0.113.9/24", "203.0.113.8"),
        (V4, "203.0.113.9", "203.0.113.9/255.255.255.0", "203.0.113.8"),
        (V4, "203.0.113.9", "203.0.113.0/24", "203.0.0.0/16"),
        (V4, "203.0.113.9", "0.0.0.0/0", "198.51.100.1"),
        (V4, "203.0.113.9", (V4, "203.0.113.0/24"), "203.0.113.8"),
        (V4, "203.0.113.9", Observable(V4, "203.0.113.0/24"), "203.0.113.8"),
        (V6, "2001:db8::9", "2001:db8::/64", "2001:db8::8"),
        (ENDPOINT, "203.0.113.9:443/tcp", "203.0.113.0/24", "203.0.113.8"),
        (ENDPOINT, "203.0.113.9:443/tcp", "203.0.113.9:443", "203.0.113.9"),
        (ENDPOINT, "[2001:db8::9]:443/tcp", "[2001:db8::9]:443/tcp", "2001:db8::9"),
        (NAME, "a.bad.example", "bad.example", "www.bad.example"),
        (NAME, "a.bad.example", "*.bad.example", "www.bad.example"),
        (NAME, "a.bad.example", ".bad.example", "www.bad.example"),
        (URL, "https://bad.example/a", "bad.example", "www.bad.example"),
        (URL, "https://bad.example/a/b", "bad.example/a", "bad.example/a/c"),
        (URL, "https://203.0.113.9/a", "203.0.113.0/24", "203.0.113.8"),
        (MAIL, "a@bad.example", "bad.example", "www.bad.example"),
        (MAIL, "a@bad.example", "@bad.example", "www.bad.example"),
        (MAIL, "a+x@bad.example", "a@bad.example", "a@bad.example"),
        (T.AUTONOMOUS_SYSTEM, "64501", "64500", "AS64500"),
        (T.USER_AGENT, "Bad/1", "bad", "user-agent:bad"),
    ],
)
def test_a_row_is_what_its_key_says(kind: T, value: str, key: Hashable, protected: str) -> None:
    assert protects(protected, value_of_row(Observable(kind, value), key))


@pytest.mark.parametrize(
    ("kind", "key"),
    [(V4, 7), (V4, "row 7"), (V4, ("edge", "203.0.113.0/24")), (NAME, "bad name"), (V4, ""),
     (MAIL, "@"), (T.AUTONOMOUS_SYSTEM, "AS?"), (ENDPOINT, "any:443")],
)  # fmt: skip
def test_a_key_that_is_no_value_says_nothing(kind: T, key: Hashable) -> None:
    assert value_of_row(Observable(kind, "x"), key) is None


def test_an_allowlist_names_its_values_as_observables() -> None:
    digest = "ab" * 32
    values = [
        "203.0.113.8", "203.0.113.0/24", "good.example", "good.example/a", "a@good.example",
        digest, "AS64500", "AS64501-AS64502", "mutex:Global\\x",
    ]  # fmt: skip
    rules = [ExceptionRule(value) for value in values]
    named = Allowlist.build(without=tuple(BuiltinGroup), exceptions=rules).named()
    assert sorted(named) == sorted(
        [
            (V4, "203.0.113.8"), (V4, "203.0.113.0/24"), (NAME, "good.example"),
            (URL, "http://good.example/a"), (URL, "https://good.example/a"),
            (MAIL, "a@good.example"), (T.FILE_SHA256, digest), (T.X509_SHA256, digest),
            (T.AUTONOMOUS_SYSTEM, "64500"), (T.MUTEX, "global\\x"),
        ]
    )  # fmt: skip
