"""Originals kept small: every byte comes back, and few are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.store.feeds.compression import TRAIN_FROM, Codec, train
from connector.testing.samples.ais_like import indicators

SAMPLES = list(indicators(2000, seed=1))
LATER = list(indicators(3000, seed=2))
DICTIONARY = train(SAMPLES)


def test_objects_like_those_of_ais_take_less_than_200_bytes() -> None:
    codec = Codec(DICTIONARY)
    sizes = [len(codec.pack(raw)) for raw in LATER]
    assert sum(map(len, LATER)) / len(LATER) > 700, "the samples are of the size of real ones"
    assert sum(sizes) / len(sizes) < 200


def test_every_original_comes_back_byte_for_byte() -> None:
    codec, other = Codec(DICTIONARY), Codec(DICTIONARY)
    for raw in LATER:
        assert other.unpack(codec.pack(raw)) == raw


@given(st.binary(max_size=3000))
@pytest.mark.parametrize("dictionary", [b"", DICTIONARY], ids=["none", "trained"])
def test_any_bytes_come_back(dictionary: bytes, raw: bytes) -> None:
    codec = Codec(dictionary)
    assert codec.unpack(codec.pack(raw)) == raw


def test_an_original_larger_than_any_object_that_is_read_comes_back() -> None:
    raw = b"".join(number.to_bytes(3, "big") for number in range(1 << 20))
    codec = Codec()
    assert codec.unpack(codec.pack(raw)) == raw


def test_too_few_samples_make_no_dictionary() -> None:
    assert train(SAMPLES[: TRAIN_FROM - 1]) == b""
    assert train(SAMPLES[:TRAIN_FROM]) != b""


@pytest.mark.parametrize("alike", [b"", b"x", b"the same bytes in every sample"])
def test_samples_without_content_make_no_dictionary_or_a_harmless_one(alike: bytes) -> None:
    codec = Codec(train([alike] * 500))
    assert codec.unpack(codec.pack(SAMPLES[0])) == SAMPLES[0]
