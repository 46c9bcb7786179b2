"""The emulated KV store does what the vendor's own SDK expects of the real one."""

import json
from collections.abc import Iterator

import pytest
import requests
from connector_splunk_kvstore.emulator.server import SplunkEmulator, Trouble
from splunklib import client
from splunklib.binding import AuthenticationError, HTTPError

from connector.instants import SECOND


@pytest.fixture
def splunk() -> Iterator[SplunkEmulator]:
    with SplunkEmulator(users={"svc": "correct horse"}, tokens={"a-token"}) as emulator:
        yield emulator


def connect(splunk: SplunkEmulator, app: str = "search", **credentials: object) -> client.Service:
    port = int(splunk.url.rpartition(":")[2])
    credentials = credentials or {"username": "svc", "password": "correct horse"}
    return client.connect(
        scheme="http", host="127.0.0.1", port=port, owner="nobody", app=app, **credentials
    )


@pytest.fixture
def service(splunk: SplunkEmulator) -> client.Service:
    return connect(splunk)


@pytest.fixture
def data(service: client.Service) -> client.KVStoreCollectionData:
    service.kvstore.create("test")
    return service.kvstore["test"].data


def fill(data: client.KVStoreCollectionData, count: int) -> None:
    data.batch_save(*({"_key": f"{n:03}", "text": f"#{n:03}", "num": n} for n in range(count)))


class TestSchema:
    def test_a_collection_exists_from_its_creation_to_its_deletion(self, service):
        service.kvstore.create("test")
        assert "test" in service.kvstore
        service.kvstore["test"].delete()
        assert "test" not in service.kvstore

    def test_fields_and_accelerations_are_set_at_creation(self, service):
        service.kvstore.create("test", accelerated_fields={"i": {"a": 1}}, fields={"a": "number"})
        assert service.kvstore["test"]["field.a"] == "number"
        assert service.kvstore["test"]["accelerated_fields.i"] == {"a": 1}

    def test_changing_one_setting_leaves_the_others(self, service):
        service.kvstore.create("test", fields={"a": "number", "b": "bool"})
        service.kvstore["test"].update_field("a", "string")
        service.kvstore["test"].update_accelerated_field("i", {"a": -1})
        stanza = service.kvstore["test"]
        assert (stanza["field.a"], stanza["field.b"]) == ("string", "bool")
        assert stanza["accelerated_fields.i"] == {"a": -1}

    def test_creating_it_twice_is_a_conflict(self, service):
        service.kvstore.create("test")
        with pytest.raises(HTTPError, match="already exists") as refused:
            service.kvstore.create("test")
        assert refused.value.status == 409

    def test_two_apps_may_use_one_name(self, splunk):
        for app in ("system", "search"):
            connect(splunk, app).kvstore.create("test")
            assert connect(splunk, app).kvstore["test"]["eai:appName"] == app

    def test_a_global_collection_is_shown_in_other_apps(self, splunk, service):
        splunk.collection("system", "shared").sharing = "global"
        assert service.kvstore["shared"].access.app == "system"
        assert [each.name for each in service.kvstore.list()] == ["shared"]

    def test_configurations_belong_to_nobody(self, service):
        service.kvstore_owner = "svc"
        with pytest.raises(HTTPError, match="user context of 'nobody'"):
            service.kvstore.list()

    def test_an_absent_app_is_not_found(self, splunk):
        with pytest.raises(HTTPError, match="Application does not exist: nowhere"):
            connect(splunk, "nowhere").kvstore.list()

    def test_an_acceleration_too_many_is_refused(self, splunk, service):
        splunk.limits.max_accelerations_per_collection = 1
        with pytest.raises(HTTPError, match="max_accelerations_per_collection=1"):
            service.kvstore.create("test", accelerated_fields={"a": {"a": 1}, "b": {"b": 1}})


class TestDocuments:
    def test_inserts_queries_and_deletes(self, data):
        for n in range(50):
            data.insert(json.dumps({"_key": str(n), "text": f"#{n}", "num": n}))
        assert len(data.query()) == 50
        assert data.query(query={"num": 10}) == [
            {"_key": "10", "_user": "nobody", "text": "#10", "num": 10}
        ]
        data.delete(json.dumps({"num": {"$gt": 39}}))
        assert len(data.query()) == 40
        data.delete()
        assert data.query() == []

    def test_a_replacement_keeps_nothing_of_the_old_document(self, data):
        data.insert({"_key": "a", "old": 1})
        data.update("a", {"new": 2})
        assert data.query_by_id("a") == {"_key": "a", "_user": "nobody", "new": 2}

    def test_a_key_is_made_where_none_is_given(self, data):
        key = data.insert({"a": 1})["_key"]
        assert data.query_by_id(key)["a"] == 1

    def test_inserting_a_key_twice_is_a_conflict(self, data):
        data.insert({"_key": "a"})
        with pytest.raises(HTTPError, match="same key and user already exists"):
            data.insert({"_key": "a"})

    def test_an_absent_key_is_not_found(self, data):
        for request in (data.query_by_id, data.delete_by_id):
            with pytest.raises(HTTPError, match="Could not find object") as refused:
                request("absent")
            assert refused.value.status == 404

    def test_what_is_not_json_changes_nothing(self, data):
        data.insert({"_key": "a", "b": 1})
        for request in (data.insert, lambda text: data.update("a", text)):
            with pytest.raises(HTTPError, match="JSON in the request is invalid"):
                request("NOT JSON")
        assert data.query_by_id("a")["b"] == 1

    def test_sorts_skips_and_limits(self, data):
        fill(data, 10)
        assert [each["num"] for each in data.query(sort="text:-1", skip=8)] == [1, 0]
        assert data.query(sort="num")[0]["num"] == 0
        assert [each["num"] for each in data.query(sort="num", limit=2, skip=9)] == [9]
        assert [each["_key"] for each in data.query(query={"_key": {"$gt": "007"}})] == [
            "008",
            "009",
        ]

    def test_values_are_converted_to_the_declared_type(self, service, data):
        service.kvstore["test"].post(**{"field.num": "number", "field.yes": "bool"})
        for n in range(50):
            data.insert({"_key": str(n), "num": str(n), "ignored": n})
        found = data.query(sort="num:-1", limit=20, fields="num,_id:0", skip=10)
        assert found == [{"num": 39 - n} for n in range(20)]

    def test_a_value_that_cannot_be_converted_is_dropped_in_silence(self, service, data):
        service.kvstore["test"].post(**{"field.num": "number"})
        data.insert({"_key": "a", "num": "many", "other": 1})
        assert data.query_by_id("a") == {"_key": "a", "_user": "nobody", "other": 1}

    def test_enforced_types_refuse_the_document(self, service, data):
        service.kvstore["test"].post(**{"field.num": "number", "enforceTypes": "true"})
        with pytest.raises(HTTPError, match="'num'"):
            data.insert({"_key": "a", "num": "many"})


class TestBatches:
    def test_a_thousand_documents_are_saved_found_and_saved_anew(self, data):
        for shift in (0, 1):
            batch = [{"_key": str(n), "num": n + shift} for n in range(1000)]
            assert data.batch_save(*batch) == [str(n) for n in range(1000)]
            assert [each["num"] for each in data.query(sort="num")] == [
                n + shift for n in range(1000)
            ]
        found = data.batch_find(*({"query": {"num": n + 1}} for n in range(100)))
        assert [rows[0]["_key"] for rows in found] == [str(n) for n in range(100)]

    def test_one_document_too_many_saves_none(self, splunk, data):
        splunk.limits.max_documents_per_batch_save = 200
        with pytest.raises(HTTPError) as refused:
            fill(data, 201)
        assert refused.value.status == 400
        assert str(refused.value) == (
            "HTTP 400 Bad Request -- Request exceeds API limits - see limits.conf for details. "
            "(Too many documents for a single batch save, max_documents_per_batch_save=200)"
        )
        assert data.query() == []

    def test_a_batch_too_large_in_bytes_saves_none(self, splunk, data):
        splunk.limits.max_size_per_batch_save_mb = 0.001
        with pytest.raises(HTTPError, match=r"max_size_per_batch_save_mb=0\.001"):
            fill(data, 100)
        assert data.query() == []

    def test_results_are_cut_without_a_word(self, splunk, data):
        fill(data, 100)
        splunk.limits.max_rows_per_query = 30
        assert len(data.query()) == len(data.query(limit=90)) == 30
        splunk.limits.max_size_per_result_mb = 0.001
        assert 0 < len(data.query()) < 30

    def test_its_limits_can_be_asked_for(self, splunk, service):
        path = "properties/limits/kvstore/max_documents_per_batch_save"
        assert service.get(path).body.read() == b"1000"
        splunk.limits.max_documents_per_batch_save = 200
        entry = json.loads(service.get(path, output_mode="json").body.read())["entry"][0]
        assert entry["content"] == "200"


@pytest.mark.parametrize(
    ("query", "matched"),
    [
        ({}, "abcd"),
        ({"n": 1}, "a"),
        ({"n": {"$gt": 1}}, "b"),
        ({"n": {"$gte": 1, "$lt": 2}}, "a"),
        ({"n": {"$lte": 2}}, "ab"),
        ({"n": {"$ne": 1}}, "bcd"),
        ({"n": "1"}, "c"),
        ({"n": {"$gt": "0"}}, "c"),
        ({"s.t": True}, "d"),
        ({"$or": [{"n": 1}, {"_key": "d"}]}, "ad"),
        ({"$and": [{"n": {"$gt": 0}}, {"_key": {"$gt": "a"}}]}, "b"),
        ({"$and": [{"n": 1}, {"$or": [{"_key": "a"}, {"_key": "b"}]}]}, "a"),
        ({"$not": {"n": {"$gt": 0}}}, "cd"),
        ({"_key": {"$gte": "c"}}, "cd"),
    ],
)
def test_the_query_language_matches(data, query, matched):
    data.batch_save(
        {"_key": "a", "n": 1},
        {"_key": "b", "n": 2},
        {"_key": "c", "n": "1"},
        {"_key": "d", "s": {"t": True}},
    )
    assert "".join(each["_key"] for each in data.query(query=query)) == matched
    data.delete(json.dumps(query))
    assert "".join(each["_key"] for each in data.query()) == "".join(
        key for key in "abcd" if key not in matched
    )


@pytest.mark.parametrize(
    "query", ["[]", "{'a': 1}", '{"$or": []}', '{"a": {"$in": [1]}}', '{"$nor": [{"a": 1}]}']
)
def test_a_query_it_does_not_understand_is_refused(data, query):
    fill(data, 3)
    with pytest.raises(HTTPError) as refused:
        data.delete(query)
    assert refused.value.status == 400
    assert len(data.query()) == 3


def test_it_says_that_it_is_well(service):
    assert b"ready" in service.get("/services/kvstore/status").body.read()
    assert service.info["kvStoreStatus"] == "ready"


class TestLogin:
    def test_takes_password_token_basic_and_cookie(self, splunk):
        assert connect(splunk).info["version"]
        assert connect(splunk, splunkToken="a-token").info["version"]
        assert connect(splunk, username="svc", password="correct horse", basic=True).info["version"]
        cookie = connect(splunk).get_cookies()
        [(name, value)] = cookie.items()
        assert name.startswith("splunkd_")
        assert connect(splunk, cookie=f"{name}={value}").info["version"]

    def test_refuses_a_wrong_password_and_an_unknown_token(self, splunk):
        with pytest.raises(AuthenticationError, match="Login failed"):
            connect(splunk, username="svc", password="wrong")
        with pytest.raises(AuthenticationError):
            connect(splunk, splunkToken="another").kvstore.list()

    def test_a_session_dies_of_idleness_not_of_age(self):
        now = [0]
        with SplunkEmulator(users={"svc": "pw"}, clock=lambda: now[0]) as splunk:
            service = connect(splunk, username="svc", password="pw")
            for _ in range(3):
                now[0] += 3000 * SECOND
                assert service.info["version"]
            now[0] += 3601 * SECOND
            with pytest.raises(AuthenticationError):
                _ = service.info


class TestTrouble:
    def test_errors_are_xml_unless_json_is_asked_for(self, splunk, service):
        splunk.plan(Trouble.STARTING, times=2)
        with pytest.raises(HTTPError, match="KV Store is initializing") as refused:
            service.kvstore.list()
        assert refused.value.status == 503
        assert refused.value.body.startswith(b"<?xml")
        with pytest.raises(HTTPError) as refused:
            service.kvstore.list(output_mode="json")
        assert json.loads(refused.value.body)["messages"][0]["type"] == "ERROR"
        assert service.kvstore.list() == []

    def test_it_can_be_busy_and_forbidding(self, splunk):
        url = f"{splunk.url}/servicesNS/nobody/search/storage/collections/config"
        splunk.plan(Trouble.BUSY, seconds=7)
        splunk.plan(Trouble.BUSY)
        splunk.plan(Trouble.FORBIDDEN, words="needs edit_kvstore")
        answers = [requests.get(url, timeout=300) for _ in range(3)]
        assert [(each.status_code, each.headers.get("Retry-After")) for each in answers] == [
            (429, "7"),
            (429, None),
            (403, None),
        ]
        assert "needs edit_kvstore" in answers[2].text

    def test_it_can_break_off_after_the_deed(self, splunk, data):
        splunk.plan(Trouble.RESET_AFTER_APPLYING, on="batch_save")
        with pytest.raises(ConnectionResetError):
            data.batch_save({"_key": "a"})
        assert [each["_key"] for each in data.query()] == ["a"]

    def test_it_can_send_half_an_answer(self, splunk):
        url = f"{splunk.url}/servicesNS/nobody/search/storage/collections/config"
        splunk.plan(Trouble.TRUNCATED)
        headers = {"Authorization": "Bearer a-token"}
        with pytest.raises(requests.exceptions.RequestException):
            requests.get(url, headers=headers, timeout=300)
