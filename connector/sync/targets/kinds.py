"""The kinds of targets; which one an output has is chosen here, once, by the kind of its adapter.

| target | gets | written | what others put there |
|---|---|---|---|
| PublishedList | entries | the whole list, in one step | none: the list is ours alone |
| PublishedRules | rules | the whole set, in one step | none: the set is ours alone |
| SingleEntries | entries | in batches, adding before removing | looked up and left alone |
| StagedEntries | entries | the same, and nothing counts before the commit | the same |
| SentEntries | entries | the same, as events; the ledger alone says what was sent | unknown |
"""

from typing import Any

from connector.adapter import (
    Adapter,
    EntryAdapter,
    EventAdapter,
    ListAdapter,
    RuleAdapter,
    StagedAdapter,
)
from connector.decisions.mapping import Mapper
from connector.model import ObservableType
from connector.settings import Settings
from connector.sync.targets.published import PublishedList, PublishedRules
from connector.sync.targets.sent import SentEntries
from connector.sync.targets.single import SingleEntries
from connector.sync.targets.staged import StagedEntries
from connector.sync.targets.target import Target


def target_of(
    output: str,
    adapter: Adapter[Settings],
    mapper: Mapper | None = None,
    types: frozenset[ObservableType] = frozenset(),
) -> Target[Any]:
    """Return how an output keeps its list at what its adapter writes to."""
    if isinstance(adapter, RuleAdapter):
        return PublishedRules(output, adapter)
    if isinstance(adapter, ListAdapter):
        return PublishedList(output, adapter, mapper, types)
    if isinstance(adapter, StagedAdapter):
        return StagedEntries(output, adapter, mapper, types)
    if isinstance(adapter, EventAdapter):
        return SentEntries(output, adapter, mapper, types)
    if isinstance(adapter, EntryAdapter):
        return SingleEntries(output, adapter, mapper, types)
    raise TypeError(f"{type(adapter).__name__} is no ListAdapter, EntryAdapter or RuleAdapter")
