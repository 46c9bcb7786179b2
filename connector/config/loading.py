"""Loads the configuration file: everything the service runs on, or every problem at once."""

import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from connector.adapter import Adapter
from connector.adapter.fields import longest
from connector.config import checks, serving
from connector.config.chosen_lists import ChosenLists
from connector.config.model import AllowlistConfig, Config, FeedConfig, ListConfig, OutputConfig
from connector.config.problems import Path as Place
from connector.config.problems import Problems
from connector.config.secrets import SecretReader
from connector.config.sections import Sections
from connector.config.sitefiles import SiteFiles
from connector.config.yamlfile import MAX_BYTES, read_yaml
from connector.decisions.mapping import Mapper, compile_mapping, overlay, read_mapping
from connector.errors import ConfigError, ConnectorError
from connector.feed import Feed
from connector.model import ObservableType, Purpose
from connector.registry import Registry, release
from connector.settings import PUBLISHED_FILE, HttpSettings, Settings

if TYPE_CHECKING:  # who looks at the state alone makes no allowlist
    from connector.decisions.allowlist.allowlist import (
        Allowlist,
        ExceptionRule,
        SiteRule,
        Warninglists,
    )

P = TypeVar("P", bound=Settings)

_COMMON: Final = tuple(FeedConfig.model_fields)
_ALL_TYPES: Final = frozenset(ObservableType)
# The parts of these sections have models of their own; the frame only checks their names.
_SMALLEST: Final[Mapping[str, Mapping[str, str]]] = {
    "feeds": {"type": "-"},
    "lists": {},
    "outputs": {"list": "-", "adapter": "-"},
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, with everything that was read for it.

    `config` is the file itself. `feeds` and `outputs` hold the validated options of each feed and
    output by name, for `Registry.make_feed` and `Registry.make_adapter`; `mappers` fill the fields
    of each output's entries, from the adapter's own mapping with the file's on top.
    `site_rules`, `exceptions` and `warninglists` are what the allowlist adds to its built-in floor.
    `fingerprint` changes with the file or a site file: decisions must then be made again.
    `files` names every file that was read, including secrets: a change to any means a reload; the
    list server takes up its own certificate and key.
    `warnings` are sentences for the log; `notes` name the protection that the file switches off.
    """

    path: Path
    config: Config
    feeds: Mapping[str, Settings]
    outputs: Mapping[str, Settings]
    mappers: Mapping[str, Mapper]
    site_rules: "tuple[SiteRule, ...]"
    exceptions: "tuple[ExceptionRule, ...]"
    warninglists: ChosenLists
    fingerprint: str
    files: frozenset[Path]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def published_files(self) -> frozenset[str] | None:
        """The files below publish_folder that outputs keep; None where one does not say so."""
        places = [options.places for options in self.outputs.values()]
        known = [owned for owned in places if owned is not None]
        if len(known) < len(places):
            return None
        return frozenset(
            str(place[1]) for owned in known for place in owned if place[0] == PUBLISHED_FILE
        )

    @property
    def own_hosts(self) -> frozenset[str]:
        """The hosts that the file names: blocking them would cut us off."""
        from connector.config.named_hosts import own_hosts  # noqa: PLC0415 - as above

        return own_hosts(self.config, [*self.feeds.values(), *self.outputs.values()])

    def make_allowlist(
        self,
        exceptions: "Iterable[ExceptionRule]" = (),
        warninglists: "Warninglists | None" = None,
        hosts: Iterable[str] | None = None,
    ) -> "Allowlist":
        """Return the index of everything that must never be stopped.

        `hosts` replaces the hosts named in the file with our own, resolved; `exceptions` are
        added to those of the file; `warninglists` reuses an existing index when only exceptions
        have changed.
        """
        from connector.config.kept_lists import read_lists  # noqa: PLC0415 - as above
        from connector.decisions.allowlist.allowlist import Allowlist  # noqa: PLC0415 - as above

        return Allowlist.build(
            without=self.config.allowlist.builtin.except_,
            site=self.site_rules,
            exceptions=(*self.exceptions, *exceptions),
            purposes={Purpose.BLOCK, *(one.purpose for one in self.config.lists.values())},
            own_hosts=self.own_hosts if hosts is None else hosts,
            warninglists=warninglists or read_lists(self.warninglists),
        )


def load(
    path: Path,
    registry: Registry,
    environ: Mapping[str, str] | None = None,
    *,
    tries: bool = True,
) -> Loaded:
    """Return the loaded file; raise ConfigError with all its problems, in file order.

    Without `tries`, no plugin is made to see whether its options work: who only looks at the state
    needs none.
    """
    raw = _contents(path)
    problems = Problems(str(path))
    file = read_yaml(raw, problems)
    folder = path.absolute().parent
    secrets = SecretReader(folder, os.environ if environ is None else environ)
    context = {"folder": folder, "resolve_secret": secrets.resolve}
    sections = Sections(file, problems, context)
    if not isinstance(file.value, dict):
        sections.note((), "should be a mapping with version, feeds, lists and outputs")
        problems.refuse()
    loading = _Loading(sections, registry, file.value, tries=tries)
    config, feeds, outputs = loading.config()
    if config is not None and tries:
        loading.doubts += serving.try_tls(sections, config.server)
    site = SiteFiles(path.parent, sections)
    site.read(config.allowlist if config else loading.allowlist)
    problems.refuse()
    if config is None:
        raise TypeError("a configuration without problems has a value")
    made = [*feeds.values(), *outputs.values()]
    renewed = serving.renewed(config.server, [config.state, *made])
    return Loaded(
        path=path,
        config=config,
        feeds=MappingProxyType(feeds),
        outputs=MappingProxyType(outputs),
        mappers=MappingProxyType(
            {name: _mapper(registry, output) for name, output in config.outputs.items()}
        ),
        site_rules=tuple(site.rules),
        exceptions=tuple(site.exceptions),
        warninglists=site.warninglists,
        fingerprint=sha256(
            b"".join(sha256(part).digest() for part in (raw, *site.raw))
        ).hexdigest(),
        files=frozenset(
            {
                path.absolute(),
                *config.allowlist.files,
                *site.copies,
                *(secrets.files - renewed),
                *_authorities(made),
            }
        ),
        warnings=(
            *secrets.warnings.values(),
            *checks.rendered(str(path), sections, loading.doubts),
            *checks.unused(str(path), sections, config),
            *checks.doubtful_lists(str(path), sections, config),
            *site.warnings,
            *checks.unencrypted(str(path), sections),
        ),
        notes=tuple(checks.switched_off(str(path), sections, config)),
    )


def _contents(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "name the file with -c FILE or in CONNECTOR_CONFIG"
        raise ConfigError([f"{path}: no such file: {hint}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from error


def _authorities(options: Iterable[Settings]) -> Iterator[Path]:
    for one in options:
        if isinstance(one, HttpSettings) and one.ca is not None:
            yield one.ca


def _mapper(registry: Registry, output: OutputConfig) -> Mapper:
    adapter = registry.adapter(output.adapter)
    specs = overlay(read_mapping(adapter.default_mapping), output.mapping)
    return compile_mapping(specs, adapter.fields, longest(adapter.fields))


class _Loading:
    """Validates the sections one by one, so that an error in one hides none in another."""

    def __init__(
        self, sections: Sections, registry: Registry, value: dict[str, Any], *, tries: bool
    ) -> None:
        self._sections = sections
        self._registry = registry
        self._value = value
        self._tries = tries
        self.allowlist = AllowlistConfig()
        self.doubts: list[tuple[Place, str]] = []

    def config(self) -> tuple[Config | None, dict[str, Settings], dict[str, Settings]]:
        """Return the file and the options of each feed and output; note all problems."""
        frame = self._sections.validated(Config, self._frame(), ())
        if "allowlist" in self._value:
            raw = self._value["allowlist"]
            self.allowlist = self._part(AllowlistConfig, raw, ("allowlist",)) or self.allowlist
        feeds: dict[str, FeedConfig] = {}
        feed_options: dict[str, Settings] = {}
        for name, raw in self._named("feeds").items():
            self._feed(name, raw, feeds, feed_options)
        lists = {
            name: listed
            for name, raw in self._named("lists").items()
            if (listed := self._part(ListConfig, raw, ("lists", name)))
        }
        outputs: dict[str, OutputConfig] = {}
        output_options: dict[str, Settings] = {}
        for name, raw in self._named("outputs").items():
            self._output(name, raw, lists, outputs, output_options)
        parts = checks.Parts(
            feeds=tuple(self._named("feeds")),
            lists=tuple(self._named("lists")),
            outputs=tuple(self._named("outputs")),
            sound_lists=lists,
            sound_outputs=outputs,
            options=output_options,
        )
        checks.check_together(self._sections, self._registry, parts)
        if frame is None:
            return None, feed_options, output_options
        update = {
            "feeds": feeds,
            "lists": lists,
            "outputs": outputs,
            "allowlist": self.allowlist,
        }
        return frame.model_copy(update=update), feed_options, output_options

    def _part(self, model: type[P], raw: Any, path: tuple[str, ...]) -> P | None:
        """Return a part, or as much of it as is valid; note the errors."""
        made = self._sections.validated(model, raw, path)
        return made or self._sections.salvaged(model, raw, path)

    def _frame(self) -> dict[str, Any]:
        # The state's default path is relative to the folder as well, so it has to be validated.
        frame = {"state": {}, **self._value}
        frame.pop("allowlist", None)
        for section, smallest in _SMALLEST.items():
            if isinstance(frame.get(section), dict):
                frame[section] = dict.fromkeys(frame[section], smallest)
        return frame

    def _named(self, section: str) -> dict[str, Any]:
        named = self._value.get(section)
        return named if isinstance(named, dict) else {}

    def _feed(
        self, name: str, raw: Any, feeds: dict[str, FeedConfig], options: dict[str, Settings]
    ) -> None:
        path = ("feeds", name)
        common = raw
        if isinstance(raw, dict):
            common = {key: value for key, value in raw.items() if key in _COMMON}
        if feed := self._part(FeedConfig, common, path):
            feeds[name] = feed
        kind = raw.get("type") if isinstance(raw, dict) else None
        if not isinstance(kind, str) or self._sections.faulty((*path, "type")):
            return
        try:
            model = self._registry.feed(kind).settings_type
        except ConfigError as error:
            self._sections.note((*path, "type"), str(error))
            return
        # A common key that is also an option of the feed, such as `window`, goes to both.
        own = {
            key: value
            for key, value in raw.items()
            if key not in _COMMON or key in model.model_fields
        }
        owner = f"an option of the {kind} feed"
        if made := self._sections.validated(model, own, path, owner, _COMMON):
            options[name] = made
            self._try(path, made, lambda: self._registry.make_feed(kind, made))

    def _output(
        self,
        name: str,
        raw: Any,
        lists: Mapping[str, ListConfig],
        outputs: dict[str, OutputConfig],
        options: dict[str, Settings],
    ) -> None:
        path = ("outputs", name)
        if output := self._part(OutputConfig, raw, path):
            outputs[name] = output
        kind = raw.get("adapter") if isinstance(raw, dict) else None
        if not isinstance(kind, str) or self._sections.faulty((*path, "adapter")):
            return
        try:
            model = self._registry.adapter(kind).settings_type
        except ConfigError as error:
            self._sections.note((*path, "adapter"), str(error))
            return
        own = raw.get("options", {})
        if not isinstance(own, dict):
            return
        owner = f"an option of the {kind} adapter"
        place = (*path, "options")
        if made := self._sections.validated(model, own, place, owner):
            options[name] = made
            types = output.types_of(lists.get(output.list)) if output else _ALL_TYPES
            make = partial(self._registry.make_adapter, kind, made, name, Path(), types)
            self._try(place, made, make)

    def _try(
        self, path: tuple[str, ...], options: Settings, make: Callable[[], Feed[Any] | Adapter[Any]]
    ) -> None:
        """Note what only shows when it is made, such as a key for another certificate."""
        if not self._tries:
            return
        try:
            made = make()
            if isinstance(made, Adapter):
                self.doubts += [_placed(path, options, doubt) for doubt in made.doubts()]
                release(made)
            else:
                made.close()
        except ConfigError as error:
            for problem in error.problems:
                self._sections.note(*_placed(path, options, problem))
        except ConnectorError:
            raise  # what may pass by itself, such as a file that cannot be read now, is no bug
        except Exception as error:  # noqa: BLE001 - a plugin's bug must hide no other problem
            self._sections.note(path, _bug(error))


def _bug(error: Exception) -> str:
    """Return where the code of a plugin failed; its text might have a secret of the options."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return f"cannot be made, by a bug of its plugin: {type(error).__name__} in {where}"


def _placed(path: Place, options: Settings, problem: str) -> tuple[Place, str]:
    """Return the path and text of a problem that an adapter or feed gives as `option: text`."""
    option, _, text = problem.partition(": ")
    below = option.split(".")
    if below[0] in type(options).model_fields:
        return (*path, *below), text
    return path, problem
