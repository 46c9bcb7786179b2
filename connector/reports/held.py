"""Holds: what waits for a person, as the documented JSON and for people."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from rich.console import Console

from connector.decisions.holds import Hold
from connector.model import Reason
from connector.reports.formatting import print_line
from connector.reports.look import Look
from connector.reports.status import Json, defang, moment
from connector.store import queries as questions
from connector.store.lists.wanted import WantedEntries
from connector.store.outputs.holds import KeptHold, changes_of, live_holds
from connector.store.queries import OutputRow
from connector.store.transaction import Transaction

_EXAMPLES: Final = 10


class HeldReader(NamedTuple):
    """Reads what holds of one output name, in one snapshot."""

    wanted: WantedEntries
    transaction: Transaction
    output: OutputRow

    def kept(
        self, hold: KeptHold, add: Collection[int] | None = None,
        remove: Collection[int] | None = None,
    ) -> Json:  # fmt: skip
        """Return a hold of the state; given what is due, only as far as it still is."""
        left_add, left_remove = changes_of(self.transaction, hold)
        return {
            "id": hold.id,
            "since": moment(hold.since),
            "kind": hold.kind.value,
            "state": hold.state.value,
            "broken_limits": list(hold.sentences),
            "by": hold.by,
            "why": hold.why,
            "until": moment(hold.until),
            "add": self._added([one for one in left_add if add is None or one in add]),
            "remove": self._removed(
                [one for one in left_remove if remove is None or one in remove]
            ),
        }

    def new(self, hold: Hold) -> Json:
        """Return a hold that the next cycle would make."""
        return {
            "id": hold.id,
            "since": None,
            "kind": hold.kind.value,
            "state": "held",
            "broken_limits": list(hold.sentences),
            "by": None,
            "why": None,
            "until": None,
            "add": self._added(list(hold.add.numbers)),
            "remove": self._removed(list(hold.remove.numbers)),
        }

    def _added(self, numbers: Sequence[int]) -> list[Json]:
        feeds = questions.feeds_behind(self.transaction, self.output, numbers, written=False)
        return [
            {"type": one.type.value, "value": one.shown, "feed": feeds.get(number)}
            for number, one in self.wanted.observables_of(self.transaction, numbers)
        ]

    def _removed(self, numbers: Sequence[int]) -> list[Json]:
        reasons = self.wanted.reasons_among(self.transaction, self.output.list, numbers)
        feeds = questions.feeds_behind(self.transaction, self.output, numbers, written=True)
        return [
            {
                "type": one.type.value, "value": one.shown,
                "reason": reasons.get(number, Reason.OVER_CAPACITY).value,
                "feed": feeds.get(number),
            }
            for number, one in self.wanted.observables_of(self.transaction, numbers)
        ]  # fmt: skip


def held_plans(look: Look, outputs: Collection[str]) -> list[Json]:
    """Return what waits at each output, read from the state alone."""
    wanted, plans = WantedEntries(look.database), []
    with look.database.read() as transaction:
        rows, holds = questions.output_rows(transaction), live_holds(transaction)
        for name in outputs:
            own = [hold for hold in holds if hold.output == name]
            if not own:
                continue
            reader = HeldReader(wanted, transaction, rows[name])
            held = [reader.kept(hold) for hold in own]
            plans.append({"output": name, "broken_limits": sentences_of(held), "held": held})
    return plans


def sentences_of(held: Sequence[Json]) -> list[str]:
    """Return the sentences of all holds."""
    return [sentence for hold in held for sentence in hold["broken_limits"]]


def show_held(console: Console, plan: Json) -> None:
    """Print the holds of one output: by feed and reason, with a few examples of each."""
    for hold in plan["held"]:
        since = f" since {hold['since']}" if hold["since"] else ""
        console.print(
            f"  hold {hold['id']} ({hold['state']}{since}): {len(hold['add']):,} to add, "
            f"{len(hold['remove']):,} to remove",
            markup=False, style="yellow",
        )  # fmt: skip
        for sentence in hold["broken_limits"]:
            print_line(console, f"    {sentence}")
        if hold["state"] == "held":
            print_line(
                console,
                f"    accept: connector apply {hold['id']}; "
                f"refuse: connector refuse {hold['id']} --why ...",
            )
        elif hold["by"]:
            print_line(console, f"    {hold['state']} by {hold['by']}: {hold['why']}")
        for sign, verb in (("+", "add"), ("-", "remove")):
            _show_groups(console, sign, hold[verb])


def _show_groups(console: Console, sign: str, values: Sequence[Json]) -> None:
    for (feed, reason), group in groupby(sorted(values, key=_cause), key=_cause):
        found = list(group)
        behind = f"of feed {feed}" if feed else "of several feeds"
        print_line(console, f"    {sign} {len(found):,} {behind} {reason}".rstrip())
        for value in found[:_EXAMPLES]:
            print_line(console, f"      {sign} {value['type']} {defang(value['value'])}")
        if len(found) > _EXAMPLES:
            more = len(found) - _EXAMPLES
            print_line(console, f"      {sign} ... and {more:,} more (--json has all)")


def _cause(value: dict[str, Any]) -> tuple[str, str]:
    return value["feed"] or "", value.get("reason", "")
