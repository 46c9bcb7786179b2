"""What a TAXII server has not processed when we stop asking is not there yet."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from connector_taxii import TaxiiSettings
from connector_taxii.collection import TaxiiCollection

from connector.adapter import Later, Observable, ObservableType
from connector.testing.context import output_context
from connector.testing.samples.originals import original_of


class Slow(TaxiiCollection):
    """A collection whose server says `pending`, of none of the objects, for as long as we ask."""

    def __init__(self, tmp_path: Path) -> None:
        settings = TaxiiSettings(url="http://127.0.0.1/root/", collection="one")
        super().__init__(settings, output_context(settings, tmp_path))
        status = SimpleNamespace(
            status="pending", refresh=lambda: None,
            failure_count=0, pending_count=0, failures=[], pendings=[],
        )  # fmt: skip
        self.__dict__["_root"] = SimpleNamespace(max_content_length=1 << 20)
        self.__dict__["_collection"] = SimpleNamespace(add_objects=lambda *_a, **_k: status)
        self.there: list[dict[str, Any]] = []

    def _pages(self, what: str, **_asked: str) -> Iterator[Any]:
        assert what == "manifest"
        yield from self.there


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path)


def test_what_is_pending_with_no_counts_is_told_by_the_manifest(slow: Slow) -> None:
    first, second = (
        original_of(Observable(ObservableType.IPV4_ADDR, f"192.0.2.{last}")) for last in (1, 2)
    )
    assert first.modified is not None
    slow.there = [{"id": first.id, "version": first.modified.isoformat()}]
    assert slow.add([first, second]) == {second.id: Later("the server has not processed it yet")}
