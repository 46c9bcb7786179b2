"""`connector feeds`: collections, cursors, gaps, alarms and purges."""

from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath, ListGroup
from connector.commands.terminal import FAILED, OK, current_user, err, exit_with, out, print_json
from connector.errors import ConnectorError
from connector.feed import Offered
from connector.ingest import alarms
from connector.ingest.configured_feed import ConfiguredFeed
from connector.ingest.retention import confirm
from connector.reports.formatting import lost
from connector.reports.status import gap_json
from connector.reports.values import Json, moment
from connector.service.service import Service

_NOTHING_OPEN: Final = "no open gap or alarm"

feeds = typer.Typer(cls=ListGroup, help="Show feeds, acknowledge gaps, purge objects.")


@feeds.command("list")
def list_feeds(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Show each feed's collections, cursors and gaps."""
    with open_service(config) as service:
        answer = [_feed_json(service, feed) for feed in service.feeds.values()]
    if as_json:
        print_json({"feeds": answer})
    else:
        for feed in answer:
            _show(feed)
    exit_with(FAILED if any(feed["error"] for feed in answer) else OK)


@feeds.command("ack")
def acknowledge(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the feed.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Acknowledge the gaps and alarms of a feed.

    The feed's current character becomes its new normal.
    """
    with open_service(config) as service:
        feed = service.feeds.get(name)
        if feed is None:
            known = ", ".join(service.feeds) or "there are none"
            err.print(f"connector: {name} is not a feed of this configuration ({known})")
            exit_with(FAILED)
        count = service.store.objects.gaps.acknowledge(feed.number, current_user(), service.now())
        ended = alarms.acknowledge(feed, service.store.objects, service.now())
        if ended:
            by, audit = current_user(), service.store.audit
            audit.record(f"feed {name}", "acknowledge", "", by, [], service.now())
    if as_json:
        print_json({"feed": name, "acknowledged": count, "alarms": ended})
    else:
        counts = {"gaps": count, "alarms": ended}
        done = (f"{what} acknowledged: {ended}" for what, ended in counts.items() if ended)
        out.print(f"{name}: {', '.join(done) or _NOTHING_OPEN}", markup=False)


@feeds.command("purge")
def purge(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the feed.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Delete objects whose purge waits for a person.

    Their markings no longer allow us to keep them, and there are too many to delete unasked.
    """
    with open_service(config) as service:
        known = {known: number for number, known in service.store.feeds().items()}
        if name not in known:
            err.print(f"connector: {name} is not a feed of this state ({', '.join(known)})")
            exit_with(FAILED)
        count = confirm(service.store, known[name], current_user(), service.now())
    if as_json:
        print_json({"feed": name, "purged": count})
    else:
        words = "no purge is waiting" if count == 0 else f"objects deleted: {count:,}"
        out.print(f"{name}: {words}", markup=False)


def _feed_json(service: Service, feed: ConfiguredFeed) -> Json:
    """Return the collections a feed shows now, or showed last if it does not answer."""
    error = None
    offered: list[Offered] = []
    try:
        offered = list(feed.feed.offered())
    except ConnectorError as failure:
        error = str(failure)
    read = service.store.objects.runs.cursors(feed.number)
    known = {found.key for found in offered}
    gone = [Offered(key, title, chosen=False) for key, (title, _) in read.items()]
    gaps = service.store.objects.gaps.found(everything=True)
    return {
        "name": feed.name,
        "type": feed.config.type,
        "error": error,
        "collections": [
            {
                "key": found.key,
                "title": found.title,
                "root": found.root,
                "names": list(found.names),
                "readable": found.readable,
                "chosen": found.chosen,
                "seen": found.key in known,
                "cursor": read.get(found.key, ("", None))[1],
            }
            for found in (*offered, *(old for old in gone if old.key not in known))
        ],
        "gaps": [
            {
                **gap_json(gap),
                "acknowledged_at": moment(gap.acknowledged_at),
                "acknowledged_by": gap.acknowledged_by,
            }
            for gap in gaps
            if gap.feed == feed.name
        ],
    }


def _show(feed: Json) -> None:
    out.print(f"{feed['name']} ({feed['type']})", markup=False)
    if feed["error"]:
        out.print(f"  {feed['error']}", markup=False, style="yellow")
    table = Table("collection", "names", "root", "", "cursor", box=None, padding=(0, 2, 0, 0))
    for found in feed["collections"]:
        names = ", ".join(found["names"])
        shown = (found["title"], names, found["root"], _standing(found), found["cursor"] or "-")
        table.add_row(*map(Text, shown))
    if feed["collections"]:
        out.print(table)
    for gap in feed["gaps"]:
        if gap["acknowledged_at"] is None:
            out.print(f"  {lost(feed['name'], gap)}", markup=False, style="yellow")
        else:
            out.print(
                f"  {gap['collection']} was not read from {gap['after']} to {gap['until']}, "
                f"acknowledged by {gap['acknowledged_by']}",
                markup=False,
            )


def _standing(found: Json) -> str:
    if not found["seen"]:
        return "not seen"
    if not found["readable"]:
        return "no access"
    return "read" if found["chosen"] else "not chosen"
