"""Secrets are nowhere but on the wire: not in errors, not in logs, not in what prints."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

from connector.adapter import Entry, SecretValue, Settings
from connector.testing.adapter_steps import AnyAdapter, write
from connector.testing.adapter_suite.fixtures import SuiteFixtures, Trouble, http_trouble
from connector.testing.http_target import Fault, HttpTarget

_SHORTEST: Final = 4


class Secrets(SuiteFixtures):
    """Tests that `AdapterSuite` inherits; it has their fixtures."""

    def test_no_secret_is_printed(
        self,
        adapter: AnyAdapter,
        http_target: HttpTarget | None,
        troubles: Sequence[Trouble] | None,
        break_target: Callable[[], None] | None,
        sample_entries: Sequence[Entry],
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        said = [repr(adapter), repr(adapter.settings), repr(adapter.context)]
        few = sample_entries[:3]
        echoes = [] if http_target is None else [http_trouble(http_target, Fault.ECHO)]
        for trouble in [*echoes, *(troubles or ())]:
            for call in (1, 2):
                for use in _uses(adapter, few):
                    call_off = trouble.at(call)
                    said += _errors(use)
                    call_off()
                    trouble.pass_time()
        if break_target is not None:
            break_target()
            for use in _uses(adapter, few):
                said += _errors(use)
        said += [record.getMessage() for record in caplog.records]
        said += capsys.readouterr()
        issued = http_target.sessions.issued if http_target else ()
        for secret in {*secrets_in(adapter.settings), *issued}:
            if found := next((text for text in said if secret in text), None):
                told = found.replace(secret, "<SECRET>")
                pytest.fail(f"a secret, or a session's token, is in what people see: {told[:300]}")


def secrets_in(value: Any) -> Iterator[str]:
    """Yield the text of every secret among options."""
    if isinstance(value, SecretValue):
        if len(value.reveal()) >= _SHORTEST:
            yield value.reveal()
    elif isinstance(value, Settings):
        for _name, inner in value:
            yield from secrets_in(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from secrets_in(inner)


def _uses(adapter: AnyAdapter, entries: Sequence[Entry]) -> Sequence[Callable[[], object]]:
    return (lambda: list(adapter.read()), lambda: write(adapter, entries), adapter.stamp)


def _errors(use: Callable[[], object]) -> list[str]:
    try:
        use()
    except Exception as error:  # noqa: BLE001 - other promises are about its type
        return [str(error), repr(error)]
    return []
