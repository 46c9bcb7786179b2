"""A file that a program on this machine reads: replaced in one step, and never one of others."""

import os
from pathlib import Path
from typing import Any

import pytest

from connector.adapter import RefusedError, TextFile, UnavailableError


def write(path: Path, *lines: str) -> None:
    with TextFile(path).draft() as draft:
        draft.write(lines)
        draft.publish()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.txt"


def test_what_was_written_is_read_without_the_line_that_says_whose_it_is(path: Path) -> None:
    assert list(TextFile(path).lines()) == []
    write(path, "one", "# two", "three")
    assert list(TextFile(path).lines()) == ["one", "three"]
    assert "# two" in list(TextFile(path).lines(comments=True))
    assert path.read_text(encoding="utf-8").startswith("# kept by threat-feed-connector")


def test_readers_see_the_old_file_until_the_new_one_is_published(path: Path) -> None:
    write(path, "old")
    with TextFile(path).draft() as draft:
        draft.write(["new"])
        assert "new" in draft.seal().read_text(encoding="utf-8")
        assert list(TextFile(path).lines()) == ["old"]
        draft.publish()
    assert list(TextFile(path).lines()) == ["new"]
    assert [found.name for found in path.parent.iterdir()] == ["list.txt"]


def test_a_draft_that_broke_off_or_was_not_published_leaves_nothing_behind(path: Path) -> None:
    write(path, "old")
    with TextFile(path).draft() as draft:
        draft.write(["new"])
    with pytest.raises(ZeroDivisionError), TextFile(path).draft() as draft:
        draft.write(str(1 // number) for number in (1, 0))
    assert list(TextFile(path).lines()) == ["old"]
    assert [found.name for found in path.parent.iterdir()] == ["list.txt"]


@pytest.mark.parametrize("text", ["by hand\n", "\n", "# a comment of others\n"])
def test_a_file_of_others_is_never_replaced(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RefusedError, match="was not written by this output"):
        write(path, "ours")
    assert path.read_text(encoding="utf-8") == text


def test_an_empty_file_is_taken_over_with_its_mode(path: Path) -> None:
    path.touch()
    path.chmod(0o640)
    write(path, "ours")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_can_be_read_whatever_the_umask(path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(path, "ours")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_group_that_cannot_be_kept_is_told_with_what_helps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    os.chown(path, -1, os.getgid())

    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refused)
    write(path, "ours")  # it has the group already
    with TextFile(path).draft():
        pass
    monkeypatch.setattr(os, "fstat", _in_another_group(os.fstat))
    with pytest.raises(RefusedError, match=r"chmod g\+s"):
        write(path, "more")
    assert list(TextFile(path).lines()) == ["ours"]


def _in_another_group(fstat: Any) -> Any:
    """Have each file that is asked for be in a group of its own."""
    asked = iter(range(1000, 2000))

    def told(descriptor: int) -> os.stat_result:
        fields = list(fstat(descriptor))
        fields[5] = next(asked)
        return os.stat_result(fields)

    return told


def test_a_folder_that_is_missing_is_no_empty_list(tmp_path: Path) -> None:
    file = TextFile(tmp_path / "missing" / "list.txt")
    with pytest.raises(UnavailableError, match="No such file"):
        list(file.lines())
    with pytest.raises(UnavailableError, match="No such file"), file.draft():
        pass


def test_a_draft_never_follows_a_link_of_others(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("theirs", encoding="utf-8")
    path.with_name(".list.txt.new").symlink_to(victim)
    with pytest.raises(UnavailableError):
        write(path, "ours")
    assert victim.read_text(encoding="utf-8") == "theirs"


def test_its_stamp_tells_when_others_changed_it(path: Path) -> None:
    file = TextFile(path)
    write(path, "ours")
    before = file.stamp()
    assert file.stamp() == before
    path.write_text("theirs", encoding="utf-8")
    assert file.stamp() != before
    assert file.size() == 6
    path.unlink()
    assert file.size() == 0
