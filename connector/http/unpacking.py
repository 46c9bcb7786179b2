"""Compressed bodies, unpacked as they come and no further than a bound."""

import zlib
from typing import Final

MOST_PARTS: Final = 1000  # that a compressed body may consist of


class Unpacker:
    """Decompresses gzip or deflate, including multi-member bodies, up to a bound."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._parts = 1

    def __call__(self, received: bytes, most: int) -> bytes:
        unpacked = self._part(received, most)
        while self._stream.eof and self._stream.unused_data and len(unpacked) < most:
            unpacked += self._part(self._stream.unused_data, most - len(unpacked))
        return unpacked

    def _part(self, received: bytes, most: int) -> bytes:
        if self._stream.eof:
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise ValueError(f"the compressed response has more than {MOST_PARTS} parts")
            self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        return self._stream.decompress(received, most)

    @property
    def finished(self) -> bool:
        return self._stream.eof


def unpacker(encoding: str) -> Unpacker | None:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip", "deflate"):
        return Unpacker()
    raise ValueError(f"the response uses a compression we did not ask for: {name!r}")
