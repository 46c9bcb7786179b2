"""Holds: what waits for a person, as the documented JSON and for people."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any, Final, NamedTuple

from rich.console import Console

from connector.decisions.holds import Hold, reason_name
from connector.decisions.plan import EntryRefs
from connector.model import Subject
from connector.reports.formatting import print_line
from connector.reports.look import Look
from connector.reports.values import Json, defang, moment
from connector.store import queries as questions
from connector.store.lists.wanted import WantedEntries
from connector.store.outputs.held_changes import ADD, REMOVE, HeldChange, changes_of
from connector.store.outputs.kept_holds import KeptHold, live_holds
from connector.store.queries import OutputRow
from connector.store.transaction import Transaction

_EXAMPLES: Final = 10
_NARROWEST: Final = 40


class HeldReader(NamedTuple):
    """Reads what holds of one output name, in one snapshot; `feeds` has names by number."""

    wanted: WantedEntries
    transaction: Transaction
    output: OutputRow
    feeds: Mapping[int, str]

    def kept(self, hold: KeptHold, gone: Collection[tuple[str, int, int]] = ()) -> Json:
        """Return a hold of the state, without changes that are gone: by hold, verb and number."""
        left = [
            change
            for change in changes_of(self.transaction, hold.number, hold.id)
            if (hold.id, change.verb, change.observable) not in gone
        ]
        return {
            "id": hold.id,
            "since": moment(hold.since),
            "kind": hold.kind.value,
            "state": hold.state.value,
            "broken_limits": list(hold.sentences),
            "by": hold.by,
            "why": hold.why,
            "until": moment(hold.until),
            "add": self._added([change for change in left if change.verb == ADD]),
            "remove": self._removed([change for change in left if change.verb == REMOVE]),
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
            "add": self._added(_changes(ADD, hold.add)),
            "remove": self._removed(_changes(REMOVE, hold.remove)),
        }

    def _added(self, added: Sequence[HeldChange]) -> list[Json]:
        return [
            {"type": one.type.value, "value": one.shown, "feed": self.feeds.get(change.feed)}
            for one, change in self._found(added)
        ]

    def _removed(self, removed: Sequence[HeldChange]) -> list[Json]:
        return [
            {
                "type": one.type.value, "value": one.shown,
                "reason": reason_name(change.reason), "feed": self.feeds.get(change.feed),
            }
            for one, change in self._found(removed)
        ]  # fmt: skip

    def _found(self, changes: Sequence[HeldChange]) -> Iterator[tuple[Subject, HeldChange]]:
        by_number = {change.observable: change for change in changes}
        for number, one in self.wanted.observables_of(self.transaction, list(by_number)):
            yield one, by_number[number]


def _changes(verb: int, refs: EntryRefs) -> list[HeldChange]:
    rows = zip(refs.numbers, refs.causes, refs.sources, strict=True)
    return [HeldChange(verb, *row) for row in rows]


def held_plans(look: Look, outputs: Collection[str]) -> list[Json]:
    """Return what waits at each output, read from the state alone."""
    wanted, plans = WantedEntries(look.database), []
    with look.database.read() as transaction:
        rows, holds = questions.output_rows(transaction), live_holds(transaction)
        feeds = questions.feed_names(transaction)
        for name in outputs:
            own = [hold for hold in holds if hold.output == name]
            if not own:
                continue
            reader = HeldReader(wanted, transaction, rows[name], feeds)
            held = [reader.kept(hold) for hold in own]
            plans.append({"output": name, "broken_limits": sentences_of(held), "held": held})
    return plans


def sentences_of(held: Sequence[Json]) -> list[str]:
    """Return the sentences of all holds."""
    return [sentence for hold in held for sentence in hold["broken_limits"]]


def show_held(console: Console, plan: Json) -> None:
    """Print the holds of one output: by feed and reason, with a few examples of each."""
    for hold in plan["held"]:
        held = "held" if hold["state"] == "held" else f"{hold['state']}, held"
        since = f" since {hold['since']}" if hold["since"] else ""
        console.print(
            f"  hold {hold['id']} ({held}{since}): {len(hold['add']):,} to add, "
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
        told = ", ".join(_examples(found[:_EXAMPLES]))
        if len(found) > _EXAMPLES:
            told += f" and {len(found) - _EXAMPLES:,} more (--json has all)"
        for line in wrap(
            told, max(console.width - 6, _NARROWEST), break_long_words=False, break_on_hyphens=False
        ):
            print_line(console, f"      {line}")


def _examples(values: Sequence[Json]) -> Iterator[str]:
    """Yield values, the first of each type with its type."""
    kind = ""
    for value in values:
        yield (
            defang(value["value"])
            if value["type"] == kind
            else (f"{value['type']} {defang(value['value'])}")
        )
        kind = value["type"]


def _cause(value: dict[str, Any]) -> tuple[str, str]:
    return value["feed"] or "", value.get("reason", "")
