"""Indicators of Elastic Security on a real noida-db, which speaks Elasticsearch 8.15."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from connector_elastic import ElasticAdapter, ElasticSettings
from connector_elastic.documents import document_of, key_of
from output_pages import PAGES, commands
from pydantic import ValidationError
from search_cluster import API_KEY, PASSWORD, USER, Noida, noida
from search_suite import ADDRESS, NAME, Kind, SearchSuite, adapter, make, values

from connector.adapter import (
    Auth,
    ConfigError,
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
from connector.testing.adapter_steps import add

__all__ = ["adapter", "make"]

pytestmark = pytest.mark.real_server

T = ObservableType
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with noida(tmp_path_factory.mktemp("noida")) as port:
        yield port


@pytest.fixture
def target(server: int) -> Iterator[Noida]:
    with Noida(server) as proxy:
        yield proxy


@pytest.fixture
def index() -> str:
    return f"logs-ti_{next(_numbers)}"


@pytest.fixture
def kind() -> Kind:
    return ElasticAdapter, ElasticSettings, {"api_key": SecretValue(API_KEY)}


class TestElastic(SearchSuite):
    @pytest.fixture
    def accepted_types(self):
        """One for each kind of field; the rest is the same code, and asked at the emulator."""
        return [T.AUTONOMOUS_SYSTEM, T.DOMAIN_NAME, T.IPV4_ADDR]

    @pytest.fixture
    def row_count(self, monkeypatch):
        """More than a page, as small as pages may be: the server takes a millisecond for each."""
        monkeypatch.setattr("connector_elastic.index.PAGE", 100)
        return 350


def test_a_document_is_what_the_stock_rules_read(adapter, target, index):
    fields = {"confidence": "High", "feed": "AIS", "tlp": "AMBER", "valid_until": 1796083200}
    adapter.add([Entry(ADDRESS, fields, expires=NOW + timedelta(days=30))])
    (document,) = target.documents(index).values()
    own = document.pop("connector")
    assert document == {
        "@timestamp": "2026-11-20T10:00:00.000Z",
        "event": {
            "kind": "enrichment", "category": "threat", "type": "indicator",
            "module": "ti_connector", "dataset": "ti_connector.indicator",
        },
        "threat": {
            "indicator": {
                "type": "ipv4-addr", "ip": "203.0.113.7", "confidence": "High",
                "marking": {"tlp": "AMBER"},
            },
            "feed": {"name": "AIS"},
        },
    }  # fmt: skip
    assert own["valid_until"] == "2026-12-01T00:00:00.000Z"


def matched_by_the_stock_rule(target: Noida, index: str, field: str, at: str) -> int:
    """Return how many documents the query of a stock indicator-match rule finds at a time."""
    filters = [
        {"range": {"@timestamp": {"gte": f"{at}||-30d/d"}}},
        {"prefix": {"event.module": "ti_"}},
        {"term": {"event.kind": "enrichment"}},
        {"term": {"event.category": "threat"}},
        {"term": {"event.type": "indicator"}},
        {"exists": {"field": field}},
    ]
    body = {"query": {"bool": {"filter": filters}}}
    return int(target.ask("POST", f"/{index}/_count", body)["count"])


def test_a_stock_rule_matches_an_entry_until_its_end_and_once_more_when_it_is_renewed(
    adapter, target, index
):
    end = NOW + timedelta(days=7)
    adapter.add([Entry(ADDRESS, expires=end)])
    field = "threat.indicator.ip"
    assert matched_by_the_stock_rule(target, index, field, "2026-11-27T09:00:00Z") == 1
    assert matched_by_the_stock_rule(target, index, field, "2026-11-28T00:00:00Z") == 0
    adapter.add([Entry(ADDRESS, expires=end + timedelta(days=7))])
    assert matched_by_the_stock_rule(target, index, field, "2026-11-28T00:00:00Z") == 1


@pytest.mark.parametrize(
    ("kind", "value", "field", "matched"),
    [
        (T.IPV6_ADDR, "2001:db8::7", "ip", "2001:db8::7"),
        (T.DOMAIN_NAME, "bad.example", "url.domain", "bad.example"),
        (T.URL, "https://bad.example/A", "url.full", "https://bad.example/A"),
        (T.EMAIL_ADDR, "a@bad.example", "email.address", "a@bad.example"),
        (T.FILE_SHA256, "a" * 64, "file.hash.sha256", "a" * 64),
        (T.AUTONOMOUS_SYSTEM, "64496", "as.number", 64496),
        (T.REGISTRY_KEY, r"HKEY_LOCAL_MACHINE\Software\X", "registry.path", r"HKLM\Software\X"),
        (T.IPV4_ADDR, "203.0.113.0/24", "ip", None),
        (T.ENDPOINT, "203.0.113.7:443/tcp", "ip", None),
        (T.DOMAIN_NAME, "*.bad.example", "url.domain", None),
        (T.MUTEX, "8.8.8.8", "ip", None),
    ],
)
def test_a_field_of_ecs_has_a_value_only_where_it_says_exactly_that(kind, value, field, matched):
    found = document_of(Entry(Observable(kind, value)), "edge")["threat"]["indicator"]
    for part in field.split("."):
        found = found.get(part, {})
    assert found == ({} if matched is None else matched)


def test_documents_of_others_stay_and_are_not_read(adapter, make, target, index):
    adapter.add([Entry(ADDRESS)])
    other = make("other", owner_tag="of-another-site")
    other.add([Entry(ADDRESS)])
    target.put(index, "theirs", {"threat": {"indicator": {"ip": "203.0.113.7"}}})
    adapter.remove([Held(ADDRESS)])
    assert values(adapter) == []
    assert values(other) == ["203.0.113.7"]
    assert set(target.documents(index)) == {"theirs", key_of(ADDRESS, "of-another-site")}


@pytest.mark.parametrize(
    "altered",
    [
        {"threat": {"indicator": {"ip": "192.0.2.1"}}},
        {"event": {"kind": "event"}},
        {"@timestamp": "2001-01-01T00:00:00Z"},
        {"connector": {"value": "192.0.2.1"}},
    ],
)
def test_a_document_that_others_altered_is_written_again(adapter, target, index, altered):
    adapter.add([Entry(ADDRESS)])
    key = key_of(ADDRESS, "edge")
    target.ask("POST", f"/{index}/_update/{key}?refresh=true", {"doc": altered})
    assert values(adapter) == []
    assert adapter.holds([ADDRESS]) == []
    assert adapter.add([Entry(ADDRESS)]) == {}
    assert values(adapter) == ["203.0.113.7"]


def test_what_a_pipeline_adds_to_a_document_changes_nothing(adapter, target, index):
    adapter.add([Entry(ADDRESS, {"feed": "AIS"})])
    key, added = key_of(ADDRESS, "edge"), {"event": {"ingested": "2026-11-20T10:00:01Z"}}
    target.ask("POST", f"/{index}/_update/{key}?refresh=true", {"doc": added})
    assert [(one.value, one.fields) for one in adapter.read()] == [("203.0.113.7", {"feed": "AIS"})]


def test_the_stamp_changes_when_a_document_or_the_index_is_deleted(adapter, target, index):
    assert adapter.stamp() == "absent"
    adapter.add([Entry(ADDRESS), Entry(NAME)])
    stamps = [adapter.stamp()]
    target.ask("DELETE", f"/{index}/_doc/{key_of(NAME, 'edge')}?refresh=true")
    stamps.append(adapter.stamp())
    target.ask("DELETE", f"/{index}")
    stamps.append(adapter.stamp())
    assert len(set(stamps)) == 3
    assert values(adapter) == []
    adapter.add([Entry(NAME)])
    assert values(adapter) == ["bad.example"]
    assert target.ask("GET", f"/{index}/_mapping")[index]["mappings"]["dynamic"] == "false"


def test_an_index_in_which_our_documents_would_not_be_found_is_refused(adapter, target, index):
    target.ask("PUT", f"/{index}", {"mappings": {"properties": {"a": {"type": "text"}}}})
    for use in (lambda: values(adapter), lambda: adapter.add([Entry(ADDRESS)])):
        with pytest.raises(RefusedError, match=r"connector\.key and connector\.owner as keyword"):
            use()
    assert target.documents(index) == {}


def test_one_document_that_is_refused_loses_that_one_alone_with_the_words(adapter, target):
    target.refuses[ADDRESS.value] = "an address that is none"
    said = adapter.add([Entry(ADDRESS), Entry(NAME)])
    assert list(said) == [ADDRESS]
    assert isinstance(said[ADDRESS], Refused)
    assert "'nonsense' is not an IP string literal" in said[ADDRESS].words
    assert values(adapter) == ["bad.example"]


def test_a_document_that_a_full_queue_did_not_take_comes_later(adapter, target):
    target.item_error = (429, "es_rejected_execution_exception", "queue is full")
    assert adapter.add([Entry(ADDRESS)]) == {ADDRESS: Later("queue is full")}
    target.item_error = None
    adapter.add([Entry(ADDRESS)])
    target.item_error = (503, "unavailable_shards_exception", "primary shard is not active")
    assert list(adapter.remove([Held(ADDRESS)])) == [ADDRESS]
    assert values(adapter) == ["203.0.113.7"]


def test_a_full_disk_is_a_failure_of_the_output_and_not_of_single_entries(adapter, target):
    words = "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"
    target.item_error = (429, "cluster_block_exception", words)
    with pytest.raises(UnavailableError, match="flood-stage watermark"):
        adapter.add([Entry(ADDRESS)])


def test_a_missing_right_is_named(adapter, target):
    adapter.add([Entry(ADDRESS)])
    target.right_missing = "/_bulk"
    with pytest.raises(RefusedError, match=r"_bulk\] is unauthorized"):
        adapter.add([Entry(NAME)])
    target.right_missing = ""
    target.item_error = (403, "security_exception", "no right to write to this index")
    with pytest.raises(RefusedError, match="no right to write"):
        adapter.add([Entry(NAME)])


def test_a_batch_that_is_too_large_is_halved(adapter, target):
    adapter.add([Entry(ADDRESS)])
    target.largest_body = 600
    assert add(adapter, [Entry(Observable(T.IPV4_ADDR, f"203.0.113.{n}")) for n in range(4)]) == {}
    assert len(values(adapter)) == 5
    target.largest_body = 60
    said = add(adapter, [Entry(NAME)])
    assert "too large for the target by itself" in said[NAME.value]


def test_a_user_name_with_its_password_serves_as_well_as_a_key(make):
    adapter = make(api_key=None, auth=Auth(username=USER, password=SecretValue(PASSWORD)))
    adapter.add([Entry(ADDRESS)])
    assert values(adapter) == ["203.0.113.7"]


def test_a_wrong_key_is_refused_and_never_shown(make):
    adapter = make(api_key=SecretValue("a wrong key"))
    with pytest.raises(RefusedError, match="missing authentication credentials") as raised:
        adapter.stamp()
    assert "a wrong key" not in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [{"auth": Auth(username=USER)}, {"api_key": SecretValue("two\nlines")}],
)
def test_credentials_that_cannot_work_are_told_at_the_start(make, options):
    with pytest.raises(ConfigError, match="api_key"):
        make(**options)


@pytest.mark.parametrize(
    "url", ["http://search.example:9200", "https://u@search.example", "https://a.example/?x", "a"]
)
def test_an_address_that_cannot_work_is_refused(url):
    with pytest.raises(ValidationError, match="should"):
        ElasticSettings(url=url)


def test_one_cluster_by_two_addresses_is_one_place(adapter, make, target):
    other = make(url=target.url.replace("localhost", "127.0.0.1"))
    assert adapter.settings.places != other.settings.places
    assert adapter.known_as() == other.known_as()


def test_documents_are_seen_and_removed_as_the_page_says(make, target):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: install the Debian package curl")
    make("elastic", index="logs-ti_connector").add([Entry(ADDRESS)])
    (command,) = commands("elastic.md")
    asked = command.replace("https://elastic.example:9200", target.url)
    told = subprocess.run(
        ["sh", "-c", asked],
        env={"PATH": os.defpath, "ELASTIC_API_KEY": API_KEY}, capture_output=True, check=True,
    )  # fmt: skip
    (hit,) = json.loads(told.stdout)["hits"]["hits"]
    assert hit["_source"]["connector"]["value"] == ADDRESS.value
    page = (PAGES / "elastic.md").read_text(encoding="utf-8")
    (path,) = re.findall(r"`DELETE (\S+)`", page)
    target.ask("DELETE", path)
    assert target.documents("logs-ti_connector") == {}
