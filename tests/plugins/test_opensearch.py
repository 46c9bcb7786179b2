"""Indicators in an OpenSearch, plain index and data stream, at an emulator with its errors."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_elastic import OpensearchAdapter, OpensearchSettings
from connector_elastic.documents import INDEX_MAPPING, document_of, held_in, key_of
from opensearch_cluster import OpenSearch
from output_pages import PAGES
from search_cluster import PASSWORD, USER, one_authority

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
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context
from connector.testing.samples.entries import sample_values

T = ObservableType
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
INDEX = "logs-ti_connector"
PAGE = (PAGES / "elastic.md").read_text(encoding="utf-8")
ADDRESS, NAME = Observable(T.IPV4_ADDR, "203.0.113.7"), Observable(T.DOMAIN_NAME, "bad.example")


@pytest.fixture
def target() -> Iterator[OpenSearch]:
    with OpenSearch() as cluster:
        yield cluster


@pytest.fixture
def make(target: OpenSearch, tmp_path: Path) -> Iterator[Callable[..., OpensearchAdapter]]:
    made = []

    def adapter(output: str = "edge", **options: Any) -> OpensearchAdapter:
        auth = Auth(username=USER, password=SecretValue(PASSWORD))
        defaults = {"url": target.url, "auth": auth, "ca": one_authority(tmp_path)}
        settings = OpensearchSettings(**(defaults | options))
        made.append(OpensearchAdapter(settings, output_context(settings, tmp_path, output)))
        return made[-1]

    yield adapter
    for one in made:
        one.close()
        one.context.close()


@pytest.fixture
def adapter(make: Callable[..., OpensearchAdapter]) -> OpensearchAdapter:
    return make()


@pytest.fixture
def stream(make: Callable[..., OpensearchAdapter], target: OpenSearch) -> OpensearchAdapter:
    template = re.search(r"^PUT /_index_template/connector\n(.*?)^```", PAGE, re.M | re.S)
    target.templates[INDEX] = json.loads(template[1])["template"]["mappings"]
    return make(data_stream=True)


def values(adapter: OpensearchAdapter) -> list[str]:
    return sorted(one.value for one in adapter.read())


class TestOpensearch(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "an index has no opposite of a document",
        "fill": "an index is as large as the disk",
    }

    @pytest.fixture
    def adapter(self, adapter):
        return adapter

    @pytest.fixture
    def accepted_types(self):
        """Those that are alike to others; all types are asked below."""
        return [T.DOMAIN_NAME, T.IPV4_ADDR, T.URL]

    @pytest.fixture
    def row_count(self):
        """More than a page and than a batch."""
        return 2100

    @pytest.fixture
    def http_target(self, target):
        return target

    @pytest.fixture
    def neighbour(self, make):
        return make("elsewhere")

    @pytest.fixture
    def refuse(self, target):
        return lambda entry: target.refuses.update({entry.value: "failed to parse field"})

    @pytest.fixture
    def foreign(self, target):
        def copied(theirs):
            target.ask("PUT", f"/{INDEX}", {"mappings": INDEX_MAPPING})
            document = document_of(theirs, "edge")
            target.put(INDEX, "copied", document)
            return lambda: target.documents(INDEX).get("copied") == document

        return copied


@pytest.mark.parametrize("kind", list(T))
def test_a_document_of_any_type_is_read_back_as_it_was_written(kind):
    for value in islice(sample_values(kind), 20):
        entry = Entry(Observable(kind, value), {"feed": "AIS"})
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
