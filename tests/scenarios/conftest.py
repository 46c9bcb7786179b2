"""Fixtures of the scenarios: a site in a folder of its own, and a TAXII server."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dying_process import Nursery
from scenario_site import Site

from connector.testing.taxii.server import TaxiiServer

_MEMORY = Path("/dev/shm")


@pytest.fixture
def site_folder() -> Iterator[Path]:
    """An empty folder, in memory where there is one: a kill loses nothing of either."""
    base = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="connector-", dir=base) as folder:
        yield Path(folder, "site")


@pytest.fixture
def site(site_folder: Path) -> Iterator[Site]:
    made = Site(site_folder)
    yield made
    made.close()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as forking:
        yield forking


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
