"""Access maps: what is listed is refused by a real Postfix, and no map but ours is touched."""

import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import lmdb
import postfix_host
import pytest
from connector_postfix import PostfixAdapter, PostfixSettings
from connector_postfix.keys import client_of, keys_of, sender_of
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_words import words_on
from pydantic import ValidationError

from connector.adapter import (
    Entry,
    Observable,
    ObservableType,
    OutputContext,
    RefusedError,
    UnavailableError,
)
from connector.testing.adapter_suite import AdapterSuite

T = ObservableType
_LOOKS_RIGHT = {
    T.EMAIL_ADDR: r"[a-z0-9.'{+-]{1,9}@([a-z0-9-]{1,6}\.){1,3}[a-z]{2,5}",
    T.DOMAIN_NAME: r"(\*\.)?([a-z0-9_-]{1,6}\.){1,3}(xn--)?[a-z0-9]{2,9}",
    T.IPV4_ADDR: r"([12]?[0-9]{1,2}\.){3}(0/(8|16|24)|[0-9]{1,3})",
    T.IPV6_ADDR: r"([0-9a-f]{0,4}:){1,7}([0-9a-f]{0,4}|:/(32|48|64|96|112))",
}


def observable(value: str) -> Observable:
    if "@" in value:
        return Observable(T.EMAIL_ADDR, value)
    if ":" in value:
        return Observable(T.IPV6_ADDR, value)
    if value.replace(".", "").replace("/", "").isdigit():
        return Observable(T.IPV4_ADDR, value)
    return Observable(T.DOMAIN_NAME, value)


def entries(*values: str, **fields: str) -> list[Entry]:
    made = [Entry(observable(value), fields) for value in values]
    return sorted(made, key=lambda entry: (entry.type, entry.value))


def adapter_on(folder: Path, **options: object) -> PostfixAdapter:
    named = {"senders": "senders", "clients": "clients", "parent_domains": False}
    return PostfixAdapter(
        PostfixSettings(folder=folder, **(named | options)), OutputContext("gateway", folder)
    )


def held(adapter: PostfixAdapter) -> dict[str, dict[str, object]]:
    return {entry.value: dict(entry.fields) for entry in adapter.read()}


def _write_by_other_hands(path: str, key: str) -> None:
    environment = lmdb.open(path, subdir=False, lock=False)
    with environment, environment.begin(write=True) as transaction:
        transaction.put(f"{key}\0".encode(), b"OK\0")


class TestPostfix(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "a map refuses by what a value is, which other tests try",
        "fill": "a map is as large as the disk",
        "wrong_credentials": "files have none but the rights of their folder",
        "restart_target": "maps are files",
        "troubles": "a map is swapped in one step, which other tests break off",
    }

    @pytest.fixture
    def adapter(self, tmp_path):
        (tmp_path / "maps").mkdir()
        return adapter_on(tmp_path / "maps", domains="domains")

    @pytest.fixture
    def foreign(self, adapter):
        def put(theirs):
            index = {T.EMAIL_ADDR: "senders", T.DOMAIN_NAME: "domains"}.get(theirs.type, "clients")
            path = str(adapter.settings.folder / f"{index}.lmdb")
            _write_by_other_hands(path, f"{keys_of(theirs.observable)[0]}x")

        return put

    @pytest.fixture
    def neighbour(self, adapter):
        named = {"senders": "senders_b", "clients": "clients_b", "domains": "domains_b"}
        return adapter_on(adapter.settings.folder, **named)

    @pytest.fixture
    def break_target(self, adapter):
        return lambda: shutil.rmtree(adapter.settings.folder)


@pytest.fixture(scope="module")
def running() -> Iterator[postfix_host.PostfixHost]:
    postfix_host.require_postfix()
    with postfix_host.folder() as maps:
        adapter_on(maps).publish([])
        with postfix_host.postfix(maps) as host:
            yield host


@pytest.fixture
def host(running) -> postfix_host.PostfixHost:
    adapter_on(running.maps).publish([])
    return running


@pytest.mark.real_server
def test_a_listed_sender_is_refused_until_it_is_removed(host):
    adapter = adapter_on(host.maps)
    assert host.code("phish@bad.example") == 250
    adapter.publish(entries("phish@bad.example", text="listed by AIS"))
    assert host.answer("phish@bad.example") == (
        554,
        "5.7.1 <phish@bad.example>: Sender address rejected: listed by AIS",
    )
    assert host.code("PHISH@Bad.Example") == 554
    assert host.code("other@bad.example") == 250
    assert host.code("phish@sub.bad.example") == 250
    adapter.publish([])
    assert host.code("phish@bad.example") == 250


@pytest.mark.real_server
def test_a_domain_means_itself_and_a_star_what_is_below(host):
    adapter = adapter_on(host.maps)
    adapter.publish(entries("bad.example", "*.worse.example"))
    codes = {
        name: host.code(f"x@{name}", port=host.exact)
        for name in ("bad.example", "sub.bad.example", "worse.example", "a.b.worse.example")
    }
    assert codes == {
        "bad.example": 554,
        "sub.bad.example": 250,
        "worse.example": 250,
        "a.b.worse.example": 554,
    }


@pytest.mark.real_server
def test_where_a_domain_stands_for_its_parents_only_both_halves_together_are_taken(host):
    adapter = adapter_on(host.maps, parent_domains=True)
    both = ["bad.example", "*.bad.example"]
    refused = words_on(adapter.publish(entries(*both, "exact.example", "*.below.example")))
    assert refused.keys() == {"exact.example", "*.below.example"}
    assert "parent_domains: false" in refused["exact.example"]
    assert held(adapter).keys() == set(both)
    assert [host.code(f"x@{d}") for d in ("bad.example", "sub.bad.example")] == [554, 554]
    assert [host.code(f"x@{d}") for d in ("exact.example", "a.below.example")] == [250, 250]


@pytest.mark.real_server
def test_a_domain_is_widened_only_when_the_options_say_so(host):
    adapter = adapter_on(host.maps, parent_domains=True, exact_domains="widen")
    refused = words_on(adapter.publish(entries("exact.example", "*.below.example")))
    assert refused.keys() == {"*.below.example"}
    assert held(adapter).keys() == {"exact.example"}
    assert [host.code(f"x@{d}") for d in ("exact.example", "sub.exact.example")] == [554, 554]
    assert host.code("x@a.below.example") == 250


@pytest.mark.parametrize(
    ("options", "types", "warns"),
    [
        ({}, {T.DOMAIN_NAME}, True),
        ({"exact_domains": "refuse"}, {T.DOMAIN_NAME}, False),
        ({"exact_domains": "widen"}, {T.DOMAIN_NAME}, False),
        ({"parent_domains": False}, {T.DOMAIN_NAME}, False),
        ({}, {T.EMAIL_ADDR}, False),
        ({"senders": None}, {T.DOMAIN_NAME}, False),
    ],
)
def test_check_warns_while_nobody_has_chosen_what_becomes_of_exact_domains(
    tmp_path, options, types, warns
):
    named = {"senders": "senders", "clients": "clients"} | options
    context = OutputContext("gateway", tmp_path, frozenset(types))
    adapter = PostfixAdapter(PostfixSettings(folder=tmp_path, **named), context)
    assert [text.partition(":")[0] for text in adapter.doubts()] == ["exact_domains"] * warns


@pytest.mark.parametrize("policy", ["refuse", "widen"])
def test_halves_of_a_domain_find_each_other_in_any_order(tmp_path, policy):
    adapter = adapter_on(tmp_path, parent_domains=True, exact_domains=policy)
    halves = [Entry(observable(value)) for value in ("bad.example", "*.bad.example")]
    adapter.publish(halves)
    assert held(adapter).keys() == {"bad.example", "*.bad.example"}
    adapter.publish(reversed(halves))
    assert held(adapter).keys() == {"bad.example", "*.bad.example"}


CLIENTS = [
    ("198.51.100.7", "198.51.100.7", 554),
    ("198.51.100.7", "198.51.100.70", 250),
    ("198.51.100.0/24", "198.51.100.200", 554),
    ("198.51.100.0/24", "198.51.101.1", 250),
    ("198.51.0.0/16", "198.51.7.7", 554),
    ("198.51.0.0/16", "198.5.1.1", 250),
    ("2001:db8::7", "2001:db8::7", 554),
    ("2001:db8::7", "2001:db8::70", 250),
    ("2001:db8:0:7::1", "2001:db8:0:7::1", 554),
    ("2001:db8::/32", "2001:db8::1", 554),
    ("2001:db8::/32", "2001:db8:1:2:3:4:5:6", 554),
    ("2001:db8::/32", "2001:db8:0:0:1::", 554),
    ("2001:db8::/32", "2001:db80::1", 250),
    ("2001:db8:1::/48", "2001:db8:1::9", 554),
    ("2001:db8:1::/48", "2001:db8:1:2:3:4:5:6", 554),
    ("2001:db8:1::/48", "2001:db8:10::9", 250),
    ("2001:db8:1:2::/64", "2001:db8:1:2::", 554),
    ("2001:db8:1:2::/64", "2001:db8:1:2:0:0:0:1", 554),
    ("2001:db8:1:2::/64", "2001:db8:1:3::1", 250),
]


@pytest.mark.real_server
@pytest.mark.parametrize(("listed", "client", "code"), CLIENTS)
def test_a_listed_client_is_refused(host, listed, client, code):
    assert host.code("any@good.example", client=client) == 250
    adapter = adapter_on(host.maps)
    adapter.publish(entries(listed))
    assert host.code("any@good.example", client=client) == code
    assert held(adapter).keys() == {listed}


@pytest.mark.real_server
@pytest.mark.parametrize(
    ("action", "code"), [("REJECT", 554), ("DEFER_IF_PERMIT", 450), ("HOLD", 250), ("WARN", 250)]
)
def test_the_action_is_the_one_in_the_options(host, action, code):
    adapter_on(host.maps, action=action).publish(entries("phish@bad.example", text="OK"))
    assert host.code("phish@bad.example") == code


@pytest.mark.real_server
def test_an_internationalised_domain_is_refused_in_both_of_its_forms(host):
    adapter = adapter_on(host.maps)
    listed = ["xn--bcher-kva.example", "phish@xn--caf-dma.example"]
    adapter.publish(entries(*listed))
    for sender in ("x@xn--bcher-kva.example", "x@bücher.example", "phish@café.example"):
        assert host.code(sender) == 554, sender
    assert held(adapter).keys() == set(listed)


@pytest.mark.real_server
@pytest.mark.parametrize(
    "text",
    ["x\ngood.example OK", "x\r\n\tOK", "\x00OK", "OK", "123", "FILTER smtp:[x]", "a" * 5000, "é"],
)
def test_a_text_is_never_more_than_a_text(host, text):
    adapter_on(host.maps).publish(entries("phish@bad.example", text=text))
    code, words = host.answer("phish@bad.example")
    assert code == 554
    assert len(words) < 200
    assert host.code("x@good.example") == 250
    rebuilt = _postmap("-s", host.maps / "senders")
    assert sorted(line.split("\t")[0] for line in rebuilt) == [
        "phish@bad.example",
        "ti-digest.invalid",
    ]


@pytest.mark.real_server
def test_mail_flows_while_the_maps_are_swapped(host):
    adapter = adapter_on(host.maps)
    many = [f"phish-{n}@bad.example" for n in range(20_000)]
    codes: list[tuple[int, int]] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            codes.append((host.code("phish-7@bad.example"), host.code("x@good.example")))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(10):
            adapter.publish(entries(*many))
            adapter.publish([])
    finally:
        done.set()
        asking.join()
    assert codes
    assert {good for _, good in codes} == {250}
    assert {listed for listed, _ in codes} <= {250, 554}
    assert host.code("phish-7@bad.example") == 250


def _postmap(flag: str, path: Path) -> list[str]:
    done = postfix_host.asked("postmap", flag, f"lmdb:{path}")
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.real_server
def test_postmap_reads_the_same_and_makes_the_same_of_our_text(tmp_path):
    postfix_host.require_postfix()
    adapter = adapter_on(tmp_path)
    values = ["phish@bad.example", "bad.example", "*.bad.example", "'{q}`@bad.example"]
    adapter.publish(entries(*values, "xn--bcher-kva.example", text="listed"))
    index = _postmap("-s", tmp_path / "senders")
    assert "bad.example\tREJECT listed" in index
    assert len(index) == len(values) + 2 + 1
    shutil.copy(tmp_path / "senders", tmp_path / "again")
    done = postfix_host.asked("postmap", f"lmdb:{tmp_path}/again")
    assert done.stderr == ""
    assert sorted(_postmap("-s", tmp_path / "again")) == sorted(index)


def test_an_administrators_map_is_never_replaced(tmp_path):
    path = tmp_path / "clients.lmdb"
    _write_by_other_hands(str(path), "192.0.2.1")
    before = path.read_bytes()
    adapter = adapter_on(tmp_path)
    with pytest.raises(
        RefusedError, match=r"clients\.lmdb: exists and was not written by this adapter"
    ):
        adapter.publish(entries("phish@bad.example"))
    with pytest.raises(UnavailableError):
        list(adapter.read())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["clients.lmdb"]


@pytest.mark.parametrize("text", ["bad.example REJECT\n", "", "# ours?\n"])
def test_an_administrators_text_is_never_replaced(tmp_path, text):
    (tmp_path / "senders").write_text(text)
    with pytest.raises(RefusedError, match="senders: exists"):
        adapter_on(tmp_path).publish(entries("phish@bad.example"))
    assert (tmp_path / "senders").read_text() == text


@pytest.mark.parametrize("damage", ["cut", "cut short", "emptied", "garbage", "text"])
def test_a_damaged_map_is_not_read_as_a_list_and_is_replaced(tmp_path, damage):
    adapter = adapter_on(tmp_path)
    many = [f"phish-{n}@bad.example" for n in range(5_000)]
    adapter.publish(entries(*many))
    index = tmp_path / "senders.lmdb"
    whole = index.read_bytes()
    damaged = {
        "cut": whole[: len(whole) // 2],
        "cut short": whole[:5000],
        "emptied": b"",
        "garbage": b"\xa5" * len(whole),
        "text": b"bad.example OK\n" * 1000,
    }[damage]
    index.unlink()
    index.write_bytes(damaged)
    with pytest.raises(UnavailableError, match=r"senders\.lmdb"):
        list(adapter.read())
    adapter.publish(entries(*many))
    assert held(adapter).keys() == set(many)


def test_a_swap_that_fails_between_two_maps_is_finished_by_the_next(tmp_path, monkeypatch):
    adapter = adapter_on(tmp_path)
    adapter.publish(entries("192.0.2.1", "old@bad.example"))
    replace, calls = Path.replace, []

    def fail_at_the_third(path, target):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", str(path))
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail_at_the_third)
        with pytest.raises(UnavailableError, match="No space left"):
            adapter.publish(entries("192.0.2.2", "new@bad.example"))
    assert held(adapter).keys() == {"192.0.2.2", "old@bad.example"}
    adapter.publish(entries("192.0.2.2", "new@bad.example"))
    assert held(adapter).keys() == {"192.0.2.2", "new@bad.example"}
    assert sorted(os.listdir(tmp_path)) == ["clients", "clients.lmdb", "senders", "senders.lmdb"]


def test_a_changed_action_shows_as_a_difference(tmp_path):
    adapter_on(tmp_path).publish(entries("phish@bad.example", text="listed"))
    assert held(adapter_on(tmp_path)) == {"phish@bad.example": {"text": "listed"}}
    later = adapter_on(tmp_path, action="WARN")
    assert held(later) == {"phish@bad.example": {"text": "listed", "action": "REJECT"}}


@pytest.mark.parametrize("room", [4096, 65536], ids=["no map can be begun", "it ends in a map"])
def test_a_disk_without_room_keeps_the_old_maps_and_leaves_nothing_behind(tmp_path, room):
    adapter = adapter_on(tmp_path)
    adapter.publish(entries("phish@bad.example"))
    there = sorted(os.listdir(tmp_path))
    many = entries(*(f"phish-{n}@bad.example" for n in range(20_000)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(UnavailableError, match="the old ones stay"):
            adapter.publish(many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(os.listdir(tmp_path)) == there
    assert set(held(adapter)) == {"phish@bad.example"}


def test_a_folder_that_is_not_there_is_said_in_words(tmp_path):
    adapter = adapter_on(tmp_path / "absent")
    with pytest.raises(UnavailableError, match="no such folder"):
        list(adapter.read())
    with pytest.raises(UnavailableError, match="no such folder"):
        adapter.publish([])


def test_maps_that_are_not_named_take_nothing(tmp_path):
    adapter = adapter_on(tmp_path, clients=None)
    assert not adapter.accepts(observable("192.0.2.1"))
    refused = words_on(adapter.publish(entries("192.0.2.1", "phish@bad.example")))
    assert refused == {"192.0.2.1": "the options name no map for ipv4-addr"}
    assert held(adapter).keys() == {"phish@bad.example"}


def test_files_can_be_read_by_postfix_whatever_our_umask(tmp_path):
    before = os.umask(0o077)
    try:
        adapter_on(tmp_path).publish(entries("phish@bad.example"))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


@pytest.mark.parametrize(
    "options",
    [
        {"senders": None, "clients": None},
        {"senders": "same", "clients": "same"},
        {"senders": "../senders"},
        {"senders": "senders.lmdb"},
        {"action": "OK"},
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path, options):
    with pytest.raises(ValidationError):
        adapter_on(tmp_path, **options)


KEYS = [
    ("phish@bad.example", "phish@bad.example"),
    ("o'brien+x@bad.example", "o'brien+x@bad.example"),
    ("bad.example", "bad.example"),
    ("*.bad.example", ".bad.example"),
    ("192.0.2.7", "192.0.2.7"),
    ("192.0.2.0/24", "192.0.2"),
    ("198.51.0.0/16", "198.51"),
    ("11.0.0.0/8", "11"),
    ("2001:db8::7", "2001:db8::7"),
    ("2001:db8::", "2001:db8::"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"),
    ("2001:db8::/32", "2001:db8"),
    ("2001:db8:1:2::/64", "2001:db8:1:2"),
    ("2001:db8:1:2:3:4:5:0/112", "2001:db8:1:2:3:4:5"),
]


@pytest.mark.parametrize(("value", "key"), KEYS)
def test_a_key_leads_back_to_its_observable(value, key):
    assert keys_of(observable(value)) == (key,)
    read = (
        client_of(key) if observable(value).type in {T.IPV4_ADDR, T.IPV6_ADDR} else sender_of(key)
    )
    assert read == observable(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((T.EMAIL_ADDR, value) for value in (
            "<>", "@bad.example", "user@", "bad.example", "User@bad.example", "a b@bad.example",
            '"a b"@bad.example', "#x@bad.example", "a\nb@bad.example", "a@bad.example\n",
            "a,b@bad.example", "a..b@bad.example", ".a@bad.example", "a@[192.0.2.1]",
            "a@bad", "ü@bad.example", "a@bücher.example", f"{'a' * 65}@bad.example",
            "a:b@bad.example", "a@b@bad.example", "x@ti-digest.invalid",
        )),
        *((T.DOMAIN_NAME, value) for value in (
            "", "com", "*.com", "bad.example.", ".bad.example", "Bad.example", "bad example.test",
            "bad.example OK", "bad.example\n", "-bad.example", "192.0.2.1", "*.*.example", "*",
            "bücher.example", "ti-digest.invalid", f"{'a' * 64}.example", "bad..example",
        )),
        *((T.IPV4_ADDR, value) for value in (
            "192.0.2.0/25", "192.0.0.0/12", "192.0.2.1/24", "192.0.2.1/32", "0.0.0.0/0", "192.0.2",
            "192.0.2.01", "2001:db8::1", "bad.example", "192.0.2.1\n",
        )),
        *((T.IPV6_ADDR, value) for value in (
            "2001::/16", "2001:db8::/48", "2001:db8:0:1::/64", "2001:db8::/33", "::/0",
            "2001:DB8::1", "2001:db8::1%eth0", "192.0.2.1", "2001:db8:1::/128",
        )),
        (T.URL, "http://bad.example/"),
    ],
)  # fmt: skip
def test_what_a_map_cannot_hold_safely_has_no_key(kind, value):
    with pytest.raises(ValueError, match=r"."):
        keys_of(Observable(kind, value))
    assert not adapter_on(Path()).accepts(Observable(kind, value))


@settings(deadline=None)
@given(st.sampled_from([T.EMAIL_ADDR, T.DOMAIN_NAME, T.IPV4_ADDR, T.IPV6_ADDR]), st.data())
def test_a_key_is_one_word_and_stands_for_nothing_else(kind, data):
    text = st.text(alphabet=st.characters() | st.sampled_from("a1:.@*/%\n\t #-_"), max_size=40)
    value = data.draw(text | st.from_regex(_LOOKS_RIGHT[kind]))
    try:
        keys = keys_of(Observable(kind, value))
    except ValueError:
        return
    assert all(key and not set(key) & set(' \t\r\n\0#"\\') for key in keys)
    read = client_of(keys[0]) if kind in {T.IPV4_ADDR, T.IPV6_ADDR} else sender_of(keys[0])
    assert read == Observable(kind, value)


def test_keys_of_other_hands_are_shown_and_not_hidden(tmp_path):
    adapter = adapter_on(tmp_path)
    adapter.publish([])
    for key in ("mail.bad.example", "2001:zz", "300.1"):
        _write_by_other_hands(str(tmp_path / "clients.lmdb"), key)
    assert len(held(adapter)) == 3
    assert all(fields == {"action": "OK"} for fields in held(adapter).values())


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_a_large_list_is_written_and_read_back(tmp_path, capsys, count):
    adapter = adapter_on(tmp_path)
    fields = {"text": "listed"}

    def stream() -> Iterator[Entry]:
        for n in range(count // 2):
            yield Entry(Observable(T.DOMAIN_NAME, f"host-{n:07}.bad.example"), fields)
        for n in range(count // 2):
            yield Entry(Observable(T.EMAIL_ADDR, f"sender-{n:07}@bad.example"), fields)

    started = time.perf_counter()
    adapter.publish(stream())
    published = time.perf_counter()
    assert sum(1 for _ in adapter.read()) == count
    read = time.perf_counter()
    size = (tmp_path / "senders.lmdb").stat().st_size / 1e6
    with capsys.disabled():
        sys.stdout.write(
            f"\npostfix: {count:,} entries published in {published - started:.2f} s, "
            f"read in {read - published:.2f} s, {size:.0f} MB"
        )
