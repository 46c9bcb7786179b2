"""A policy zone as a file: three real resolvers load it, and none is given what is no zone."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import sleep
from typing import ClassVar

import pytest
from connector_rpz import RpzAdapter, RpzFileAdapter, RpzSettings
from dns_answers import program
from edl_programs import free_port, open_folder, open_resolver
from outcome_words import words_on
from pydantic import ValidationError
from rpz_resolvers import RESOLVERS, Resolver

from connector.adapter import (
    Entry,
    ObservableType,
    OutputContext,
    RefusedError,
    UnavailableError,
    observable_of,
)
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context

T = ObservableType
NAMES = ["bad.example", "x.bad.example", "worse.example", "x.worse.example"]
Starts = Callable[[Path, int], AbstractContextManager[Resolver]]


def adapter_on(file: Path, **options: object) -> RpzFileAdapter:
    given = {"mode": "file", "zone": "rpz.example", "file": file, "ttl": 1}
    if shutil.which("named-checkzone") is None:
        given["check"] = (*program("named-checkzone"), "-i", "none", "-k", "ignore")
    settings = RpzSettings(**(given | options))
    made = RpzAdapter.variant(settings)(settings, output_context(settings, file.parent))
    assert isinstance(made, RpzFileAdapter)
    return made


def patient(file: Path, **options: object) -> RpzFileAdapter:
    made = adapter_on(file, **options)
    context = OutputContext("dns", file.parent, sleep=lambda _seconds: sleep(0.2))
    return RpzFileAdapter(made.settings, context)


def entries(*values: str) -> list[Entry]:
    found = [observable_of(T.IPV4_ADDR, one) or observable_of(T.DOMAIN_NAME, one) for one in values]
    made = [Entry(one) for one in found if one is not None]
    return sorted(made, key=lambda entry: (entry.type, entry.value))


def publish(adapter: RpzFileAdapter, *values: str) -> None:
    adapter.context.version += 1
    assert not adapter.publish(entries(*values))
    adapter.activate()


def serial(file: Path) -> int:
    return int(file.read_text(encoding="utf-8").partition(" SOA ")[2].split()[2])


@pytest.mark.real_server
class TestRpzFile(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "it refuses by what a value is, which other tests try",
        "fill": "a zone is as large as the disk",
        "foreign": "its file is ours alone, and published anew",
        "neighbour": "each zone is a file of its own",
        "wrong_credentials": "a file has none but the rights of its folder",
        "restart_target": "its zone is a file",
        "troubles": "a file is swapped in one step",
    }

    @pytest.fixture
    def adapter(self, tmp_path):
        folder = tmp_path / "zones"
        folder.mkdir()
        return adapter_on(folder / "rpz.zone")

    @pytest.fixture
    def row_count(self):
        return 5_000

    @pytest.fixture
    def break_target(self, adapter):
        return lambda: shutil.rmtree(adapter.settings.file.parent)


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    with open_resolver() as port:
        yield port


@pytest.fixture
def zone() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder / "rpz.example.zone"


@pytest.mark.real_server
@pytest.mark.parametrize("name", RESOLVERS)
def test_a_resolver_answers_by_the_file_until_an_entry_left_it(
    name: str, zone: Path, behind: int
) -> None:
    publish(adapter_on(zone))
    with RESOLVERS[name](zone, behind) as resolver:
        at = {"reload": resolver.reload, "resolvers": (f"127.0.0.1#{resolver.port}",)}
        adapter = patient(zone, **at)
        adapter.context.version = 1
        assert [resolver.ask(each)[0] for each in NAMES] == ["NOERROR"] * 4
        publish(adapter, "bad.example", "*.worse.example")
        told = ["NXDOMAIN", "NOERROR", "NOERROR", "NXDOMAIN"]
        resolver.until(NAMES[0], told[0])  # which may be in its cache
        resolver.until(NAMES[3], told[3])
        assert [resolver.ask(each)[0] for each in NAMES] == told
        publish(adapter, "*.worse.example")
        resolver.until("bad.example", "NOERROR")
        assert resolver.ask("x.worse.example")[0] == "NXDOMAIN"
        if name != "knot":  # which knows names alone
            publish(adapter, "203.0.113.0/24")
            resolver.until("bad.example", "NXDOMAIN")  # once its cache lets go of it
        sinks = ["198.51.100.9"]
        sinkhole = patient(zone, **at, action="sinkhole", sinkhole=sinks)
        sinkhole.context.version = 9
        publish(sinkhole, "bad.example")
        resolver.until("bad.example", "NOERROR", sinks)


@pytest.mark.real_server
def test_what_is_no_zone_is_never_put_in_place(tmp_path, monkeypatch):
    adapter = adapter_on(tmp_path / "rpz.zone")
    publish(adapter, "bad.example")
    before = (tmp_path / "rpz.zone").read_text(encoding="utf-8")
    monkeypatch.setattr("connector_rpz.zone_file.owner_of", lambda _one: "not..a.name")
    with pytest.raises(UnavailableError, match="empty label"):
        adapter.publish(entries("worse.example"))
    assert (tmp_path / "rpz.zone").read_text(encoding="utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["rpz.zone"]


def test_the_serial_grows_with_each_version_also_after_a_lost_state(tmp_path: Path) -> None:
    file = tmp_path / "rpz.zone"
    over = [(2**31 + 1, 2**31 + 1), (2**32, 0), (3, 3)]  # serials are compared on a circle
    for version, told in [(7, 7), (8, 8), (1, 9), (2**32 + 5, 10), *over]:
        adapter = adapter_on(file, check=("true",))
        adapter.context.version = version
        adapter.publish([])
        assert serial(file) == told


def test_a_reload_that_fails_is_told_and_tried_again_by_itself(tmp_path: Path) -> None:
    adapter = adapter_on(
        tmp_path / "rpz.zone", check=("true",), reload=("sh", "-c", "echo no; false")
    )
    assert not adapter.publish(entries("bad.example"))
    with pytest.raises(UnavailableError, match="echo no; false: no"):
        adapter.activate()


def test_nothing_is_written_before_a_resolver_answers_by_it(tmp_path: Path, behind: int) -> None:
    adapter = adapter_on(tmp_path / "rpz.zone", check=("true",), resolvers=(f"127.0.0.1#{behind}",))
    assert not adapter.publish(entries("bad.example"))
    with pytest.raises(UnavailableError, match="was not done after 60 seconds"):
        adapter.activate()
    nobody = (f"127.0.0.1#{free_port()}",)
    away = adapter_on(tmp_path / "rpz.zone", check=("true",), resolvers=nobody)
    with pytest.raises(UnavailableError, match="resolver 127"):
        away.activate()


def test_what_others_do_to_the_file_changes_the_stamp_and_shows(tmp_path: Path) -> None:
    file = tmp_path / "rpz.zone"
    adapter = adapter_on(file, check=("true",))
    adapter.publish(entries("bad.example", "192.0.2.0/24"))
    before = adapter.stamp()
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("bad.example CNAME .", "bad.example CNAME rpz-passthru.\nodd"))
    assert adapter.stamp() != before
    told = {held.value: held.fields["action"] for held in adapter.read()}
    assert told == {"192.0.2.0/24": "CNAME .", "bad.example": "CNAME rpz-passthru.", "odd": " "}
    (tmp_path / "rpz.zone").write_text("@ SOA by.hand. . 1 1 1 1 1\n")
    with pytest.raises(RefusedError, match="was not written by this output"):
        adapter.publish([])


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        (" 5 3600", " 5 3600", True),
        (".v5.", ".v6.", False),
        ("$ORIGIN rpz", "$ORIGIN old.rpz", False),
        ("$TTL 1", "$TTL 9", False),
        ("@ NS localhost.\n", "", False),
        ("@ NS", "@ A 192.0.2.1\n@ NS", False),
    ],
)
def test_what_others_do_above_the_entries_shows_on_each(
    tmp_path: Path, ours: str, theirs: str, same: bool
) -> None:
    file, listed = tmp_path / "rpz.zone", entries("bad.example", "192.0.2.0/24")
    adapter = adapter_on(file, check=("true",))
    adapter.context.version = 5
    adapter.publish(listed)
    text = file.read_text(encoding="utf-8")
    assert ours in text
    file.write_text(text.replace(ours, theirs), encoding="utf-8")
    as_held = {one.observable: one.fields for one in map(adapter.as_held, listed)}
    found = {one.observable: one.fields for one in adapter.read()}
    assert found.keys() == as_held.keys()
    assert [found[one] == as_held[one] for one in found] == [same, same]


def test_a_name_that_does_not_fit_is_refused_and_the_others_are_written(tmp_path: Path) -> None:
    adapter = adapter_on(tmp_path / "rpz.zone", check=("true",))
    long = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 50, "example"])
    assert "at most 255" in words_on(adapter.publish(entries("bad.example", long)))[long]
    assert [held.value for held in adapter.read()] == ["bad.example"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"servers": ["192.0.2.53"]}, "mode file needs file, and neither servers nor a key"),
        ({"mode": "update"}, "mode update needs servers, key_name and key_secret, and no file"),
        ({"resolvers": ["localhost"]}, "should be an address"),
    ],
)
def test_options_of_the_other_mode_are_refused(tmp_path: Path, options, words) -> None:
    with pytest.raises(ValidationError, match=words):
        adapter_on(tmp_path / "rpz.zone", **options)
