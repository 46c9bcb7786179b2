"""Compact keys of observables: unique, stable, bounded, and addresses in their order."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.indicators.observables.canonical import canonical, key_of
from connector.model import Observable, ObservableType

T = ObservableType
QUICK = settings(max_examples=300, derandomize=True, deadline=None, database=None)

ipv4_networks = st.builds(
    lambda number, length: IPv4Network((number >> (32 - length) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
ipv6_networks = st.builds(
    lambda number, length: IPv6Network((number >> (128 - length) << (128 - length), length)),
    st.integers(2**126, 2**127),
    st.integers(8, 128),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120)
observables = st.one_of(
    ipv4_networks.map(lambda network: canonical(T.IPV4_ADDR, str(network))),
    ipv6_networks.map(lambda network: canonical(T.IPV6_ADDR, str(network))),
    st.binary(min_size=16, max_size=16).map(lambda raw: Observable(T.FILE_MD5, raw.hex())),
    st.binary(min_size=32, max_size=32).map(lambda raw: Observable(T.FILE_SHA256, raw.hex())),
    st.binary(min_size=64, max_size=64).map(lambda raw: Observable(T.FILE_SHA512, raw.hex())),
    st.builds(Observable, st.sampled_from([T.URL, T.FILE_NAME, T.USER_AGENT]), texts),
)


@pytest.mark.parametrize(
    ("observable", "key"),
    [
        (Observable(T.IPV4_ADDR, "203.0.113.5"), "01cb00710520"),
        (Observable(T.IPV4_ADDR, "198.51.100.0/24"), "01c633640018"),
        (Observable(T.IPV6_ADDR, "2001:db8::7"), "0220010db800000000000000000000000780"),
        (Observable(T.ENDPOINT, "203.0.113.7:443/tcp"), "03" + b"203.0.113.7:443/tcp".hex()),
        (Observable(T.DOMAIN_NAME, "bad.example"), "046261642e6578616d706c65"),
        (Observable(T.FILE_SHA1, "0f" * 20), "09" + "0f" * 20),
        (Observable(T.PROCESS_COMMAND, "a"), "1361"),
    ],
)
def test_keys_are_those_that_stores_hold_already(observable, key):
    assert key_of(observable).hex() == key


def test_every_type_has_a_key_of_its_own():
    values = {T.IPV4_ADDR: "203.0.113.5", T.IPV6_ADDR: "2001:db8::7"}
    keys = {key_of(Observable(kind, values.get(kind, "ab" * 16)))[0] for kind in T}
    assert keys == set(range(1, len(T) + 1))


@QUICK
@given(observables, observables)
def test_keys_are_bounded_and_unique(one, other):
    assert 2 <= len(key_of(one)) <= 64
    assert (key_of(one) == key_of(other)) == (one == other)


@QUICK
@given(st.lists(ipv4_networks, max_size=20))
def test_addresses_sort_as_numbers(networks):
    by_key = sorted(networks, key=lambda network: key_of(canonical(T.IPV4_ADDR, str(network))))
    assert by_key == sorted(networks)


def test_a_long_value_is_not_mistaken_for_another_with_the_same_beginning():
    first, second = (Observable(T.URL, f"bad.example/{'a' * 60}{end}") for end in "xy")
    assert key_of(first) != key_of(second)
    assert key_of(first)[:32] == key_of(second)[:32]
    assert len(key_of(first)) == 57


def test_no_short_value_can_look_like_a_shortened_one():
    shortened = key_of(Observable(T.URL, "bad.example/" + "a" * 60))
    assert shortened[32] == 0xFF  # never a byte of UTF-8
    assert 0xFF not in key_of(Observable(T.URL, "\u00ff" * 27))
