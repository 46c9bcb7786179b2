"""What a plan would write and what of it would wait, as the documented JSON."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console

from connector.decisions.plan import AGAIN
from connector.decisions.records import reason_of
from connector.model import Reason
from connector.reports.formatting import print_line
from connector.reports.held import HeldReader, sentences_of, show_held
from connector.reports.values import Json, defang
from connector.service.service import Service
from connector.store import queries as questions
from connector.store.outputs.held_changes import Due
from connector.store.outputs.kept_holds import HoldState, live_holds
from connector.store.transaction import Transaction
from connector.sync.proposal import Proposal

_SHOWN: Final = 20


def plan_json(service: Service, proposal: Proposal) -> Json:
    """Return a plan with the values it would write, and those that wait."""
    plan, wanted = proposal.plan, service.store.wanted
    with service.store.database.read() as transaction:

        def values(numbers: Iterable[int]) -> list[Json]:
            return [
                {"type": found.type.value, "value": found.shown}
                for _number, found in wanted.observables_of(transaction, list(numbers))
            ]

        gone = list(plan.remove.numbers)
        causes = dict(zip(gone, plan.remove.causes, strict=True))
        reasons = wanted.reasons_among(transaction, proposal.state.list, gone)
        removed = [
            {
                "type": found.type.value,
                "value": found.shown,
                "reason": _reason(causes[number], reasons.get(number)),
            }
            for number, found in wanted.observables_of(transaction, gone)
        ]
        held = _held(service, proposal, transaction)
        return {
            "id": plan.id,
            "output": plan.output,
            "scope": plan.scope,
            "add": values(plan.add.numbers),
            "update": values(plan.update.numbers),
            "remove": removed,
            "unchanged": plan.unchanged,
            "drifted": plan.drifted,
            "in_rollout": len(rolling.waiting) if (rolling := proposal.in_rollout) else 0,
            "broken_limits": sentences_of(held),
            "held": held,
        }


def _reason(cause: int, listed: Reason | None) -> str:
    """Return a removal's reason; one that was cut short has what the list says now."""
    if cause != AGAIN:
        return reason_of(cause).value
    return (listed or Reason.DESELECTED).value


def _held(service: Service, proposal: Proposal, transaction: Transaction) -> list[Json]:
    """Return the holds of an output as the next cycle would leave them."""
    name, aside = proposal.whole.output, proposal.aside
    row = questions.output_rows(transaction).get(name)
    if row is None:
        return []
    reader = HeldReader(service.store.wanted, transaction, row, questions.feed_names(transaction))
    gone = frozenset(proposal.looked.undue(Due(aside.withheld, aside.kept)))
    standing = [
        reader.kept(hold, gone)
        for hold in live_holds(transaction)
        if hold.output == name and hold.state is not HoldState.ACCEPTED
    ]
    left = [hold for hold in standing if hold["add"] or hold["remove"] or hold["kind"] == "replace"]
    return [*left, *(reader.new(hold) for hold in aside.holds)]


def show_plans(console: Console, plans: Sequence[Json]) -> None:
    """Print what each output would write: values defanged, long parts cut."""
    for plan in plans:
        print_line(
            console,
            f"{plan['output']}: plan {plan['id']} ({plan['scope']}): {len(plan['add']):,} to add, "
            f"{len(plan['update']):,} to update, {len(plan['remove']):,} to remove, "
            f"{plan['unchanged']:,} unchanged",
        )
        if plan["drifted"]:
            print_line(
                console, f"  drifted: {plan['drifted']:,} entries on the target are not ours"
            )
        if plan["in_rollout"]:
            print_line(console, f"  rollout: {plan['in_rollout']:,} wait for another output")
        for sign, verb in (("+", "add"), ("~", "update"), ("-", "remove")):
            _show_values(console, sign, plan[verb])
        show_held(console, plan)


def _show_values(console: Console, sign: str, values: Sequence[Json]) -> None:
    for value in values[:_SHOWN]:
        reason = f"  ({value['reason']})" if "reason" in value else ""
        print_line(console, f"  {sign} {value['type']} {defang(value['value'])}{reason}")
    if len(values) > _SHOWN:
        print_line(console, f"  {sign} ... and {len(values) - _SHOWN:,} more (--json has all)")
