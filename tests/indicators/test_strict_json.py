"""Objects that some reader refuses, or reads as something else, are told as that."""

import pytest

from connector.indicators.strict_json import read_strictly

REFUSED = {
    b'{"x": "\xff"}': "no text in UTF-8",
    b'{"x": "\\ud800"}': "no text in UTF-8",
    b'{"\\udc00": 1}': "no text in UTF-8",
    b'{"a": 1, "a": 1}': "one of its properties twice",
    b'{"x": [{"a": 1, "\\u0061": 2}]}': "one of its properties twice",
    b'{"x": NaN}': "no number of JSON",
    b'{"x": -Infinity}': "no number of JSON",
    b'{"x": 1e999}': "too large",
    b'{"x": 1' + b"0" * 5000 + b"}": "",
    b'{"x": ' + b"[" * 60 + b"]" * 60 + b"}": "nested deeper than 60",
    b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "nested deeper than 60",
    b'\xef\xbb\xbf{"x": 1}': "no JSON",
    b'{"x": 1} {}': "no JSON",
    b'{"x": "\t"}': "no JSON",
    b"[]": "no object",
}


@pytest.mark.parametrize("raw", REFUSED, ids=range(len(REFUSED)))
def test_what_readers_may_refuse_or_read_otherwise_is_told(raw: bytes) -> None:
    words = read_strictly(raw)
    assert isinstance(words, str)
    assert REFUSED[raw] in words
    assert words.isprintable()
    assert len(words) < 200


def test_what_every_reader_reads_alike_is_read() -> None:
    raw = '{"x": "é\\ud83d\\ude00", "y": {"x": 1.5}, "z": [[]]}'.encode()
    assert read_strictly(raw) == {"x": "é😀", "y": {"x": 1.5}, "z": [[]]}
    assert isinstance(read_strictly(b'{"x": ' + b"[" * 59 + b"]" * 59 + b"}"), dict)
