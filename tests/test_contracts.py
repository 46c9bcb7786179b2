"""What a feed or an adapter gets from its contract without writing it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from connector.adapter import (
    ALL_WRITTEN,
    Batch,
    Entry,
    EntryAdapter,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcomes,
    OutputContext,
    Settings,
)
from connector.errors import UnavailableError
from connector.feed import Collection, Feed, Page

CONTEXT = OutputContext("edge", Path("published"))
ADDRESS = Observable(ObservableType.IPV4_ADDR, "192.0.2.7")


class Options(Settings):
    size: int = 1


class Paper(ListAdapter[Options]):
    """A list on paper."""

    settings_type = Options
    supports = frozenset({ObservableType.IPV4_ADDR})

    def read(self) -> Iterable[Held]:
        return []

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        list(entries)
        return ALL_WRITTEN


class Board(EntryAdapter[Options]):
    """Single notes on a board."""

    settings_type = Options
    supports = frozenset({ObservableType.URL})

    def read(self) -> Iterable[Held]:
        return []

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        list(entries)
        return ALL_WRITTEN

    def remove(self, entries: Sequence[Held]) -> Outcomes:
        list(entries)
        return ALL_WRITTEN


class Post(Feed[Options]):
    """Letters."""

    settings_type = Options

    def collections(self) -> Sequence[Collection]:
        return [Collection("key", "Letters", whole=True)]

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        yield Page([], "c", last=True)


def test_an_adapter_holds_its_options_and_knows_what_it_supports() -> None:
    adapter = Paper(Options(size=2), CONTEXT)
    assert adapter.settings.size == 2
    assert adapter.accepts(ADDRESS)
    assert not Board(Options(), CONTEXT).accepts(ADDRESS)
    assert (adapter.capacity, adapter.fields, adapter.default_mapping) == (None, {}, {})
    entry = Entry(ADDRESS)
    assert adapter.as_held(entry) is entry
    adapter.close()


def test_a_target_without_a_commit_needs_none() -> None:
    board = Board(Options(), CONTEXT)
    board.close()
    assert board.batch == Batch(entries=500)


def test_a_target_that_cannot_be_asked_for_single_entries_is_read() -> None:
    class Slate(Board):
        def read(self) -> Iterable[Held]:
            yield Held(ADDRESS, {"note": "theirs"})
            yield Held(Observable(ObservableType.URL, ADDRESS.value))

    other = Observable(ObservableType.IPV4_ADDR, "192.0.2.8")
    assert Slate(Options(), CONTEXT).holds([ADDRESS, other]) == [Held(ADDRESS, {"note": "theirs"})]
    assert Board(Options(), CONTEXT).holds([ADDRESS]) == []


def test_what_was_not_given_is_told_where_it_is_asked_for() -> None:
    with pytest.raises(RuntimeError, match="needs options derived from HttpSettings"):
        _ = Paper(Options(), CONTEXT).http
    with pytest.raises(RuntimeError, match="needs options derived from HttpSettings"):
        _ = Post(Options()).http


def test_what_was_given_is_there() -> None:
    http = object()
    adapter = Paper(Options(), OutputContext("edge", Path("published"), http=http))
    assert adapter.http is http
    assert (adapter.context.output, adapter.context.publish_folder) == ("edge", Path("published"))
    assert Post(Options(), http).http is http


def test_a_feed_offers_its_collections_and_lists_no_holdings_unless_it_can() -> None:
    feed = Post(Options())
    [offered] = feed.offered()
    assert (offered.key, offered.title) == ("key", "Letters")
    with pytest.raises(UnavailableError, match="Letters: this type of feed cannot list"):
        feed.holdings(feed.collections()[0])
    feed.close()


def test_a_target_is_waited_for_until_it_is_done_or_the_deadline_comes() -> None:
    pauses: list[float] = []
    context = OutputContext("edge", Path("published"), sleep=pauses.append)
    answers = iter([False, False, True])
    context.wait(lambda: next(answers), timedelta(minutes=5), every=timedelta(seconds=2))
    assert pauses == [2.0, 2.0]
    with pytest.raises(UnavailableError, match="not done after 3 seconds"):
        context.wait(lambda: False, timedelta(seconds=3))
    assert sum(pauses) == 4 + 3
