"""Formats reports for a terminal; values are printed defanged."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.model import ObservableType
from connector.registry import PluginInfo
from connector.reports.freshness import failure_words
from connector.reports.listeners import show_listeners
from connector.reports.values import Json, defang
from connector.store.feeds.alarms import FULL

_PURGES_SHOWN: Final = 3
_COLOURS: Final = {
    "ok": "green", "held": "yellow", "unverified": "yellow", "never": "yellow", "full": "yellow",
    "alarm": "yellow", "stale": "red", "failing": "red", "paused": "red",
}  # fmt: skip


def show_status(console: Console, answer: Json) -> None:
    """Print feeds, lists and outputs, with reasons and problems on separate lines."""
    feeds = columns("feed", "state", "last success", "objects")
    for feed in answer["feeds"]:
        feeds.add_row(feed["name"], _state(feed["state"]), _age(feed), f"{feed['objects']:,}")
    console.print(feeds)
    _tell(console, ((feed["name"], feed["error"]) for feed in answer["feeds"]), "yellow")
    _tell(console, ((feed["name"], failure_words(feed)) for feed in answer["feeds"]))
    _tell(
        console,
        ((f["name"], lost(f["name"], g)) for f in answer["feeds"] for g in f["gaps"]),
        "yellow",
    )
    _tell(
        console, ((f["name"], _alarm(f, a)) for f in answer["feeds"] for a in f["alarms"]), "yellow"
    )
    _tell(console, ((f["name"], _purges(f)) for f in answer["feeds"]), "yellow")
    _tell(console, ((f["name"], _notes(f["notes"])) for f in answer["feeds"]))
    _tell(console, ((f["name"], _caps(f["caps"])) for f in answer["feeds"]))
    console.print(f"\n{answer['claims']:,} claims\n")
    lists = columns("list", "purpose", "wanted", "decided")
    for listed in answer["lists"]:
        decided = listed["decided_at"] or "not decided yet"
        lists.add_row(listed["name"], listed["purpose"], f"{listed['wanted']:,}", decided)
    console.print(lists)
    _tell(console, ((listed["name"], _reasons(listed["reasons"])) for listed in answer["lists"]))
    _tell(
        console, ((listed["name"], _kept_off(listed["suppressed"])) for listed in answer["lists"])
    )
    console.print()
    outputs = columns("output", "list", "state", "last success", "written")
    for output in answer["outputs"]:
        outputs.add_row(
            output["name"], output["list"], _state(output["state"]), _age(output),
            f"{output['written']:,}" + ("" if output["read_back"] else " sent"),
        )  # fmt: skip
    console.print(outputs)
    _tell(console, ((output["name"], _reasons(output["reasons"])) for output in answer["outputs"]))
    _tell(console, ((output["name"], _gone_after(output)) for output in answer["outputs"]))
    _tell(console, ((output["name"], _rollout(output)) for output in answer["outputs"]))
    _tell(console, ((output["name"], _drift(output)) for output in answer["outputs"]))
    _tell(console, ((output["name"], _full(output)) for output in answer["outputs"]))
    _tell(
        console,
        ((o["name"], _remark(one)) for o in answer["outputs"] for one in o["remarks"]),
        "yellow",
    )
    _tell(console, ((output["name"], _problem(output)) for output in answer["outputs"]), "yellow")
    _tell(console, ((output["name"], failure_words(output)) for output in answer["outputs"]))
    _tell(
        console,
        ((o["name"], hold_words(h)) for o in answer["outputs"] for h in o["held"]),
        "yellow",
    )
    _tell(console, ((one["output"], left_words(one)) for one in answer["left_behind"]), "yellow")
    show_listeners(console, answer)


def left_words(one: Json) -> str:
    """Return what an output left where, and what can be done about it."""
    told = (
        f"{one['entries']:,} entries left behind at {', '.join(one['places'])} "
        f"since {one['since'] or 'the file dropped it'} ({one['left']})"
    )
    return told + _what_becomes_of(one)


def _still_left(one: Json) -> str:
    """Return where a value may still be that an output left there."""
    told = f"may still stand at {', '.join(one['places'])}, written {one['since']} ({one['left']})"
    return told + _what_becomes_of(one)


def _what_becomes_of(one: Json) -> str:
    if one["left"] == "moved" and not one["error"]:
        return "; what is left is removed once the new place has all of its list"
    why = f": {one['error']}" if one["error"] else ""
    return (
        f"{why} (remove: connector withdraw {one['output']}; give up: connector outputs "
        f"forget {one['output']} --why WHY)"
    )


def _rollout(output: Json) -> str | None:
    rollout = output["rollout"]
    if rollout is None or not rollout["waiting"]:
        return None
    due = f"the next is due at {rollout['next']}" if rollout["next"] else "none stands there yet"
    return f"pending: rollout: {rollout['waiting']:,} wait for output {rollout['after']}; {due}"


def _drift(output: Json) -> str | None:
    found = output["drift"]
    if found is None:
        return None
    counts = (
        f"{found[kind]:,} {kind}" for kind in ("missing", "altered", "foreign") if found[kind]
    )
    return f"others changed the target: {', '.join(counts)}; found and mended at {found['at']}"


def _full(output: Json) -> str | None:
    told = ", ".join(
        f"{one['held']:,}{f' ({pool})' if (pool := one['pool']) else ''}" for one in output["full"]
    )
    return f"the target was full with {told} entries of ours" if told else None


def _remark(one: Json) -> str:
    count, kind = one["count"], one["type"]
    some = f"{count:,} {'entry' if count == 1 else 'entries'} of type {kind}"
    if one["remark"] == "never_read_back":
        return f"{some} written three times or more, and never there when the target was read back"
    verb = "is" if count == 1 else "are"
    return f"{some} at the target {verb} not in canonical form, as it was read at {one['at']}"


def lost(feed: str, gap: Json) -> str:
    """Return what a gap means, and how to acknowledge it."""
    return (
        f"{gap['collection']} was not read from {gap['after']} to {gap['until']}; objects and "
        f"revocations from that time are lost (acknowledge: connector feeds ack {feed})"
    )


def columns(*names: str) -> Table:
    """Return a table with these headings."""
    return Table(*names, box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _tell(console: Console, told: Iterable[tuple[str, str | None]], style: str = "") -> None:
    """Print the remarks on each part; lines do not wrap, so that they can be copied."""
    for name, words in told:
        if words:
            console.print(f"  {name}: {words}", markup=False, style=style)


def _problem(output: Json) -> str:
    if output["waits_for"]:
        return f"waiting for the first poll of feed {', '.join(output['waits_for'])}"
    return output["error"] or ""


def hold_words(hold: Json) -> str:
    """Return what waits since when and why, and what a person can do or has done about it."""
    what = [f"{hold[verb]:,} to {verb}" for verb in ("add", "remove") if hold[verb]]
    what = what or ["the whole list" if hold["kind"] == "replace" else "nothing that is left"]
    told = f"since {hold['since']}: {' and '.join(what)}: {'; '.join(hold['broken_limits'])}"
    if hold["state"] == "held":
        return f"held {told} (accept: connector apply {hold['id']})"
    until = f" until {hold['until']}" if hold["until"] else ""
    return f"{hold['state']}, in hold {hold['id']} {told} (by {hold['by']}{until}: {hold['why']})"


def _state(state: str) -> Text:
    return Text(state, style=_COLOURS.get(state, ""))


def _age(part: Json) -> str:
    age = part["age_seconds"]
    if age is None:
        return "never"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if age >= size:
            return f"{age // size} {unit} ago"
    return f"{age} s ago"


def _reasons(reasons: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())


def _gone_after(output: Json) -> str:
    means = (
        f"{reason} {times['sum'] / times['count']:,.1f} s ({times['count']:,})"
        for reason, times in output["removal_seconds"].items()
    )
    words = ", ".join(means)
    return f"mean time to removal: {words}" if words else ""


def _kept_off(suppressed: dict[str, int]) -> str:
    return f"suppressed by the allowlist: {_reasons(suppressed)}" if suppressed else ""


def _alarm(feed: Json, alarm: Json) -> str:
    """Return an alarm of a feed; a person can acknowledge one about its character."""
    words = f"{alarm['name']}: {alarm['words']}, since {alarm['since']}"
    if alarm["name"] == FULL:
        return words
    return f"{words} (acknowledge: connector feeds ack {feed['name']})"


def _caps(caps: dict[str, Json]) -> str:
    """Return the caps of a feed, each with the number it excludes where that is counted."""
    words = (
        f"{name} {cap['limit']}" + (f" (excludes {cap['keeps_off']:,})" if cap["keeps_off"] else "")
        for name, cap in caps.items()
    )
    told = ", ".join(words)
    return f"capped: {told}" if told else ""


def _purges(feed: Json) -> str:
    waiting = feed["purges"]
    if not waiting:
        return ""
    shown = [f"{one['objects']:,} of {one['marking']}" for one in waiting[:_PURGES_SHOWN]]
    more = [f"of {len(waiting) - _PURGES_SHOWN:,} more markings"] if waiting[_PURGES_SHOWN:] else []
    since = min(one["since"] for one in waiting)
    return (
        f"objects that we may no longer keep have been waiting for deletion since {since}: "
        f"{', '.join((*shown, *more))} (delete: connector feeds purge {feed['name']})"
    )


def _notes(notes: dict[str, int]) -> str:
    return f"values normalised: {_reasons(notes)}" if notes else ""


def show_explanation(console: Console, answer: Json) -> None:
    """Print the chain from claims to outputs."""
    if not answer["found"]:
        print_line(console, f"{defang(answer['value'])}: no feed mentions it")
    for observable in answer["observables"]:
        print_line(console, f"{observable['type']} {defang(observable['value'])}")
        for claim in observable["claims"]:
            print_line(console, f"  claimed by {_claim(claim)}")
            for words in _kept_back(claim):
                print_line(console, f"    {words}")
        for output in observable["outputs"]:
            print_line(console, f"  {output['name']} ({output['list']}): {_outcome(output)}")
        for place in observable["left_behind"]:
            print_line(console, f"  {place['output']}: {_still_left(place)}")
    for claim in answer["unread"]:
        print_line(console, f"  {claim['reason']}: no observable in {_claim(claim)}")
    if (searched := answer["searched"])["unread"] < searched["of"]:
        print_line(
            console,
            f"  searched the newest {searched['unread']:,} of {searched['of']:,} unreadable claims",
        )
    for gap in answer["gaps"]:
        print_line(console, f"  gap: {gap['feed']}: {lost(gap['feed'], gap)}")
    for protection in answer["protected"]:
        print_line(
            console, f"  allowlist: {protection['group']} protects {defang(protection['value'])}"
        )


def print_line(console: Console, text: str) -> None:
    """Print a line without markup: feed text may look like it."""
    console.print(text, markup=False)


def _claim(claim: Json) -> str:
    parts = [f"{claim['indicator']} of {claim['feed']}"]
    parts.append("enforceable" if claim["enforceable"] else "not enforceable")
    parts.append(f"TLP:{claim['marking']}")
    if claim["confidence_said"]:
        meant = claim["confidence"]
        means = "nothing" if meant is None else str(meant)
        why = f" ({', '.join(claim['caps'])})" if claim["caps"] else ""
        parts.append(f"confidence {claim['confidence_said']}, read as {means}{why}")
    if claim["valid_from"]:
        parts.append(f"from {claim['valid_from']}")
    if claim["valid_until"]:
        parts.append(f"until {claim['valid_until']}")
    if claim["why"]:
        parts.append(defang(claim["why"]))
    return ", ".join(parts)


def _kept_back(claim: Json) -> Iterator[str]:
    """Yield what markings and consent hide from which list's fields, and contradictions."""
    lists: dict[tuple[str, str], list[str]] = {}
    for listed, parts in claim["hidden"].items():
        reasons: dict[str, list[str]] = {}
        for part, why in parts.items():
            reasons.setdefault(why, []).append(part)
        for why, names in reasons.items():
            lists.setdefault((", ".join(names), why), []).append(listed)
    for (told, why), those in lists.items():
        yield f"hidden from {', '.join(those)}: {told} ({why})"
    for note in claim["notes"]:
        yield f"note: {note}; the stricter reading applies"


def _outcome(output: Json) -> str:
    words = str(output["reason"])
    if output["detail"]:
        words += f": {defang(output['detail'])}"
    if output["since"]:
        words += f", since {output['since']}"
    if output["until"]:
        words += f", until {output['until']}"
    return words


def plugin_json(plugin: PluginInfo) -> dict[str, Any]:
    """Return a plugin's description and abilities as JSON."""
    return {
        "name": plugin.name,
        "kind": "adapter" if plugin.group.endswith("outputs") else "feed",
        "origin": plugin.origin,
        "summary": plugin.summary,
        "writes": plugin.writes,
        "supports": sorted(kind.value for kind in plugin.supports),
        "takes_rules": sorted(language.value for language in plugin.takes_rules),
        "capacity": plugin.capacity,
        "fields": sorted(plugin.fields),
        "takes": [
            {"field": name, "words": spec.words} for name, spec in sorted(plugin.fields.items())
        ],
        "error": plugin.error,
    }


def show_plugins(console: Console, plugins: Sequence[PluginInfo]) -> None:
    """Print the installed adapters and feeds, and what each adapter can keep."""
    for plugin in plugins:
        shown = plugin_json(plugin)
        kind = f"{shown['kind']}, {plugin.writes}" if plugin.writes else shown["kind"]
        console.print(f"{plugin.name} ({kind}), from {plugin.origin}", markup=False)
        what = Text(plugin.error, style="red") if plugin.error else Text(plugin.summary)
        console.print(Text("    ").append_text(what))
        for name, words in _abilities(plugin):
            console.print(f"    {name}: {words}", markup=False)


def _abilities(plugin: PluginInfo) -> Iterator[tuple[str, str]]:
    if plugin.supports:
        whole = plugin.supports == frozenset(ObservableType)
        yield "kinds", "all" if whole else ", ".join(sorted(plugin.supports))
    if plugin.takes_rules:
        yield "rules", ", ".join(sorted(plugin.takes_rules))
    if plugin.capacity is not None:
        yield "room", f"{plugin.capacity:,} entries"
    for name, spec in sorted(plugin.fields.items()):
        yield f"field {name}", spec.words
