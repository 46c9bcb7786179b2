"""A program that an adapter runs: where it is found, what it may say, and how it ends."""

import fcntl
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.adapter import Command, RefusedError, UnavailableError


def shell(script: str, **options: Any) -> Command:
    return Command(["sh", "-c", script], package="dash", option="shell", **options)


def test_what_a_program_says_and_how_it_ends_is_told_apart() -> None:
    ran = shell('echo "$1"; cat; echo wrong >&2; exit 3').run("$0", "out", text="in\n")
    assert (ran.status, ran.output, ran.complaint) == (3, "out\nin\n", "wrong\n")
    assert not ran.succeeded
    assert ran.words == "wrong"
    assert ran.lines == ["out", "in", "wrong"]
    assert shell("true").run().succeeded


def test_it_has_nothing_of_our_environment_and_speaks_english(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET", "of the service")
    monkeypatch.setenv("PATH", str(tmp_path))
    said = shell("env; pwd").run(folder=tmp_path).output
    assert "LC_ALL=C\n" in said
    assert "SECRET" not in said
    assert said.endswith(f"{tmp_path}\n")


def test_one_that_is_not_installed_is_told_with_what_installs_it() -> None:
    words = "gone-3a: no such command; install the package gone, or set the option program"
    with pytest.raises(RefusedError, match=words):
        Command("gone-3a", package="gone", option="program").run()


def test_one_that_goes_on_for_ever_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    lock, began = tmp_path / "lock", time.monotonic()
    endless = f"exec 9> {lock}; flock 9; sleep 60 & exit"  # what it started has lock and output
    with pytest.raises(UnavailableError, match=r"sh: not done after 0\.3 seconds, and ended"):
        shell(endless, deadline=timedelta(seconds=0.3)).run()
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # once nobody has it any more
    assert time.monotonic() - began < 30


def test_what_it_says_is_fit_for_a_message() -> None:
    assert shell(r"printf '\n \033[31mbad\033[0m\n\377\n' >&2; exit 1").run().words == "[31mbad [0m"
    assert shell("exit 1").run().words == "failed without a message"
    assert shell("kill -9 $$").run().words == "ended by signal 9"


def test_a_network_namespace_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    words = r"sh: no network namespace gone-3a; create it with `ip netns add`|no such command"
    with pytest.raises((UnavailableError, RefusedError), match=words):
        shell("true", netns="gone-3a").run()
