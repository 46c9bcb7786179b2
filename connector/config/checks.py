"""Checks that need several parts of the file: names, types, audiences, shared targets."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from os.path import realpath
from pathlib import PurePath
from typing import Any, Final

import msgspec

from connector.adapter import Adapter, RuleAdapter
from connector.adapter.fields import misfits
from connector.config.default_lists import DEFAULT, DEFAULT_LISTS
from connector.config.model import Config, ListConfig, OutputConfig
from connector.config.problems import Path, Problem
from connector.config.rollouts import check_rollouts, no_such
from connector.config.sections import Sections
from connector.config.warninglist_files import warning_about
from connector.decisions.allowlist.groups import MEANINGS
from connector.errors import ConfigError
from connector.model import Audience, ObservableType
from connector.registry import Registry, nearest
from connector.settings import OwnName, Settings, write_duration

_IN_CLEAR: Final = re.compile(
    r"http://(?!(?:localhost|127\.[0-9.]+|\[::1\])(?:[:/?]|$))", re.IGNORECASE
)
_PASSWORD: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]*:[^/?#@\s]+@", re.IGNORECASE)
_WIDTH: Final = {audience: width for width, audience in enumerate(Audience)}


class Parts(msgspec.Struct, frozen=True):
    """The names in a file, and those of its parts that are valid by themselves."""

    feeds: tuple[str, ...]
    lists: tuple[str, ...]
    outputs: tuple[str, ...]
    sound_lists: Mapping[str, ListConfig]
    sound_outputs: Mapping[str, OutputConfig]
    options: Mapping[str, Settings]


def check_together(sections: Sections, registry: Registry, parts: Parts) -> None:
    """Note every contradiction between parts of the file."""
    for name in parts.lists:
        _check_feeds(sections, parts, ("lists", name, "select", "feeds"))
        _check_sources(sections, parts, name)
    for name, output in parts.sound_outputs.items():
        _check_output(sections, registry, parts, name, output)
    check_rollouts(sections, parts.sound_outputs, parts.outputs)
    _check_targets(sections, parts)
    for path, text in _texts(sections.file.value, ()):
        if _PASSWORD.match(text):
            sections.note(path, "contains a literal secret: remove user and password from the URL")


def _check_feeds(sections: Sections, parts: Parts, path: Path) -> None:
    named = sections.file.at(path) if sections.file.known(path) == path else None
    for number, feed in enumerate(named if isinstance(named, list) else ()):
        if isinstance(feed, str) and feed not in parts.feeds:
            sections.note((*path, number), no_such("feed", feed, parts.feeds))


def _check_sources(sections: Sections, parts: Parts, name: str) -> None:
    if (listed := parts.sound_lists.get(name)) is None:
        return
    feeds, asked = listed.select.feeds or parts.feeds, listed.select.min_sources
    if asked > max(1, len(set(feeds))):
        text = f"should be at most {len(set(feeds))}, the number of feeds of the list, is {asked}"
        sections.note(("lists", name, "select", "min_sources"), text)


def unused(file: str, sections: Sections, config: Config) -> Iterator[str]:
    """Yield a warning for each list that no output writes, and each feed that no list takes."""
    written = {output.list for output in config.outputs.values()}
    for name in config.lists:
        if name not in written:
            yield _warning(file, sections, ("lists", name), "no output uses this list")
    selections = [listed.select.feeds for listed in config.lists.values()]
    taken = {feed for feeds in selections for feed in feeds or ()}
    for name in config.feeds:
        if None not in selections and name not in taken:
            yield _warning(file, sections, ("feeds", name), "no list uses this feed")


def doubtful_lists(file: str, sections: Sections, config: Config) -> Iterator[str]:
    """Yield a warning for each warninglist that is not meant as an allowlist."""
    for number, name in enumerate(config.allowlist.warninglists):
        if text := warning_about(name):
            yield _warning(file, sections, ("allowlist", "warninglists", number), text)


def switched_off(file: str, sections: Sections, config: Config) -> Iterator[str]:
    """Yield a note for each default part of the allowlist that the file switches off."""
    allowlist = config.allowlist
    for number, group in enumerate(allowlist.builtin.except_):
        path: Path = ("allowlist", "builtin", "except", number)
        text = f"{group} is switched off, so these may be blocked: {MEANINGS[group]}"
        yield _warning(file, sections, path, text)
    if DEFAULT not in allowlist.warninglists:
        left = [name for name in DEFAULT_LISTS if name not in allowlist.warninglists]
        text = (
            f"the default set is switched off ({len(left)} lists, including {left[0]}): add "
            f"`{DEFAULT}` to the lists to keep it as well"
        )
        yield _warning(file, sections, ("allowlist", "warninglists"), text)


def unencrypted(file: str, sections: Sections) -> Iterator[str]:
    """Yield a warning for each server that is contacted in clear text over a network."""
    for path, text in _texts(sections.file.value, ()):
        if path[0] in {"feeds", "outputs"} and path[-1] == "url" and _IN_CLEAR.match(text):
            words = (
                "is not encrypted: anyone on the path can read credentials and change the traffic"
            )
            yield _warning(file, sections, path, words)


def rendered(file: str, sections: Sections, doubts: Iterable[tuple[Path, str]]) -> Iterator[str]:
    """Yield a warning for each doubt that an adapter raises about its options."""
    for path, text in doubts:
        yield _warning(file, sections, path, text)


def _warning(file: str, sections: Sections, path: Path, text: str) -> str:
    return Problem(sections.file.position(path), path, text).render(file)


def _check_output(
    sections: Sections, registry: Registry, parts: Parts, name: str, output: OutputConfig
) -> None:
    path: Path = ("outputs", name)
    if output.verify_every < output.every and not sections.faulty((*path, "every")):
        least = write_duration(output.every)
        found = write_duration(output.verify_every)
        text = f"should be at least {least}, as `every` is, is {found}"
        sections.note((*path, "verify_every"), text)
    if output.list not in parts.lists:
        sections.note((*path, "list"), no_such("list", output.list, parts.lists))
    listed = parts.sound_lists.get(output.list)
    if listed is not None:
        _check_list(sections, path, output, listed)
    try:
        adapter = registry.adapter(output.adapter)
    except ConfigError:
        return
    if listed is not None:
        _check_types(sections, path, output, listed, adapter)
    _check_mapping(sections, path, output, adapter)


def _check_list(sections: Sections, path: Path, output: OutputConfig, listed: ListConfig) -> None:
    audience = output.audience or listed.audience
    known = not sections.faulty(("lists", output.list, "audience"))
    if known and _WIDTH[audience] > _WIDTH[listed.audience]:
        text = f"should not be wider than its list's, {listed.audience}, is {audience}"
        sections.note((*path, "audience"), text)
    chosen = listed.select.types or tuple(ObservableType)
    for number, kind in enumerate(output.types or ()):
        if kind not in chosen:
            text = f"{kind} is not among the types of the list {output.list} ({', '.join(chosen)})"
            sections.note((*path, "types", number), text)


def _check_types(
    sections: Sections,
    path: Path,
    output: OutputConfig,
    listed: ListConfig,
    adapter: type[Adapter[Any]],
) -> None:
    if issubclass(adapter, RuleAdapter):
        if output.types:
            text = f"the {output.adapter} adapter takes rules, not observables: remove `types`"
            sections.note((*path, "types"), text)
        return
    wanted = output.types or listed.select.types or tuple(ObservableType)
    if adapter.supports.isdisjoint(wanted):
        held = ", ".join(kind for kind in ObservableType if kind in adapter.supports)
        text = (
            f"the {output.adapter} adapter cannot hold any of the types to write "
            f"({', '.join(wanted)}); it holds {held}"
        )
        sections.note((*path, "types" if output.types else "adapter"), text)


def _check_mapping(
    sections: Sections, path: Path, output: OutputConfig, adapter: type[Adapter[Any]]
) -> None:
    offered = tuple(sorted(adapter.fields))
    for field in output.mapping:
        if field not in offered:
            would_do = nearest(field, offered) or "it has none"
            text = f"is not a field of the {output.adapter} adapter ({would_do})"
            sections.note((*path, "mapping", field), text)
    for field, words in misfits(output.mapping, adapter.fields).items():
        sections.note((*path, "mapping", field), words)


def _check_targets(sections: Sections, parts: Parts) -> None:
    """Two outputs in one place would each treat the other's entries as foreign or lost."""
    seen: dict[tuple[object, ...], list[str]] = {}
    for name, options in parts.options.items():
        if (output := parts.sound_outputs.get(name)) is None:
            continue
        places = named_places(options, name)
        # A secret's repr hides it, so options that print alike still have to be compared.
        keys = {(output.adapter, repr(options))} if places is None else places
        alike = [seen.setdefault(key, []) for key in sorted(keys, key=repr)]
        taken = {
            other
            for others in alike
            for other in others
            if places is not None or parts.options[other] == options
        }
        for other in (known for known in parts.options if known in taken):
            line = sections.file.position(("outputs", other)).line
            text = (
                f"point to the same place as outputs.{other} on line {line}: two outputs cannot "
                "keep a list in one place; give each its own"
            )
            sections.note(("outputs", name, "options"), text)
            break
        for others in alike:
            others.append(name)


def named_places(options: Settings, output: str) -> frozenset[tuple[object, ...]] | None:
    """Return the places of an output, with its name where the target knows its entries by that."""
    if options.places is None:
        return None
    return frozenset(named_place(place, output) for place in options.places)


def named_place(place: tuple[object, ...], output: str) -> tuple[object, ...]:
    """Return a place with the output's name where the target knows its entries by that.

    A path is the one that others lead to.
    """
    return tuple(map(partial(_named, output), place))


def _named(output: str, part: object) -> object:
    if isinstance(part, OwnName):
        return output
    if isinstance(part, PurePath) and part.is_absolute():
        return type(part)(realpath(part))
    return part


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, (*path, key))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _texts(below, (*path, number))
