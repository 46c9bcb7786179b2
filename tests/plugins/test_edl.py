"""The polled list keeps an adapter's promises and writes each dialect to the byte."""

import os
import re
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from connector_edl import EdlAdapter, EdlSettings
from outcome_words import as_entries, words_on
from pydantic import ValidationError

from connector.adapter import (
    Entry,
    Observable,
    ObservableType,
    OutputContext,
    UnavailableError,
    families_of,
)
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.samples.entries import sample_values

GOLDEN = Path(__file__).parent.parent / "golden" / "edl"
ADDRESSES = ["ipv4-addr", "ipv6-addr"]

V4, V6 = ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR
DOMAIN, URL = ObservableType.DOMAIN_NAME, ObservableType.URL
SHA256 = ObservableType.FILE_SHA256


def edl(folder: Path, **options: object) -> EdlAdapter:
    settings = EdlSettings.model_validate({"file": "list.txt", **options})
    return EdlAdapter(settings, OutputContext("edge", folder))


def entries(kind: ObservableType, *values: str, **fields: str) -> list[Entry]:
    return [Entry(Observable(kind, value), fields) for value in values]


def lines(folder: Path) -> list[str]:
    return (folder / "list.txt").read_text(encoding="utf-8").splitlines()


def shown(adapter: EdlAdapter) -> list[tuple[str, str]]:
    return [(entry.type.value, entry.value) for entry in adapter.read()]


class EdlSuite(AdapterSuite):
    impossible: ClassVar = {
        "refuse": "a file refuses by what a value is, which other tests try",
        "fill": "a file is as large as the disk, which another test fills",
        "wrong_credentials": "files have none but the rights of their folder",
        "restart_target": "a file outlives its server",
        "troubles": "a file is swapped in one step, which other tests break off",
    }

    @pytest.fixture
    def neighbour(self, adapter: EdlAdapter) -> EdlAdapter:
        options = adapter.settings.model_copy(update={"file": "another.txt"})
        return EdlAdapter(options, adapter.context)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "published"

    @pytest.fixture
    def foreign(self, folder: Path) -> Callable[[Entry], None]:
        def by_hand(entry: Entry) -> None:
            with (folder / "list.txt").open("a", encoding="utf-8") as file:
                file.write(f"{entry.value}\n")

        return by_hand

    @pytest.fixture
    def break_target(self, folder: Path) -> Callable[[], None]:
        def put_a_file_where_the_folder_was() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.write_text("no folder any more")

        return put_a_file_where_the_folder_was


class TestPlain(EdlSuite):
    @pytest.fixture(params=families_of(ObservableType), ids=min)
    def adapter(self, folder: Path, request: pytest.FixtureRequest) -> EdlAdapter:
        return edl(folder, types=request.param)

    @pytest.fixture
    def foreign(self, folder: Path) -> Callable[[Entry], None]:
        def by_hand(entry: Entry) -> None:
            system = entry.type is ObservableType.AUTONOMOUS_SYSTEM
            with (folder / "list.txt").open("a", encoding="utf-8") as file:
                file.write(f"{'AS' if system else ''}{entry.value}\n")

        return by_hand


class TestPanosAddressesWithComments(EdlSuite):
    @pytest.fixture
    def adapter(self, folder: Path) -> EdlAdapter:
        return edl(folder, format="panos", types=ADDRESSES, comments=True)


class TestPanosDomains(EdlSuite):
    @pytest.fixture
    def adapter(self, folder: Path) -> EdlAdapter:
        return edl(folder, format="panos", types=["domain-name"], empty="hold")


class TestPanosUrls(EdlSuite):
    @pytest.fixture
    def adapter(self, folder: Path) -> EdlAdapter:
        return edl(folder, format="panos", types=["url"], empty="comment")


class TestFortigateAddresses(EdlSuite):
    @pytest.fixture
    def adapter(self, folder: Path) -> EdlAdapter:
        return edl(folder, format="fortigate", types=ADDRESSES)


class TestFortigateUrls(EdlSuite):
    @pytest.fixture
    def adapter(self, folder: Path) -> EdlAdapter:
        return edl(folder, format="fortigate", types=["url"])


class TestFortigateHashesWithComments(EdlSuite):
    @pytest.fixture
    def adapter(self, folder: Path) -> EdlAdapter:
        return edl(folder, format="fortigate", types=["file-sha256"], comments=True)


ADDRESS_ENTRIES = [
    *entries(V4, "192.0.2.7", comment="ais # 2026-01-02"),
    *entries(V4, "198.51.100.0/24", comment="two\nlines,\ttab"),
    *entries(V4, "203.0.113.9"),
    *entries(V6, "2001:db8::7", "2001:db8:1::/64", comment="caf\u00e9"),
]
DOMAIN_ENTRIES = entries(DOMAIN, "*.worse.example", "bad.example", "xn--bcher-kva.example")
URL_ENTRIES = entries(
    URL,
    "bad.example/scheme-less",
    "http://203.0.113.7/",
    "http://[2001:db8::7]/x",
    "http://bad.example/",
    "http://bad.example/a/b.php?x=1&y=2",
    "https://bad.example/a/b.php?x=1&y=2",
    "https://bare.example",
    "https://bare.example?q=1",
    "https://default-port.example:443/a",
    "https://user@bad.example/b",
)
GOLDEN_CASES: dict[str, tuple[dict[str, object], list[Entry]]] = {
    "plain-addresses": ({}, ADDRESS_ENTRIES),
    "plain-domains": ({"types": ["domain-name"]}, DOMAIN_ENTRIES),
    "plain-urls": ({"types": ["url"]}, URL_ENTRIES),
    "plain-systems": (
        {"types": ["autonomous-system"]},
        entries(ObservableType.AUTONOMOUS_SYSTEM, "4200000001", "64496"),
    ),
    "plain-mutexes": (
        {"types": ["mutex"]},
        entries(ObservableType.MUTEX, "Global\\sample", "invoice.exe", "sample 1"),
    ),
    "panos-addresses": ({"format": "panos", "types": ADDRESSES}, ADDRESS_ENTRIES),
    "panos-addresses-comments": (
        {"format": "panos", "types": ADDRESSES, "comments": True},
        ADDRESS_ENTRIES,
    ),
    "panos-domains": ({"format": "panos", "types": ["domain-name"]}, DOMAIN_ENTRIES),
    "panos-urls": ({"format": "panos", "types": ["url"]}, URL_ENTRIES),
    "fortigate-addresses": ({"format": "fortigate", "types": ADDRESSES}, ADDRESS_ENTRIES),
    "fortigate-domains": ({"format": "fortigate", "types": ["domain-name"]}, DOMAIN_ENTRIES),
    "fortigate-urls": ({"format": "fortigate", "types": ["url"]}, URL_ENTRIES),
    "fortigate-hashes-comments": (
        {"format": "fortigate", "types": ["file-sha256"], "comments": True},
        entries(SHA256, "0" * 63 + "1", comment="AIS  sample", severity="high"),
    ),
    "empty-plain": ({}, []),
    "empty-panos-addresses": ({"format": "panos", "types": ADDRESSES}, []),
    "empty-panos-domains": ({"format": "panos", "types": ["domain-name"]}, []),
    "empty-panos-urls": ({"format": "panos", "types": ["url"]}, []),
    "empty-comment": ({"empty": "comment"}, []),
    "empty-plain-texts": ({"types": ["mutex"], "empty": "sentinel"}, []),
}


@pytest.mark.parametrize("name", GOLDEN_CASES)
def test_each_dialect_is_written_to_the_byte(name: str, tmp_path: Path) -> None:
    options, listed = GOLDEN_CASES[name]
    adapter = edl(tmp_path, **options)
    adapter.publish(iter(listed))
    written, golden = (tmp_path / "list.txt").read_bytes(), GOLDEN / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_bytes(written)
    assert written == golden.read_bytes()
    assert as_entries(adapter.read()) == listed


@pytest.mark.parametrize(
    ("options", "value", "words"),
    [
        ({"format": "panos", "types": ["url"]}, "http://bad.example:8080/a", "names a port"),
        ({"format": "panos", "types": ["url"]}, "bad.example:80/a", "names a port"),
        ({"format": "panos", "types": ["url"]}, "http://bad.example/a#b", "has a fragment"),
        ({"format": "panos", "types": ["url"]}, "http://bad.example/*", r"contains \* or \^"),
        ({"format": "panos", "types": ["url"]}, "http://bad.example/^", r"contains \* or \^"),
        ({"format": "panos", "types": ["url"]}, "ftp://bad.example/a", "not an ASCII web"),
        (
            {"format": "panos", "types": ["url"]},
            "http://bad.example/a b",
            "not an ASCII web",
        ),
        (
            {"format": "panos", "types": ["url"]},
            "http://caf\u00e9.example/",
            "not an ASCII web",
        ),
        ({"format": "panos", "types": ["url"]}, f"http://b.example/{'a' * 245}", "longer than"),
        ({"format": "fortigate", "types": ["url"]}, "http://bad.example/*", r"contains \*"),
        ({"format": "fortigate", "types": ["url"]}, "#bad.example/", "not an ASCII web"),
        ({"types": ["url"]}, "http://bad.example/a b", "contains a space"),
        ({"types": ["email-addr"]}, '"x@good.example"@bad.example', "quoted local part"),
        ({"types": ["mutex"]}, "# sample", "take for a comment"),
        ({"types": ["mutex"]}, " sample", "starts or ends with a space"),
        ({"types": ["mutex"]}, "a\nb", "line break"),
        ({"types": ["mutex"]}, "a\ud800b", "line break or control"),
        ({"types": ["ipv4-addr"]}, "192.0.2.1 0.0.0.0/0", "not an address"),
        ({"types": ["domain-name"]}, "*", "not a domain name"),
        ({"types": ["domain-name"]}, "bad.example\n*.test", "not a domain name"),
        ({"types": ["mutex"]}, "8.8.8.8", "read as an address"),
        ({"types": ["file-name"]}, "0.0.0.0/0", "read as an address"),
        ({"types": ["mutex"]}, "gov", "read as a domain name"),
        ({"types": ["mutex"]}, "*", "take for a wildcard"),
        ({"types": ["mutex"]}, "AS15169", "read as an AS number"),
        ({"types": ["url"]}, "http://bad.example/*", "take for a wildcard"),
        ({"types": ["url"]}, "203.0.113.0/24", "read as a prefix"),
        ({"types": ["email-addr"]}, "*@bad.example", "read as a wildcard"),
        ({"types": ["file-md5"]}, "0" * 32, "read as a number"),
        ({"format": "panos", "types": ["url"]}, "http://0.0.0.0/0", "read as a prefix"),
        ({"format": "panos", "types": ["url"]}, "a@bad.example", "read as an e-mail address"),
        ({"format": "fortigate", "types": ["url"]}, "0.0.0.0/0", "read as a prefix"),
        ({"format": "fortigate", "types": ["domain-name"]}, "1.2.3.4", "not a domain name"),
    ],
)
def test_a_value_without_an_exact_line_is_refused_in_words_and_the_rest_published(
    options: dict[str, list[str]], value: str, words: str, tmp_path: Path
) -> None:
    adapter = edl(tmp_path, **options)
    kind = ObservableType(options["types"][0])
    good = {
        V4: "192.0.2.7", DOMAIN: "bad.example", URL: "bad.example/good",
        ObservableType.EMAIL_ADDR: "a@bad.example", ObservableType.FILE_MD5: "a" * 32,
    }.get(kind, "good")  # fmt: skip
    listed = [*entries(kind, value), *entries(kind, good)]
    refused = words_on(adapter.publish(iter(listed)))
    assert re.search(words, refused[value])
    assert len(lines(tmp_path)) == 1
    assert as_entries(adapter.read()) == entries(kind, good)


def test_a_panos_url_of_254_characters_is_whole(tmp_path: Path) -> None:
    adapter = edl(tmp_path, format="panos", types=["url"])
    adapter.publish(iter(entries(URL, f"https://b.example/{'a' * 244}")))
    assert [len(line) for line in lines(tmp_path)] == [254]


def test_two_schemes_of_one_page_share_a_line_and_stay_two_entries(tmp_path: Path) -> None:
    adapter = edl(tmp_path, format="panos", types=["url"])
    both = entries(URL, "http://bad.example/a", "https://bad.example/a")
    adapter.publish(iter(both))
    assert lines(tmp_path) == ["bad.example/a"]
    assert as_entries(adapter.read()) == both
    adapter.publish(iter(both[:1]))
    assert lines(tmp_path) == ["bad.example/a"]
    assert as_entries(adapter.read()) == both[:1]


def test_lines_added_and_lost_by_other_hands_are_seen_and_nothing_else(tmp_path: Path) -> None:
    adapter = edl(tmp_path, format="panos", types=["url"])
    adapter.publish(iter(URL_ENTRIES))
    text = (tmp_path / "list.txt").read_text()
    changed = text.replace("bad.example/scheme-less\n", "") + "theirs.example/x\n\n# note\n"
    (tmp_path / "list.txt").write_text(changed)
    expected = [*URL_ENTRIES[1:], *entries(URL, "theirs.example/x", comment="")]
    assert as_entries(adapter.read()) == expected


def test_a_comment_changed_by_other_hands_is_seen(tmp_path: Path) -> None:
    adapter = edl(tmp_path, format="panos", types=ADDRESSES, comments=True)
    adapter.publish(iter(entries(V4, "192.0.2.7", comment="ours")))
    (tmp_path / "list.txt").write_text("192.0.2.7 theirs\n")
    assert as_entries(adapter.read()) == entries(V4, "192.0.2.7", comment="theirs")


@pytest.mark.parametrize("text", ["255.0.0.0", "/0", "- 203.0.113.255", "8"])
def test_a_comment_is_no_mask_and_no_end_of_a_range(text: str, tmp_path: Path) -> None:
    adapter = edl(tmp_path, format="panos", types=ADDRESSES, comments=True)
    listed = entries(V4, "192.0.2.7", comment=text)
    adapter.publish(iter(listed))
    assert lines(tmp_path) == [f"192.0.2.7 # {text}"]
    assert as_entries(adapter.read()) == listed


def test_a_file_whose_line_ends_others_changed_is_no_file_of_ours(tmp_path: Path) -> None:
    adapter = edl(tmp_path, types=["domain-name"])
    adapter.publish(iter(DOMAIN_ENTRIES))
    (tmp_path / "list.txt").write_bytes(b"*.worse.example\r\nbad.example\r\n")
    assert as_entries(adapter.read()) == entries(
        DOMAIN, "*.worse.example", "bad.example", comment=""
    )


@pytest.mark.parametrize(
    ("types", "line", "expected"),
    [
        (ADDRESSES, "192.0.2.7", ("ipv4-addr", "192.0.2.7")),
        (ADDRESSES, "2001:db8::/32", ("ipv6-addr", "2001:db8::/32")),
        (["domain-name"], "8.8.8.8", ("domain-name", "8.8.8.8")),
        (["autonomous-system"], "AS64496", ("autonomous-system", "64496")),
    ],
)
def test_foreign_lines_are_read_as_the_family_that_the_file_holds(
    types: list[str], line: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text(f"{line}\r\n")
    assert shown(edl(tmp_path, types=types)) == [expected]


def test_a_lost_file_is_read_as_empty_and_a_lost_record_by_its_lines(tmp_path: Path) -> None:
    adapter = edl(tmp_path, format="panos", types=["domain-name"])
    adapter.publish(iter(DOMAIN_ENTRIES))
    for record in tmp_path.glob(".list.txt.*.entries"):
        record.unlink()
    assert shown(adapter) == [("domain-name", entry.value) for entry in DOMAIN_ENTRIES]
    (tmp_path / "list.txt").unlink()
    assert as_entries(adapter.read()) == []


def test_a_list_whose_name_begins_with_anothers_leaves_that_ones_record_alone(
    tmp_path: Path,
) -> None:
    options = {"format": "panos", "types": ["url"]}
    longer = edl(tmp_path, file="list.txt", **options)
    shorter = edl(tmp_path, file="list", **options)
    held = entries(ObservableType.URL, "https://bad.example/a")
    longer.publish(held)
    shorter.publish(entries(ObservableType.URL, "https://other.example/"))
    assert as_entries(longer.read()) == held


def test_the_filler_of_an_empty_list_is_no_entry_even_without_its_record(tmp_path: Path) -> None:
    adapter = edl(tmp_path, format="panos", types=ADDRESSES)
    adapter.publish(iter([]))
    assert lines(tmp_path) == ["192.0.2.1"]
    for record in tmp_path.glob(".list.txt.*.entries"):
        record.unlink()
    assert as_entries(adapter.read()) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"format": "plain", "types": ["url"]}, {"format": "panos", "types": ["url"]}),
        ({"format": "panos", "types": ["url"]}, {"format": "plain", "types": ["url"]}),
        ({"format": "panos", "types": ["url"]}, {"format": "fortigate", "types": ["url"]}),
    ],
)
def test_a_change_of_dialect_shows_in_every_entry_and_loses_none(
    before: dict[str, object], after: dict[str, object], tmp_path: Path
) -> None:
    edl(tmp_path, **before).publish(iter(URL_ENTRIES))
    found = as_entries(edl(tmp_path, **after).read())
    assert [entry.observable for entry in found] == [entry.observable for entry in URL_ENTRIES]
    assert {entry.fields["comment"] for entry in found} == {f"written as {before['format']}"}


def test_comments_switched_on_show_as_a_difference_and_are_then_written(tmp_path: Path) -> None:
    commented = entries(V4, "192.0.2.7", comment="ais")
    edl(tmp_path, format="panos", types=ADDRESSES).publish(iter(commented))
    adapter = edl(tmp_path, format="panos", types=ADDRESSES, comments=True)
    assert as_entries(adapter.read()) == entries(V4, "192.0.2.7", comment="written as panos")
    adapter.publish(iter(commented))
    assert as_entries(adapter.read()) == commented
    assert lines(tmp_path) == ["192.0.2.7 ais"]


def test_a_damaged_record_is_not_believed(tmp_path: Path) -> None:
    adapter = edl(tmp_path)
    adapter.publish(iter(ADDRESS_ENTRIES))
    (record,) = tmp_path.glob(".list.txt.*.entries")
    with record.open("a") as file:
        file.write("no-such-type\tx\n")
    with pytest.raises(UnavailableError, match="damaged; remove it"):
        list(adapter.read())


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("killed_at", ["record", "file"])
def test_a_kill_between_the_two_renames_leaves_the_old_list_readable(
    killed_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = edl(tmp_path, format="panos", types=["url"])
    adapter.publish(iter(URL_ENTRIES))
    rename = Path.replace

    def rename_or_die(source: Path, target: Path) -> Path:
        if (target.name == "list.txt") == (killed_at == "file"):
            raise _KilledError
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", rename_or_die)
    with pytest.raises(_KilledError):
        adapter.publish(iter(URL_ENTRIES[:2]))
    monkeypatch.undo()
    assert as_entries(adapter.read()) == URL_ENTRIES
    adapter.publish(iter(URL_ENTRIES[:2]))
    assert as_entries(adapter.read()) == URL_ENTRIES[:2]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def small_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_a_disk_without_room_keeps_the_old_list_and_leaves_nothing_behind(tmp_path: Path) -> None:
    adapter = edl(tmp_path)
    adapter.publish(iter(ADDRESS_ENTRIES))
    many = entries(
        V4, *(f"198.51.100.{n}" for n in range(250)), *(f"192.0.2.{n}" for n in range(250))
    )
    with pytest.raises(UnavailableError, match=r"list\.txt: File too large"):
        adapter.publish(iter(many))
    assert as_entries(adapter.read()) == ADDRESS_ENTRIES
    assert len(list(tmp_path.iterdir())) == 2


def test_files_are_for_the_service_and_its_group_only_and_folders_are_made(tmp_path: Path) -> None:
    adapter = edl(tmp_path, file="edge/county/list.txt")
    adapter.publish(iter(ADDRESS_ENTRIES))
    folder = tmp_path / "edge" / "county"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}
    assert stat.S_IMODE(folder.stat().st_mode) & 0o027 == 0
    assert stat.S_IMODE(folder.parent.stat().st_mode) & 0o027 == 0


def test_a_held_back_empty_list_is_marked_for_the_server_until_it_has_entries(
    tmp_path: Path,
) -> None:
    adapter = edl(tmp_path, empty="hold")
    adapter.publish(iter([]))
    assert (tmp_path / ".list.txt.hold").exists()
    assert lines(tmp_path) == []
    adapter.publish(iter(ADDRESS_ENTRIES))
    assert not (tmp_path / ".list.txt.hold").exists()


@pytest.mark.parametrize(
    "file",
    [
        *("", "/etc/passwd", "../list.txt", "a/../b", ".hidden", "a/.b", "a//b"),
        *("-rf", "a b", "a\nb", "a\\b", "a\x00b"),
    ],
)
def test_a_file_outside_the_publish_folder_cannot_be_named(file: str) -> None:
    with pytest.raises(ValidationError, match="below publish_folder"):
        EdlSettings(file=file)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "panos"}, r"set types to \[ipv4-addr, ipv6-addr\] or \[domain-name\]"),
        ({"format": "panos", "types": ["ipv4-addr", "url"]}, "has one type a file"),
        ({"format": "panos", "types": ["file-md5"]}, "has one type a file"),
        ({"format": "fortigate", "types": ["file-md5", "file-sha1"]}, "has one type a file"),
        ({"types": ["ipv4-addr", "domain-name"]}, "has one family of types"),
        ({"types": ["file-sha1", "x509-sha1"]}, "has one family of types"),
        ({"types": ["mutex", "file-name"]}, "has one family of types"),
        ({"types": ["ipv4-addr"], "comments": True}, "have room for comments"),
        ({"format": "panos", "types": ["url"], "comments": True}, "have room for comments"),
    ],
)
def test_options_that_no_device_could_read_are_refused_in_words(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        EdlSettings.model_validate({"file": "list.txt", **options})


@pytest.mark.parametrize(
    ("offered", "held"),
    [
        (frozenset(ObservableType), {V4, V6}),
        (frozenset({DOMAIN}), {DOMAIN}),
        (frozenset({V4, DOMAIN}), {V4}),
        (frozenset({DOMAIN, URL}), {DOMAIN}),
        (frozenset({V4, V6}), {V4, V6}),
    ],
)
def test_a_file_holds_the_family_that_the_list_narrows_to_and_else_the_first(
    offered: frozenset[ObservableType], held: set[ObservableType], tmp_path: Path
) -> None:
    context = OutputContext("edge", tmp_path, offered)
    adapter = EdlAdapter(EdlSettings(file="list.txt"), context)
    samples = {kind: next(sample_values(kind)) for kind in ObservableType}
    assert {kind for kind in samples if adapter.accepts(Observable(kind, samples[kind]))} == held
    assert bool(adapter.doubts()) == (held != offered)


def test_only_the_configured_types_are_accepted(tmp_path: Path) -> None:
    adapter = edl(tmp_path, types=ADDRESSES)
    assert adapter.accepts(Observable(V4, "192.0.2.7"))
    assert not adapter.accepts(Observable(DOMAIN, "bad.example"))
    refused = words_on(adapter.publish(iter(DOMAIN_ENTRIES[:1])))
    assert "does not accept" in refused["*.worse.example"]
