"""What a plan would write, as the documented JSON."""

from collections.abc import Iterable

from connector.decisions.plan import violations
from connector.model import Reason
from connector.reports.status import Json
from connector.service.service import Service
from connector.sync.output import Output
from connector.sync.proposal import Proposal


def plan_json(service: Service, proposal: Proposal, output: Output) -> Json:
    """Return a plan with the values it would write."""
    plan, wanted = proposal.plan, service.store.wanted
    with service.store.database.read() as transaction:

        def values(numbers: Iterable[int]) -> list[Json]:
            return [
                {"type": found.type.value, "value": found.shown}
                for _number, found in wanted.observables_of(transaction, list(numbers))
            ]

        gone = list(plan.remove.numbers)
        reasons = wanted.reasons_among(transaction, proposal.state.list, gone)
        unfit = _unfit_reasons(service, output, proposal, gone)
        removed = [
            {
                "type": found.type.value,
                "value": found.shown,
                "reason": (unfit.get(number) or reasons.get(number, Reason.DESELECTED)).value,
            }
            for number, found in wanted.observables_of(transaction, gone)
        ]
        return {
            "id": plan.id,
            "output": plan.output,
            "scope": plan.scope,
            "add": values(plan.add.numbers),
            "update": values(plan.update.numbers),
            "remove": removed,
            "unchanged": plan.unchanged,
            "drifted": plan.drifted,
            "broken_limits": list(violations(plan, output.limits)),
        }


def _unfit_reasons(
    service: Service, output: Output, proposal: Proposal, gone: list[int]
) -> dict[int, Reason]:
    with service.store.database.read() as transaction:
        rows = list(service.store.wanted.rows_among(transaction, proposal.state.list, gone))
    fits = output.target.fits
    return {
        row.number: Reason.OVER_CAPACITY if fits(row.observable) else Reason.UNSUPPORTED_TYPE
        for row in rows
    }
