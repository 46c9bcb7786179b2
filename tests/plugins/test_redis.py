"""Keys of a real Redis: sets, hashes and sorted sets that its own client finds our entries in."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_redis import RedisAdapter, RedisSettings
from outcome_words import words_on
from pydantic import ValidationError
from redis_host import PASSWORD, USER, USERS_PASSWORD, RedisHost, redis

from connector.adapter import (
    ConfigError,
    Entry,
    Full,
    Held,
    Observable,
    ObservableType,
    RefusedError,
    SecretValue,
    UnavailableError,
)
from connector.sync.spelling import meant_by
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.adapter_suite.fixtures import SuiteFixtures
from connector.testing.context import output_context
from connector.testing.expiry_suite import EndsAtTheTarget

T = ObservableType
BAD = Entry(Observable(T.DOMAIN_NAME, "bad.example"), {"confidence": 80, "note": "Schädlich"})
WORSE = Entry(Observable(T.IPV4_ADDR, "203.0.113.7"))
pytestmark = pytest.mark.real_server


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisHost]:
    with redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def emptied(host: RedisHost) -> RedisHost:
    host.ask("FLUSHALL")
    return host


def settings_of(**options: Any) -> RedisSettings:
    auth = {"password": SecretValue(PASSWORD), **options.pop("auth", {})}
    return RedisSettings(auth=auth, **options)


def adapter_on(host: RedisHost, folder: Path, **options: Any) -> RedisAdapter:
    settings = settings_of(**{"url": host.url, **options})
    return RedisAdapter(settings, output_context(settings, folder, "cache"))


def values(adapter: RedisAdapter) -> set[str]:
    return {held.observable.value for held in adapter.read()}


@pytest.fixture
def adapter(emptied: RedisHost, tmp_path: Path) -> Iterator[RedisAdapter]:
    made = adapter_on(emptied, tmp_path)
    yield made
    made.close()


class TestRedis(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a set has no exceptions",
        "refuse": "Redis takes every text",
        "troubles": "a batch is one transaction",
        "fill": "it fills by bytes, which another test tries",
    }

    @pytest.fixture
    def adapter(self, emptied, tmp_path):
        made = adapter_on(emptied, tmp_path, form="hash")
        yield made
        made.close()

    @pytest.fixture
    def neighbour(self, emptied, tmp_path):
        made = adapter_on(emptied, tmp_path, form="hash", key="connector2")
        yield made
        made.close()

    @pytest.fixture
    def foreign(self, emptied):
        def put(theirs) -> None:
            emptied.ask("HSET", f"connector:{theirs.type}", theirs.value, "{}")

        return put

    @pytest.fixture
    def break_target(self, host):
        host.stop()
        host.start()
        yield host.stop
        host.stop()
        host.start()

    @pytest.fixture
    def restart_target(self, host):
        return host.restart

    @pytest.fixture
    def wrong_credentials(self, adapter, host):
        def changed() -> None:
            host.ask("CONFIG", "SET", "requirepass", "another password")
            adapter.close()

        yield changed
        host.restart()


class TestSortedSet(EndsAtTheTarget, SuiteFixtures):
    @pytest.fixture
    def adapter(self, emptied, tmp_path):
        made = adapter_on(emptied, tmp_path, form="sorted_set")
        yield made
        made.close()


@pytest.mark.parametrize("form", ["set", "hash", "sorted_set"])
def test_each_form_holds_what_was_added_until_it_is_removed(emptied, tmp_path, form):
    adapter = adapter_on(emptied, tmp_path, form=form)
    both = [BAD.observable, WORSE.observable]
    for expected in (both, both, [WORSE.observable], [WORSE.observable]):
        adapter.add([BAD, WORSE] if len(expected) > 1 else [])
        if len(expected) == 1:
            adapter.remove([Held(BAD.observable)])
        assert {held.observable for held in adapter.read()} == set(expected)
        assert {held.observable for held in adapter.holds(both)} == set(expected)
    adapter.close()


def test_another_program_finds_what_is_listed_and_nothing_once_it_is_revoked(emptied, adapter):
    domain = ("SISMEMBER", "connector:domain-name", "bad.example")
    assert emptied.ask(*domain) == ["0"]
    adapter.add([BAD, WORSE])
    assert emptied.ask(*domain) == ["1"]
    assert emptied.ask("SISMEMBER", "connector:ipv4-addr", "203.0.113.7") == ["1"]
    adapter.remove([one for one in adapter.read() if one.observable == BAD.observable])
    assert emptied.ask(*domain) == ["0"]
    assert emptied.ask("KEYS", "*") == ["connector:ipv4-addr"]


def test_a_hash_says_what_the_mapping_fills_and_shows_what_others_changed(emptied, tmp_path):
    adapter = adapter_on(emptied, tmp_path, form="hash")
    adapter.add([BAD])
    told = emptied.ask("HGET", "connector:domain-name", "bad.example")
    assert told == ['{"confidence":80,"note":"Schädlich"}']
    stamp = adapter.stamp()
    emptied.ask("HSET", "connector:domain-name", "bad.example", "1")
    assert adapter.stamp() != stamp
    assert [held.fields for held in adapter.read()] == [{"altered": "1"}]
    adapter.close()


def test_a_sorted_set_says_when_each_entry_ends(emptied, tmp_path):
    adapter = adapter_on(emptied, tmp_path, form="sorted_set")
    end = datetime(2026, 12, 1, tzinfo=UTC)
    adapter.add([Entry(BAD.observable, expires=end), WORSE])
    score = ("ZSCORE", "connector:domain-name", "bad.example")
    assert emptied.ask(*score) == [f"{end.timestamp():.0f}"]
    assert emptied.ask("ZSCORE", "connector:ipv4-addr", "203.0.113.7") == ["inf"]
    adapter.add([BAD])
    assert emptied.ask(*score) == ["inf"]
    adapter.close()


def test_an_entry_whose_end_others_have_moved_into_the_past_is_one_that_readers_lack(
    emptied, tmp_path
):
    adapter = adapter_on(emptied, tmp_path, form="sorted_set")
    adapter.add([BAD])
    assert [held.partly for held in adapter.read()] == [""]
    emptied.ask("ZADD", "connector:domain-name", "1", "bad.example")
    for told in (adapter.read(), adapter.holds([BAD.observable])):
        assert [held.partly for held in told] == ["its score says that it has ended"]
    adapter.add([BAD])
    assert [held.partly for held in adapter.holds([BAD.observable])] == [""]
    adapter.close()


@pytest.mark.parametrize(
    ("kind", "spelled", "meant"),
    [
        (T.DOMAIN_NAME, "Bad.Example.", BAD.observable),
        (T.DOMAIN_NAME, "203.0.113.7", WORSE.observable),
        (T.IPV6_ADDR, "2001:DB8::7", Observable(T.IPV6_ADDR, "2001:db8::7")),
    ],
)
def test_a_member_that_readers_do_not_ask_for_is_no_entry(emptied, adapter, kind, spelled, meant):
    emptied.ask("SADD", f"connector:{kind}", spelled)
    odd: Counter[str] = Counter()
    (held,) = adapter.read()
    assert meant_by([held.observable], odd) == {held.observable: None}
    assert odd == {kind: 1}
    adapter.add([Entry(meant)])
    assert meant in {held.observable for held in adapter.read()}


def test_a_key_that_never_ends_is_told_and_not_read_for_ever(emptied, adapter):
    adapter.add([BAD])
    server, asked = adapter._server, adapter._server.ask

    def endless(commands):
        paged = commands[0][0] == "SSCAN"
        return [(b"7", [b"bad.example"])] if paged else asked(commands)

    server.ask = endless
    with pytest.raises(UnavailableError, match=r"SSCAN .* does not come to an end"):
        list(adapter.read())


def test_the_stamp_tells_a_restart_and_what_others_do_and_not_what_nobody_does(emptied, adapter):
    adapter.add([BAD, WORSE])
    stamps = [adapter.stamp()]
    assert adapter.stamp() == stamps[0]
    emptied.ask("SET", "something else", "1")
    assert adapter.stamp() == stamps[0]
    emptied.ask("SMOVE", "connector:domain-name", "connector:ipv4-addr", "bad.example")
    stamps.append(adapter.stamp())
    emptied.ask("FLUSHALL")
    stamps.append(adapter.stamp())
    emptied.restart()
    stamps.append(adapter.stamp())
    assert len(set(stamps)) == 4


def test_a_large_key_is_read_in_pages_and_whole(emptied, adapter):
    many = [Entry(Observable(T.DOMAIN_NAME, f"n{number}.example")) for number in range(5000)]
    adapter.add(many)
    assert values(adapter) == {entry.value for entry in many}
    assert emptied.ask("SCARD", "connector:domain-name") == ["5000"]


def test_what_is_lost_in_the_middle_of_reading_is_no_end_of_it(emptied, adapter):
    adapter.add([Entry(Observable(T.DOMAIN_NAME, f"n{number}.example")) for number in range(5000)])
    rows = iter(adapter.read())
    next(rows)
    emptied.restart()
    with pytest.raises(UnavailableError):
        list(rows)
    assert values(adapter) == set()


def test_members_that_are_no_text_are_left_alone(emptied, adapter):
    adapter.add([BAD])
    emptied.ask("EVAL", "return redis.call('SADD', KEYS[1], '\\255')", "1", "connector:mutex")
    assert values(adapter) == {"bad.example"}


def test_a_full_redis_takes_what_fits_and_names_the_rest(emptied, adapter):
    many = [Entry(Observable(T.URL, f"http://e.example/{n}{'x' * 2000}")) for n in range(800)]
    used = next(line for line in emptied.ask("INFO", "memory") if line.startswith("used_memory:"))
    emptied.ask("CONFIG", "SET", "maxmemory", str(int(used.split(":")[1]) + 1_200_000))
    try:
        full = adapter.add(many)
    finally:
        emptied.ask("CONFIG", "SET", "maxmemory", "0")
    assert 0 < len(full) < 800
    assert set(full.values()) == {Full()}
    assert values(adapter) == {entry.value for entry in many if entry.observable not in full}


def test_a_batch_is_there_as_a_whole_or_not_at_all(emptied, adapter):
    emptied.ask("SET", "connector:ipv4-addr", "a text, by somebody else")
    with pytest.raises(RefusedError, match=r"WRONGTYPE.*name another key"):
        adapter.stamp()
    emptied.ask("DEL", "connector:ipv4-addr")
    emptied.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        assert words_on(adapter.add([BAD, WORSE])).keys() == {"bad.example", "203.0.113.7"}
    finally:
        emptied.ask("CONFIG", "SET", "maxmemory", "0")
    assert values(adapter) == set()


def test_the_documented_rights_are_enough_and_less_is_refused_with_redis_words(emptied, tmp_path):
    auth = {"username": USER, "password": SecretValue(USERS_PASSWORD)}
    adapter = adapter_on(emptied, tmp_path, auth=auth)
    adapter.add([BAD])
    assert values(adapter) == {"bad.example"}
    assert adapter.stamp()
    assert adapter.known_as()
    other = adapter_on(emptied, tmp_path, auth=auth, key="theirs")
    with pytest.raises(RefusedError, match="permissions"):
        other.add([BAD])
    for each in (adapter, other):
        each.close()


def test_wrong_credentials_are_refused_and_appear_nowhere(emptied, tmp_path):
    adapter = adapter_on(emptied, tmp_path, auth={"password": SecretValue("wrong-secret")})
    with pytest.raises(RefusedError, match="check auth") as refused:
        adapter.stamp()
    assert "wrong-secret" not in str(refused.value)
    assert "wrong-secret" not in repr(adapter.settings)


def test_over_tls_the_server_is_verified(emptied, tmp_path):
    adapter = adapter_on(emptied, tmp_path, url=emptied.tls_url, ca=emptied.ca)
    adapter.add([BAD])
    assert values(adapter) == {"bad.example"}
    adapter.close()
    unknown = adapter_on(emptied, tmp_path, url=emptied.tls_url)
    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        unknown.stamp()


def test_a_connection_that_redis_closed_while_idle_is_opened_again(emptied, adapter):
    adapter.add([BAD])
    emptied.ask("CLIENT", "KILL", "TYPE", "normal")
    assert values(adapter) == {"bad.example"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1", "redis://", "redis://u:p@127.0.0.1", "redis://127.0.0.1:x",
        "redis://127.0.0.1/a", "redis://127.0.0.1?db=1", "unix://host/path", "unix:///p?x=1",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValidationError, match=r"url\n"):
        settings_of(url=url)


def test_the_same_database_is_one_place_however_it_is_written():
    same = ["redis://127.0.0.1", "redis://127.0.0.1:6379/0", "rediss://127.0.0.1/"]
    assert len({settings_of(url=url).places for url in same}) == 1
    assert settings_of(url="redis://127.0.0.1/1").places != settings_of(url=same[0]).places
    assert settings_of(url="unix:///run/redis.sock?db=2").places


def test_a_password_never_crosses_the_network_unencrypted(tmp_path):
    settings = settings_of(url="redis://cache.example")
    with pytest.raises(ConfigError, match="should be rediss://"):
        RedisAdapter(settings, output_context(settings, tmp_path))
