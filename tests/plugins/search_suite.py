"""What the tests of `elastic` and `opensearch` share: how an adapter is made, and its promises.

A file of tests has the fixtures `target`, `index` and `kind`: the adapter, its options, and those
that it is made with.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connector_elastic import OpensearchSettings
from connector_elastic.documents import INDEX_MAPPING, document_of
from search_cluster import Cluster, one_authority

from connector.adapter import EntryAdapter, Observable, ObservableType
from connector.testing.adapter_suite import AdapterSuite
from connector.testing.context import output_context

T = ObservableType
ADDRESS, NAME = Observable(T.IPV4_ADDR, "203.0.113.7"), Observable(T.DOMAIN_NAME, "bad.example")
Adapter = EntryAdapter[Any]
Kind = tuple[type[Adapter], type[OpensearchSettings], dict[str, Any]]


@pytest.fixture
def make(
    kind: Kind, target: Cluster, index: str, tmp_path: Path
) -> Iterator[Callable[..., Adapter]]:
    made = []
    adapter_type, settings_type, own = kind

    def adapter(output: str = "edge", **options: Any) -> Adapter:
        given = {"url": target.url, "index": index, "ca": one_authority(tmp_path), **own, **options}
        settings = settings_type(**given)
        made.append(adapter_type(settings, output_context(settings, tmp_path, output)))
        return made[-1]

    yield adapter
    for one in made:
        one.close()
        one.context.close()


@pytest.fixture
def adapter(make: Callable[..., Adapter]) -> Adapter:
    return make()


def values(adapter: Adapter) -> list[str]:
    return sorted(one.value for one in adapter.read())


class SearchSuite(AdapterSuite):
    """The promises; which types are asked is said by each file."""

    impossible: ClassVar = {
        "contrary": "an index has no opposite of a document",
        "fill": "an index is as large as the disk",
    }

    @pytest.fixture
    def adapter(self, adapter):
        return adapter

    @pytest.fixture
    def row_count(self):
        """More than a page and than a batch."""
        return 2100

    @pytest.fixture
    def http_target(self, target):
        return target

    @pytest.fixture
    def neighbour(self, make):
        return make("elsewhere")

    @pytest.fixture
    def refuse(self, target):
        return lambda entry: target.refuses.update({entry.value: "failed to parse field"})

    @pytest.fixture
    def foreign(self, target, index):
        def copied(theirs):
            """Someone copies a document of ours under an id of their own."""
            target.ask("PUT", f"/{index}", {"mappings": INDEX_MAPPING})
            document = document_of(theirs, "edge")
            target.put(index, "copied", document)
            return lambda: target.documents(index).get("copied") == document

        return copied
