"""STIX objects read from raw bytes: what is required, what is bounded, what is never guessed at."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.indicators.confidence import code_of, words_of
from connector.indicators.context import read_context
from connector.indicators.stix import StixObject, Unreadable, read_object
from connector.instants import EPOCH, to_datetime, to_instant
from connector.model import Reason

ID = "indicator--00000001-0000-4000-8000-000000000000"
WHEN = "2026-01-01T00:00:00Z"
INDICATOR: dict[str, Any] = {
    "type": "indicator", "spec_version": "2.1", "id": ID, "created": WHEN, "modified": WHEN,
    "valid_from": WHEN, "pattern": "[ipv4-addr:value = '198.51.100.1']", "pattern_type": "stix",
}  # fmt: skip
ABSENT = object()


def raw(**fields: Any) -> bytes:
    body = INDICATOR | fields
    return json.dumps({key: value for key, value in body.items() if value is not ABSENT}).encode()


def read(**fields: Any) -> StixObject:
    found = read_object(raw(**fields))
    assert isinstance(found, StixObject), found
    return found


def why_not(**fields: Any) -> str:
    found = read_object(raw(**fields))
    assert isinstance(found, Unreadable), found
    assert found.type == "indicator"
    assert found.claim is not None
    assert found.claim.reason is Reason.UNREADABLE
    assert found.claim.why == found.why
    assert (found.claim.observable, found.claim.enforceable) == (None, False)
    return found.why


def test_an_indicator_gives_the_fields_that_decisions_use() -> None:
    found = read(
        created_by_ref="identity--p", name="Beacon", valid_until="2026-02-01T00:00:00Z",
        confidence=70, labels=["a"], indicator_types=["malicious-activity"],
        object_marking_refs=["marking-definition--m"], x_custom={"deep": [1, {"er": None}]},
        granular_markings=[{"marking_ref": "marking-definition--g", "selectors": ["pattern"]},
                           {"lang": "en", "selectors": ["name"]}],
    )  # fmt: skip
    assert (found.id, found.type, found.spec_version) == (ID, "indicator", "2.1")
    assert found.modified == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.valid_until == datetime(2026, 2, 1, tzinfo=UTC)
    assert (found.confidence, found.labels, found.name) == (70, ("a",), "Beacon")
    assert found.granular_markings is not None
    assert [part.marking_ref for part in found.granular_markings] == [
        "marking-definition--g", None,
    ]  # fmt: skip
    assert found.revoked is None


@pytest.mark.parametrize("empty", [ABSENT, None])
@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("created", "`created` and `modified` are required"),
        ("modified", "`created` and `modified` are required"),
        ("pattern", "`pattern` is required"),
        ("valid_from", "`valid_from` is required"),
        ("pattern_type", "`pattern_type` is required"),
    ],
)
def test_a_required_field_that_is_missing_is_named(field: str, why: str, empty: object) -> None:
    assert why_not(**{field: empty}) == why


def test_an_empty_pattern_is_not_a_pattern() -> None:
    assert why_not(pattern="") == "`pattern` is required"


@pytest.mark.parametrize("until", [WHEN, "2025-01-01T00:00:00Z"])
def test_a_validity_that_ends_before_it_starts_is_read_as_it_is(until: str) -> None:
    found = read(valid_until=until)
    assert found.valid_from is not None
    assert found.valid_until is not None
    assert found.valid_until <= found.valid_from


@pytest.mark.parametrize(
    "bad",
    [
        raw(pattern=""), raw(valid_from=ABSENT), raw(labels=5), raw(type=ABSENT), raw(type=5),
        raw(name="\ud800"), raw(x=float("nan")), raw(x="y" * (1 << 20)),
        raw()[:-1] + b',"x":' + b"[" * 9000 + b"]" * 9000 + b"}",
    ],
)  # fmt: skip
def test_an_unreadable_version_shows_of_which_indicator_it_is(bad: bytes) -> None:
    found = read_object(bad)
    assert isinstance(found, Unreadable)
    assert (found.indicator, found.modified) == (ID, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("modified", [ABSENT, None, 5, "yesterday", "2026-01-01T00:00:00"])
def test_an_unreadable_time_of_a_version_is_none(modified: object) -> None:
    found = read_object(raw(modified=modified))
    assert isinstance(found, Unreadable)
    assert (found.indicator, found.modified) == (ID, None)


@pytest.mark.parametrize(
    "bad",
    [
        raw(type="malware"), raw(id="malware--1"), raw(id=5), raw(id=ABSENT), raw()[:-1],
        raw(id="indicator--" + "1" * 300), raw(id="indicator--\n"),
    ],
)  # fmt: skip
def test_what_names_no_indicator_is_a_version_of_none(bad: bytes) -> None:
    found = read_object(bad)
    assert isinstance(found, Unreadable)
    assert found.indicator == ""


def test_a_revocation_counts_when_its_body_was_trimmed() -> None:
    found = read(revoked=True, pattern=ABSENT, pattern_type=ABSENT, valid_from=ABSENT)
    assert found.revoked
    assert found.pattern is None
    assert why_not(revoked=True, modified=ABSENT) == "`created` and `modified` are required"


@pytest.mark.parametrize("field", ["created", "modified", "valid_from", "pattern", "name"])
def test_other_types_need_only_their_id(field: str) -> None:
    assert read(type="x-thing", id="x-thing--1", **{field: ABSENT}).type == "x-thing"


def test_a_stix_2_0_indicator_needs_no_pattern_type_nor_version() -> None:
    found = read(spec_version=ABSENT, pattern_type=ABSENT, labels=["malicious-activity"])
    assert (found.spec_version, found.pattern_type) == (None, None)
    assert read(spec_version="2.0", pattern_type=ABSENT).spec_version == "2.0"


@pytest.mark.parametrize("version", ["2.2", "", "3.0", "2.10", "1.2"])
def test_another_version_of_the_standard_is_not_guessed_at(version: str) -> None:
    assert why_not(spec_version=version) == f"spec_version {version!r} is not 2.0 or 2.1"


@pytest.mark.parametrize(
    "stix_id", [ID, "indicator--example", "indicator--" + "a" * 245, "indicator--é--x"]
)
def test_ids_need_not_be_uuids(stix_id: str) -> None:
    assert read(id=stix_id).id == stix_id


@pytest.mark.parametrize("stix_id", ["malware--1", "indicator-1", "", "--1", "xindicator--1"])
def test_an_id_starts_with_its_type(stix_id: str) -> None:
    assert why_not(id=stix_id) == "`id` should start with the object's type and two hyphens"


@pytest.mark.parametrize(
    "stix_id", ["indicator--" + "a" * 246, "indicator--a\n", "indicator--\x00", "indicator--\u202e"]
)
def test_an_id_is_printable_and_bounded(stix_id: str) -> None:
    found = read_object(raw(id=stix_id))
    assert isinstance(found, Unreadable)
    assert found.why == "`id` should be printable and have at most 256 characters"
    assert len(found.id) <= 256


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHEN, datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.5Z", datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-01T00:00:00.123456Z", datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-01T00:00:00.123456400Z", datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-01t00:00:00z", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_read_with_their_offset_and_fraction(text: str, expected: datetime) -> None:
    assert read(modified=text).modified == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00", "2026-01-01", "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z", "2026-01-01T00:00Z", "2026-01-01T00:00:00.Z", "", "yesterday",
        "1767225600",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["created", "modified", "valid_from", "valid_until"])
def test_an_instant_that_is_none_is_reported_with_its_field(field: str, text: str) -> None:
    assert field in why_not(**{field: text})


@pytest.mark.parametrize("value", [0, 1767225600, 1.5, True, [], {}])
def test_an_instant_is_text(value: object) -> None:
    assert "$.modified" in why_not(modified=value)


@pytest.mark.parametrize("field", ["created", "modified", "valid_from"])
@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:60.000Z",
        "2016-12-31T23:59:60.999Z",
        "2026-06-30T23:59:60Z",
        "2016-12-31T18:59:60-05:00",
        "2017-01-01T05:29:60+05:30",
    ],
)
def test_a_leap_second_is_the_last_moment_before_the_next_day(field: str, text: str) -> None:
    found = getattr(read(**{field: text}), field)
    day = found.astimezone(UTC).date()
    assert found == datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=UTC)
    assert to_instant(found) < to_instant(datetime(2026, 7, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T12:00:60Z",
        "2016-12-31T23:58:60Z",
        "2016-12-31T23:59:60+01:00",
        "2016-12-31T23:59:61Z",
        "2016-02-31T23:59:60Z",
    ],
)
def test_a_second_60_where_no_leap_second_can_be_is_not_an_instant(text: str) -> None:
    assert "RFC3339" in why_not(modified=text)


@pytest.mark.parametrize("field", ["created", "modified", "valid_from", "valid_until"])
def test_a_blank_does_not_replace_the_letter_between_date_and_time(field: str) -> None:
    why = why_not(**{field: "2026-02-01 00:00:00Z"})
    assert why == f"`{field}` has a space instead of `T`"
    elsewhere = {"description": f'"{field}": "2026-02-01 00:00:00Z" is what it said, -01 00:00:'}
    assert read(**elsewhere, x_seen="2026-02-01 00:00:00Z", nested={field: "2026-02-01 00:00:00Z"})


def test_a_sighting_knows_leap_seconds_too() -> None:
    sighting = {
        "type": "sighting", "id": "sighting--a", "created": WHEN,
        "modified": "2026-07-01T00:00:00Z", "last_seen": "2026-06-30T23:59:60Z",
        "sighting_of_ref": ID,
    }  # fmt: skip
    told = read_context(json.dumps(sighting).encode())
    assert told is not None
    assert to_datetime(told.node.at) == datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize("nines", range(1, 13))
def test_the_end_of_time_is_an_instant_however_finely_it_is_written(nines: int) -> None:
    found = read(valid_until=f"9999-12-31T23:59:59.{'9' * nines}Z")
    assert found.valid_until is not None
    assert found.valid_until.year == 9999
    assert "`valid_from` is required" in why_not(
        valid_until="9999-12-31T23:59:59.9999999Z", valid_from=ABSENT
    )


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_give_their_instant_back(when: datetime) -> None:
    assert to_datetime(to_instant(when)) == when


def test_versions_are_compared_as_instants_whatever_their_offset() -> None:
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert to_instant(east) == to_instant(datetime(2026, 1, 1, tzinfo=UTC))
    assert to_instant(EPOCH) == 0
    assert to_instant(EPOCH - timedelta(microseconds=1)) == -1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9999-12-31T23:59:59-12:00", datetime.max.replace(tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_an_offset_that_leaves_the_calendar_is_shown_as_its_end(text: str, shown: datetime) -> None:
    modified = read(modified=text).modified
    assert modified is not None
    assert to_datetime(to_instant(modified)) == shown
    assert to_datetime((1 << 62) - 1) == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("confidence", [0, 1, 100, None])
def test_confidence_is_a_whole_number_up_to_100(confidence: int | None) -> None:
    assert read(confidence=confidence).confidence == confidence


@pytest.mark.parametrize("confidence", [-1, 101, 2**70, "fine", "", 50.5, True, [50], {"a": 1}])
def test_another_confidence_is_not_guessed_at(confidence: object) -> None:
    found = read(confidence=confidence)
    assert found.confidence == code_of(confidence) == code_of(object())
    assert words_of(found.confidence) == "on no scale"


@pytest.mark.parametrize("said", ["High", "highly-likely", "Roughly even chance", "7", "2 - x"])
def test_a_word_of_confidence_is_kept_and_all_else_is_read(said: str) -> None:
    found = read(confidence=said, name="Beacon")
    assert found.confidence is not None
    assert found.confidence < 0
    assert found.name == "Beacon"


def test_a_confidence_that_is_none_hides_no_other_fault() -> None:
    assert "$.valid_from" in why_not(confidence="high", valid_from=7)
    assert "`pattern` is required" in why_not(confidence="high", pattern=ABSENT)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("revoked", "true"), ("revoked", 1), ("name", 3), ("pattern", ["x"]),
        ("labels", "one"), ("labels", [1]), ("indicator_types", {}), ("created_by_ref", 5),
        ("object_marking_refs", "marking-definition--m"), ("object_marking_refs", [None]),
        ("granular_markings", [{"marking_ref": "marking-definition--m"}]),
        ("granular_markings", [{"marking_ref": 1, "selectors": []}]), ("spec_version", 2.1),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_reported_with_its_path(field: str, value: object) -> None:
    assert f"$.{field}" in why_not(**{field: value})


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"{", b"null", b"[]", b'"indicator"', b"not json", b"\xff\xfe\x00", b"\x00",
        raw() + b" x", raw()[:-1], b"\xef\xbb\xbf" + raw(), raw().decode().encode("utf-16"),
        b'{"type":"indicator","id":"indicator--\xff"}', b'{"type":"indicator","id":"\\ud800"}',
        b'{"type":5,"id":"x--1"}', b"{}", b'{"type":"indicator"}', b'{"id":"indicator--1"}',
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"[" * 100_000,
        b'{"type":"indicator","id":"indicator--1","x":' + b'{"a":' * 9000 + b"1" + b"}" * 9001,
    ],
)  # fmt: skip
def test_what_is_no_object_is_reported_and_stays_counted(bad: bytes) -> None:
    found = read_object(bad)
    assert isinstance(found, Unreadable)
    assert found.why
    assert found.claim is not None, "it may have been an indicator"


def test_a_fault_of_something_that_is_no_indicator_makes_no_claim() -> None:
    found = read_object(raw(type="malware", id="malware--1", modified="never"))
    assert isinstance(found, Unreadable)
    assert (found.type, found.id, found.claim) == ("malware", "malware--1", None)


def test_an_object_is_bounded() -> None:
    assert read(name="x" * (1 << 19)).name
    why = why_not(name="x" * (1 << 20))
    assert why.startswith("the object has ")
    assert why.endswith(" bytes, more than 1048576")


def test_what_is_reported_of_an_unreadable_object_is_bounded() -> None:
    found = read_object(raw(type="y" * 5000, id="y" * 5000, modified=1))
    assert isinstance(found, Unreadable)
    assert (len(found.type), len(found.id)) == (64, 256)


def test_of_a_key_given_twice_the_last_counts() -> None:
    twice = read_object(raw()[:-1] + b',"confidence":10,"confidence":90}')
    assert isinstance(twice, StixObject)
    assert twice.confidence == 90


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_told(bad: bytes) -> None:
    assert isinstance(read_object(bad), StixObject | Unreadable)


@given(
    st.dictionaries(
        st.sampled_from(sorted(StixObject.__struct_fields__)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
            ),
            max_leaves=4,
        ),
        max_size=3,
    )
)
def test_any_fields_are_read_or_told(fields: dict[str, Any]) -> None:
    found = read_object(json.dumps(INDICATOR | fields).encode())
    if isinstance(found, StixObject) and found.type == "indicator" and not found.revoked:
        assert found.modified is not None
        assert found.valid_from is not None
        assert found.pattern
