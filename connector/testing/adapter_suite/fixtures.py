"""What the promises are asked with: fixtures that a plugin's tests may override."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from typing import ClassVar, Final, ParamSpec

import pytest

from connector.adapter import (
    Entry,
    FieldValue,
    ListAdapter,
    Observable,
    ObservableType,
    UnavailableError,
)
from connector.errors import ConnectorError, RefusedError
from connector.testing.adapter_steps import AnyAdapter, other_field, sample_field
from connector.testing.http_target import Fault, HttpTarget
from connector.testing.samples.entries import sample_values

PutForeign = Callable[[Entry], Callable[[], bool] | None]
Happened = Callable[[], bool]

_PER_TYPE: Final = 4
_ALWAYS: Final = 1_000_000
_ALL_ROWS: Final = 10_000
_IN_PASSING: Final = (
    Fault.BUSY,
    Fault.SESSION_ENDS,
    Fault.RESET_BEFORE,
    Fault.ERROR_PAGE,
    Fault.RESET_AFTER,
    Fault.CUT_OFF,
    Fault.HALF_JSON,
)
_MEANT: Final = {
    "foreign": "to add an entry as someone else",
    "contrary": "to put the opposite of an entry there by hand",
    "refuse": "to have the target refuse an entry",
    "fill": "to leave the target room for so many entries alone",
    "neighbour": "with the adapter of another output at the same target",
    "break_target": "to make the target unreachable",
    "restart_target": "to restart the target",
    "wrong_credentials": "to have our credentials refused",
    "troubles": "to have a single call go wrong",
}
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong with one call to the target.

    `at(n)` has it happen at the n-th call from now, once; what it returns calls it off, and says
    whether it had happened. `raises` is the error that it means. `pass_time` has the time pass
    until the core tries again, in which the target drops what was lost on the way.
    """

    name: str
    at: Callable[[int], Happened]
    raises: type[ConnectorError] = UnavailableError
    pass_time: Callable[[], None] = lambda: None


class SuiteFixtures:
    """How the adapter, its samples and its target are made."""

    impossible: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def adapter(self) -> AnyAdapter:
        """The adapter under test, on a target of its own."""
        pytest.fail("define a fixture `adapter` in your subclass of AdapterSuite")

    @pytest.fixture
    def fresh(self, adapter: AnyAdapter) -> Callable[[], AnyAdapter]:
        """Makes another adapter on the same target, as after a restart."""
        return lambda: type(adapter)(adapter.settings, adapter.context)

    @pytest.fixture
    def sample_fields(self, adapter: AnyAdapter) -> Mapping[str, FieldValue]:
        """Fields as a mapping might fill them."""
        return {name: sample_field(name, spec) for name, spec in adapter.fields.items()}

    @pytest.fixture
    def other_fields(
        self, adapter: AnyAdapter, sample_fields: Mapping[str, FieldValue]
    ) -> Mapping[str, FieldValue]:
        """The same fields with other values."""
        return {
            name: other_field(adapter.fields[name], value) for name, value in sample_fields.items()
        }

    @pytest.fixture
    def accepted_types(self, adapter: AnyAdapter) -> Sequence[ObservableType]:
        """The types that the adapter, as configured, accepts."""
        accepted = [
            kind
            for kind in sorted(adapter.supports)
            if adapter.accepts(Observable(kind, next(sample_values(kind))))
        ]
        if not accepted:
            pytest.fail("accepts() refuses a plain sample of every type in `supports`")
        return accepted

    @pytest.fixture
    def sample_entries(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
    ) -> Sequence[Entry]:
        """Some entries of every accepted type."""
        return _entries(adapter, accepted_types, sample_fields, 0)

    @pytest.fixture
    def more_entries(
        self,
        adapter: AnyAdapter,
        accepted_types: Sequence[ObservableType],
        sample_fields: Mapping[str, FieldValue],
    ) -> Sequence[Entry]:
        """Other entries of every accepted type."""
        return _entries(adapter, accepted_types, sample_fields, _PER_TYPE)

    @pytest.fixture
    def row_count(self) -> int:
        """How many entries a large list has."""
        return _ALL_ROWS

    @pytest.fixture
    def http_target(self) -> HttpTarget | None:
        """The emulator, if it derives from `HttpTarget`: it knows how all kinds of trouble look."""
        return None

    @pytest.fixture
    def foreign(self) -> PutForeign | None:
        """Adds an entry at the target as someone else would.

        It may return a function that says whether the entry is still there; otherwise `read` is
        expected to show it.
        """
        return None

    @pytest.fixture
    def contrary(self) -> Callable[[Entry], None] | None:
        """Puts the opposite of an entry at the target by hand, such as an exception for it."""
        return None

    @pytest.fixture
    def refuse(self) -> Callable[[Entry], None] | None:
        """Has the target refuse an entry, whatever else is in the batch."""
        return None

    @pytest.fixture
    def fill(self) -> Callable[[int], None] | None:
        """Fills the target, so that it has room for so many entries more."""
        return None

    @pytest.fixture
    def neighbour(self) -> AnyAdapter | None:
        """The adapter of another output at the same target, with a place of its own."""
        return None

    @pytest.fixture
    def break_target(self, http_target: HttpTarget | None) -> Callable[[], None] | None:
        """Makes the target unreachable."""
        if http_target is None:
            return None
        return lambda: _for_ever(http_target, Fault.AWAY)

    @pytest.fixture
    def restart_target(self, http_target: HttpTarget | None) -> Callable[[], None] | None:
        """Restarts the target: sessions end, and what it only keeps in memory is gone."""
        return None if http_target is None else http_target.restart

    @pytest.fixture
    def wrong_credentials(self, http_target: HttpTarget | None) -> Callable[[], None] | None:
        """Has the target refuse our credentials from now on."""
        if http_target is None:
            return None

        def changed() -> None:
            http_target.sessions.end()
            _for_ever(http_target, Fault.UNAUTHORIZED)

        return changed

    @pytest.fixture
    def troubles(self, http_target: HttpTarget | None) -> Sequence[Trouble] | None:
        """What can go wrong with a single call."""
        if http_target is None:
            return None
        passing = [http_trouble(http_target, fault) for fault in _IN_PASSING]
        return [*passing, http_trouble(http_target, Fault.DENIED, RefusedError)]


def needs(name: str, *, of_lists: bool = True) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Have a test ask how something is done at the target, by the fixture of that name.

    It is skipped, with what to define, where the class says neither that nor that it is impossible.
    Without `of_lists` it passes where whole lists are published: there it is never asked.
    """

    def asking(test: Callable[P, None]) -> Callable[P, None]:
        @wraps(test)
        def asked(*args: P.args, **kwargs: P.kwargs) -> None:
            __tracebackhide__ = True
            suite = args[0]
            if not of_lists and isinstance(kwargs["adapter"], ListAdapter):
                return
            if kwargs[name] is not None:
                test(*args, **kwargs)
            elif isinstance(suite, SuiteFixtures) and name not in suite.impossible:
                _skip_untold(name)

        return asked

    return asking


def _skip_untold(name: str) -> None:
    pytest.skip(f"override the fixture `{name}` {_MEANT[name]}, or name it in `impossible`")


def http_trouble(
    target: HttpTarget, fault: Fault, raises: type[ConnectorError] = UnavailableError
) -> Trouble:
    """Return a fault of an emulator as trouble that any call may meet."""

    def at(call: int) -> Happened:
        planned = target.fail(fault, after=call - 1)

        def happened() -> bool:
            target.heal()
            return planned.happened > 0

        return happened

    return Trouble(fault.value, at, raises, pass_time=target.sessions.end)


def _for_ever(target: HttpTarget, fault: Fault) -> None:
    target.fail(fault, times=_ALWAYS)


def _entries(
    adapter: AnyAdapter,
    types: Sequence[ObservableType],
    fields: Mapping[str, FieldValue],
    start: int,
) -> list[Entry]:
    return [
        Entry(observable, fields)
        for kind in types
        for observable in islice(accepted(adapter, kind), start, start + _PER_TYPE)
    ]


def accepted(
    adapter: AnyAdapter, kind: ObservableType, most: int = 100_000
) -> Iterator[Observable]:
    """Yield the plain samples of one type that an adapter accepts."""
    observables = (Observable(kind, value) for value in islice(sample_values(kind), most))
    return (observable for observable in observables if adapter.accepts(observable))
