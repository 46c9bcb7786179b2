"""What an output would get of a sample: decided and mapped as configured, in a state of its own."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from connector.config.loading import Loaded
from connector.decisions.mapping import Mapper, compile_mapping, overlay, read_mapping
from connector.errors import ConnectorError
from connector.feed import Settings
from connector.instants import Clock, system_clock
from connector.model import Entry, FieldValue, Observable, ObservableType, Reason
from connector.registry import Registry, nearest
from connector.reports.explain import explain_value
from connector.reports.values import Json
from connector.service.build import Runtime, build
from connector.service.service import Service
from connector.store.store import Store
from connector.sync.output import Output
from connector.sync.targets.kinds import target_of

Fields = Mapping[str, FieldValue]
_FEED: Final = "bundle"
_GOES: Final = "pending"


class SampleError(ConnectorError):
    """The sample cannot be tried: what is named is not there."""


def try_mapping(
    loaded: Loaded, registry: Registry, output: str, sample: Path, feed: str = "",
    now: Clock = system_clock,
) -> Json:  # fmt: skip
    """Return what an output would get of the STIX objects in a file, and what not and why.

    They count as objects of `feed`, or of the first feed of the output's list. The output's target
    is not asked.
    """
    if output not in loaded.config.outputs:
        outputs = nearest(output, tuple(loaded.config.outputs))
        raise SampleError(f"{output} is not an output of this file ({outputs})")
    ids = list(_indicators(sample))
    source = feed or _first_feed(loaded, output)
    if source not in loaded.config.feeds:
        feeds = nearest(source, tuple(loaded.config.feeds))
        raise SampleError(f"{source} is not a feed of this file ({feeds})")
    with TemporaryDirectory() as folder:
        copy = Path(folder, "sample.json")
        copy.write_bytes(sample.read_bytes())
        alone = _only(loaded, registry, output, source, copy)
        store = Store(f"sqlite:///{folder}/state.db")
        try:
            store.database.migrate()
            service = build(alone, registry, store, Runtime(now), polls=False)
            try:
                return _answer(service, registry, output, source, ids)
            finally:
                service.close()
        finally:
            store.close()


def _indicators(sample: Path) -> Iterator[str]:
    try:
        document = json.loads(sample.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SampleError(
            f"{sample}: cannot be read as a STIX object or bundle: {error}"
        ) from error
    listed = document if isinstance(document, list) else [document]
    for each in listed:
        for one in each.get("objects", [each]) if isinstance(each, dict) else []:
            if isinstance(one, dict) and one.get("type") == "indicator":
                yield str(one.get("id", ""))


def _first_feed(loaded: Loaded, output: str) -> str:
    chosen = loaded.config.lists[loaded.config.outputs[output].list].select.feeds
    return next(iter(chosen or loaded.config.feeds), "")


def _only(loaded: Loaded, registry: Registry, output: str, feed: str, sample: Path) -> Loaded:
    """Return the configuration with this output alone, and the sample in place of the feed."""
    config = loaded.config
    kept = config.outputs[output]
    as_file = config.feeds[feed].model_copy(update={"type": _FEED})
    options: Settings = registry.feed(_FEED).settings_type.model_validate({"path": sample})
    return replace(
        loaded,
        config=config.model_copy(
            update={
                "feeds": {**config.feeds, feed: as_file},
                "lists": {kept.list: config.lists[kept.list]},
                "outputs": {output: kept},
            }
        ),
        feeds={**loaded.feeds, feed: options},
        outputs={output: loaded.outputs[output]},
    )


def _answer(service: Service, registry: Registry, name: str, feed: str, ids: list[str]) -> Json:
    service.feeds.poll(feed)
    output = service.outputs[name]
    output.target.heed(output.listing, service.now())
    listed = output.listing.policy.name
    service.lists.refresh(listed)
    kind = registry.adapter(service.loaded.config.outputs[name].adapter)
    mapping = service.loaded.config.outputs[name].mapping
    specs = overlay(read_mapping(kind.default_mapping), mapping)
    uncut = _entries(output, service.store, compile_mapping(specs, kind.fields))
    entries = _entries(output, service.store, service.loaded.mappers[name])
    found: list[Json] = []
    unread: list[Json] = []
    for one in ids:
        explained = explain_value(service.decider, one)
        unread += explained["unread"]
        for seen in explained["observables"]:
            key = seen["type"], seen["value"]
            said = _reason(seen, listed, name, one)
            if said["reason"] == _GOES and key not in entries:
                said = _unfit(output, *key)
            named = {"type": seen["type"], "value": seen["value"], "indicator": one}
            found.append(named | said | _filled(entries.get(key), uncut.get(key), specs))
    return {
        "output": name,
        "adapter": service.loaded.config.outputs[name].adapter,
        "list": listed,
        "feed": feed,
        "observables": found,
        "unread": unread,
    }


def _unfit(output: Output, kind: str, value: str) -> Json:
    """Return why a target does not get what its list wants."""
    known = kind in ObservableType.__members__.values()
    if known and (words := output.target.why_protected(Observable(ObservableType(kind), value))):
        return {"reason": str(Reason.ALLOWLISTED), "detail": words}
    return {"reason": str(Reason.UNSUPPORTED_TYPE), "detail": ""}


def _filled(fields: Fields | None, uncut: Fields | None, mapped: Collection[str]) -> Json:
    """Return the fields of an entry, those whose text is cut, and those that nothing fills."""
    if fields is None or uncut is None:
        return {"fields": {}, "cut": [], "empty": []}
    cut = sorted(name for name, value in fields.items() if uncut[name] != value)
    return {"fields": dict(fields), "cut": cut, "empty": sorted(set(mapped) - fields.keys())}


def _reason(seen: Json, listed: str, output: str, indicator: str) -> Json:
    """Return the reason at the output, or that of the claim where the list does not want it."""
    (there,) = [one for one in seen["outputs"] if one["name"] == output]
    claims = [one for one in seen["claims"] if one["indicator"] == indicator]
    said: Json = claims[0]["reasons"][listed] if claims else there
    wanted = there["reason"] == _GOES or said["reason"] == Reason.WANTED
    return {key: (there if wanted else said)[key] for key in ("reason", "detail")}


def _entries(output: Output, store: Store, mapper: Mapper) -> dict[tuple[str, str], Fields]:
    """Return the fields of each entry that the target can have."""
    target: Any = target_of(output.name, output.adapter, None if mapper.blank else mapper)
    with store.database.read() as transaction:
        rows = store.wanted.rows(transaction, output.listing.number, None)
        fitting = (row for row in rows if output.target.fits(row.observable))
        lines = list(target.lines(output.listing, store, transaction, fitting))
    return {
        (line.type.value, line.value): line.fields
        for row, line in lines
        if isinstance(line, Entry) and isinstance(row.observable, Observable)
    }
