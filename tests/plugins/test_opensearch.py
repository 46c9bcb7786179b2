"""Indicators in an OpenSearch, plain index and data stream, at an emulator with its errors."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

import pytest
from connector_elastic import OpensearchAdapter, OpensearchSettings
from connector_elastic.documents import INDEX_MAPPING, document_of, held_in, key_of
from opensearch_cluster import OpenSearch
from output_pages import PAGES
from search_cluster import PASSWORD, USER
from search_suite import ADDRESS, NAME, Kind, SearchSuite, adapter, make, values

from connector.adapter import (
    Auth,
    Entry,
    Held,
    Later,
    Observable,
    ObservableType,
    Refused,
    RefusedError,
    SecretValue,
    UnavailableError,
)
from connector.testing.samples.entries import sample_values

__all__ = ["adapter", "make"]

T = ObservableType
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
INDEX = "logs-ti_connector"
PAGE = (PAGES / "elastic.md").read_text(encoding="utf-8")


@pytest.fixture
def target() -> Iterator[OpenSearch]:
    with OpenSearch() as cluster:
        yield cluster


@pytest.fixture
def index() -> str:
    return INDEX


@pytest.fixture
def kind() -> Kind:
    auth = Auth(username=USER, password=SecretValue(PASSWORD))
    return OpensearchAdapter, OpensearchSettings, {"auth": auth}


@pytest.fixture
def stream(make: Callable[..., OpensearchAdapter], target: OpenSearch) -> OpensearchAdapter:
    template = re.search(r"^PUT /_index_template/connector\n(.*?)^```", PAGE, re.M | re.S)
    target.templates[INDEX] = json.loads(template[1])["template"]["mappings"]
    return make(data_stream=True)


class TestOpensearch(SearchSuite):
    @pytest.fixture
    def accepted_types(self):
        """Those that are alike to others; all types are asked below."""
        return [T.DOMAIN_NAME, T.IPV4_ADDR, T.URL]


@pytest.mark.parametrize("type", list(T))
def test_a_document_of_any_type_is_read_back_as_it_was_written(type):
    for value in islice(sample_values(type), 20):
        entry = Entry(Observable(type, value), {"feed": "AIS"})
        document = json.loads(json.dumps(document_of(entry, "edge")))
        held = held_in(document, "edge")
        assert held == Held(entry.observable, entry.fields, key_of(entry.observable, "edge"))


def test_the_template_of_the_page_has_the_mapping_of_an_index(stream, target):
    assert target.templates[INDEX] == INDEX_MAPPING


def test_a_data_stream_takes_entries_and_changes_and_loses_them_where_they_are(stream, target):
    stream.add([Entry(ADDRESS), Entry(NAME)])
    target.roll_over(INDEX)
    assert stream.add([Entry(ADDRESS, {"feed": "AIS"})]) == {}
    assert [one.fields for one in stream.holds([ADDRESS])] == [{"feed": "AIS"}]
    assert [len(target.indices[name].written) for name in target.streams[INDEX]] == [2, 0]
    assert stream.remove([Held(ADDRESS)]) == {}
    assert values(stream) == ["bad.example"]


def test_copies_of_a_document_in_a_data_stream_become_one_and_go_together(stream, target):
    stream.add([Entry(ADDRESS)])
    target.roll_over(INDEX)
    target.put(INDEX, key_of(ADDRESS, "edge"), document_of(Entry(ADDRESS), "edge"))
    assert values(stream) == ["203.0.113.7"]
    assert stream.add([Entry(ADDRESS)]) == {}
    assert [len(target.indices[name].written) for name in target.streams[INDEX]] == [1, 0]
    target.put(INDEX, key_of(ADDRESS, "edge"), document_of(Entry(ADDRESS), "edge"))
    stream.remove([Held(ADDRESS)])
    assert target.documents(INDEX) == {}


def test_a_data_stream_without_a_template_is_refused_with_the_words(make):
    with pytest.raises(UnavailableError, match="no matching index template found"):
        make(data_stream=True).add([Entry(ADDRESS)])


def test_the_stamp_changes_with_each_change_of_our_documents_and_with_no_other(adapter, target):
    adapter.add([Entry(ADDRESS), Entry(NAME)])
    before = adapter.stamp()
    target.put(INDEX, "theirs", {"connector": {"owner": "other", "key": "x"}})
    assert adapter.stamp() == before
    altered = document_of(Entry(NAME), "edge")
    target.put(INDEX, key_of(NAME, "edge"), altered)
    assert adapter.stamp() != before
    before = adapter.stamp()
    target.delete(INDEX, key_of(NAME, "edge"))
    assert adapter.stamp() != before


def test_a_document_that_changed_meanwhile_comes_later(adapter, target):
    adapter.add([Entry(ADDRESS)])

    def changes(call):
        if call.path.endswith("_bulk"):
            target.put(INDEX, key_of(ADDRESS, "edge"), document_of(Entry(ADDRESS), "edge"))

    target.pause = changes
    said = adapter.add([Entry(ADDRESS), Entry(NAME)])
    assert list(said) == [ADDRESS]
    assert isinstance(said[ADDRESS], Later)
    assert "version conflict" in said[ADDRESS].words


def test_what_only_some_shards_say_is_no_list(adapter, target):
    adapter.add([Entry(ADDRESS)])
    target.shards_fail = True
    for use in (lambda: values(adapter), lambda: adapter.holds([NAME]), adapter.stamp):
        with pytest.raises(UnavailableError):
            use()


def test_a_refusal_in_the_words_of_opensearch_is_told(adapter, target):
    target.refuses[NAME.value] = "failed to parse field [x] of type [date]"
    assert adapter.add([Entry(ADDRESS), Entry(NAME)]) == {NAME: Refused(target.refuses[NAME.value])}


def test_wrong_credentials_are_refused_though_the_answer_is_no_json(make):
    adapter = make(auth=Auth(username=USER, password=SecretValue("a wrong one")))
    with pytest.raises(RefusedError, match="Unauthorized") as raised:
        adapter.stamp()
    assert "a wrong one" not in str(raised.value)


def test_more_copies_of_documents_than_an_answer_has_are_asked_for_in_parts(
    stream, target, monkeypatch
):
    stream.add([Entry(ADDRESS), Entry(NAME)])
    for one in (ADDRESS, NAME):
        for _ in range(2):
            target.roll_over(INDEX)
            target.put(INDEX, key_of(one, "edge"), document_of(Entry(one), "edge"))
    monkeypatch.setattr("connector_elastic.index._MOST_HITS", 4)
    assert stream.remove([Held(ADDRESS), Held(NAME)]) == {}
    assert target.documents(INDEX) == {}
    stream.add([Entry(ADDRESS)])
    monkeypatch.setattr("connector_elastic.index._MOST_HITS", 1)
    with pytest.raises(UnavailableError, match="1 documents or more of one entry"):
        stream.remove([Held(ADDRESS)])
