"""Files that hold nothing, or next to nothing: their digests say nothing of anybody.

Tools hash what they failed to read, what a full disk truncated, and what a script only touched;
such digests come in feeds again and again, and match a file on nearly every machine.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

__all__ = ["trivial_digests"]

_NAMES: Final = ("md5", "sha1", "sha256", "sha512")
_HEX_LENGTHS: Final = (32, 40, 64, 128)
_ENDS: Final = {"": b"", " and a newline": b"\n", " and CR LF": b"\r\n"}
_TEXTS: Final = {
    "a space": b" ",
    "a tab": b"\t",
    "two newlines": b"\n\n",
    "two times CR LF": b"\r\n\r\n",
    "a carriage return": b"\r",
    "a UTF-8 byte order mark": b"\xef\xbb\xbf",
    "a UTF-16 byte order mark, little end first": b"\xff\xfe",
    "a UTF-16 byte order mark, big end first": b"\xfe\xff",
    "the digit 0": b"0",
    "the digit 1": b"1",
    "null": b"null",
    "None": b"None",
    "true": b"true",
    "false": b"false",
    "an empty JSON object": b"{}",
    "an empty JSON list": b"[]",
    "two quotes": b'""',
    "a test": b"test",
    "hello": b"hello",
    "hello world": b"hello world",
    "Hello World": b"Hello World",
    "Hello, World!": b"Hello, World!",
}
_ZEROS: Final = (*range(1, 65), *(1 << power for power in range(7, 17)), 10_240, 512 * 3)
_GZIP: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00%s\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"
_ARCHIVES: Final = {
    "an empty zip archive": b"PK\x05\x06" + bytes(18),
    # Flags for how hard it was tried, and the system: 255 unknown, 3 Unix, 0 FAT, 11 NTFS, 19 macOS
    **{
        f"an empty file in gzip ({effort}, system {system})": _GZIP % bytes((effort, system))
        for effort in (0, 2, 4)
        for system in (255, 3, 0, 11, 19)
    },
    "an empty file in bzip2": b"BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00",
    "an empty file in xz": b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x00\x00\x00\x00"
    b"\x1c\xdf\x44\x21\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04YZ",
    "an empty file in Zstandard": b"\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00\x99\xe9\xd8\x51",
    "an empty 7z archive": b"7z\xbc\xaf\x27\x1c\x00\x04\x8d\x9b\xd5\x0f" + bytes(20),
    "an empty ar archive": b"!<arch>\n",
}


def trivial_digests() -> Iterator[tuple[str, str]]:
    """Yield each digest with what it is of."""
    for what, content in _contents():
        for name in _NAMES:
            yield hashlib.new(name, content, usedforsecurity=False).hexdigest(), f"hash of {what}"
    for length in _HEX_LENGTHS:
        for digit in "0f":
            yield digit * length, "hash of nothing, all digits alike"


def _contents() -> Iterator[tuple[str, bytes]]:
    yield "the empty file", b""
    yield "one newline", b"\n"
    yield "one CR LF", b"\r\n"
    for what, text in _TEXTS.items():
        for end, mark in _ENDS.items():
            yield what + end, text + mark
    for count in _ZEROS:
        yield f"{count} zero bytes", bytes(count)
    yield from _ARCHIVES.items()
