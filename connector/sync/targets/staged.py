"""Targets where changes are staged, and become live together with a commit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from connector.adapter import StagedAdapter
from connector.decisions.mapping import Mapper
from connector.errors import ConnectorError, StoppedError
from connector.model import ObservableType
from connector.settings import Settings
from connector.store.outputs.outputs import OutputState
from connector.sync.apply import Applier, Batch
from connector.sync.proposal import Proposal
from connector.sync.targets.folded import Action
from connector.sync.targets.single import SingleEntries


class StagedEntries(SingleEntries):
    """A table where changes become live together: nothing counts before that."""

    def __init__(
        self,
        output: str,
        adapter: StagedAdapter[Settings],
        mapper: Mapper | None,
        types: frozenset[ObservableType],
    ) -> None:
        super().__init__(output, adapter, mapper, types)
        self.stage = adapter

    def write(self, proposal: Proposal, applier: Applier) -> Iterator[Batch]:
        """Add before remove in one unit of work, then make all of it live.

        A target may drop what was staged when anything fails, so the whole unit is done again.
        """
        progress = self._progress(proposal, applier)
        for batch in self._in_units(self.actions(proposal, applier), applier):
            yield batch
            progress(batch)

    def withdraw(
        self, numbers: Sequence[int], state: OutputState, applier: Applier
    ) -> Iterator[Batch]:
        """Remove entries in units of work."""
        return self._in_units(self._removals(numbers, state, applier), applier)

    def _in_units(self, actions: Iterator[Action], applier: Applier) -> Iterator[Batch]:
        action = next(actions, None)
        while action is not None:
            unit = _Unit([action], actions, self.adapter.batch.commit_every)
            applier.retry(partial(self._do, unit))
            yield from unit.staged
            action = unit.following

    def _do(self, unit: "_Unit") -> None:
        try:
            with self.stage.context.unit_of_work():
                with self.calls("begin"):
                    self.stage.begin()
                unit.run()
                with self.calls("commit"):
                    self.stage.commit()
        except BaseException:
            # The first error says more.
            with suppress(ConnectorError, StoppedError), self.calls("abandon"):
                self.stage.abandon()
            raise

    def _patiently(self, write: Callable[[], None], _applier: Applier) -> None:
        write()  # a batch alone, in a session that may be gone, would be lost


@dataclass(slots=True)
class _Unit:
    """Actions that become live together: as many as fit, and the same ones again each time."""

    actions: list[Action]
    coming: Iterator[Action]
    most: int | None
    staged: list[Batch] = field(default_factory=list)
    following: Action | None = None

    def run(self) -> None:
        """Do all of them, and those that still fit."""
        self.staged = [batch for action in self.actions for batch in action()]
        while self.following is None and (action := next(self.coming, None)) is not None:
            if self._is_full:
                self.following = action
                return
            self.actions.append(action)
            self.staged += action()

    @property
    def _is_full(self) -> bool:
        return self.most is not None and sum(map(len, self.staged)) >= self.most
