"""Compresses originals: zstd with a dictionary trained on the feed's own first objects."""

from collections.abc import Sequence
from typing import Final

import zstandard

TRAIN_FROM: Final = 200
_SAMPLES: Final = 1000
_DICTIONARY_BYTES: Final = 32 * 1024
_LEVEL: Final = 1
_LARGEST_ORIGINAL: Final = 1 << 21


def train(samples: Sequence[bytes]) -> bytes:
    """Return a dictionary for objects like these, or empty if they are too few or too similar."""
    if len(samples) < TRAIN_FROM:
        return b""
    try:
        trained = zstandard.train_dictionary(
            _DICTIONARY_BYTES, list(samples[:_SAMPLES]), level=_LEVEL
        )
    except zstandard.ZstdError:
        return b""
    return bytes(trained.as_bytes())


class Codec:
    """Packs and unpacks originals with one dictionary; not shared between threads."""

    def __init__(self, dictionary: bytes = b"") -> None:
        held = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        if held is not None:
            held.precompute_compress(level=_LEVEL)
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=held)
        self._decompressor = zstandard.ZstdDecompressor(dict_data=held)
        self.pack = self._compressor.compress

    def unpack(self, packed: bytes) -> bytes:
        """Return the original bytes."""
        return bytes(self._decompressor.decompress(packed, max_output_size=_LARGEST_ORIGINAL))
