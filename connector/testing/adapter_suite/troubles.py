"""Failure is typed, unknown is not empty, and nothing is said to be written that is not there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Final

import pytest

from connector.adapter import Entry, ListAdapter, RefusedError, StagedAdapter, UnavailableError
from connector.errors import ConnectorError
from connector.testing.adapter_steps import (
    AnyAdapter,
    Key,
    add,
    expect_held,
    handles_at,
    held,
    holding,
    key,
    not_held,
    of_others,
    publish,
    remove,
    shown,
    take_away,
    write,
)
from connector.testing.adapter_suite.fixtures import Happened, SuiteFixtures, Trouble, needs
from connector.testing.http_target import Fault, HttpTarget

Uses = Mapping[str, Callable[[], object]]
_MOST_CALLS: Final = 12
_FEW: Final = 6
_WAIT: Final = 60


class Troubles(SuiteFixtures):
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    @needs("break_target")
    def test_an_unreachable_target_is_never_read_as_empty(
        self,
        adapter: AnyAdapter,
        break_target: Callable[[], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        write(adapter, sample_entries)
        break_target()
        try:
            found = list(adapter.read())
        except UnavailableError:
            return
        pytest.fail(f"read() returned {len(found)} entries from an unreachable target")

    @needs("break_target", of_lists=False)
    def test_an_unreachable_target_is_never_said_to_hold_nothing(
        self,
        adapter: AnyAdapter,
        break_target: Callable[[], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        write(adapter, sample_entries)
        break_target()
        try:
            absent = not_held(adapter, sample_entries)
        except UnavailableError:
            return
        pytest.fail(f"holds() reported {len(absent)} entries as absent from an unreachable target")

    @needs("break_target")
    def test_an_unreachable_target_is_never_written_in_silence(
        self,
        adapter: AnyAdapter,
        break_target: Callable[[], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        break_target()
        try:
            write(adapter, sample_entries)
        except UnavailableError:
            return
        pytest.fail("writing to an unreachable target should raise UnavailableError")

    @needs("troubles")
    def test_a_failure_while_reading_is_told_and_never_half_a_list(
        self,
        adapter: AnyAdapter,
        troubles: Sequence[Trouble],
        sample_entries: Sequence[Entry],
    ) -> None:
        write(adapter, sample_entries)
        whole = held(adapter)
        for meeting in _meetings(troubles, "read"):
            found = whole
            with meeting.expected(), meeting:
                found = held(adapter)
            if found != whole:
                pytest.fail(f"{meeting}: half a list looks complete")
            if held(adapter) != whole:
                pytest.fail(f"{meeting}: the next read() is not whole")

    @needs("troubles", of_lists=False)
    def test_a_failure_while_looking_entries_up_is_told(
        self,
        adapter: AnyAdapter,
        troubles: Sequence[Trouble],
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        sample_entries, more_entries = sample_entries[:_FEW], more_entries[:_FEW]
        write(adapter, sample_entries)
        asked = [*sample_entries, *more_entries]
        whole = holding(adapter, asked)
        for meeting in _meetings(troubles, "holds"):
            found = whole
            with meeting.expected(), meeting:
                found = holding(adapter, asked)
            if found != whole:
                pytest.fail(f"{meeting}: what is there looks absent, and would be taken for ours")
            if holding(adapter, asked) != whole:
                pytest.fail(f"{meeting}: the next holds() is not whole")

    @pytest.mark.parametrize("step", ["begin", "add", "commit", "publish", "activate"])
    @needs("troubles")
    def test_a_failure_while_writing_is_told_and_writing_again_mends_it(
        self,
        adapter: AnyAdapter,
        troubles: Sequence[Trouble],
        step: str,
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        if step not in _steps(adapter):
            return  # its base has no such step
        sample_entries, more_entries = sample_entries[:_FEW], more_entries[:_FEW]
        write(adapter, sample_entries)
        both = [*of_others(adapter), *more_entries]
        if isinstance(adapter, ListAdapter):
            both = [*sample_entries, *more_entries]
        new = both if isinstance(adapter, ListAdapter) else more_entries
        for meeting in _meetings(troubles, step):
            with meeting.expected():
                _through(adapter, _writing(adapter, sorted(new, key=key)), meeting)
                expect_held(adapter, both, f"{meeting}: said to be written, and is not there")
            write(adapter, new)
            expect_held(adapter, both, f"{meeting}: writing again should mend it")
            remove(adapter, more_entries, kept=sample_entries)

    @needs("troubles", of_lists=False)
    def test_a_failure_while_removing_is_told_and_removing_again_mends_it(
        self,
        adapter: AnyAdapter,
        troubles: Sequence[Trouble],
        sample_entries: Sequence[Entry],
        more_entries: Sequence[Entry],
    ) -> None:
        sample_entries, more_entries = sample_entries[:_FEW], more_entries[:_FEW]
        write(adapter, sample_entries)
        rest = of_others(adapter)
        for meeting in _meetings(troubles, "remove"):
            write(adapter, more_entries)
            handles = handles_at(adapter)
            with meeting.expected():
                _through(adapter, _removing(adapter, more_entries, handles), meeting)
                expect_held(adapter, rest, f"{meeting}: said to be gone, and is there")
            remove(adapter, more_entries, (), handles)
            expect_held(adapter, rest, f"{meeting}: removing again should mend it")

    @pytest.mark.parametrize("fault", [Fault.BUSY, Fault.BUSY_UNTIL])
    def test_a_busy_target_says_how_long_to_wait(
        self,
        adapter: AnyAdapter,
        http_target: HttpTarget | None,
        fault: Fault,
        sample_entries: Sequence[Entry],
    ) -> None:
        if http_target is None:
            return  # speaks no HTTP, or not with an emulator that derives from HttpTarget
        write(adapter, sample_entries)
        http_target.fail(fault, times=100, seconds=_WAIT)
        for use in (lambda: held(adapter), lambda: write(adapter, sample_entries)):
            try:
                use()
            except UnavailableError as error:
                if not error.retry_after_seconds:
                    pytest.fail("the error should have the seconds of Retry-After, for the core")
            else:
                pytest.fail("429 should be told by UnavailableError")

    @needs("wrong_credentials")
    def test_wrong_credentials_are_refused_and_not_tried_for_ever(
        self,
        adapter: AnyAdapter,
        wrong_credentials: Callable[[], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        write(adapter, sample_entries)
        wrong_credentials()
        for verb, use in (("read", lambda: held(adapter)), ("write", lambda: write(adapter, []))):
            if verb == "write" and not isinstance(adapter, ListAdapter | StagedAdapter):
                continue  # nothing to write is nothing to ask for
            try:
                use()
            except RefusedError:
                continue
            except ConnectorError as error:
                pytest.fail(f"{verb}() with wrong credentials should raise RefusedError: {error!r}")
            pytest.fail(f"{verb}() with wrong credentials should raise RefusedError")

    @needs("break_target")
    def test_closing_after_a_failure_is_no_error(
        self,
        adapter: AnyAdapter,
        fresh: Callable[[], AnyAdapter],
        break_target: Callable[[], None],
        sample_entries: Sequence[Entry],
    ) -> None:
        fresh().close()  # never used
        write(adapter, sample_entries)
        break_target()
        for use in (lambda: list(adapter.read()), lambda: write(adapter, sample_entries)):
            with suppress(ConnectorError):
                use()
        adapter.close()


class _Meeting:
    """A trouble and the call of a verb that it meets, while this is entered."""

    def __init__(self, trouble: Trouble, call: int, verb: str) -> None:
        self.happened = False
        self.verb, self._trouble, self._call = verb, trouble, call
        self._call_off: Happened = lambda: False

    def __str__(self) -> str:
        return f"{self._trouble.name} at call {self._call} of {self.verb}()"

    def __enter__(self) -> None:
        self._call_off = self._trouble.at(self._call)

    def __exit__(self, *_: object) -> None:
        self.happened = self._call_off()

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Let what is inside raise the error that the trouble means, and no other."""
        wanted = self._trouble.raises
        try:
            yield
        except wanted:
            return
        except Exception as error:  # noqa: BLE001 - any other is a broken promise
            pytest.fail(f"{self}: should raise {wanted.__name__}, not {shown(error)}")
        finally:
            self._trouble.pass_time()


def _meetings(troubles: Sequence[Trouble] | None, verb: str) -> Iterator[_Meeting]:
    """Yield each trouble at the first call of a verb, the second, until it meets none."""
    for trouble in troubles or ():
        for call in range(1, _MOST_CALLS + 1):
            meeting = _Meeting(trouble, call, verb)
            yield meeting
            if not meeting.happened:
                break


def _steps(adapter: AnyAdapter) -> Sequence[str]:
    if isinstance(adapter, ListAdapter):
        return ("publish", "activate")
    return ("begin", "add", "commit") if isinstance(adapter, StagedAdapter) else ("add",)


def _writing(adapter: AnyAdapter, entries: Sequence[Entry]) -> Uses:
    """Return what the core calls to write entries, step by step."""
    if isinstance(adapter, ListAdapter):
        return {"publish": lambda: publish(adapter, entries), "activate": adapter.activate}
    return _staged(adapter, {"add": lambda: add(adapter, entries)})


def _removing(adapter: AnyAdapter, entries: Sequence[Entry], handles: Mapping[Key, str]) -> Uses:
    """Return what the core calls to remove entries, step by step."""
    return _staged(adapter, {"remove": lambda: take_away(adapter, entries, handles)})


def _staged(adapter: AnyAdapter, change: Uses) -> Uses:
    if isinstance(adapter, StagedAdapter):
        return {"begin": adapter.begin, **change, "commit": adapter.commit}
    return change


def _through(adapter: AnyAdapter, uses: Uses, meeting: _Meeting) -> None:
    """Go through the steps as the core does, with trouble during one of them."""
    try:
        with adapter.context.unit_of_work():
            for name, use in uses.items():
                with meeting if name == meeting.verb else nullcontext():
                    use()
    except BaseException:
        if isinstance(adapter, StagedAdapter):
            with suppress(ConnectorError):  # as in the core: the first error says more
                adapter.abandon()
        raise
