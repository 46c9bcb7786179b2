"""Which feeds an output waits for before it is written."""

import pytest

from connector.service.readiness import waiting_for
from connector.store.queries import FeedRow

NEW = FeedRow("new", None, None, None, None, None, 0)
FAILED = FeedRow("failed", None, 10, None, "no answer", None, 0)
PARTLY = FeedRow("partly", None, 10, None, "no answer", None, 5)
READ = FeedRow("read", 10, None, None, None, None, 0)
ROWS = {row.name: row for row in (NEW, FAILED, PARTLY, READ)}


@pytest.mark.parametrize(
    ("chosen", "at_first", "in_step"),
    [
        ([], [], []),
        (["new"], ["new"], ["new"]),
        (["never seen"], ["never seen"], ["never seen"]),
        (["failed"], ["failed"], ["failed"]),
        (["failed", "new"], ["failed", "new"], ["failed", "new"]),
        (["read"], [], []),
        (["partly"], [], []),
        (["read", "failed"], [], []),
        (["read", "new", "never seen"], ["new", "never seen"], []),
        (["partly", "new"], ["new"], []),
    ],
)
def test_an_output_waits_for_what_was_never_read(
    chosen: list[str], at_first: list[str], in_step: list[str]
) -> None:
    assert waiting_for(chosen, ROWS, in_step=False) == tuple(at_first)
    assert waiting_for(chosen, ROWS, in_step=True) == tuple(in_step)
