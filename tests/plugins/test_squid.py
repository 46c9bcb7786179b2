"""Access lists of Squid: the real one denies what is listed, and is never given what ends it."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

import pytest
from connector_squid import SquidAdapter, SquidSettings
from connector_squid.lines import BELOW_ALONE
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_words import words_on
from pydantic import ValidationError
from squid_host import SquidHost, require_squid, squid

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
LABELS = st.sampled_from(["a", "b", "www", "bad", "worse"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))
DOMAINS = st.sets(st.tuples(st.sampled_from(["", "*."]), NAMES).map("".join), max_size=40)
V4 = st.tuples(st.integers(0, 15), st.integers(24, 32)).map(
    lambda drawn: str(ip_network((f"203.0.113.{drawn[0] * 16}", drawn[1]), strict=False))
)
V6 = st.tuples(st.integers(0, 15), st.integers(16, 128)).map(
    lambda drawn: str(ip_network((f"2001:db8::{drawn[0]:x}000", drawn[1]), strict=False))
)
PREFIXES = st.sets(st.one_of(V4, V6), max_size=30)


def observable(value: str) -> Observable:
    if ":" in value:
        return Observable(T.IPV6_ADDR, value.removesuffix("/128"))
    if value.replace(".", "").replace("/", "").isdigit():
        return Observable(T.IPV4_ADDR, value.removesuffix("/32"))
    return Observable(T.DOMAIN_NAME, value)


def entries(*values: str) -> list[Entry]:
    made = [Entry(observable(value)) for value in values]
    return sorted(made, key=lambda entry: (entry.type, entry.value))


def adapter_on(folder: Path, **options: object) -> SquidAdapter:
    files = {"domains": folder / "domains.txt", "addresses": folder / "addresses.txt"}
    return SquidAdapter(SquidSettings(**(files | options)), OutputContext("web", folder))


def held(adapter: SquidAdapter) -> list[str]:
    return sorted(one.value for one in adapter.read())


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]


@pytest.fixture
def host() -> Iterator[SquidHost]:
    with squid() as running:
        yield running


@pytest.fixture
def adapter(host: SquidHost) -> SquidAdapter:
    return adapter_on(host.domains.parent, squid=host.command)


@pytest.fixture(scope="module")
def shared() -> Iterator[SquidHost]:
    """A Squid that nobody asks for a page, so that tests need not wait for what it reads."""
    with squid() as running:
        yield running


@pytest.mark.real_server
class TestSquid(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "it refuses by what a value is, which other tests try",
        "fill": "a list is as large as the disk",
        "foreign": "its lists are ours alone, and published anew",
        "neighbour": "each list is a file of its own",
        "wrong_credentials": "files have none but the rights of their folder",
        "restart_target": "its lists are files",
        "troubles": "a list is swapped in one step, and Squid answers all or nothing",
    }

    @pytest.fixture
    def adapter(self, shared):
        folder = shared.domains.parent
        for path in (shared.domains, shared.addresses):
            path.write_text("", encoding="utf-8")
        yield adapter_on(folder, squid=shared.command, below_alone="widen")
        folder.mkdir(exist_ok=True)

    @pytest.fixture
    def break_target(self, shared):
        return lambda: shutil.rmtree(shared.domains.parent)


@pytest.mark.real_server
def test_a_listed_name_or_address_is_denied_until_it_is_removed(host, adapter):
    asked = ["bad.example", "203.0.113.7", "by-address.example", "fine.example", "x.bad.example"]
    host.until("bad.example", 200)
    assert [host.status(name) for name in asked] == [200, 200, 200, 200, 200]
    adapter.publish(entries("bad.example", "203.0.113.0/24"))
    adapter.activate()
    host.until("bad.example", 403)
    assert [host.status(name) for name in asked] == [403, 403, 403, 200, 200]
    adapter.publish(entries("203.0.113.7"))
    adapter.activate()
    host.until("bad.example", 200)
    assert [host.status(name) for name in asked] == [200, 403, 200, 200, 200]


@pytest.mark.real_server
def test_a_domain_and_the_names_below_it_are_one_line_and_two_entries(host, adapter):
    adapter.publish(entries("bad.example", "*.bad.example", "www.bad.example"))
    adapter.activate()
    host.until("any.bad.example", 403)
    assert host.status("bad.example") == 403
    assert lines(host.domains) == [".bad.example"]
    assert held(adapter) == ["*.bad.example", "bad.example", "www.bad.example"]


@pytest.mark.real_server
def test_a_prefix_is_denied_as_a_whole_whichever_of_its_addresses_is_listed_too(host, adapter):
    adapter.publish(entries("203.0.113.0", "203.0.113.0/24", "203.0.113.7"))
    adapter.activate()
    host.until("203.0.113.9", 403)
    assert lines(host.addresses) == ["203.0.113.0/24"]
    assert held(adapter) == ["203.0.113.0", "203.0.113.0/24", "203.0.113.7"]


@pytest.mark.real_server
def test_squid_takes_all_that_is_written_without_a_word(tmp_path):
    require_squid()
    adapter = adapter_on(tmp_path, below_alone="widen")
    config = tmp_path / "squid.conf"
    config.write_text(
        f'visible_hostname t\nacl d dstdomain "{tmp_path}/domains.txt"\n'
        f'acl a dst "{tmp_path}/addresses.txt"\n'
    )

    @settings(max_examples=25, deadline=None)
    @given(DOMAINS, PREFIXES)
    def holds(domains: set[str], prefixes: set[str]) -> None:
        wanted = entries(*domains, *prefixes)
        assert adapter.publish(wanted) == {}
        said = subprocess.run(
            ["squid", "-k", "parse", "-f", config], capture_output=True, text=True, check=True
        ).stderr
        assert not re.findall(r"subdomain|subnetwork|ignored|masks away", said)
        assert held(adapter) == sorted(entry.value for entry in wanted)

    holds()


@pytest.mark.real_server
def test_a_list_that_squid_would_not_take_is_never_published(tmp_path, monkeypatch):
    require_squid()
    adapter = adapter_on(tmp_path)
    adapter.publish(entries("bad.example"))
    monkeypatch.setattr("connector_squid.domain_lines", lambda *_: ["a.b.example", ".b.example"])
    with pytest.raises(UnavailableError, match="FATAL: Bungled"):
        adapter.publish(entries("worse.example"))
    assert lines(tmp_path / "domains.txt") == ["bad.example"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["addresses.txt", "domains.txt"]


@pytest.mark.real_server
def test_a_broken_configuration_is_never_taken_up_and_squid_lives(host, adapter):
    sound = host.config.read_text(encoding="utf-8")
    adapter.publish(entries("bad.example"))
    try:
        host.config.write_text(f"{sound}http_access deny no_such_acl\n", encoding="utf-8")
        with pytest.raises(UnavailableError, match="squid -k parse: FATAL: Bungled"):
            adapter.activate()
    finally:
        host.config.write_text(sound, encoding="utf-8")
    assert host.alive
    assert host.status("bad.example") == 200
    adapter.activate()
    host.until("bad.example", 403)


@pytest.mark.real_server
def test_a_file_that_no_acl_names_is_no_success(host, tmp_path):
    adapter = adapter_on(tmp_path, squid=host.command)
    adapter.publish(entries("bad.example"))
    with pytest.raises(UnavailableError, match=r"no acl of squid.conf names the file"):
        adapter.activate()


def test_an_empty_file_that_no_acl_names_any_more_is_given_up_without_a_word(
    tmp_path: Path,
) -> None:
    """As where squid.conf has its lines out before the output is, or names another file."""
    adapter = adapter_on(tmp_path, squid=fake(tmp_path))
    adapter.publish(entries("bad.example"))
    with pytest.raises(UnavailableError, match=r"no acl of squid.conf names the file"):
        adapter.activate()
    adapter.publish([])
    adapter.activate()


def fake(folder: Path) -> tuple[str, ...]:
    """A command in Squid's place that takes everything."""
    program = folder / "squid"
    program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    program.chmod(0o755)
    return (str(program),)


def emptied(path: Path) -> None:
    path.write_text("", encoding="utf-8")


def deleted(path: Path) -> None:
    path.unlink()


def without_its_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("\n.bad.example\n", "\n"), encoding="utf-8")


def with_another_line(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(".Worse.example\n")


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (emptied, []),
        (deleted, []),
        (without_its_line, []),
        (with_another_line, ["*.bad.example", "*.worse.example", "bad.example"]),
    ],
)
def test_what_others_do_to_a_file_changes_the_stamp_and_shows(
    tmp_path: Path, harm: Callable[[Path], None], found: list[str]
) -> None:
    adapter = adapter_on(tmp_path, squid=fake(tmp_path))
    adapter.publish(entries("bad.example", "*.bad.example"))
    before = adapter.stamp()
    harm(tmp_path / "domains.txt")
    assert adapter.stamp() != before
    assert held(adapter) == found


def test_the_names_below_a_domain_alone_are_refused_or_widened_and_never_those_of_a_parent(
    tmp_path: Path,
) -> None:
    asked = entries("*.bad.example", "*.x.worse.example", "worse.example", "*.worse.example")
    adapter = adapter_on(tmp_path, squid=fake(tmp_path))
    assert words_on(adapter.publish(asked)) == {"*.bad.example": BELOW_ALONE}
    assert held(adapter) == ["*.worse.example", "*.x.worse.example", "worse.example"]
    widens = adapter_on(tmp_path, squid=fake(tmp_path), below_alone="widen")
    assert widens.publish(asked) == {}
    assert held(widens) == sorted(entry.value for entry in asked)
    assert lines(tmp_path / "domains.txt") == [".bad.example", ".worse.example"]


def test_a_file_of_others_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "domains.txt").write_text(".by-hand.example\n", encoding="utf-8")
    adapter = adapter_on(tmp_path, squid=fake(tmp_path))
    with pytest.raises(RefusedError, match="was not written by this output"):
        adapter.publish(entries("bad.example"))
    assert (tmp_path / "domains.txt").read_text(encoding="utf-8") == ".by-hand.example\n"


def test_a_program_that_is_missing_is_told_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="set the option squid"):
        adapter_on(tmp_path, squid=("no-such-squid",)).publish(entries("bad.example"))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "name at least one file"),
        ({"domains": "/x/a.txt", "addresses": "/x/a.txt"}, "should be different files"),
        ({"domains": '/x/a".txt'}, "should have no spaces"),
    ],
)
def test_options_that_cannot_work_are_refused(files, words):
    with pytest.raises(ValidationError, match=words):
        SquidSettings(**files)
