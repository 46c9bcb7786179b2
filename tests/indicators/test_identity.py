"""STIX ids as keys: each id has its own, and the key gives it back."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.indicators.identity import (
    id_of_key,
    is_indicator,
    is_marking,
    key_of_id,
    key_of_unreadable,
)

KNOWN = ("indicator", "marking-definition", "opinion", "identity", "x509-certificate")
uuids = st.uuids().map(str)
near_uuids = st.tuples(
    uuids, st.sampled_from(["upper", "brace", "short", "space", "dashless", "moved"])
).map(
    lambda pair: {
        "upper": pair[0].upper(),
        "brace": "{" + pair[0][1:-1] + "}",
        "short": pair[0][:-1],
        "space": pair[0][:-1] + " ",
        "dashless": pair[0].replace("-", "") + "0000",
        "moved": pair[0].replace("-", "")[:4] + "-" * 4 + pair[0].replace("-", "")[4:],
    }[pair[1]]
)
ids = st.tuples(
    st.sampled_from([*KNOWN, "x-thing", "", "indicator-", "Indicator"]),
    uuids | near_uuids | st.text(max_size=40),
).map("--".join)


@given(ids)
def test_a_key_gives_its_id_back(stix_id: str) -> None:
    assert id_of_key(key_of_id(stix_id)) == stix_id


@given(ids, ids, st.binary(max_size=40))
def test_different_ids_have_different_keys(one: str, other: str, raw: bytes) -> None:
    assert (key_of_id(one) == key_of_id(other)) is (one == other)
    assert key_of_unreadable(raw) not in (key_of_id(one), key_of_id(other))


@pytest.mark.parametrize("kind", KNOWN)
def test_a_uuid_takes_seventeen_bytes(kind: str) -> None:
    uuid = UUID("0123abcd-ef01-4234-8567-89abcdef0123")
    key = key_of_id(f"{kind}--{uuid}")
    assert key[1:] == uuid.bytes
    assert len(key) == 17


@pytest.mark.parametrize(
    ("kind", "code"), [("indicator", 1), ("marking-definition", 2), ("x509-certificate", 42)]
)
def test_keys_that_stores_hold_never_change(kind: str, code: int) -> None:
    uuid = "00000000-0000-4000-8000-000000000001"
    assert key_of_id(f"{kind}--{uuid}") == bytes([code]) + UUID(uuid).bytes
    assert key_of_id(f"{kind}--a") == b"\xff" + kind.encode() + b"--a"


def test_the_same_unreadable_bytes_are_the_same_object() -> None:
    assert key_of_unreadable(b"x") == key_of_unreadable(b"x")
    assert key_of_unreadable(b"x") != key_of_unreadable(b"y")
    assert id_of_key(key_of_unreadable(b"x")).startswith("unreadable--")
    assert len(id_of_key(key_of_unreadable(b"x"))) == len("unreadable--") + 32


@pytest.mark.parametrize(
    ("stix_id", "expected"),
    [
        ("indicator--613f2e26-407d-48c7-9eca-b8e91df99dc9", True),
        ("indicator--homemade", True),
        ("indicators--homemade", False),
        ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", False),
        ("x-indicator--a", False),
    ],
)
def test_indicators_are_known_by_their_key(stix_id: str, expected: bool) -> None:
    assert is_indicator(key_of_id(stix_id)) is expected
    assert not is_indicator(key_of_unreadable(stix_id.encode()))


@pytest.mark.parametrize(
    ("stix_id", "expected"),
    [
        ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", True),
        ("marking-definition--homemade", True),
        ("marking-definitions--homemade", False),
        ("indicator--613f2e26-407d-48c7-9eca-b8e91df99dc9", False),
        ("x-marking-definition--a", False),
    ],
)
def test_markings_are_known_by_their_key(stix_id: str, expected: bool) -> None:
    assert is_marking(key_of_id(stix_id)) is expected
    assert not is_marking(key_of_unreadable(stix_id.encode()))
