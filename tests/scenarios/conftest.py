"""Fixtures of the scenarios: a site in a folder of its own, and a TAXII server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scenario_site import Site

from connector.testing.taxii_server import TaxiiServer


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture
def taxii() -> Iterator[TaxiiServer]:
    with TaxiiServer() as server:
        yield server


@pytest.fixture
def taxii_feed(taxii: TaxiiServer) -> Callable[..., dict[str, Any]]:
    """The section of the file that polls the TAXII server."""

    def section(**options: Any) -> dict[str, Any]:
        common = {"type": "taxii", "url": taxii.url, "unmarked_tlp": "clear"}
        return {**common, "read_timeout": "5s", **options}

    return section
