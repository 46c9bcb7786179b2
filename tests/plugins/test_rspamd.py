"""Multimaps of Rspamd in files, over HTTP and in Redis: the real one names what is listed."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_rspamd import RspamdAdapter, RspamdSettings
from connector_rspamd.keys import observable_in
from outcome_words import words_on
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from redis_host import PASSWORD, RedisHost, redis
from rspamd_host import RspamdHost, block, pointed_at, rspamd
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked
from test_kinds import NAMED, as_read, unread

from connector.adapter import Entry, Full, Observable, ObservableType, SecretValue
from connector.feeds.bundle import BundleFeed
from connector.server import ListServer
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context
from connector.testing.samples.entries import hostile_values

T = ObservableType
SENDER = (T.EMAIL_ADDR, "phish+x@sender.example")
TOKEN = SecretValue("token-of-rspamd")


def sum_of(algorithm: str) -> str:
    """Return the checksum of what the attachment has."""
    return hashlib.new(algorithm, b"hello").hexdigest()


LISTED = [
    SENDER, (T.DOMAIN_NAME, "bad.com"), (T.DOMAIN_NAME, "*.below.com"),
    (T.IPV4_ADDR, "192.0.2.0/24"), (T.IPV6_ADDR, "2001:db8:1::/64"),
    (T.URL, "http://urls.com/A?b=1"), (T.EMAIL_SUBJECT, "Rechnung 4711 fällig"),
    (T.FILE_NAME, "in voice.exe"), (T.FILE_MD5, sum_of("md5")),
    (T.FILE_SHA1, sum_of("sha1")),
    (T.FILE_SHA256, sum_of("sha256")),
    (T.FILE_SHA512, sum_of("sha512")),
]  # fmt: skip


def entries(*values: tuple[ObservableType, str]) -> list[Entry]:
    return [Entry(one) for one in sorted(Observable(*value) for value in values)]


def adapter_on(published: Path, **options: Any) -> RspamdAdapter:
    settings = RspamdSettings(**options)
    return RspamdAdapter(settings, output_context(settings, published, "gateway"))


def held(adapter: RspamdAdapter) -> set[str]:
    return {one.value for one in adapter.read()}


@dataclass(frozen=True)
class _Rspamd:
    name: str = "rspamd"
    token: SecretValue = TOKEN
    address: None = None
    certificate: None = None


@dataclass(frozen=True)
class Gateway:
    """An Rspamd with the rules of each mode, and an output of each."""

    host: RspamdHost
    server: ListServer
    outputs: dict[str, RspamdAdapter]


def rules_of(host: RspamdHost, server: ListServer, cache: RedisHost) -> str:
    """Return the page's rules for each mode; the symbols begin with its name."""
    files = block("nginx").replace("/etc/rspamd/connector", str(host.maps))
    plain = block("nginx")
    lists = pointed_at(plain, "http").replace("http://rspamd:TOKEN@lists.example:8099", "LISTS")
    lists = lists.replace("LISTS", server.url.replace("://", f"://rspamd:{TOKEN.reveal()}@"))
    hashes = pointed_at(plain, "redis")
    of_redis = f'servers = "127.0.0.1:{cache.port}"; password = "{PASSWORD}";\n'
    named = {"FILE_": files, "HTTP_": lists, "REDIS_": hashes}
    return of_redis + "".join(text.replace("CONNECTOR_", prefix) for prefix, text in named.items())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisHost]:
    with redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(cache: RedisHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    published = tmp_path_factory.mktemp("published")
    server = ListServer("127.0.0.1:0", [_Rspamd()], published, dict, CollectorRegistry())
    server.start()
    outputs = {
        "HTTP_": adapter_on(published, mode="http"),
        "REDIS_": redis_adapter(cache, published),
    }
    for output in outputs.values():
        output.publish([])
    try:
        with rspamd(lambda host: rules_of(host, server, cache)) as host:
            outputs["FILE_"] = adapter_on(published, folder=host.maps)
            outputs["FILE_"].publish([])
            yield Gateway(host, server, outputs)
    finally:
        server.stop()


def redis_adapter(cache: RedisHost, folder: Path, **options: Any) -> RspamdAdapter:
    auth = {"password": SecretValue(PASSWORD)}
    return adapter_on(folder, **{"mode": "redis", "url": cache.url, "auth": auth, **options})


class TestRspamd(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "it refuses by what a value is, which other tests try",
        "fill": "a list is as large as the disk",
        "foreign": "its maps are ours alone, and published anew",
        "neighbour": "each map is a file of its own",
        "wrong_credentials": "files have none but the rights of their folder",
        "restart_target": "its maps are files",
        "troubles": "a map is swapped in one step",
    }

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "maps").mkdir()
        return tmp_path / "maps"

    @pytest.fixture
    def adapter(self, folder):
        return adapter_on(folder, folder=folder)

    @pytest.fixture
    def break_target(self, folder):
        return lambda: shutil.rmtree(folder)


@pytest.mark.real_server
@pytest.mark.parametrize("mode", ["FILE_", "HTTP_", "REDIS_"])
def test_rspamd_names_what_is_listed_before_after_and_after_its_revocation(
    gateway: Gateway, mode: str
) -> None:
    host, output = gateway.host, gateway.outputs[mode]
    listed = {
        "sender": "PHISH+x@Sender.example", "client": "192.0.2.7", "file": "in voice.exe",
        "subject": "=?utf-8?q?Rechnung_4711_f=C3=A4llig?=",
        "url": "http://user@URLs.com/A?b=1#top http://bad.com http://a.b.below.com",
    }  # fmt: skip
    hashes = {name: [value] for name, value in (
        ("MD5", LISTED[8][1]), ("SHA1", LISTED[9][1]), ("SHA256", LISTED[10][1]),
        ("SHA512", LISTED[11][1]),
    )}  # fmt: skip
    assert host.met(mode, **listed) == {}
    assert output.publish(entries(*LISTED)) == {}
    host.until(lambda: "SHA512" in host.met(mode) and "CLIENT" in host.met(mode, **listed))
    host.until(lambda: len(host.met(mode, **listed)) == 11)
    assert host.met(mode, **listed) == {
        "SENDER": ["phish+x@sender.example"], "FROM": ["phish+x@sender.example"],
        "CLIENT": ["192.0.2.7"], "SUBJECT": ["Rechnung 4711 fällig"], "FILE": ["in voice.exe"],
        "URL": ["http://urls.com/A?b=1"], "URL_HOST": ["*.below.com", "bad.com"], **hashes,
    }  # fmt: skip
    assert host.met(mode, sender="x@bad.com", client="2001:db8:1::7") == {
        "SENDER_DOMAIN": ["bad.com"], "FROM_DOMAIN": ["bad.com"], "CLIENT": ["2001:db8:1::7"],
        **hashes,
    }  # fmt: skip
    others = {"sender": "phish@sender.example", "client": "192.0.3.1", "subject": "Rechnung"}
    assert host.met(mode, **others, url="http://a.bad.com http://below.com") == hashes
    assert output.publish(entries(SENDER)) == {}
    host.until(lambda: host.met(mode, **listed).keys() == {"SENDER", "FROM"})
    assert output.publish([]) == {}
    host.until(lambda: host.met(mode, **listed) == {})


@pytest.mark.real_server
def test_rspamd_names_what_a_feed_names_until_the_feed_takes_it_back(
    gateway: Gateway, tmp_path: Path
) -> None:
    site, host = Site(tmp_path), gateway.host
    few = [indicator("a", "192.0.2.7"), indicator("b", "bad.com")]
    site.registry = QuickRegistry({"rspamd": RspamdAdapter}, {"bundle": BundleFeed})
    options = {"folder": str(host.maps)}
    edge = {"list": "perimeter", "adapter": "rspamd", "options": options}
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": edge})
    site.write("one.json", few)
    message = {"client": "192.0.2.7", "sender": "x@bad.com"}
    site.service.feeds.poll("files")
    site.service.lists.refresh("perimeter")
    assert len(site.service.outputs.propose("edge").plan.add) == 2
    assert host.met("FILE_", **message) == {}
    site.once()
    host.until(lambda: host.met("FILE_", **message).keys() >= {"CLIENT", "SENDER_DOMAIN"})
    assert site.output()["reasons"]["written"] == 2
    assert site.idle()
    site.write("two.json", [revoked(few[0])])
    site.change()
    host.until(lambda: "CLIENT" not in host.met("FILE_", **message))
    (host.maps / "domains.map").unlink()
    site.change()
    assert (host.maps / "domains.map").exists()
    assert site.output()["reasons"]["written"] == 1
    site.write("three.json", [revoked(few[1])])
    site.change()
    host.until(lambda: host.met("FILE_", **message) == {})
    site.close()


@pytest.mark.real_server
def test_an_unchanged_map_is_polled_with_304(gateway: Gateway) -> None:
    gateway.outputs["HTTP_"].publish(entries(SENDER))
    gateway.host.until(lambda: "SENDER" in gateway.host.met("HTTP_", sender=SENDER[1]))
    gateway.host.until(lambda: any(fetch.status == 304 for fetch in gateway.server.fetches()))
    gateway.outputs["HTTP_"].publish([])


@pytest.mark.real_server
def test_hostile_values_are_read_as_themselves_alone(gateway: Gateway) -> None:
    texts = [*NAMED, *(value for kind in ObservableType for value in hostile_values(kind))]
    hostile = [Entry(one) for one in sorted({*as_read(texts), *unread(texts)})]
    wide = {"0.0.0.0/0", "::/0"}
    for mode, output in gateway.outputs.items():
        output.publish([one for one in hostile if one.value not in wide] + entries(SENDER))
        gateway.host.until(lambda mode=mode: "SENDER" in gateway.host.met(mode, sender=SENDER[1]))
        for innocent in ("x@yahoo.com", "x@www.gov", "anybody@mail.test", "phish@fine.example"):
            assert gateway.host.met(mode, sender=innocent) == {}
        output.publish([])


def test_what_a_map_cannot_say_is_rejected_alone(tmp_path: Path) -> None:
    adapter = adapter_on(tmp_path, folder=tmp_path)
    odd = [(T.EMAIL_ADDR, '"a b"@bad.example'), (T.FILE_NAME, 'a"b.exe')]
    assert words_on(adapter.publish(entries(SENDER, *odd))).keys() == {one[1] for one in odd}
    assert held(adapter) == {SENDER[1]}


@pytest.mark.parametrize("key", ["203.0.113.7", "2001:db8::7", "Bad.example"])
def test_a_key_that_means_another_type_than_its_map_has_is_no_entry(key: str) -> None:
    assert observable_in("domains", key) == Observable(T.MUTEX, key)


@pytest.mark.real_server
def test_a_hash_has_all_or_nothing_of_a_change_and_what_others_did_is_mended(
    cache: RedisHost, tmp_path: Path
) -> None:
    cache.ask("FLUSHALL")
    adapter = redis_adapter(cache, tmp_path, maps=["senders", "addresses"])
    short = (T.IPV6_ADDR, "2001:db8::/48")
    assert "shorter than /64" in words_on(adapter.publish(entries(SENDER, short)))[short[1]]
    stamp = adapter.stamp()
    cache.ask("HSET", "connector:rspamd:senders", SENDER[1], "0", "Their@x.example", "1")
    assert adapter.stamp() != stamp
    assert {one.value: dict(one.fields) for one in adapter.read()} == {
        SENDER[1]: {"value": "0"}, "Their@x.example": {},
    }  # fmt: skip
    adapter.publish(entries(SENDER))
    assert cache.ask("HGETALL", "connector:rspamd:senders") == [SENDER[1], "1"]
    cache.restart()
    assert held(adapter) == set()
    adapter.close()


@pytest.mark.real_server
def test_another_database_has_other_hashes(cache: RedisHost, tmp_path: Path) -> None:
    known = []
    for database in (0, 1):
        url = f"redis://127.0.0.1:{cache.port}/{database}"
        adapter = redis_adapter(cache, tmp_path, url=url)
        known.append(set(adapter.known_as()))
        adapter.close()
    assert known[0].isdisjoint(known[1])


@pytest.mark.real_server
def test_a_full_redis_loses_what_is_revoked_and_takes_what_fits(
    cache: RedisHost, tmp_path: Path
) -> None:
    cache.ask("FLUSHALL")
    adapter = redis_adapter(cache, tmp_path, maps=["senders", "urls"])
    adapter.publish(entries(SENDER))
    many = [(T.URL, f"http://bad.example/{n}{'x' * 2000}") for n in range(3000)]
    used = next(line for line in cache.ask("INFO", "memory") if line.startswith("used_memory:"))
    cache.ask("CONFIG", "SET", "maxmemory", str(int(used.split(":")[1]) + 5_000_000))
    try:
        full = adapter.publish(entries(*many))
    finally:
        cache.ask("CONFIG", "SET", "maxmemory", "0")
    assert 0 < len(full) < len(many)
    assert set(full.values()) == {Full()}
    assert len(held(adapter)) == len(many) - len(full)
    assert SENDER[1] not in held(adapter)
    adapter.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "mode file needs the option folder"),
        ({"mode": "redis"}, "mode redis needs the option url"),
        ({"mode": "http", "folder": "/x"}, "folder is an option of mode file"),
        ({"folder": "/x", "maps": ["senders", "senders"]}, "each map once"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RspamdSettings(**options)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"folder": "/x"}, "rspamd map"),
        ({"mode": "http"}, "published file"),
        ({"mode": "redis", "url": "redis://127.0.0.1"}, "redis keys"),
    ],
)
def test_each_map_is_a_place_of_its_own(options: dict[str, Any], kind: str) -> None:
    settings = RspamdSettings(**options)
    assert {place[0] for place in settings.places} == {kind}
    assert len(settings.places) == 7
    some: Callable[..., Any] = settings.narrowed
    assert some([settings.place_of("urls")]).maps == ("urls",)
    assert some([("another",)]) is None
