"""`connector apply`: accepts what is left of one hold."""

from functools import partial
from typing import Annotated

import typer

from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath, HoldId
from connector.commands.terminal import (
    FAILED,
    OK,
    OUT_OF_DATE,
    current_user,
    exit_with,
    out,
    print_json,
)
from connector.service.deadline import in_time
from connector.service.holds import Answer
from connector.service.state import AlreadyRunningError


def apply(
    hold_id: HoldId,
    why: Annotated[str, typer.Option(help="Reason, for the audit.")] = "",
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Accept exactly what is left of the hold with this id."""
    by, why = current_user(), why.strip()
    try:
        with open_service(config, alone=True) as service:
            accept = partial(service.outputs.accept, hold_id, by, why)
            outputs = service.outputs
            answer = in_time(service.calls, service.stop.ask, accept, outputs.note_overdue)
    except AlreadyRunningError:
        with open_service(config) as service:
            answer = service.outputs.hand_over(hold_id, by, why)
    if as_json:
        facts = {"hold": hold_id, "applied": answer.done, "nothing_left": answer.nothing_left}
        print_json({**facts, "words": answer.words})
    else:
        out.print(answer.words, markup=False)
    exit_with(exit_code(answer))


def exit_code(answer: Answer) -> int:
    """Return the exit code for what became of a person's word on a hold."""
    return OK if answer.done else OUT_OF_DATE if answer.nothing_left else FAILED
