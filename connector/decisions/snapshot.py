"""What a target was seen to hold, by the numbers that its entries have in the store."""

from collections import Counter
from collections.abc import Collection, Mapping


class TargetSnapshot:
    """The result of reading the whole target: its entries, with digests if it has fields.

    `ours_alone` is true where the whole target is ours, as a published list is; `unknown` counts
    entries there that the store has never heard of. `contrary` has the target's words on entries
    of which it has the opposite, `partly` on those that a part of it lacks; an entry in both is
    there, and opposed elsewhere. `handles` are its own names for those that have one. `ours` are
    entries that are there because they are one with others of ours. `odd` counts the values, by
    type, that are not in canonical form.
    """

    def __init__(self, *, ours_alone: bool) -> None:
        self.ours_alone = ours_alone
        self.unknown = 0
        self.odd: Counter[str] = Counter()
        self.contrary: dict[int, str] = {}
        self.partly: dict[int, str] = {}
        self.handles: dict[int, str] = {}
        self.ours: Collection[int] = ()
        self._rows: dict[int, tuple[int | None, str, str, str]] = {}
        self._digests: dict[int, int | None] = {}

    def put(
        self, number: int, digest: int | None, handle: str = "", contrary: str = "",
        partly: str = "",
    ) -> None:  # fmt: skip
        """Record that the target holds an entry; the digest is None if it has no fields."""
        if contrary:
            self.contrary[number] = contrary
            if not partly:
                return
        self._digests[number] = digest
        if partly:
            self.partly[number] = partly
        if handle:
            self.handles[number] = handle

    def put_row(
        self, row: int, digest: int | None, handle: str, contrary: str, partly: str
    ) -> None:
        """Record a row that several entries may be, until `spread` says which they are."""
        self._rows[row] = digest, handle, contrary, partly

    def spread(self, rows: Mapping[int, int]) -> None:
        """Put each of these entries whose row is there; all other rows are unknown."""
        for number, row in rows.items():
            if row in self._rows:
                self.put(number, *self._rows[row])
        self.unknown += len(self._rows.keys() - set(rows.values()))
        self._rows.clear()

    def __contains__(self, number: object) -> bool:
        return number in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def shows(self, number: int) -> bool:
        """Return whether the entry is there with fields that can be compared."""
        return self._digests.get(number) is not None

    def agrees(self, number: int, digest: int) -> bool:
        """Return whether the entry is there with these fields, as far as the target shows them."""
        held = self._digests.get(number, -1)
        return held is None or held == digest

    def is_whole(self, number: int, digest: int) -> bool:
        """Return whether the entry agrees, and no part of the target lacks it."""
        return number not in self.partly and self.agrees(number, digest)
