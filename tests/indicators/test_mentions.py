"""Whether an object that gave nothing names a value: as a whole, however it is written."""

import json

import pytest

from connector.indicators.observables.mentions import Mention


def original(pattern: str) -> bytes:
    return json.dumps({"type": "indicator", "pattern": pattern}).encode()


@pytest.mark.parametrize(
    ("asked", "pattern"),
    [
        ("bad.example", "[domain-name:value = 'bad.example' AND"),
        ("bad.example", "[domain-name:value MATCHES 'BAD[.]example']"),
        ("bad[.]example", "[domain-name:value MATCHES 'bad.example']"),
        ("http://bad.example/x", "hxxp://bad[.]example/x"),
        ("192.0.2.1", "192[.]0.2[.1 or so"),
        ("o'neil.exe", r"[file:name MATCHES 'o\'neil.exe']"),
        ("C:\\x\\a.exe", r"[file:name LIKE 'C:\\x\\a.exe']"),
        ("bücher.example", "[domain-name:value LIKE 'xn--bcher-kva.example']"),
    ],
)
def test_a_value_is_found_however_it_is_written(asked: str, pattern: str) -> None:
    assert Mention(asked).stands_in(original(pattern))


@pytest.mark.parametrize(
    ("asked", "pattern"),
    [
        ("bad.example", "[domain-name:value MATCHES 'sub.bad.example']"),
        ("bad.example", "[domain-name:value MATCHES 'bad.example.test']"),
        ("192.0.2.1", "192.0.2.10"),
        ("'", "[a:b MATCHES 'x']"),
        ("", "[a:b MATCHES 'x']"),
        ("indicator", "[a:b MATCHES 'x']"),
    ],
)
def test_a_part_of_another_value_is_none(asked: str, pattern: str) -> None:
    assert not Mention(asked).stands_in(original(pattern))


def test_what_is_no_json_is_searched_as_it_is() -> None:
    assert Mention("bad.example").stands_in(b'{"pattern": "[url:value = \'http://bad.example/')
    assert not Mention("bad.example").stands_in(b"")
