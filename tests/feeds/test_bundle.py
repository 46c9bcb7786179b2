"""Files as a feed: every shape of bundle, changes seen, and half a file is no file."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from connector.errors import UnavailableError
from connector.feed import Page
from connector.feeds.bundle import BundleFeed, BundleSettings
from connector.instants import SECOND, system_clock
from connector.testing.feed_suite import read_ids, sample_objects


def feed_of(path: Path | str, **options: Any) -> BundleFeed:
    return BundleFeed(BundleSettings(path=path, **options))


def bundle(*objects: Any) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}).encode()


def read(feed: BundleFeed, cursor: str | None = None) -> list[Page]:
    return [page for found in feed.collections() for page in feed.pages(found, cursor)]


def keys(path: Path | str) -> list[str]:
    return [collection.key for collection in feed_of(path).collections()]


def age(path: Path) -> None:
    """Make a file look as if it was written long ago; its inode changes too, as on a copy."""
    os.utime(path, (time.time() - 3600,) * 2)


A, B, C = sample_objects(3)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bundle(A, B), [A, B]),
        (b"\xef\xbb\xbf" + bundle(A), [A]),
        (json.dumps([A, B]).encode(), [A, B]),
        (json.dumps(A).encode(), [A]),
        (json.dumps({"objects": [A]}).encode(), [A]),
        (bundle(A, json.loads(bundle(B, json.loads(bundle(C))))), [A, B, C]),
        (json.dumps([json.loads(bundle(A)), B]).encode(), [A, B]),
        (b'{"type": "bundle", "id": "bundle--1"}', []),
        (b"[]", []),
    ],
)
def test_reads_every_shape_of_bundle(tmp_path: Path, content: bytes, expected: list[Any]) -> None:
    (tmp_path / "a.json").write_bytes(content)
    (page,) = read(feed_of(tmp_path / "a.json"))
    assert [json.loads(raw) for raw in page.objects] == expected
    assert page.last


def test_hands_on_objects_of_stix_2_0_as_they_stand(tmp_path: Path) -> None:
    old = b'{"type":"indicator", "id":"indicator--1","labels":["c2"]}'
    scos = b'{"type": "observed-data", "objects": {"0": {"type": "bundle"}}}'
    text = b'{"type":"bundle","spec_version":"2.0","objects":[' + old + b", " + scos + b"]}"
    (tmp_path / "a.json").write_bytes(text)
    (page,) = read(feed_of(tmp_path))
    assert page.objects == [old, scos]


@pytest.mark.parametrize(
    "content",
    [b"", b"  ", b"{}", b"3", b"null", b'{"title": "x"}', bundle(A)[:-1], bundle(A) + b"}", b"\xff",
     b'{"type": "bundle", "objects": {}}', b'{"type": "bundle", "objects": null}'],
)  # fmt: skip
def test_half_a_file_or_nonsense_is_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match=str(path)):
        read(feed_of(tmp_path))


def test_names_the_place_where_the_file_breaks_off(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"type": "bundle", "objects": [}]}')
    with pytest.raises(
        UnavailableError, match=r"a\.json: is incomplete or invalid JSON: .*byte 31"
    ):
        read(feed_of(tmp_path))


def test_a_large_file_comes_in_pages_and_counts_as_read_at_the_last(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(bundle(*sample_objects(2000)))
    pages = read(feed_of(tmp_path))
    assert [(len(page.objects), page.last) for page in pages] == [(1000, False), (1000, True)]
    again = read(feed_of(tmp_path), pages[0].cursor)
    assert read_ids(again) == read_ids(pages)


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(bundle(A))
    cursor = read(feed_of(path))[-1].cursor
    assert read(feed_of(path), cursor) == []
    age(path)
    assert read(feed_of(path), cursor) == []


def later() -> int:
    return system_clock() + 60 * SECOND


@pytest.mark.parametrize("touched", [False, True])
def test_a_file_known_for_a_while_is_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touched: bool
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(bundle(A))
    feed = BundleFeed(BundleSettings(path=path), clock=later)
    cursor = read(feed)[-1].cursor
    if touched:
        age(path)
        assert read(feed, cursor) == []
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("the file was opened"))
    assert read(feed, cursor) == []


def test_a_file_just_written_is_compared_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(bundle(A))
    (page,) = read(feed_of(tmp_path))
    assert page.cursor.startswith("unsure ")


def test_a_changed_file_is_read_whole_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(bundle(A, B))
    cursor = read(feed_of(path))[-1].cursor
    path.write_bytes(bundle(A, C))
    assert read_ids(read(feed_of(path), cursor)) == {A["id"], C["id"]}


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(bundle(A))
    times = (1_700_000_000, 1_700_000_000)
    os.utime(path, times)
    cursor = read(feed_of(path))[-1].cursor
    path.write_bytes(bundle(B))
    os.utime(path, times)
    assert read_ids(read(feed_of(path), cursor)) == {B["id"]}


def test_a_file_emptied_on_purpose_is_a_true_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(bundle(A))
    cursor = read(feed_of(path))[-1].cursor
    path.write_bytes(bundle())
    (page,) = read(feed_of(path), cursor)
    assert (page.objects, page.last) == ([], True)


@pytest.mark.parametrize("name", ["F.JSON", "f.Json", "F.STIX", "f.Stix2"])
def test_a_file_is_read_whatever_the_case_of_its_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bundle(A))
    assert read_ids(read(feed_of(tmp_path))) == {A["id"]}


@pytest.mark.parametrize("name", ["f.json.gz", "f.txt", "f", "below/f.json"])
def test_a_folder_of_files_that_are_skipped_is_a_fault_that_names_one(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(bundle(A))
    with pytest.raises(UnavailableError) as raised:
        feed_of(tmp_path).collections()
    assert f"such as '{name.removesuffix('f.json') or name}'" in str(raised.value)
    assert (
        "should end in .json, .stix, .stix2; files with other names or in subfolders need a glob"
        in str(raised.value)
    )


def test_what_is_skipped_beside_others_is_reported_once(tmp_path: Path) -> None:
    for name in ("a.json", "b.txt", "c\x1b.md"):
        (tmp_path / name).write_bytes(bundle(A))
    (tmp_path / "lost+found").mkdir()
    feed = feed_of(tmp_path)
    with structlog.testing.capture_logs() as logs:
        assert [found.title for found in feed.collections()] == ["a.json"]
        feed.collections()
    assert [(line["files"], line["such_as"]) for line in logs] == [(2, ["b.txt", "c\\x1b.md"])]


def test_a_glob_that_finds_nothing_is_reported_once_and_an_empty_folder_is_well(
    tmp_path: Path,
) -> None:
    with structlog.testing.capture_logs() as logs:
        assert feed_of(tmp_path).collections() == []
        feed = feed_of(tmp_path / "*.json")
        assert (feed.collections(), feed.collections()) == ([], [])
    assert [line["event"] for line in logs] == ["feed.no_files"]


def test_a_name_that_is_no_text_is_skipped_and_reported(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(bundle(A))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")).write_bytes(bundle(B))
    with structlog.testing.capture_logs() as logs:
        assert read_ids(read(feed_of(tmp_path))) == {A["id"]}
    assert [line["such_as"] for line in logs] == [["\\udcff.json"]]


def test_files_of_a_folder_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.feeds.file_search.MOST_FILES", 2)
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_bytes(bundle(A))
    for path in (tmp_path, tmp_path / "*.json", tmp_path / "**" / "*.json"):
        with pytest.raises(UnavailableError, match="contains more than 2 files"):
            feed_of(path).collections()


def test_a_folder_gives_its_own_files_alone(tmp_path: Path) -> None:
    for name in ("b.json", "a.stix2", "c.stix", "d.txt", ".e.json", "f.json.part"):
        (tmp_path / name).write_bytes(bundle(A))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "g.json").write_bytes(bundle(A))
    assert keys(tmp_path) == ["a.stix2", "b.json", "c.stix"]
    assert all(collection.whole for collection in feed_of(tmp_path).collections())


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.json", ["a.json"]),
        ("**/*.json", ["a.json", "x/b.json", "x/y/c.json"]),
        ("*/*.json", ["loop/a.json", "x/b.json"]),
        ("x/**/c.*", ["y/c.json"]),
        ("[ab].json", ["a.json"]),
        ("x/**", ["b.json", "y/c.json"]),
        ("**/none", []),
    ],
)
def test_a_glob_gives_the_files_it_matches(tmp_path: Path, pattern: str, found: list[str]) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    for name in ("a.json", "x/b.json", "x/y/c.json"):
        (tmp_path / name).write_bytes(bundle(A))
    (tmp_path / "loop").symlink_to(tmp_path)
    assert keys(tmp_path / pattern) == found


def test_a_file_that_left_is_no_longer_a_collection(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(bundle(A))
    feed = feed_of(tmp_path)
    assert len(feed.collections()) == 2
    (tmp_path / "a.json").unlink()
    assert [collection.key for collection in feed.collections()] == ["b.json"]
    (tmp_path / "b.json").unlink()
    assert feed.collections() == []


@pytest.mark.parametrize("path", ["none.json", "none/*.json", "none/a.json", "none/**/x.json"])
def test_what_does_not_exist_is_unavailable_and_not_empty(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnavailableError, match="none"):
        feed_of(tmp_path / path).collections()


def test_a_file_that_leaves_between_listing_and_reading_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(bundle(A))
    feed = feed_of(tmp_path)
    (collection,) = feed.collections()
    (tmp_path / "a.json").unlink()
    with pytest.raises(UnavailableError, match=r"a\.json: cannot be read: No such file"):
        list(feed.pages(collection, None))


def test_a_link_that_leads_nowhere_withdraws_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "unmounted" / "a.json")
    feed = feed_of(tmp_path)
    (collection,) = feed.collections()
    with pytest.raises(UnavailableError, match="cannot be read"):
        list(feed.pages(collection, None))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(UnavailableError, match="not a regular file"):
        read(feed_of(tmp_path))


def test_a_file_has_a_bound(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(UnavailableError, match="larger than 1 MiB: raise max_file_mib"):
        read(feed_of(tmp_path, max_file_mib=1))


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"[]" + b"}" * depth


@pytest.mark.parametrize("form", [b"[%b]", b'{"type": "bundle", "objects": [%b]}'])
def test_an_object_nested_too_deep_costs_only_itself(tmp_path: Path, form: bytes) -> None:
    good = [json.dumps(one).encode() for one in sample_objects(2)]
    tricky = b'{"id": "x--1", "name": "\\\\\\"],}{[", "a": [1, {"b": ","}]}'
    objects = [good[0], nested(100_000), tricky, good[1]]
    file = tmp_path / "a.json"
    file.write_bytes(form % b" ,\n".join(objects))
    (page,) = read(feed_of(file))
    assert list(page.objects) == objects


@pytest.mark.parametrize(
    "content",
    [
        b'[%b, {"a": 1}', b"[%b]]", b"[%b] 5", b"[%b,]", b"[,%b]", b'["a, %b]', b"[%b}",
        b'{"objects": [%b], "type" "bundle"}', b'{"type": "bundle", "objects": %b}',
    ],
)  # fmt: skip
def test_nonsense_is_still_unavailable_where_it_is_nested_deep(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.json").write_bytes(content % nested(100_000))
    with pytest.raises(UnavailableError, match="is incomplete or invalid JSON"):
        read(feed_of(tmp_path / "a.json"))


@pytest.mark.parametrize("form", [b"[%b]", b'{"type": "bundle", "objects": [%b]}'])
def test_an_object_that_no_json_allows_costs_only_itself(tmp_path: Path, form: bytes) -> None:
    good = [json.dumps(one).encode() for one in sample_objects(2)]
    objects = [good[0], b'{"id": "x--1", "name": "\\ud83d"}', b'{"score": NaN}', good[1]]
    (tmp_path / "a.json").write_bytes(form % b", ".join(objects))
    (page,) = read(feed_of(tmp_path / "a.json"))
    assert list(page.objects) == objects


@pytest.mark.parametrize("content", ["null", "5", '"text"', '{"type": 5, "objects": []}'])
def test_a_document_of_another_kind_is_shown_by_what_it_is(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UnavailableError, match=r"Expected `.+`, got `"):
        read(feed_of(tmp_path / "a.json"))


def test_bundles_inside_bundles_are_opened_only_so_deep(tmp_path: Path) -> None:
    text = b'{"type": "bundle", "objects": [' * 5000 + b"]}" * 5000
    (tmp_path / "a.json").write_bytes(text)
    (page,) = read(feed_of(tmp_path / "a.json"))
    assert len(page.objects) == 1
