"""A TAXII 2.1 collection that is kept by us, at a real medallion."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_taxii import TaxiiAdapter, TaxiiSettings
from medallion_host import PASSWORD, Medallion, needs_medallion

from connector.adapter import Entry, Left, Observable, ObservableType, Original, Refused, Written
from connector.errors import RefusedError
from connector.settings import Auth, SecretValue
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context
from connector.testing.samples.originals import original_of

pytestmark = [pytest.mark.real_server, needs_medallion]
ADDRESS = ObservableType.IPV4_ADDR
_next = count()


@pytest.fixture(scope="module")
def medallion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Medallion]:
    server = Medallion(tmp_path_factory.mktemp("medallion"), 90)
    yield server
    server.stop()


@pytest.fixture
def at(medallion: Medallion) -> int:
    """The number of a collection that nobody used."""
    return next(_next)


class OfFewTypes(TaxiiAdapter):
    """As it is, for few types: what kinds of pattern say is shown elsewhere."""

    supports = frozenset({ADDRESS, ObservableType.DOMAIN_NAME, ObservableType.URL})


Make = Callable[..., TaxiiAdapter]


@pytest.fixture
def make(medallion: Medallion, at: int, tmp_path: Path) -> Iterator[Make]:
    made = []

    def make(password: str = PASSWORD, **options: Any) -> TaxiiAdapter:
        settings = TaxiiSettings(
            url=medallion.root, collection=medallion.collections[at],
            auth=Auth(username="soc", password=SecretValue(password)), **options,
        )  # fmt: skip
        made.append(OfFewTypes(settings, output_context(settings, tmp_path)))
        return made[-1]

    yield make
    for adapter in made:
        adapter.context.close()


class TestTaxii(AdapterSuite):
    impossible: ClassVar = {
        "contrary": "a collection has no exceptions",
        "fill": "a collection has no bound",
        "refuse": "medallion takes every object",
        "break_target": "the client's own tests break every server",
        "restart_target": "medallion keeps its objects in memory",
        "neighbour": "two outputs never have one collection: `places` says so",
        "troubles": "the client's own tests have every call go wrong",
        "wrong_credentials": "medallion has the users that it starts with; see below",
    }

    @pytest.fixture
    def adapter(self, make: Make) -> TaxiiAdapter:
        return make(delete=True)

    @pytest.fixture
    def row_count(self) -> int:
        return 120  # medallion's cost grows with the square of a collection

    @pytest.fixture
    def foreign(self, medallion: Medallion, at: int) -> Callable[[Entry], None]:
        def put(entry: Entry) -> None:
            push(medallion, at, json.loads(original_of(entry.observable).raw))

        return put


def push(medallion: Medallion, at: int, *objects: dict[str, Any]) -> None:
    body = json.dumps({"objects": objects}).encode()
    medallion.ask(f"collections/{medallion.collections[at]}/objects/", body, "POST")


def entry(value: str, **beside: Any) -> Entry:
    one = Observable(ADDRESS, value)
    return Entry(one, original=original_of(one))


def test_what_is_withdrawn_is_left_there_unless_we_are_told_to_delete_it(
    make: Make, medallion: Medallion, at: int
) -> None:
    adapter = make()
    adapter.add([entry("192.0.2.1"), entry("192.0.2.2")])
    (held, other) = sorted(adapter.read(), key=lambda one: one.value)
    (said,) = adapter.remove([held]).values()
    assert isinstance(said, Left)
    assert "left there" in said.words
    assert len(medallion.objects(at)) == 2
    assert make(delete=True).remove([held]) == {}
    assert [one["id"] for one in medallion.objects(at)] == [other.handle]


def test_an_object_that_is_too_large_for_the_server_is_refused_alone(make: Make) -> None:
    one = Observable(ADDRESS, "192.0.2.1")
    small = original_of(one)
    large = Original(small.id, small.raw.replace(b"{", b'{"x_own": "%s", ' % (b"x" * 200_000), 1),
                     small.modified)  # fmt: skip
    adapter = make()
    said = adapter.add([Entry(one, original=large), entry("192.0.2.2")])
    assert isinstance(said[one], Refused)
    assert "the server takes" in said[one].words
    assert [held.value for held in adapter.read()] == ["192.0.2.2"]


def test_a_newer_version_is_added_and_read_back_as_such(make: Make) -> None:
    adapter = make()
    first = entry("192.0.2.1")
    adapter.add([first])
    assert first.original is not None
    raw = first.original.raw.replace(b'"modified": "2026-01-05', b'"modified": "2026-02-05')
    newer = Original(first.original.id, raw, first.original.modified.replace(month=2))  # type: ignore[union-attr]
    adapter.add([Entry(first.observable, original=newer, handle=first.original.id)])
    (held,) = make().read()
    assert held.fields == {"version": "2026-02-05T00:00:00+00:00"}
    assert adapter.add([Entry(first.observable, original=newer)]) == {
        first.observable: Written(newer.id)
    }  # a repeated object is no failure, whatever the server calls it


def test_a_collection_that_we_may_not_write_or_that_is_not_there_is_told(make: Make) -> None:
    adapter = make()
    with pytest.raises(RefusedError):
        list(make(password="wrong").read())
    adapter.settings = adapter.settings.model_copy(update={"collection": "nowhere"})
    with pytest.raises(RefusedError, match="has no collection nowhere for us"):
        list(adapter.read())
