"""The facts: words that never change, order of markings, frozen entries."""

import pytest

from connector.model import (
    NO_FIELDS,
    Audience,
    Entry,
    Observable,
    ObservableType,
    Purpose,
    Reason,
    Tlp,
)


def test_types_are_the_words_of_the_outside_contract() -> None:
    assert [kind.value for kind in ObservableType] == [
        "ipv4-addr", "ipv6-addr", "endpoint", "domain-name", "url", "email-addr", "email-subject",
        "file-md5", "file-sha1", "file-sha256", "file-sha512", "file-name", "autonomous-system",
        "user-agent", "x509-sha1", "x509-sha256", "mutex", "registry-key", "process-command",
    ]  # fmt: skip


def test_purposes_and_audiences_are_the_words_of_the_file() -> None:
    assert [each.value for each in Purpose] == ["block", "watch"]
    assert [each.value for each in Audience] == ["own", "operator", "community", "public"]


def test_reasons_are_distinct_words() -> None:
    assert len({each.value for each in Reason}) == len(Reason)
    assert all(each.value == each.name.lower() for each in Reason)


def test_tlp_is_ordered_from_public_to_most_restricted() -> None:
    assert Tlp.CLEAR < Tlp.GREEN < Tlp.AMBER < Tlp.AMBER_STRICT < Tlp.RED
    assert [level.label for level in Tlp] == ["clear", "green", "amber", "amber+strict", "red"]


@pytest.mark.parametrize(
    ("kind", "value", "below"),
    [
        (ObservableType.DOMAIN_NAME, "*.bad.example", True),
        (ObservableType.DOMAIN_NAME, "bad.example", False),
        (ObservableType.FILE_NAME, "*.exe", False),
    ],
)
def test_only_a_domain_means_what_is_below_it(
    kind: ObservableType, value: str, below: bool
) -> None:
    assert Observable(kind, value).below is below


def test_an_entry_speaks_for_its_observable() -> None:
    entry = Entry(Observable(ObservableType.IPV4_ADDR, "192.0.2.7"))
    assert (entry.type, entry.value) == (ObservableType.IPV4_ADDR, "192.0.2.7")
    assert entry.fields == NO_FIELDS == {}
    with pytest.raises(TypeError):
        entry.fields["comment"] = "x"
    with pytest.raises(AttributeError):
        entry.observable = Observable(ObservableType.URL, "x")
