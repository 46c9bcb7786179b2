"""What another side sends is bounded before memory is spent on it, and the bound has a name."""

import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.errors import UnavailableError
from connector.feed import MOST_VALUES, read_json
from connector.feeds.bundle import BundleFeed, BundleSettings
from connector.feeds.stix_json import (
    MOST_IN_A_PAGE,
    read_bundle,
    read_document,
    read_envelope,
)
from connector.testing.feed_suite import sample_objects

FORMS = {
    "envelope": (read_envelope, b'{"more":false,"objects":[%b]}'),
    "bundle": (read_bundle, b'{"type":"bundle","id":"bundle--1","objects":[%b]}'),
    "file": (read_document, b'{"type":"bundle","id":"bundle--1","objects":[%b]}'),
    "bare list": (read_document, b"[%b]"),
}


def refused(read: Callable[[bytes, str], object], content: bytes) -> str:
    with pytest.raises(UnavailableError) as raised:
        read(content, "here")
    return str(raised.value)


@pytest.mark.parametrize(
    ("form", "filling"), [*((form, b"{}") for form in FORMS), ("envelope", b"0"), ("file", b'""')]
)
def test_a_page_of_millions_of_nothing_is_refused(form: str, filling: bytes) -> None:
    read, frame = FORMS[form]
    content = frame.replace(b"%b", (filling + b",") * 1_400_000 + filling)
    assert re.search(r"more than [\d,]+ objects", refused(read, content))


@pytest.mark.parametrize("form", ["envelope", "file"])
def test_a_page_of_millions_of_nothing_costs_little_memory(form: str) -> None:
    read, frame = FORMS[form]
    content = frame.replace(b"%b", b"{}," * 1_400_000 + b"{}")
    tracemalloc.start()
    try:
        refused(read, content)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


def test_millions_of_nothing_beside_what_is_no_json_are_refused_too() -> None:
    content = b'{"objects":[NaN,' + b"{}," * 500_000 + b"{}]}"
    assert "more than 100,000 objects" in refused(read_envelope, content)


def test_the_largest_page_is_read_and_one_object_more_is_not() -> None:
    listed = b"{},".join([b""] * MOST_IN_A_PAGE) + b"{}"
    frame = b'{"objects":[%b]}'
    assert len(read_envelope(frame % listed, "here").objects) == MOST_IN_A_PAGE
    with pytest.raises(UnavailableError, match="a page of more than 100,000 objects"):
        read_envelope(frame % (listed + b",{}"), "here")


def test_a_page_of_many_commas_is_not_a_page_of_many_objects() -> None:
    refs = b'{"object_refs":[' + b'"",' * 2000 + b'""]}'
    page = read_envelope(b'{"objects":[' + b",".join([refs] * 300) + b'],"next":"x"}', "here")
    assert (page.objects, page.next) == ([refs] * 300, "x")


def test_bundles_inside_bundles_share_one_bound(tmp_path: Path) -> None:
    inner = b'{"type":"bundle","objects":[' + b"{}," * 8000 + b"{}]}"
    (tmp_path / "a.json").write_bytes(b"[" + b",".join([inner] * 3) + b"]")
    feed = BundleFeed(BundleSettings(path=tmp_path))
    (collection,) = feed.collections()
    with pytest.raises(UnavailableError, match="more than 10,000 objects"):
        list(feed.pages(collection, None))


@pytest.mark.parametrize(
    "broken",
    [
        b'{"type":"bundle","objects":5}', b'{"type":5,"of":"bundle"}',
        b'{"type":"bundle","objects":[{]}', b'{"type":"bundle","objects":{}}',
    ],
)  # fmt: skip
def test_a_broken_bundle_inside_a_bundle_costs_only_itself(broken: bytes) -> None:
    good = json.dumps(sample_objects(1)[0]).encode()
    if b"{]" in broken:
        with pytest.raises(UnavailableError, match="incomplete or invalid JSON"):
            read_document(b"[%b,%b]" % (broken, good), "here")
    else:
        assert read_document(b"[%b,%b]" % (broken, good), "here") == [broken, good]


@pytest.mark.parametrize("filling", [b"{},", b"0,"])
def test_plain_values_are_counted_before_any_is_made(filling: bytes) -> None:
    content = b"[" + filling * MOST_VALUES + b"0]"
    assert "here: has more than 4,000,000 values" in refused(read_json, content)


def test_a_million_objects_in_a_file_of_honest_size_are_read() -> None:
    one = (
        b'{"type":"url","id":"url--4d9f0bd1-1b6c-5f33-9a2a-1f6a5f2d3c10","value":"http://x.test/"}'
    )
    assert len(read_document(b"[" + b",".join([one] * 200_000) + b"]", "here")) == 200_000


@pytest.mark.parametrize(
    "page",
    [
        b'{"objects": {}}', b'{"objects": 5}', b'{"objects": "x"}', b'{"more": "true"}',
        b'{"more": 1}', b'{"more": true, "next": {}}', b'{"more": true, "next": [1]}', b"[]", b"5",
    ],
)  # fmt: skip
def test_an_envelope_of_wrong_types_is_not_an_empty_page(page: bytes) -> None:
    assert "here: returned" in refused(read_envelope, page)
