"""How much a target takes at once."""

import msgspec

__all__ = ["Batch"]


class Batch(msgspec.Struct, frozen=True):
    """The most that one call of `add` or `remove` gets: so many entries, and so many bytes.

    Bytes are counted by the adapter's `weigh`. `commit_every` bounds the entries of a unit of work
    of a `StagedAdapter`; without it, a plan is one unit.
    """

    entries: int = 500
    bytes: int | None = None
    commit_every: int | None = None
