"""What is kept of an output's cycle before it writes, for each batch, and at its end."""

from dataclasses import replace

from connector.instants import span
from connector.store.store import Store
from connector.sync.apply import Applier, ApplyResult, Batch, RemovedBatch
from connector.sync.crowding import Crowding
from connector.sync.holding import with_all_that_waits
from connector.sync.output import Output
from connector.sync.proposal import Proposal
from connector.sync.rolling import drop_turns, keep_turns


def prepare(proposal: Proposal, output: Output, applier: Applier) -> None:
    """Keep what is known of the target, and unless nothing may be written, what waits."""
    state, store, stops = proposal.state, applier.store, proposal.aside.stops
    if _is_anew(proposal, output):
        store.outputs.note_batch(state.number, None)
    store.ledger.mark(state, proposal.plan, applier.now())
    if stops or proposal.plan.empty:
        store.ledger.keep_handles(state, proposal.handles)
    if not stops:
        _keep_rows(proposal, store)
        keep_turns(proposal, store)


def intend(proposal: Proposal, output: Output, applier: Applier) -> Proposal:
    """Keep what is about to be written: it stays ours after a crash; return all that is."""
    store, state, now = applier.store, proposal.state, applier.now
    proposal = with_all_that_waits(proposal, output, store)
    since = now() - span(output.limits.window)
    store.counted.count(state.number, proposal.aside.counted, now(), since)
    again = output.target.judged_anew(proposal.plan)
    store.ledger.intend(
        state,
        proposal.plan,
        now(),
        whole=proposal.scope.everything or bool(again),
        updates=bool(again) or not output.target.readable,
        judged_anew=again,
        kept={*proposal.aside.kept, *proposal.aside.withheld},
    )
    store.ledger.keep_handles(state, proposal.handles)  # also of what came back
    return proposal


def record(batch: Batch, proposal: Proposal, output: Output, applier: Applier) -> ApplyResult:
    """Keep what became of a batch; return it in numbers."""
    state, store, now = proposal.state, applier.store, applier.now
    if isinstance(batch, RemovedBatch) and not output.target.ours_alone:
        store.former.note(state.number, batch.numbers, now())
    output.target.note_ends(batch, state, store, now())
    return applier.record(output.name, proposal, batch)


def finish(
    proposal: Proposal, output: Output, applier: Applier, applied: ApplyResult, crowding: Crowding
) -> None:
    """Keep how far the output is in step with its list, and what it learnt of the target's room."""
    state, store, now = proposal.state, applier.store, applier.now
    verified, anew = proposal.scope.verifies, _is_anew(proposal, output)
    if proposal.aside.stops:  # what changed meanwhile is looked at once the list may be replaced
        read = replace(state, setup=output.setup, stamp=proposal.stamp) if verified else state
        store.outputs.finish(read, state.seq, verified=verified, now=now())
        return
    if proposal.noticed is not None:  # only now: what is planned anew is not lost once more
        store.surprises.keep_lost(state.number, proposal.noticed.lost)
    output.target.keep_protections(state, store, whole=proposal.scope.everything)
    stamp = _stamp(proposal, output)
    roomy = crowding.settle(state, store, now(), anew=anew, probed=verified)
    if applied.later:  # the next cycle looks again at all that this one looked at
        at = None if proposal.scope.everything else state.verified_at
        not_yet = replace(state, verified_at=at, stamp=stamp)
        store.outputs.finish(not_yet, state.seq, verified=False, now=now())
        return
    drop_turns(proposal, store)
    done = replace(state, seq=proposal.seq, setup=output.setup, stamp=stamp)
    if roomy and not anew:  # what was over capacity is offered in the next cycle
        done, verified = replace(done, verified_at=None), False
    if verified or not proposal.plan.empty or done != replace(state, setup=output.setup):
        store.outputs.finish(done, proposal.seq, verified=verified, now=now())


def _is_anew(proposal: Proposal, output: Output) -> bool:
    """Return whether the target was read for the first time under these settings."""
    return proposal.scope.verifies and proposal.state.setup != output.setup


def _stamp(proposal: Proposal, output: Output) -> str | None:
    """Return what the target says of itself as we leave it, as far as we know how that is."""
    if not proposal.knows_the_target:
        return proposal.state.stamp
    return proposal.stamp if proposal.plan.empty else output.target.stamp()


def _keep_rows(proposal: Proposal, store: Store) -> None:
    """Keep which entries are one row, before they are written."""
    fold, adding = proposal.fold, proposal.plan.add.numbers
    if fold is not None and (fold.whole or adding):
        rows = fold.rows if fold.whole else {number: fold.rows[number] for number in adding}
        store.folds.keep(proposal.state.number, rows, whole=fold.whole)
