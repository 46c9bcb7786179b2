"""Events on disk: what a crash or somebody else does to the files."""

from pathlib import Path

import pytest

from connector.adapter.spool import Spool
from connector.errors import UnavailableError


def spool(folder: Path) -> Spool:
    return Spool(folder / "spool", 10_000)


def waiting(of: Spool) -> list[str]:
    part = next(iter(of.parts(10_000)), [])
    return [event.text for event in part]


def test_what_waits_is_there_after_a_crash_without_what_was_cut_off(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append([("a", "1", "one"), ("b", "1", "two"), ("c", "1", "three")])
    first.note_taken(1)
    with (tmp_path / "spool" / "events").open("ab") as file:
        file.write(b'["d","1","fo')
    first.close()
    second = spool(tmp_path)
    assert (len(second), waiting(second)) == (2, ["two", "three"])
    assert (second.said("a"), second.waits("a"), second.waits("b")) == ("1", False, True)
    second.append([("d", "1", "four")])
    assert waiting(second) == ["two", "three", "four"]
    second.close()


def test_a_crash_as_a_new_file_is_begun_loses_nothing(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append([("a", "1", "one")])
    first.note_taken(1)
    first.close()
    folder = tmp_path / "spool"
    (folder / "events").replace(folder / "before")  # and then the process was killed
    second = spool(tmp_path)
    second.append([("b", "1", "two")])
    second.close()
    third = spool(tmp_path)
    assert (waiting(third), third.said("a")) == (["two"], "1")
    third.close()


def test_a_damaged_line_is_told_with_what_to_do(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append([("a", "1", "one")])
    first.close()
    (tmp_path / "spool" / "events").write_bytes(b"no event\n")
    with pytest.raises(UnavailableError, match="move the folder away"):
        len(spool(tmp_path))


def test_two_never_send_the_same_events(tmp_path: Path) -> None:
    first, second = spool(tmp_path), spool(tmp_path)
    first.append([("a", "1", "one")])
    with pytest.raises(UnavailableError, match="another process"):
        second.append([("b", "1", "two")])
    first.close()
    second.append([("b", "1", "two")])
    assert waiting(second) == ["one", "two"]
    second.close()
