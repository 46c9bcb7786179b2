"""`connector refuse`: says no to one hold."""

from typing import Annotated, NoReturn

import typer

from connector.commands.apply import exit_code
from connector.commands.days import last_day
from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath, HoldId
from connector.commands.terminal import FAILED, current_user, err, exit_with, out, print_json
from connector.instants import system_clock


def refuse(
    hold_id: HoldId,
    why: Annotated[str, typer.Option(help="Reason, for the person who reads this later.")],
    until: Annotated[
        str, typer.Option(help="Last day of the refusal, in UTC, such as 2027-06-30.")
    ] = "",
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Leave the entries of a hold as they are.

    They stay until the day given, or until feed and list agree again.
    """
    if not why.strip():
        _say_no("--why: give a reason, for the person who reads this later")
    try:
        end = last_day(until, system_clock(), "nothing would be refused")
    except ValueError as error:
        _say_no(str(error))
    with open_service(config) as service:
        answer = service.outputs.refuse(hold_id, current_user(), why.strip(), end)
    if as_json:
        facts = {"hold": hold_id, "refused": answer.done, "nothing_left": answer.nothing_left}
        print_json({**facts, "words": answer.words})
    else:
        out.print(answer.words, markup=False)
    exit_with(exit_code(answer))


def _say_no(words: str) -> NoReturn:
    err.print(f"connector: {words}", markup=False)
    exit_with(FAILED)
