"""The promises of an adapter at the target of a configured output, and nothing left behind."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest

from connector.adapter import Entry, ListAdapter, Observable, RuleAdapter
from connector.config.loading import load
from connector.errors import ConnectorError
from connector.registry import Registry, nearest, release
from connector.testing.adapter_steps import AnyAdapter, held, holding, key, remove, shown
from connector.testing.adapter_suite import HarmlessSuite
from connector.testing.adapter_suite.fixtures import accepted
from connector.testing.adapter_suite.likenesses import alike_values
from connector.testing.folding_suite import twin_values

__all__ = ["RealTarget", "TargetInUseError"]

_SPARE: Final = 16  # the samples that a test takes beside a large list


class TargetInUseError(ConnectorError):
    """What the promises would write and remove is at the target, and somebody's."""


class RealTarget:
    """An output's target: what the promises write there, and how it is cleaned."""

    def __init__(self, config: Path, output: str, rows: int) -> None:
        registry = Registry.installed()
        self._loaded = load(config, registry)
        if output not in self._loaded.config.outputs:
            others = nearest(output, tuple(self._loaded.config.outputs))
            raise TargetInUseError(f"{output} is not an output of {config} ({others})")
        self.output, self.rows, self._registry = output, rows, registry
        self.adapter_name = self._loaded.config.outputs[output].adapter
        self._opened = ExitStack()
        self.adapter = self.open()
        self._opened.callback(self.adapter.close)

    def open(self) -> AnyAdapter:
        """Return an adapter of the output, as the service makes it; what it is lent ends here."""
        config = self._loaded.config
        made: Any = self._registry.make_adapter(
            self.adapter_name, self._loaded.outputs[self.output], self.output,
            config.publish_folder, config.types_of(self.output),
        )  # fmt: skip
        self._opened.callback(made.context.close)
        if isinstance(made, RuleAdapter):
            release(made)
            raise TargetInUseError(f"{self.adapter_name} takes rules: its own tests try them")
        adapter: AnyAdapter = made
        return adapter

    def close(self) -> None:
        """Close the adapter, and end what each one was lent, whatever happens to another."""
        with suppress(ConnectorError):
            self._opened.close()

    @property
    def values(self) -> list[Observable]:
        """All that the promises may write: reserved addresses, names below `example` and such."""
        adapter = self.adapter
        samples = (
            one for kind in sorted(adapter.supports) for one in accepted(adapter, kind, self._most)
        )
        return list(dict.fromkeys(filter(adapter.accepts, chain(samples, self._special()))))

    @property
    def _most(self) -> int:
        batch = getattr(self.adapter, "batch", None)
        return max(self.rows, min(self.rows, batch.entries if batch else 0)) + _SPARE

    def _special(self) -> Iterator[Observable]:
        supports = self.adapter.supports
        return (one for one in chain(alike_values(), twin_values()) if one.type in supports)

    def expect_free(self) -> None:
        """Raise TargetInUseError where something there could be taken for what we write."""
        there = self._there()
        if there and isinstance(self.adapter, ListAdapter):
            raise TargetInUseError(
                f"{self.output} has {len(there)} entries, and its list is published as a whole: "
                "give the output a place of its own in the file, such as another file"
            )
        if there:
            raise TargetInUseError(
                f"{self.output} has {shown(there[0].value)}, which the promises would remove: "
                "delete it there if it is left from a run that was killed"
            )

    def clean(self) -> None:
        """Remove what we wrote: all that is there of our values."""
        if there := self._there():
            remove(self.adapter, there)
            if left := self._there():
                raise TargetInUseError(f"{self.output} still has {len(left)} entries of ours")

    def _there(self) -> list[Entry]:
        if isinstance(self.adapter, ListAdapter):
            return [Entry(one.observable) for one in held(self.adapter, once=False).values()]
        asked = [Entry(one) for one in self.values]
        found = holding(self.adapter, asked)
        return [entry for entry in asked if key(entry) in found]

    def suite(self) -> type[HarmlessSuite]:
        """Return the promises as tests, each of which cleans up."""
        target = self

        class TestPromises(HarmlessSuite):
            @pytest.fixture(scope="class", autouse=True)
            def _closed(self) -> Iterator[None]:
                yield
                target.close()

            @pytest.fixture
            def adapter(self) -> Iterator[AnyAdapter]:
                yield target.adapter
                target.clean()

            @pytest.fixture
            def fresh(self) -> Any:
                return target.open

            @pytest.fixture
            def row_count(self) -> int:
                return target.rows

        return TestPromises


def suite_at(config: str, output: str, rows: int) -> type[HarmlessSuite]:
    """Return the promises at the target of an output."""
    return RealTarget(Path(config), output, rows).suite()


def source_of(config: Path, output: str, rows: int) -> str:
    """Return the module that makes these promises, for `run_promises`."""
    return (
        "from connector.testing.real_target import suite_at\n"
        f"TestPromises = suite_at({str(config)!r}, {output!r}, {rows})\n"
    )


def example_values(values: Sequence[Observable]) -> str:
    """Return one value of each kind, for people."""
    first = {one.type: one.value for one in reversed(values)}
    return ", ".join(first[kind] for kind in sorted(first))
