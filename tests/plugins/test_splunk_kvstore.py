"""The KV store adapter against the emulated management port."""

import json
import logging
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from shutil import which
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from connector_splunk_kvstore import SplunkKvstoreAdapter, SplunkSettings
from connector_splunk_kvstore.collection import KEYS_PER_QUERY, query_for
from connector_splunk_kvstore.documents import (
    FIELD_TYPES,
    MAPPED_FIELDS,
    document_of,
    held_in,
    key_of,
)
from connector_splunk_kvstore.emulator.collections import KvCollection
from connector_splunk_kvstore.emulator.server import SplunkEmulator, Trouble
from outcome_words import as_entries, words_on
from pydantic import ValidationError

from connector.adapter import (
    Auth,
    BatchTooLargeError,
    Entry,
    Observable,
    ObservableType,
    OutputContext,
    RefusedError,
    SecretValue,
    UnavailableError,
)
from connector.decisions.mapping import compile_mapping, read_mapping
from connector.http.client import Http
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.adapter_suite.promises import Promises
from connector.testing.adapter_suite.secrets import Secrets
from connector.testing.adapter_suite.troubles import Troubles

APP = "threat_lists"
NAME = "perimeter"
TAG = "soc-splunk"
CONFIG = f"/servicesNS/nobody/{APP}/storage/collections/config"
DATA = f"/servicesNS/nobody/{APP}/storage/collections/data/{NAME}"
SAVE = f"{DATA}/batch_save"
GOLDEN = Path(__file__).parent.parent / "golden" / "splunk_kvstore"
TOKEN = Auth(token=SecretValue("a-long-token"))
PASSWORD = Auth(username="svc", password=SecretValue("correct horse"))

Open = Callable[..., SplunkKvstoreAdapter]


def addresses(count: int, **fields: str | float | bool) -> list[Entry]:
    return [
        Entry(
            Observable(
                ObservableType.IPV4_ADDR, f"198.{18 + n // 65536}.{n // 256 % 256}.{n % 256}"
            ),
            fields,
        )
        for n in range(count)
    ]


@pytest.fixture
def splunk() -> Iterator[SplunkEmulator]:
    with SplunkEmulator(users={"svc": "correct horse"}, tokens={"a-long-token"}) as emulator:
        yield emulator


@pytest.fixture
def open_adapter(splunk: SplunkEmulator, tmp_path: Path) -> Iterator[Open]:
    """Makes adapters as the core does; their connections end with the test."""
    with ExitStack() as opened:

        def make(
            tag: str = TAG, pauses: list[float] | None = None, **options
        ) -> SplunkKvstoreAdapter:
            given = {"url": splunk.url, "app": APP, "collection": NAME, "auth": TOKEN, **options}
            settings = SplunkSettings(**given)
            http = Http(settings, sleep=([] if pauses is None else pauses).append)
            opened.callback(http.close)
            return SplunkKvstoreAdapter(settings, OutputContext(tag, tmp_path, http=http))

        yield make


@pytest.fixture
def adapter(open_adapter: Open) -> SplunkKvstoreAdapter:
    return open_adapter()


@pytest.fixture
def collection(splunk: SplunkEmulator) -> KvCollection:
    """The collection, as an administrator has made it beforehand."""
    return splunk.collection(APP, NAME)


class OnSplunk:
    """What the suite asks of this target."""

    impossible: ClassVar = {
        "contrary": "a collection has no exceptions",
        "refuse": "a document is refused by the types of its fields, which other tests try",
        "fill": "a collection has no bound of its own",
    }

    @pytest.fixture
    def http_target(self, splunk):
        return splunk

    @pytest.fixture
    def neighbour(self, open_adapter):
        return open_adapter("another-tag")

    @pytest.fixture
    def adapter(self, open_adapter):
        return open_adapter()

    @pytest.fixture
    def sample_fields(self):
        return {
            "description": "C2 of a botnet",
            "weight": 80,
            "confidence": 90.5,
            "tlp": "amber",
            "valid_from": 1_790_000_000,
            "valid_until": 1_800_000_000,
            "severity": "high",
        }

    @pytest.fixture
    def foreign(self, splunk):
        def put(entry):
            key = splunk.collection(APP, NAME).insert({"ip": entry.value, "note": "by hand"})
            return lambda: key in splunk.collection(APP, NAME).documents

        return put

    @pytest.fixture
    def break_target(self, splunk):
        return lambda: splunk.plan(Trouble.STARTING, on="/", times=1000)


class TestSplunkKvstore(OnSplunk, AdapterSuite):
    pass


class TestSplunkKvstoreWithAPassword(OnSplunk, Promises, Troubles, Secrets):
    """A session in place of a token; nothing about values and sizes depends on it."""

    @pytest.fixture
    def adapter(self, open_adapter):
        return open_adapter(auth=PASSWORD)


class TestWriting:
    def test_a_batch_is_sent_as_these_bytes(self, splunk, adapter):
        values = {
            ObservableType.IPV4_ADDR: "192.0.2.0/24",
            ObservableType.ENDPOINT: "[2001:db8::7]:443/tcp",
            ObservableType.DOMAIN_NAME: "*.bad.example",
            ObservableType.URL: "http://bad.example/?a=1&b=\"'<>",
            ObservableType.EMAIL_SUBJECT: "Rechnung\nüberfällig",
            ObservableType.FILE_SHA256: "a" * 64,
        }
        fields = {"weight": 80, "tlp": "amber", "description": "C2", "valid_until": 1_796_083_200}
        adapter.add([Entry(Observable(kind, value), fields) for kind, value in values.items()])
        [sent] = splunk.received(SAVE)
        golden = GOLDEN / "batch_save.json"
        if os.environ.get("REWRITE_GOLDEN"):
            golden.write_bytes(sent.body)
        assert sent.body == golden.read_bytes()
        assert sent.target == SAVE

    def test_writing_twice_is_writing_once(self, adapter, collection):
        for weight in (10, 20):
            adapter.add(addresses(5, weight=weight))
        assert [each["weight"] for each in collection.documents.values()] == [20] * 5

    def test_what_an_update_leaves_out_is_gone(self, adapter, collection):
        [entry] = addresses(1, weight=10, tlp="red")
        adapter.add([entry])
        adapter.add([Entry(entry.observable, {"weight": 10})])
        assert as_entries(adapter.read()) == [Entry(entry.observable, {"weight": 10})]

    def test_the_collection_is_made_with_its_schema(self, splunk, adapter):
        adapter.add(addresses(1))
        made = splunk.collections[APP, NAME].settings
        assert {made[f"field.{name}"] for name in FIELD_TYPES} == {"string", "number", "time"}
        assert json.loads(made["accelerated_fields.by_source"]) == {"source": 1, "_key": 1}
        assert made["replicate"] == "true"

    def test_a_collection_that_is_there_keeps_what_others_declared(self, adapter, collection):
        collection.configure({"field.weight": "string", "field.note": "string"})
        adapter.add(addresses(1))
        assert collection.settings["field.weight"] == "string"
        assert collection.settings["field.note"] == "string"
        assert collection.settings["field.valid_until"] == "time"

    def test_a_role_that_may_only_write_documents_is_enough(self, splunk, adapter, collection):
        splunk.plan(Trouble.FORBIDDEN, on=f"POST {CONFIG}", times=99)
        entries = addresses(3, weight=1)
        adapter.add(entries)
        assert as_entries(adapter.read()) == by_key(entries)

    def test_another_node_may_make_the_collection_first(self, splunk, adapter):
        splunk.plan(Trouble.OVERTAKEN, on=f"POST {CONFIG}")
        adapter.add(addresses(1))
        assert splunk.collections[APP, NAME].settings["field.ip"] == "string"

    def test_a_value_the_collection_would_bend_is_rejected_in_words(self, adapter, collection):
        bent, fine = addresses(2)
        refused = words_on(adapter.add([Entry(bent.observable, {"weight": "80"}), fine]))
        assert "declares the type number" in refused[bent.value]
        assert [each["value"] for each in collection.documents.values()] == [fine.value]

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**63])
    def test_a_number_that_json_or_the_store_lacks_is_rejected(self, adapter, number):
        assert len(adapter.add(addresses(1, severity=number))) == 1

    def test_the_document_that_spoils_a_batch_is_found(self, adapter, collection):
        adapter.add(addresses(1))
        collection.configure({"field.severity": "number", "enforceTypes": "true"})
        entries = addresses(20)
        entries[7] = Entry(entries[7].observable, {"severity": "high"})
        entries[13] = Entry(entries[13].observable, {"severity": "low"})
        refused = words_on(adapter.add(entries))
        assert refused.keys() == {entries[7].value, entries[13].value}
        assert len(collection.documents) == 18

    def test_nothing_to_add_is_no_request(self, splunk, adapter):
        adapter.add([])
        assert splunk.requests == []


class TestBatchLimits:
    def test_a_smaller_limit_is_known_before_anything_is_sent(self, splunk, adapter):
        splunk.limits.max_documents_per_batch_save = 200
        with pytest.raises(BatchTooLargeError) as refused:
            adapter.add(addresses(1000))
        assert refused.value.largest == 200
        assert splunk.received(SAVE) == []
        adapter.add(addresses(200))
        assert len(splunk.collections[APP, NAME].documents) == 200

    def test_a_limit_that_may_not_be_asked_for_is_learnt_from_the_refusal(self, splunk, adapter):
        splunk.limits.max_documents_per_batch_save = 200
        splunk.plan(Trouble.FORBIDDEN, on="/properties/", times=9)
        for _ in range(2):
            with pytest.raises(BatchTooLargeError) as refused:
                adapter.add(addresses(1000))
            assert refused.value.largest == 200
        assert len(splunk.received(SAVE)) == 1

    def test_a_batch_too_large_in_bytes_is_halved(self, splunk, adapter):
        splunk.limits.max_size_per_batch_save_mb = 0.01
        with pytest.raises(BatchTooLargeError) as refused:
            adapter.add(addresses(100))
        assert refused.value.largest == 50

    def test_a_document_too_large_by_itself_is_rejected(self, splunk, adapter):
        splunk.limits.max_size_per_batch_save_mb = 0.001
        assert len(adapter.add(addresses(1, description="x" * 2000))) == 1


class TestReading:
    def test_a_collection_that_is_not_there_holds_nothing_and_stays_away(self, splunk, adapter):
        assert as_entries(adapter.read()) == []
        adapter.remove(addresses(3))
        assert splunk.collections == {}

    def test_an_app_that_is_not_there_is_never_read_as_empty(self, open_adapter):
        adapter = open_adapter(app="nowhere")
        for request in (adapter.read, lambda: adapter.add(addresses(1))):
            with pytest.raises(RefusedError, match="the app nowhere does not exist or is disabled"):
                list(request())

    @pytest.mark.parametrize(("rows", "cap"), [(50_001, 50_000), (2_500, 700)])
    def test_more_than_a_query_gives_is_read_completely(
        self, splunk, adapter, collection, rows, cap
    ):
        entries = addresses(rows, weight=5)
        collection.fill(document_of(entry, TAG) for entry in entries)
        splunk.limits.max_rows_per_query = cap
        read = as_entries(adapter.read())
        assert len(read) == rows
        assert {entry.value for entry in read} == {entry.value for entry in entries}

    def test_an_answer_cut_by_its_size_is_read_completely(self, splunk, adapter):
        adapter.add(addresses(500))
        splunk.limits.max_size_per_result_mb = 0.01
        assert len(list(adapter.read())) == 500

    def test_documents_of_others_are_left_out(self, splunk, open_adapter, collection):
        ours, theirs = addresses(2)
        open_adapter().add([ours])
        open_adapter(tag="other-output").add([theirs, ours])
        collection.insert({"_key": "0", "ip": "192.0.2.1"})
        collection.insert({**document_of(theirs, TAG), "_key": "f" * 64})
        assert as_entries(open_adapter().read()) == [ours]
        assert len(collection.documents) == 5

    def test_documents_of_others_are_not_even_asked_for(self, splunk, adapter):
        adapter.add(addresses(3))
        assert len(list(adapter.read())) == 3
        for each in splunk.received(f"GET {DATA}"):
            asked = json.loads(parse_qs(urlsplit(each.target).query)["query"][0])
            assert {"source": TAG} in asked["$and"]

    @pytest.mark.parametrize("change", [{"value": "192.0.2.1"}, {"ip": "192.0.2.1"}, {"type": "x"}])
    def test_a_document_altered_by_hand_counts_as_missing(self, adapter, collection, change):
        [entry] = addresses(1, weight=1)
        adapter.add([entry])
        [document] = collection.documents.values()
        document.update(change)
        assert as_entries(adapter.read()) == []
        adapter.add([entry])
        assert as_entries(adapter.read()) == [entry]

    def test_a_field_altered_by_hand_shows_and_a_note_does_not(self, adapter, collection):
        [entry] = addresses(1, weight=1)
        adapter.add([entry])
        [document] = collection.documents.values()
        document.update(weight=2, note="checked")
        assert as_entries(adapter.read()) == [Entry(entry.observable, {"weight": 2})]

    @pytest.mark.parametrize("trouble", [Trouble.TRUNCATED, Trouble.HALF_JSON])
    @pytest.mark.parametrize("on", [f"GET {CONFIG}", f"GET {DATA}"])
    def test_half_an_answer_is_never_a_whole_one(self, splunk, adapter, trouble, on):
        adapter.add(addresses(50))
        splunk.plan(trouble, on=on, times=9)
        with pytest.raises(UnavailableError):
            list(SplunkKvstoreAdapter(adapter.settings, adapter.context).read())

    def test_pages_out_of_order_are_no_list(self, splunk, adapter, collection):
        adapter.add(addresses(50))
        collection.find = lambda **_: [json.dumps(each) for each in collection.documents.values()]
        with pytest.raises(UnavailableError, match="are not in the order of keys"):
            list(adapter.read())


class TestAsking:
    def test_what_is_asked_for_is_found_by_its_key_alone(self, splunk, open_adapter):
        name, tag = "c" * 80, "t" * 80
        adapter = open_adapter(collection=name, owner_tag=tag)
        entries = addresses(1000)
        adapter.add(entries[::2])
        splunk.requests.clear()
        found = {each.observable for each in adapter.holds([each.observable for each in entries])}
        assert found == {each.observable for each in entries[::2]}
        sent = splunk.received("GET")
        assert max(len(each.target) for each in sent) < 8000
        assert len(sent) == 2 * -(-1000 // KEYS_PER_QUERY), "each answer, then an empty one"
        adapter.holds([each.observable for each in addresses(2000)[1000:]])
        assert len(splunk.requests) == len(sent) + -(-1000 // KEYS_PER_QUERY)

    def test_documents_that_are_not_as_we_write_them_are_not_ours_to_find(
        self, open_adapter, collection
    ):
        ours, altered, keyed, tagged = addresses(4)
        adapter = open_adapter()
        adapter.add([ours, altered])
        collection.documents[key_of(altered.observable, TAG)].update(ip="192.0.2.1")
        collection.insert({**document_of(keyed, TAG), "source": "somebody else"})
        collection.insert({**document_of(tagged, TAG), "_key": "f" * 64})
        open_adapter(tag="other-output").add([keyed, tagged])
        asked = [each.observable for each in (ours, altered, keyed, tagged)]
        assert [each.observable for each in adapter.holds(asked)] == [ours.observable]
        assert as_entries(adapter.read()) == [ours]

    def test_an_answer_that_is_cut_without_a_word_is_asked_for_again(self, splunk, adapter):
        adapter.add(addresses(100))
        splunk.limits.max_rows_per_query = 7
        assert len(adapter.holds([each.observable for each in addresses(120)])) == 100

    def test_a_collection_that_is_not_there_holds_nothing_and_stays_away(self, splunk, adapter):
        assert adapter.holds([each.observable for each in addresses(3)]) == []
        assert splunk.collections == {}

    def test_a_proxy_that_takes_shorter_urls_is_asked_for_less_at_once(self, splunk, adapter):
        adapter.add(addresses(80))
        asked = [each.observable for each in addresses(90)]
        splunk.longest_target = 3000
        assert len(adapter.holds(asked)) == 80
        splunk.longest_target = 200
        with pytest.raises(UnavailableError, match="limit the length of URLs"):
            adapter.holds(asked)

    def test_an_answer_about_something_else_is_none(self, adapter, collection):
        adapter.add(addresses(2))
        collection.find = lambda **_: [json.dumps(each) for each in collection.documents.values()]
        with pytest.raises(UnavailableError, match=r"returned documents .* not asked for"):
            adapter.holds([addresses(1)[0].observable])

    def test_half_an_answer_is_never_a_whole_one(self, splunk, adapter):
        adapter.add(addresses(50))
        splunk.plan(Trouble.HALF_JSON, on=f"GET {DATA}", times=9)
        with pytest.raises(UnavailableError):
            adapter.holds([each.observable for each in addresses(50)])


class TestRemoving:
    def test_only_our_documents_go(self, open_adapter, collection):
        entries = addresses(3)
        open_adapter().add(entries)
        open_adapter(tag="other-output").add(entries)
        collection.insert({"_key": key_of(entries[0].observable, TAG)[:-1] + "g", "source": TAG})
        open_adapter().remove(entries)
        assert sorted(each["source"] for each in collection.documents.values()) == [
            "other-output",
            "other-output",
            "other-output",
            TAG,
        ]

    def test_a_document_under_our_key_that_is_not_ours_stays(self, adapter, collection):
        [entry] = addresses(1)
        collection.insert({**document_of(entry, TAG), "source": "somebody else"})
        adapter.remove([entry])
        assert len(collection.documents) == 1

    def test_many_go_in_requests_that_fit_into_a_url(self, splunk, open_adapter):
        name, tag = "c" * 80, "t" * 80
        adapter = open_adapter(collection=name, owner_tag=tag)
        adapter.add(addresses(1000))
        adapter.remove(addresses(990))
        sent = splunk.received("DELETE")
        assert len(sent) == -(-990 // KEYS_PER_QUERY)
        assert max(len(each.target) for each in sent) < 8000
        assert len(splunk.collections[APP, name].documents) == 10

    def test_every_deletion_names_an_owner_and_keys(self, splunk, adapter):
        adapter.add(addresses(200))
        adapter.remove(addresses(200))
        for each in splunk.received("DELETE"):
            owner, keys = json.loads(parse_qs(urlsplit(each.target).query)["query"][0])["$and"]
            assert owner == {"source": TAG}
            assert all(len(key["_key"]) == 64 for key in keys["$or"])

    def test_nothing_to_remove_is_no_deletion(self, splunk, adapter):
        adapter.add(addresses(2))
        adapter.remove([])
        assert splunk.received("DELETE") == []
        assert len(splunk.collections[APP, NAME].documents) == 2

    def test_a_proxy_that_takes_shorter_urls_gets_smaller_batches(self, splunk, adapter):
        entries = addresses(80)
        adapter.add(entries)
        splunk.longest_target = 4000
        with pytest.raises(BatchTooLargeError) as refused:
            adapter.remove(entries)
        assert refused.value.largest == 40
        adapter.remove(entries[:40])
        assert len(list(adapter.read())) == 40
        splunk.longest_target = 200
        with pytest.raises(UnavailableError, match="limit the length of URLs"):
            adapter.remove(entries[40:41])

    @pytest.mark.parametrize(
        ("keys", "tag"), [([], TAG), (["a" * 64], ""), (["*"], TAG), ([""], TAG), ([{}], TAG)]
    )
    def test_no_query_can_be_made_that_matches_more(self, keys, tag):
        with pytest.raises((ValueError, TypeError)):
            query_for(keys, tag)


class TestFailures:
    def test_a_store_that_starts_is_waited_for(self, splunk, adapter):
        splunk.plan(Trouble.STARTING, on=SAVE, times=2)
        for _ in range(2):
            with pytest.raises(UnavailableError, match="KV Store is initializing"):
                adapter.add(addresses(3))
        adapter.add(addresses(3))
        assert len(list(adapter.read())) == 3

    @pytest.mark.parametrize("trouble", [Trouble.BUSY, Trouble.STARTING])
    def test_the_wait_that_is_asked_for_is_handed_on(self, splunk, adapter, trouble):
        splunk.plan(trouble, on=SAVE, seconds=90)
        with pytest.raises(UnavailableError) as busy:
            adapter.add(addresses(1))
        assert busy.value.retry_after_seconds == 90

    def test_a_busy_read_is_tried_again_at_once(self, splunk, open_adapter):
        pauses: list[float] = []
        adapter = open_adapter(pauses=pauses)
        adapter.add(addresses(3))
        splunk.plan(Trouble.BUSY, on=f"GET {DATA}", times=2)
        assert len(list(adapter.read())) == 3
        assert len(pauses) == 2

    @pytest.mark.parametrize("times", [1, 2])
    def test_a_reset_after_the_deed_leaves_each_document_once(self, splunk, adapter, times):
        entries = addresses(100)
        splunk.plan(Trouble.RESET_AFTER_APPLYING, on=SAVE, times=times)
        for _ in range(times):
            with pytest.raises(UnavailableError):
                adapter.add(entries)
        assert len(splunk.collections[APP, NAME].documents) == 100
        adapter.add(entries)
        assert as_entries(adapter.read()) == by_key(entries)

    def test_a_confirmation_of_other_documents_is_no_success(self, adapter, collection):
        collection.batch_save = lambda *_: ["0" * 64]
        with pytest.raises(UnavailableError, match="confirmed other documents"):
            adapter.add(addresses(1))

    def test_a_slow_one_is_not_waited_for_longer_than_configured(self, splunk, open_adapter):
        adapter = open_adapter(read_timeout=timedelta(seconds=0.2))
        splunk.plan(Trouble.SLOW, on=SAVE, seconds=30)
        with pytest.raises(UnavailableError, match="read_timeout"):
            adapter.add(addresses(1))

    def test_a_missing_right_is_named(self, splunk, adapter):
        adapter.add(addresses(1))
        splunk.plan(Trouble.FORBIDDEN, on=f"POST {DATA}", words="insufficient permission")
        with pytest.raises(RefusedError) as refused:
            adapter.add(addresses(1))
        assert f"write to collection {NAME} of app {APP}" in str(refused.value)
        splunk.plan(Trouble.FORBIDDEN, on=f"GET {DATA}")
        with pytest.raises(RefusedError, match=f"read collection {NAME}"):
            list(adapter.read())

    def test_the_right_to_make_a_collection_is_named(self, splunk, adapter):
        splunk.plan(Trouble.FORBIDDEN, on=f"POST {CONFIG}")
        with pytest.raises(RefusedError, match=f"right to create collection {NAME} of app {APP}"):
            adapter.add(addresses(1))

    def test_a_collection_taken_away_is_made_anew_in_the_next_cycle(self, splunk, adapter):
        adapter.add(addresses(3))
        splunk.collections.clear()
        with pytest.raises(UnavailableError, match="was deleted while in use"):
            adapter.add(addresses(3))
        adapter.add(addresses(3))
        assert "field.ip" in splunk.collections[APP, NAME].settings

    @pytest.mark.parametrize("request_of", ["read", "remove"])
    def test_a_collection_taken_away_is_noticed(self, splunk, adapter, request_of):
        adapter.add(addresses(3))
        splunk.collections.clear()
        with pytest.raises(UnavailableError, match="was deleted while in use"):
            list(adapter.read()) if request_of == "read" else adapter.remove(addresses(3))

    def test_a_shared_collection_of_another_app_is_not_written_to(self, splunk, adapter):
        theirs = splunk.collection("search", NAME)
        theirs.sharing = "global"
        adapter.add(addresses(3))
        assert theirs.documents == {}
        assert len(splunk.collections[APP, NAME].documents) == 3

    def test_an_answer_of_something_else_is_said_to_be_so(self, splunk, adapter):
        splunk.plan(Trouble.HALF_JSON, on=f"GET {CONFIG}", times=9)
        with pytest.raises(UnavailableError, match="check that url names the management port"):
            list(adapter.read())


class TestCredentials:
    def test_a_token_that_is_not_accepted_is_refused_in_words(self, open_adapter):
        adapter = open_adapter(auth=Auth(token=SecretValue("an-old-token")))
        with pytest.raises(RefusedError, match="check auth; a token may have expired") as refused:
            list(adapter.read())
        assert "an-old-token" not in str(refused.value)

    def test_a_wrong_password_is_refused_in_words(self, open_adapter):
        auth = Auth(username="svc", password=SecretValue("wrong horse"))
        with pytest.raises(RefusedError, match="Login failed"):
            open_adapter(auth=auth).add(addresses(1))

    def test_an_expired_session_is_renewed_once_and_unseen(self, splunk, open_adapter):
        adapter = open_adapter(auth=PASSWORD)
        adapter.add(addresses(3))
        splunk.plan(Trouble.EXPIRED, on=SAVE)
        adapter.add(addresses(5))
        assert splunk.sessions.opened == 2
        assert len(list(adapter.read())) == 5

    def test_a_session_that_cannot_be_renewed_is_refused(self, splunk, open_adapter):
        adapter = open_adapter(auth=PASSWORD)
        adapter.add(addresses(3))
        splunk.plan(Trouble.EXPIRED, on=SAVE, times=9)
        with pytest.raises(RefusedError, match="credentials refused"):
            adapter.add(addresses(5))
        assert splunk.sessions.opened == 2
        assert len(splunk.received(SAVE)) == 3

    def test_values_and_secrets_never_reach_the_log(self, splunk, open_adapter, caplog):
        with caplog.at_level(logging.DEBUG):
            adapter = open_adapter(auth=PASSWORD)
            adapter.add(addresses(1, description="telling words"))
            adapter.remove(list(adapter.read()))
        for secret in ("198.18.0.0", "telling words", "correct horse"):
            assert secret not in caplog.text

    def test_connections_are_kept(self, splunk, adapter):
        adapter.add(addresses(1))
        list(adapter.read())
        assert "close" not in {
            each.headers.get("Connection", "").lower() for each in splunk.requests
        }


class TestSettings:
    @pytest.mark.parametrize(
        ("option", "problem"),
        [
            ({"url": "http://splunk.example:8089"}, "should be https"),
            ({"url": "https://splunk.example:8089/en-US/app"}, "should end after the port"),
            ({"app": "../etc"}, "pattern"),
            ({"collection": "a/b"}, "pattern"),
            ({"owner_tag": ""}, "pattern"),
            ({"auth": Auth()}, "either token, or username"),
            ({"verify": False}, "Extra inputs"),
        ],
    )
    def test_an_option_that_cannot_work_is_said_to_be_so(self, option, problem):
        given = {"url": "https://splunk.example:8089", "app": APP, "collection": NAME}
        with pytest.raises(ValidationError, match=problem):
            SplunkSettings(**{**given, "auth": TOKEN, **option})

    @pytest.mark.parametrize(
        "url", ["http://localhost:8089", "http://127.0.0.2:8089", "http://[::1]:8089/"]
    )
    def test_plain_http_is_taken_on_this_machine(self, url):
        assert SplunkSettings(url=url, app=APP, collection=NAME, auth=TOKEN).url == url

    def test_an_owner_tag_outlives_the_name_of_the_output(self, open_adapter):
        open_adapter(tag="before", owner_tag="soc").add(addresses(2))
        assert len(list(open_adapter(tag="after", owner_tag="soc").read())) == 2


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    if which("openssl") is None:
        pytest.skip("install openssl: the certificates of this test are made with it")
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "other"):
        openssl(folder, "req", "-x509", "-subj", f"/CN={name} authority", "-days", "2",
                *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    openssl(folder, "req", "-subj", "/CN=splunk.example", *KEY,
            "-keyout", "server.key", "-out", "server.csr")  # fmt: skip
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ours.pem", "-CAkey",
            "ours.key", "-days", "2", "-extfile", "names", "-out", "server.pem")  # fmt: skip
    return folder


class TestTls:
    @pytest.fixture
    def splunk(self, certificates: Path) -> Iterator[SplunkEmulator]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        with SplunkEmulator(tokens={"a-long-token"}, tls=context) as emulator:
            yield emulator

    def test_a_private_authority_is_an_option(self, open_adapter, certificates):
        adapter = open_adapter(ca=certificates / "ours.pem")
        adapter.add(addresses(3))
        assert len(list(adapter.read())) == 3

    @pytest.mark.parametrize("authority", ["other.pem", None])
    def test_another_authority_is_not_trusted(self, splunk, open_adapter, certificates, authority):
        adapter = open_adapter(ca=certificates / authority if authority else None)
        with pytest.raises(UnavailableError, match="certificate is not trusted"):
            adapter.add(addresses(1))
        assert splunk.requests == []

    def test_a_certificate_of_another_name_is_not_trusted(self, splunk, open_adapter, certificates):
        url = splunk.url.replace("127.0.0.1", "localhost")
        adapter = open_adapter(url=url, ca=certificates / "ours.pem")
        with pytest.raises(UnavailableError, match="another name"):
            list(adapter.read())


def by_key(entries: Sequence[Entry]) -> list[Entry]:
    """In the order in which they are read."""
    return sorted(entries, key=lambda entry: key_of(entry.observable, TAG))


def test_documents_of_every_type_become_their_entries_again():
    for kind in ObservableType:
        entry = Entry(Observable(kind, "a|b"), {"weight": 1, "tlp": "red"})
        read = held_in(json.loads(json.dumps(document_of(entry, TAG))), TAG)
        assert as_entries([read]) == [entry]
        assert held_in(document_of(entry, TAG), "another") is None


def test_a_whole_number_is_read_as_the_integer_it_was():
    [entry] = addresses(1, weight=80)
    held = {**document_of(entry, TAG), "weight": 80.0}
    assert json.dumps(dict(held_in(held, TAG).fields)) == '{"weight": 80}'


def test_the_default_mapping_compiles_and_fits_the_schema():
    compile_mapping(read_mapping(SplunkKvstoreAdapter.default_mapping), MAPPED_FIELDS)


def test_keys_of_different_owners_types_and_values_differ():
    observables = [
        Observable(kind, value) for kind in ObservableType for value in ("a", "b", "a|b")
    ]
    keys = {key_of(each, tag) for each in observables for tag in ("x", "y")}
    assert len(keys) == 2 * len(observables)
