"""MISP feeds: from attributes to indicators, in a folder and over HTTP, dirty ones too."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
import stix2
import structlog
from connector_misp import MOST_EVENTS, MispFeed, MispSettings
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from stix2patterns.validator import run_validator

from connector.errors import RefusedError, UnavailableError
from connector.feed import Page
from connector.http.client import Http
from connector.ingest.versions import read_version
from connector.testing.feed_suite import FeedSuite, Publish, StixObject

IDS = UUID("0b3c7a53-1a0f-4a0e-9d0e-3f1f6f0f9c00")
EVENT = "5f9d7a10-0000-4000-8000-000000000001"
ORGC = {"name": "Example CERT", "uuid": "5f9d7a10-0000-4000-8000-0000000000aa"}
NOON = 1772366400
TLP_AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
TLP_RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"

Attribute = dict[str, Any]


def attribute(kind: str, value: Any, **given: Any) -> Attribute:
    uuid = str(uuid5(IDS, f"{kind}{value}"))
    return {
        "uuid": uuid, "type": kind, "value": value, "category": "Network activity",
        "to_ids": True, "timestamp": str(NOON), "comment": "", "deleted": False, **given,
    }  # fmt: skip


class MispFolder:
    """A MISP feed as a server or a script writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.events: dict[str, dict[str, Any]] = {}
        self.write()

    def put(self, *attributes: Any, uuid: str = EVENT, at: int = NOON, **given: Any) -> None:
        """Write an event, and the manifest that names it."""
        event = {
            "uuid": uuid, "info": "Phishing wave", "timestamp": str(at), "date": "2026-03-01",
            "Orgc": ORGC, "Tag": [{"name": "tlp:green"}], "Attribute": list(attributes), **given,
        }  # fmt: skip
        self.events[uuid] = event
        (self.folder / f"{uuid}.json").write_text(json.dumps({"Event": event}))
        self.write()

    def write(self) -> None:
        listed = {
            uuid: {key: event[key] for key in ("info", "timestamp", "Orgc", "Tag")}
            for uuid, event in self.events.items()
        }
        (self.folder / "manifest.json").write_text(json.dumps(listed))

    def drop(self, uuid: str) -> None:
        del self.events[uuid]
        (self.folder / f"{uuid}.json").unlink()
        self.write()


@pytest.fixture
def misp(tmp_path: Path) -> MispFolder:
    return MispFolder(tmp_path / "misp")


def feed_of(misp: MispFolder, **options: Any) -> MispFeed:
    return MispFeed(MispSettings(path=misp.folder, **options))


def read(feed: MispFeed) -> list[Page]:
    return [page for found in feed.collections() for page in feed.pages(found, None)]


def indicators(feed: MispFeed) -> list[dict[str, Any]]:
    objects = [json.loads(raw) for page in read(feed) for raw in page.objects]
    return [found for found in objects if found["type"] == "indicator"]


class TestMispFolder(FeedSuite):
    @pytest.fixture
    def feed(self, misp: MispFolder) -> MispFeed:
        return feed_of(misp)

    @pytest.fixture
    def publish(self, misp: MispFolder) -> Publish:
        def publish(objects: Sequence[StixObject]) -> None:
            attributes = [
                attribute(
                    "domain",
                    str(item["pattern"]).split("'")[1],
                    uuid=str(item["id"]).partition("--")[2],
                )
                for item in objects
            ]
            misp.put(*attributes, uuid=str(uuid5(IDS, str(len(misp.events)))))

        return publish

    @pytest.fixture
    def same(self) -> Callable[[StixObject, StixObject], bool]:
        def same(published: StixObject, found: StixObject) -> bool:
            return all(found[key] == published[key] for key in ("id", "type", "pattern"))

        return same

    @pytest.fixture
    def break_source(self, misp: MispFolder, tmp_path: Path) -> Callable[[], None]:
        return lambda: misp.folder.rename(tmp_path / "elsewhere") and None


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin(misp: MispFolder) -> Iterator[str]:
    """The folder behind a web server."""
    handler = partial(_Quiet, directory=str(misp.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class TestMispUrl(TestMispFolder):
    @pytest.fixture
    def feed(self, origin: str) -> Iterator[MispFeed]:
        settings = MispSettings(url=origin)
        with contextlib.closing(Http(settings, sleep=lambda _seconds: None)) as http:
            yield MispFeed(settings, http)


@pytest.mark.parametrize("ending", ["", "/", "/manifest.json"])
def test_takes_the_address_of_the_folder_or_of_its_manifest(
    misp: MispFolder, origin: str, ending: str
) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    settings = MispSettings(url=origin + ending)
    with contextlib.closing(Http(settings)) as http:
        assert len(indicators(MispFeed(settings, http))) == 1


def test_makes_an_indicator_of_an_attribute(misp: MispFolder) -> None:
    made = attribute("ip-dst", "192.0.2.1", comment="seen in mail", Tag=[{"name": "tlp:amber"}])
    misp.put(made, Tag=[{"name": "tlp:green"}, {"name": "phishing"}], at=NOON + 60)
    (found,) = indicators(feed_of(misp))
    assert found == {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{made['uuid']}",
        "created": "2026-03-01T12:00:00.000000Z",
        "modified": "2026-03-01T12:00:00.000060Z",
        "valid_from": "2026-03-01T12:00:00.000000Z",
        "created_by_ref": f"identity--{ORGC['uuid']}",
        "name": "Phishing wave",
        "description": "seen in mail",
        "indicator_types": ["malicious-activity"],
        "labels": [
            'misp:type="ip-dst"', 'misp:category="Network activity"', 'misp:to_ids="True"',
            "phishing",
        ],
        "object_marking_refs": [
            "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb", TLP_AMBER,
        ],
        "pattern": "[ipv4-addr:value = '192.0.2.1']",
        "pattern_type": "stix",
    }  # fmt: skip


def test_names_the_producer_of_an_event(misp: MispFolder) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    identity = json.loads(read(feed_of(misp))[0].objects[0])
    assert (identity["id"], identity["name"]) == (f"identity--{ORGC['uuid']}", "Example CERT")


PATTERNS = [
    ("ip-src", "2001:db8::1", "[ipv6-addr:value = '2001:db8::1']"),
    ("ip-dst", "198.51.100.0/24", "[ipv4-addr:value = '198.51.100.0/24']"),
    ("hostname", "a.bad.example", "[domain-name:value = 'a.bad.example']"),
    ("url", "http://bad.example/x?a='b'", r"[url:value = 'http://bad.example/x?a=\'b\'']"),
    ("email-src", "a@bad.example", "[email-message:from_ref.value = 'a@bad.example']"),
    ("email-dst", "victim@own.example", "[email-message:to_refs[*].value = 'victim@own.example']"),
    ("sha256", "0" * 64, f"[file:hashes.'SHA-256' = '{'0' * 64}']"),
    ("filename", r"C:\x\a.exe", r"[file:name = 'C:\\x\\a.exe']"),
    ("AS", "AS64496", "[autonomous-system:number = 64496]"),
    ("stix2-pattern", "[domain-name:value = 'bad.example']", "[domain-name:value = 'bad.example']"),
    (
        "filename|md5",
        f"a.exe|{'0' * 32}",
        f"[file:name = 'a.exe' AND file:hashes.MD5 = '{'0' * 32}']",
    ),
    (
        "ip-dst|port",
        "192.0.2.1|443",
        "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 443]",
    ),
    (
        "domain|ip",
        "bad.example|192.0.2.1",
        "[domain-name:value = 'bad.example' AND "
        "domain-name:resolves_to_refs[*].value = '192.0.2.1']",
    ),
]


@pytest.mark.parametrize(("kind", "value", "pattern"), PATTERNS)
def test_writes_the_pattern_of_a_type(
    misp: MispFolder, kind: str, value: str, pattern: str
) -> None:
    misp.put(attribute(kind, value))
    (found,) = indicators(feed_of(misp))
    assert (found["pattern"], found["pattern_type"]) == (pattern, "stix")
    assert run_validator(pattern, stix_version="2.1") == []
    assert stix2.parse(found).id == found["id"]


@given(st.text(max_size=60), st.sampled_from(["domain", "url", "regkey|value", "user-agent", "AS"]))
def test_no_value_adds_anything_to_a_pattern(value: str, kind: str) -> None:
    from connector_misp.patterns import NoPatternError, pattern_of

    try:
        pattern = pattern_of(kind, value)
    except NoPatternError:
        return
    assert pattern is not None
    assert run_validator(pattern, stix_version="2.1") == []
    assert pattern.count(" AND ") - value.count(" AND ") == ("|" in kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ip-dst", "not an address"), ("ip-dst", ""), ("ip-dst", None), ("ip-dst", 7),
        ("ip-dst", ["192.0.2.1"]), ("domain", "bad\nexample"), ("domain", "\x00"),
        ("AS", "none"), ("AS", "\u0661"), ("filename|md5", "no bar"),
        ("ip-dst|port", "192.0.2.1|x"), ("ip-dst|port", "|80"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_what_its_type_says_is_counted_and_not_guessed_at(
    misp: MispFolder, kind: str, value: Any
) -> None:
    misp.put(attribute(kind, value), attribute("ip-src", "192.0.2.9"))
    feed = feed_of(misp)
    assert "pattern" not in indicators(feed)[0]
    (page,) = read(feed)
    (claim,) = read_version(page.objects[1], "misp").claims()
    assert claim.observable is None


@pytest.mark.parametrize(
    ("kind", "language"), [("snort", "snort"), ("yara", "yara"), ("ja3", "misp-ja3")]
)
def test_other_languages_are_kept_whole_and_never_read_for_observables(
    misp: MispFolder, kind: str, language: str
) -> None:
    misp.put(attribute(kind, "alert ip 192.0.2.1 any"))
    (found,) = indicators(feed_of(misp))
    assert (found["pattern"], found["pattern_type"]) == ("alert ip 192.0.2.1 any", language)


def test_leaves_out_what_is_not_fit_for_detection(misp: MispFolder) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1", to_ids=False), attribute("domain", "bad.example"))
    (found,) = indicators(feed_of(misp))
    assert found["pattern"] == "[domain-name:value = 'bad.example']"
    first, _second = indicators(feed_of(misp, attributes="all"))
    assert 'misp:to_ids="False"' in first["labels"]


YES = (True, 1, 1.0, "1", "true", "True", " TRUE ", "yes", "on")
NO = (False, 0, 0.0, "0", "false", "False", "no", "off", "")
NEITHER = ("maybe", 2, -1, "2", [], {}, [True], {"a": 1}, 0.5)


@pytest.mark.parametrize("said", [*NO, None, *NEITHER])
def test_what_does_not_say_that_it_is_meant_for_detection_is_left_out(
    misp: MispFolder, said: Any
) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1", to_ids=said))
    assert indicators(feed_of(misp)) == []
    (found,) = indicators(feed_of(misp, attributes="all"))
    assert 'misp:to_ids="False"' in found["labels"]


def test_an_attribute_without_the_flag_is_left_out(misp: MispFolder) -> None:
    bare = attribute("ip-dst", "192.0.2.1")
    del bare["to_ids"]
    misp.put(bare)
    assert indicators(feed_of(misp)) == []


@pytest.mark.parametrize("said", YES)
def test_a_flag_is_read_in_every_spelling(misp: MispFolder, said: Any) -> None:
    misp.put(
        attribute("ip-dst", "192.0.2.1", to_ids=said, disable_correlation=said),
        attribute("ip-dst", "192.0.2.2", deleted=said), published=said,
        Object=[{"deleted": said, "Attribute": [attribute("ip-dst", "192.0.2.3")]}],
    )  # fmt: skip
    states = {found["pattern"][20:29]: found.get("revoked") for found in indicators(feed_of(misp))}
    assert states == {"192.0.2.1": None, "192.0.2.2": True, "192.0.2.3": True}


@pytest.mark.parametrize("said", [*NO, None])
def test_what_says_that_it_is_not_deleted_is_in_force(misp: MispFolder, said: Any) -> None:
    inside = attribute("ip-dst", "192.0.2.3", deleted=said)
    misp.put(
        attribute("ip-dst", "192.0.2.1", deleted=said),
        Object=[{"deleted": said, "Attribute": [inside]}],
    )
    assert [found.get("revoked") for found in indicators(feed_of(misp))] == [None, None]


@pytest.mark.parametrize("said", NEITHER)
def test_what_may_be_deleted_is_left_out_and_not_taken_back_for_ever(
    misp: MispFolder, said: Any
) -> None:
    inside = attribute("ip-dst", "192.0.2.3")
    misp.put(
        attribute("ip-dst", "192.0.2.1", deleted=said),
        Object=[{"deleted": said, "Attribute": [inside]}],
    )
    assert indicators(feed_of(misp)) == []
    assert {found.get("revoked") for found in indicators(feed_of(misp, attributes="all"))} == {None}


@pytest.mark.parametrize("said", NO)
def test_an_event_that_is_not_published_means_nothing_for_detection(
    misp: MispFolder, said: Any
) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"), published=said)
    assert indicators(feed_of(misp)) == []


@pytest.mark.parametrize("stamp", [NOON, str(NOON), f" {NOON} ", float(NOON)])
def test_a_time_is_read_as_text_or_as_number(misp: MispFolder, stamp: Any) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1", timestamp=stamp), timestamp=stamp)
    (found,) = indicators(feed_of(misp))
    assert found["created"] == found["modified"] == "2026-03-01T12:00:00.000000Z"


@pytest.mark.parametrize("own", [{"timestamp": NOON - 400 * 86400}, {"timestamp": None}])
def test_editing_an_event_makes_what_it_holds_a_new_version_and_no_younger(
    misp: MispFolder, own: dict[str, Any]
) -> None:
    day = {"date": "2025-01-25"}
    versions = []
    for edited in (NOON, NOON + 1, NOON + 10 * 365 * 86400):
        misp.put(attribute("ip-dst", "192.0.2.1", **own), at=edited, **day)
        (found,) = indicators(feed_of(misp))
        versions.append(found["modified"])
    assert versions == sorted(set(versions)), "each is newer"
    assert {version[:10] for version in versions} == {"2025-01-25"}


def test_editing_an_attribute_after_its_event_is_the_newest_version(misp: MispFolder) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1", timestamp=NOON - 10**8), at=NOON)
    (before,) = indicators(feed_of(misp))
    misp.put(attribute("ip-dst", "192.0.2.1", timestamp=NOON), at=NOON)
    (after,) = indicators(feed_of(misp))
    assert before["modified"] < after["modified"] == "2026-03-01T12:00:00.000000Z"


def test_an_entry_of_the_manifest_that_says_nothing_names_its_event(misp: MispFolder) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    entries = {EVENT: 7, "no uuid": {"info": "x"}}
    (misp.folder / "manifest.json").write_text(json.dumps(entries))
    feed = feed_of(misp)
    with structlog.testing.capture_logs() as logs:
        assert [found.title for found in feed.collections()] == [EVENT]
        assert len(indicators(feed)) == 1
    assert [(line["entries"], line["such_as"]) for line in logs] == [(1, "no uuid")], "told once"


def test_a_byte_order_mark_is_passed_over(misp: MispFolder) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    for file in misp.folder.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(indicators(feed_of(misp))) == 1


def test_an_event_of_more_values_than_are_taken_is_refused_before_any_is_made(
    misp: MispFolder,
) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    body = b'{"Event":{"Attribute":[' + b"{}," * 4_000_000 + b"{}]}}"
    (misp.folder / f"{EVENT}.json").write_bytes(body)
    with pytest.raises(UnavailableError, match="has more than 4,000,000 values"):
        read(feed_of(misp))


def test_a_manifest_has_a_bound_of_events(misp: MispFolder) -> None:
    named = {str(UUID(int=number)): 0 for number in range(MOST_EVENTS + 1)}
    (misp.folder / "manifest.json").write_text(json.dumps(named))
    with pytest.raises(UnavailableError, match="has more than 50,000 events"):
        feed_of(misp).collections()


def test_a_deleted_attribute_is_revoked(misp: MispFolder) -> None:
    inside = attribute("ip-dst", "192.0.2.3")
    misp.put(
        attribute("ip-dst", "192.0.2.1", deleted=True),
        attribute("ip-dst", "192.0.2.2"),
        Object=[{"name": "file", "deleted": True, "Attribute": [inside]}],
    )
    states = {found["pattern"][20:29]: found.get("revoked") for found in indicators(feed_of(misp))}
    assert states == {"192.0.2.1": True, "192.0.2.2": None, "192.0.2.3": True}


def test_reads_the_attributes_of_objects(misp: MispFolder) -> None:
    parts = [attribute("md5", "0" * 32), attribute("filename", "a.exe")]
    misp.put(Object=[{"name": "file", "Attribute": parts}])
    assert len(indicators(feed_of(misp))) == 2


@pytest.mark.parametrize(
    ("own", "of_event", "means"),
    [
        (['misp:confidence-level="usually-confident"'], [], 75),
        (['admiralty-scale:information-credibility="2"'], [], 70),
        (['admiralty-scale:information-credibility="6"'], [], None),
        ([], ['misp:confidence-level="unconfident"'], 0),
        (['admiralty-scale:information-credibility="1"'],
         ['misp:confidence-level="rarely-confident"'], 90),
        (['admiralty-scale:information-credibility="1"',
          'misp:confidence-level="fairly-confident"'], [], 50),
        (['admiralty-scale:source-reliability="a"'], ["confidence"], None),
    ],
)  # fmt: skip
def test_tags_of_a_scale_are_the_confidence(
    misp: MispFolder, own: list[str], of_event: list[str], means: int | None
) -> None:
    tags = [{"name": tag} for tag in own]
    misp.put(attribute("domain", "bad.example", Tag=tags), Tag=[{"name": tag} for tag in of_event])
    (found,) = indicators(feed_of(misp))
    assert found.get("confidence") == means


@pytest.mark.parametrize(
    ("tag", "marking"),
    [
        ("tlp:amber", TLP_AMBER),
        ("TLP:AMBER", TLP_AMBER),
        ("tlp:ex:chr", TLP_RED),
        ("tlp:", TLP_RED),
    ],
)
def test_a_marking_that_nobody_knows_restricts_most(
    misp: MispFolder, tag: str, marking: str
) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"), Tag=[{"name": tag}])
    assert indicators(feed_of(misp))[0]["object_marking_refs"] == [marking]


def test_a_marking_added_to_an_event_is_news_for_all_it_holds(misp: MispFolder) -> None:
    made = attribute("ip-dst", "192.0.2.1")
    misp.put(made)
    (before,) = indicators(feed_of(misp))
    misp.put(made, Tag=[{"name": "tlp:red"}], at=NOON + 1)
    (after,) = indicators(feed_of(misp))
    assert after["modified"] > before["modified"]
    assert after["object_marking_refs"] == [TLP_RED]


@pytest.mark.parametrize("stamp", [None, "", "yesterday", -5, "9" * 15, 1e99, {"a": 1}])
def test_a_time_that_is_none_becomes_the_day_of_the_event(misp: MispFolder, stamp: Any) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1", timestamp=stamp, first_seen=stamp, uuid=stamp))
    (found,) = indicators(feed_of(misp))
    assert found["created"] == found["valid_from"] == "2026-03-01T00:00:00.000000Z"
    assert found["id"] == indicators(feed_of(misp))[0]["id"]


def test_an_event_is_fetched_only_when_its_entry_changed(misp: MispFolder) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    feed = feed_of(misp)
    (collection,) = feed.collections()
    cursor = list(feed.pages(collection, None))[-1].cursor
    (misp.folder / f"{EVENT}.json").unlink()
    assert list(feed.pages(collection, cursor)) == []
    misp.put(attribute("ip-dst", "192.0.2.2"), at=NOON + 1)
    feed.collections()
    assert len(list(feed.pages(collection, cursor))) == 1
    other = feed_of(misp, attributes="all")
    other.collections()
    assert len(list(other.pages(collection, cursor))) == 1


def test_a_large_event_comes_in_pages_and_counts_as_read_at_the_last(misp: MispFolder) -> None:
    misp.put(*(attribute("domain", f"h{n}.example") for n in range(1999)))
    pages = read(feed_of(misp))
    assert [(len(page.objects), page.last) for page in pages] == [(1000, False), (1000, True)]
    assert pages[0].cursor == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"x": {}}', b'{"../../etc/passwd": {}}'],
)
def test_half_a_manifest_is_no_empty_feed(misp: MispFolder, content: bytes) -> None:
    (misp.folder / "manifest.json").write_bytes(content)
    with pytest.raises(UnavailableError, match=r"manifest\.json"):
        feed_of(misp).collections()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"Event": []}', b'{"Event": {"Attribute": {}}}',
     b'{"Event": {"Attribute": [7]}}', b'{"Event": {"Object": [{"Attribute": "x"}]}}'],
)  # fmt: skip
def test_half_an_event_withdraws_nothing(misp: MispFolder, content: bytes) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    (misp.folder / f"{EVENT}.json").write_bytes(content)
    feed = feed_of(misp)
    (collection,) = feed.collections()
    with pytest.raises(UnavailableError, match=EVENT):
        list(feed.pages(collection, None))


def test_an_event_that_is_named_and_absent_is_unavailable(misp: MispFolder, origin: str) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    (misp.folder / f"{EVENT}.json").unlink()
    settings = MispSettings(url=origin)
    with contextlib.closing(Http(settings, sleep=lambda _seconds: None)) as http:
        for feed in (feed_of(misp), MispFeed(settings, http)):
            (collection,) = feed.collections()
            with pytest.raises((UnavailableError, RefusedError), match=EVENT):
                list(feed.pages(collection, None))


def test_an_event_has_a_bound(misp: MispFolder) -> None:
    misp.put(attribute("ip-dst", "192.0.2.1"))
    (misp.folder / f"{EVENT}.json").write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(UnavailableError, match="larger than 1 MiB: raise max_body_mib"):
        read(feed_of(misp, max_body_mib=1))


@pytest.mark.parametrize(
    "options", [{}, {"path": "x", "url": "https://misp.example/feed/"}, {"url": "ftp://x"}]
)
def test_a_feed_has_one_place(options: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MispSettings(**options)
