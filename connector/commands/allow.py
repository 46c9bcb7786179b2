"""`connector allow`: exceptions, and what the allowlist suppresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from connector.commands.days import last_day
from connector.commands.looking import load_config
from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath, ListGroup
from connector.commands.terminal import FAILED, OK, current_user, err, exit_with, out, print_json
from connector.config.loading import Loaded
from connector.decisions.allowlist.site import ExceptionRule
from connector.decisions.allowlist.values import read_allow_value
from connector.indicators.observables.refang import refanged
from connector.instants import system_clock, to_datetime
from connector.registry import Registry
from connector.reports.list_ages import age_words, list_ages
from connector.reports.values import Json, defang, moment
from connector.service.service import Service
from connector.service.state import open_store
from connector.store.lists.exceptions import ExceptionRow
from connector.store.queries import suppressed
from connector.store.store import Store

allow = typer.Typer(cls=ListGroup, help="Manage exceptions; show the allowlist's effect.")
Value = Annotated[
    str,
    typer.Argument(
        metavar="VALUE",
        help="Address, prefix, domain (with all names below), URL, e-mail address, hash or AS "
        "number; plain or defanged.",
    ),
]


@allow.command("add")
def add(
    value: Value,
    why: Annotated[str, typer.Option(help="Reason, for the person who reads this in two years.")],
    ticket: Annotated[str, typer.Option(help="Ticket or change number.")] = "",
    until: Annotated[
        str, typer.Option(help="Last day of the exception, in UTC, such as 2027-06-30.")
    ] = "",
    owner: Annotated[str, typer.Option(help="Who is responsible for it; you by default.")] = "",
    config: ConfigPath = CONFIG,
) -> None:
    """Add an exception; its values leave every list."""
    now = system_clock()
    plain, end = _readable(value), _end(until, now)
    if not why.strip():
        _refuse("--why: give a reason, for the person who reads this in two years")
    with _store(config) as (_, store):
        before = store.exceptions.add(
            plain, why=why.strip(), ticket=ticket.strip(), owner=owner.strip() or current_user(),
            until=end, now=now,
        )  # fmt: skip
    words = f"until the end of {until} (UTC)" if until else "with no end date"
    out.print(f"{defang(plain)} is never blocked, {words}", markup=False)
    if before is not None:
        out.print(f"This replaces the exception of {before.owner}: {before.why}", markup=False)
    out.print("A running service picks this up within 10 seconds.", markup=False)


@allow.command("remove")
def remove(value: Value, config: ConfigPath = CONFIG) -> None:
    """Remove an exception that was added by command.

    From then on, feeds decide on the value again.
    """
    plain = _readable(value)
    with _store(config) as (loaded, store):
        before = store.exceptions.remove(plain, by=current_user(), now=system_clock())
    in_file = _in_file(loaded, plain)
    if before is not None:
        out.print(f"{defang(plain)}: exception removed ({before.why})", markup=False)
    elif not in_file:
        _refuse(f"{defang(plain)} has no exception; `connector allow list` shows all of them")
    if in_file:
        _refuse(f"{defang(plain)} is in allowlist.exceptions of {config}: remove it there")


@allow.command("list")
def list_exceptions(
    config: ConfigPath = CONFIG,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show exceptions that were removed or have ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show exceptions, suppressed claims, ages of lists.

    Also shows what each part of the allowlist suppresses, and how old its warninglists are.
    """
    now = system_clock()
    with open_service(config) as service:
        found = [_of_file(rule, now) for rule in service.loaded.exceptions]
        found += [_of_row(row, now) for row in service.store.exceptions.all(everything=everything)]
        costs = _suppressed(service)
        lists = list_ages(service.loaded.warninglists, to_datetime(now).date())
    shown = [each for each in found if everything or each["state"] == "in force"]
    if as_json:
        print_json({"exceptions": shown, "suppressed": costs, "warninglists": lists})
    else:
        _show_exceptions(shown)
        _show_suppressed(costs)
        _show_lists(lists)
    exit_with(OK)


@contextmanager
def _store(config: Path) -> Iterator[tuple[Loaded, Store]]:
    """Yield the file and its store, without building the lists and outputs."""
    loaded = load_config(config, Registry.installed())
    store = open_store(loaded, alone=False)  # a running daemon picks up the change
    try:
        yield loaded, store
    finally:
        store.close()


def _refuse(text: str) -> None:
    err.print(f"connector: {text}", markup=False)
    exit_with(FAILED)


def _readable(value: str) -> str:
    plain = refanged(value.strip())
    try:
        read_allow_value(plain)
    except ValueError as error:
        _refuse(f"{value}: {error}")
    return plain


def _end(until: str, now: int) -> int | None:
    try:
        return last_day(until, now, "the exception would protect nothing")
    except ValueError as error:
        _refuse(str(error))
    return None


def _in_file(loaded: Loaded, plain: str) -> bool:
    asked = read_allow_value(plain)
    return any(read_allow_value(rule.value) == asked for rule in loaded.exceptions)


def _of_file(rule: ExceptionRule, now: int) -> Json:
    ended = rule.until is not None and rule.until <= to_datetime(now)
    return {
        "value": rule.value,
        "state": "ended" if ended else "in force",
        "until": rule.until.strftime("%Y-%m-%dT%H:%M:%SZ") if rule.until else None,
        "why": rule.why,
        "ticket": rule.ticket or None,
        "owner": None,
        "source": "file",
        "added": None,
        "removed": None,
        "removed_by": None,
    }


def _of_row(row: ExceptionRow, now: int) -> Json:
    state = "in force" if row.holds(now) else "ended" if row.removed is None else "removed"
    return {
        "value": row.value,
        "state": state,
        "until": moment(row.until),
        "why": row.why,
        "ticket": row.ticket or None,
        "owner": row.owner,
        "source": "command",
        "added": moment(row.created),
        "removed": moment(row.removed),
        "removed_by": row.removed_by,
    }


def _suppressed(service: Service) -> list[Json]:
    """Return how many claims each group suppresses on each list, as of its latest refresh."""
    database = service.store.database
    with database.read() as transaction:
        return [
            {"list": name, "group": group, "claims": count}
            for name, listing in service.lists.items()
            for group, count in suppressed(transaction, listing.number).items()
        ]


def _show_exceptions(found: list[Json]) -> None:
    if not found:
        out.print("no exceptions", markup=False)
        return
    names = ("value", "until", "owner", "ticket", "why", "state")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:  # people copy these values, so they must not wrap
        table.add_column(name, no_wrap=name in {"value", "until", "ticket"}, overflow="fold")
    for each in found:
        values = {**each, "value": defang(each["value"]), "owner": each["owner"] or "the file"}
        table.add_row(*(Text(values[name] or "-") for name in names))
    out.print(table)


def _show_suppressed(costs: list[Json]) -> None:
    out.print()
    if not costs:
        out.print("the allowlist suppresses nothing", markup=False)
        return
    table = Table("list", "suppressed by", "claims", box=None, pad_edge=False)
    for each in costs:
        table.add_row(Text(each["list"]), Text(each["group"]), f"{each['claims']:,}")
    out.print(table)


def _show_lists(found: list[Json]) -> None:
    out.print()
    out.print(age_words(found), markup=False)
    if not found:
        return
    table = Table("warninglist", "applies to", "version", "age", box=None, pad_edge=False)
    for each in found:
        age = "undated" if each["age_days"] is None else f"{each['age_days']:,} days"
        holds = "every list" if each["lists"] == "all" else "blocklists"
        table.add_row(Text(each["name"]), holds, str(each["version"] or "-"), age)
    out.print(table)
