"""Threat collections of Splunk Enterprise Security, on the emulated management port."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_splunk_kvstore.emulator.server import SplunkEmulator, Trouble
from connector_splunk_kvstore.enterprise_security import (
    COLLECTIONS,
    EsSettings,
    SplunkEsAdapter,
)

from connector.adapter import (
    Auth,
    Entry,
    Observable,
    ObservableType,
    RefusedError,
    SecretValue,
)
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context

APP = "DA-ESS-ThreatIntelligence"
T = ObservableType
MakeAdapter = Callable[..., SplunkEsAdapter]


@pytest.fixture
def splunk() -> Iterator[SplunkEmulator]:
    with SplunkEmulator(apps=("search", "system", APP), tokens={"a-long-token"}) as emulator:
        for name in set(COLLECTIONS.values()):
            emulator.collection(APP, name)
        yield emulator


@pytest.fixture
def open_adapter(splunk: SplunkEmulator, tmp_path: Path) -> Iterator[MakeAdapter]:
    made = []

    def make(tag: str = "soc", **options: Any) -> SplunkEsAdapter:
        auth = Auth(token=SecretValue("a-long-token"))
        settings = EsSettings(**{"url": splunk.url, "auth": auth, **options})
        made.append(SplunkEsAdapter(settings, output_context(settings, tmp_path, tag)))
        return made[-1]

    yield make
    for adapter in made:
        adapter.context.close()


class TestSplunkEs(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a collection has no exceptions",
        "refuse": "a document is refused by the types of its fields, which other tests try",
        "fill": "a collection has no bound of its own",
    }

    @pytest.fixture
    def accepted_types(self):
        return [T.IPV4_ADDR, T.URL]  # two collections; the others differ in names alone

    @pytest.fixture
    def row_count(self) -> int:
        return 2000

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
        return {"description": "C2 of a botnet", "weight": 80, "tlp": "amber"}

    @pytest.fixture
    def foreign(self, splunk):
        def put(entry):
            rows = splunk.collection(APP, COLLECTIONS[entry.type])
            key = rows.insert({"ip": entry.value, "description": "by hand"})
            return lambda: key in rows.documents

        return put

    @pytest.fixture
    def break_target(self, splunk):
        return lambda: splunk.plan(Trouble.STARTING, on="/", times=1000)


def test_a_row_has_the_fields_that_correlation_searches_match(
    splunk: SplunkEmulator, open_adapter: MakeAdapter
) -> None:
    values = {
        T.IPV4_ADDR: ("198.51.100.0/24", "ip_intel", "ip"),
        T.DOMAIN_NAME: ("bad.example", "ip_intel", "domain"),
        T.URL: ("http://bad.example/", "http_intel", "url"),
        T.USER_AGENT: ("Bad/1.0", "http_intel", "http_user_agent"),
        T.EMAIL_ADDR: ("a@bad.example", "email_intel", "src_user"),
        T.EMAIL_SUBJECT: ("Rechnung", "email_intel", "subject"),
        T.FILE_SHA256: ("a" * 64, "file_intel", "file_hash"),
        T.FILE_NAME: ("bad.exe", "file_intel", "file_name"),
        T.REGISTRY_KEY: ("HKEY_USERS\\Bad", "registry_intel", "registry_path"),
        T.PROCESS_COMMAND: ("bad --now", "process_intel", "process"),
    }
    fields = {"weight": 80, "description": "C2", "threat_key": "ais|hunting"}
    adapter = open_adapter()
    end = datetime(2027, 1, 31, tzinfo=UTC)
    adapter.add([Entry(Observable(kind, one), fields, end) for kind, (one, *_) in values.items()])
    for value, collection, name in values.values():
        rows = splunk.collection(APP, collection).documents.values()
        (row,) = [one for one in rows if one.get(name) == value]
        assert (row["weight"], row["threat_key"]) == (80, "ais|hunting")
        assert row["time"] == datetime(2027, 1, 1, tzinfo=UTC).timestamp()  # kept for 30 days


def test_names_below_a_domain_are_left_out_as_a_row_is_one_name(open_adapter: MakeAdapter) -> None:
    assert not open_adapter().accepts(Observable(T.DOMAIN_NAME, "*.bad.example"))


@pytest.mark.parametrize("verb", ["read", "add"])
def test_where_enterprise_security_is_not_installed_nothing_is_made(
    splunk: SplunkEmulator, open_adapter: MakeAdapter, verb: str
) -> None:
    splunk.collections.clear()
    adapter = open_adapter()
    entries = [Entry(Observable(T.IPV4_ADDR, "192.0.2.1"))]
    use = (lambda: list(adapter.read())) if verb == "read" else (lambda: adapter.add(entries))
    with pytest.raises(RefusedError, match="is Enterprise Security installed"):
        use()
    assert splunk.collections == {}
