"""Finds adapters and feeds by entry point, ours and third-party ones alike, and makes them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from connector.adapter import (
    Adapter,
    EntryAdapter,
    FieldSpec,
    Http,
    ListAdapter,
    OutputContext,
    RuleAdapter,
)
from connector.adapter.fields import misfits
from connector.adapter.mistakes import mistakes
from connector.decisions.mapping import compile_mapping, read_mapping
from connector.errors import ConfigError
from connector.feed import Feed
from connector.http.pace import Paces
from connector.model import ObservableType, RuleLanguage
from connector.settings import HttpSettings, Settings, TlsSettings, read_rate

if TYPE_CHECKING:
    from ssl import SSLContext  # its import takes as long as ten of our modules

ADAPTERS: Final = "connector.outputs"
FEEDS: Final = "connector.feeds"
SUITES: Final = "connector.suites"  # what proves them; `connector plugins test` reads it
_READ: Final = (ADAPTERS, FEEDS, SUITES)
_OURS: Final = "threat-feed-connector"
_BELONGS: Final = f"adapters belong into {ADAPTERS}, feeds into {FEEDS}"


class PluginInfo(msgspec.Struct, frozen=True):
    """An installed adapter or feed; `error` says why a broken one cannot be used."""

    name: str
    group: str
    origin: str
    summary: str = ""
    writes: str = ""
    supports: frozenset[ObservableType] = frozenset()
    takes_rules: frozenset[RuleLanguage] = frozenset()
    capacity: int | None = None
    rate: str | None = None
    fields: Mapping[str, FieldSpec] = msgspec.field(default_factory=dict)
    error: str | None = None


class _Found(msgspec.Struct, frozen=True):
    """The sources of a class: entry points, or the class itself."""

    points: tuple[EntryPoint, ...] = ()
    given: type[Any] | None = None

    @property
    def origin(self) -> str:
        if self.given is not None:
            return self.given.__module__
        return " and ".join(_owner(point) for point in self.points)

    def load(self) -> type[Any]:
        if self.given is not None:
            return self.given
        if len(self.points) > 1:
            raise ImportError(f"offered more than once, by {self.origin}; remove one of them")
        loaded: type[Any] = self.points[0].load()
        return loaded


class Registry:
    """The adapters and feeds of this installation; each is imported on first use."""

    def __init__(
        self,
        adapters: Mapping[str, type[Adapter[Any]]],
        feeds: Mapping[str, type[Feed[Any]]],
        paces: Paces | None = None,
    ) -> None:
        """Contain exactly these classes; `Registry.installed()` finds the installed ones.

        All that it makes shares the paces of hosts.
        """
        self._adapters = {name: _Found(given=kind) for name, kind in adapters.items()}
        self._feeds = {name: _Found(given=kind) for name, kind in feeds.items()}
        self._sound: dict[str, type[Adapter[Any]]] = {}
        self._paces = paces or Paces()
        self._useless: tuple[PluginInfo, ...] = ()

    @classmethod
    def installed(cls, distribution: str | None = None) -> "Registry":
        """Return a registry of what all distributions, or one, offer, without importing it."""
        registry = cls({}, {})
        points = entry_points()  # reads a file of each distribution, so only once
        registry._adapters = _discover(points.select(group=ADAPTERS), distribution)
        registry._feeds = _discover(points.select(group=FEEDS), distribution)
        if distribution is None:
            groups = sorted(filter(_means_ours, points.groups))
            strays = (point for group in groups for point in points.select(group=group))
            registry._useless = (
                *map(_stray, dict.fromkeys(strays)),  # one may be found twice on the path
                *_shadowed(points.select(group=ADAPTERS)),
                *_shadowed(points.select(group=FEEDS)),
            )
        return registry

    def adapter_names(self) -> tuple[str, ...]:
        """Return the names of all adapters, including broken ones."""
        return tuple(sorted(self._adapters))

    def feed_names(self) -> tuple[str, ...]:
        """Return the names of all feed types, including broken ones."""
        return tuple(sorted(self._feeds))

    def adapter(self, name: str) -> type[Adapter[Any]]:
        """Return the adapter with this name; raise ConfigError if it is unknown or broken."""
        if name not in self._sound:
            self._sound[name] = self._checked(name)
        return self._sound[name]

    def _checked(self, name: str) -> type[Adapter[Any]]:
        self._expect_placed("adapter", name, ADAPTERS, self._adapters)
        kind: type[Any] = _load("adapter", name, self._adapters)
        if not issubclass(kind, ListAdapter | EntryAdapter | RuleAdapter):
            reason = "is not a ListAdapter, EntryAdapter or RuleAdapter"
            if issubclass(kind, Feed):
                reason += f": it is a Feed, and its entry point belongs into {FEEDS}"
            raise ConfigError([_broken("adapter", name, reason)])
        naming = "takes_rules" if issubclass(kind, RuleAdapter) else "supports"
        named = getattr(kind, naming, None)
        if not isinstance(named, frozenset) or not named:
            raise ConfigError([_broken("adapter", name, f"has an empty `{naming}`")])
        if wrong := tuple(mistakes(kind)):
            raise ConfigError([_broken("adapter", name, "; ".join(wrong))])
        if problems := _mapping_problems(kind):
            reason = "; ".join(f"default_mapping.{problem}" for problem in problems)
            raise ConfigError([_broken("adapter", name, reason)])
        return kind

    def feed(self, name: str) -> type[Feed[Any]]:
        """Return the feed type with this name; raise ConfigError if it is unknown or broken."""
        self._expect_placed("feed type", name, FEEDS, self._feeds)
        kind = _load("feed type", name, self._feeds)
        if not issubclass(kind, Feed):
            reason = "is not a Feed"
            if issubclass(kind, Adapter):
                reason += f": it is an adapter, and its entry point belongs into {ADAPTERS}"
            raise ConfigError([_broken("feed type", name, reason)])
        return kind

    def adapters(self) -> tuple[PluginInfo, ...]:
        """Return the description of every adapter, with the error of each broken one."""
        found = (self._adapter_info(name) for name in self.adapter_names())
        return (*found, *(info for info in self._useless if info.group == ADAPTERS))

    def feeds(self) -> tuple[PluginInfo, ...]:
        """Return the description of every feed type, with the error of each broken one."""
        found = (self._feed_info(name) for name in self.feed_names())
        return (*found, *(info for info in self._useless if info.group == FEEDS))

    def _expect_placed(self, what: str, name: str, group: str, found: Mapping[str, _Found]) -> None:
        """Raise ConfigError where something of this name is installed, and nobody looks there."""
        for info in self._useless:
            if (info.name, info.group) == (name, group) and name not in found:
                raise ConfigError([f"{name} is not an installed {what}: {info.error}"])

    def make_adapter(
        self,
        name: str,
        settings: Settings,
        output_name: str,
        publish_folder: Path,
        types: frozenset[ObservableType] = frozenset(ObservableType),
        pause: Callable[[float], None] = time.sleep,
        state: MutableMapping[str, str] | None = None,
        mapped: Sequence[str] = (),
    ) -> Adapter[Any]:
        """Return an adapter for one output, with its own HTTP client if its options need one.

        `state` keeps its texts; without, they live as long as the adapter. It pauses by `pause`,
        which may end the pause with an error, as `Stop.pause` does.
        """
        kind = self.adapter(name).variant(settings)
        http = self._http(settings, pause, kind.rate)
        context = OutputContext(
            output_name, publish_folder, types, http=http, tls=_tls(settings), state=state,
            sleep=pause, mapped=mapped,
        )  # fmt: skip
        made = kind(settings, context)
        made.context = context  # an __init__ of its own may not have called ours
        made.settings = getattr(made, "settings", settings)
        return made

    def make_feed(
        self, name: str, settings: Settings, pause: Callable[[float], None] = time.sleep
    ) -> Feed[Any]:
        """Return a feed, with its own HTTP client if its options need one; it pauses by `pause`."""
        return self.feed(name)(settings, self._http(settings, pause))

    def _http(
        self, settings: Settings, pause: Callable[[float], None], rate: str | None = None
    ) -> Http | None:
        if not isinstance(settings, HttpSettings):
            return None
        from connector.http.client import Http as Client  # noqa: PLC0415 - only what speaks HTTP needs it

        fallback = None if rate is None else read_rate(rate)
        return Client(settings, sleep=pause, rate=fallback, paces=self._paces)

    def _adapter_info(self, name: str) -> PluginInfo:
        origin = self._adapters[name].origin
        try:
            kind = self.adapter(name)
        except ConfigError as error:
            return PluginInfo(name, ADAPTERS, origin, error=str(error))
        return PluginInfo(
            name,
            ADAPTERS,
            origin,
            summary=_summary(kind),
            writes=_writes(kind),
            supports=kind.supports,
            takes_rules=kind.takes_rules,
            capacity=kind.capacity,
            rate=kind.rate,
            fields=kind.fields,
        )

    def _feed_info(self, name: str) -> PluginInfo:
        origin = self._feeds[name].origin
        try:
            return PluginInfo(name, FEEDS, origin, summary=_summary(self.feed(name)))
        except ConfigError as error:
            return PluginInfo(name, FEEDS, origin, error=str(error))


def release(adapter: Adapter[Any]) -> None:
    """Have an adapter close, and end the sessions and connections that it was lent."""
    try:
        adapter.close()
    finally:
        adapter.context.close()


def nearest(word: str, words: tuple[str, ...], most: int = 8) -> str:
    """Return the valid words, the likeliest first, cut off after `most`."""
    close = get_close_matches(word, words, n=len(words), cutoff=0.6) if words else []
    ordered = [*close, *(other for other in words if other not in close)]
    return ", ".join([*ordered[:most], *(["..."] if len(ordered) > most else [])])


def _discover(points: Iterable[EntryPoint], distribution: str | None) -> dict[str, _Found]:
    offered: dict[str, list[EntryPoint]] = {}
    for point in points:
        offered.setdefault(point.name, []).append(point)
    found = {name: _offered_by(each, distribution) for name, each in offered.items()}
    return {name: _Found(each) for name, each in found.items() if each}


def _means_ours(group: str) -> bool:
    """Return whether an entry-point group, which nobody reads, seems to mean one of ours."""
    if group in _READ:
        return False
    return group.startswith("connector.") or bool(get_close_matches(group, _READ, cutoff=0.8))


def _stray(point: EntryPoint) -> PluginInfo:
    """Return what is offered in a group that nobody reads."""
    owner, meant = _owner(point), FEEDS if "feed" in point.group else ADAPTERS
    words = f"{owner} offers it in the entry-point group {point.group}, which nobody reads"
    return PluginInfo(point.name, meant, owner, error=f"{words}: {_BELONGS}")


def _shadowed(points: Iterable[EntryPoint]) -> Iterator[PluginInfo]:
    """Yield what takes the name of something built in, which stays in use."""
    offered: dict[str, list[EntryPoint]] = {}
    for point in points:
        offered.setdefault(point.name, []).append(point)
    for name, found in sorted(offered.items()):
        if len(found) > 1 and any(map(_is_ours, found)):
            for point in found:
                if not _is_ours(point):
                    owner = _owner(point)
                    words = f"{owner} offers {name}, which is built in and stays in use: rename it"
                    yield PluginInfo(name, point.group, owner, error=words)


def _is_ours(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == _OURS


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _offered_by(points: Sequence[EntryPoint], distribution: str | None) -> tuple[EntryPoint, ...]:
    """Return the points of any distribution, or of one; one found twice on the path counts once.

    Who owns a point is asked only where it matters: the answer is a long file to parse.
    """
    if distribution is None and len(points) == 1:
        return tuple(points)
    kept: dict[tuple[str, str], EntryPoint] = {}
    for point in points:
        owner = point.dist.name if point.dist else ""
        if distribution in {None, owner}:
            kept.setdefault((owner, point.value), point)
    ours = [point for (owner, _value), point in kept.items() if owner == _OURS]
    return tuple(ours or kept.values())  # nobody else's takes the place of what is built in


def _load(what: str, name: str, found: Mapping[str, _Found]) -> type[Any]:
    if name not in found:
        would_do = nearest(name, tuple(sorted(found))) or "none are installed"
        raise ConfigError([f"{name} is not an installed {what} ({would_do})"])
    try:
        kind = found[name].load()
    except (Exception, SystemExit) as error:  # an import can fail in any way; keep the others
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(
            [_broken(what, name, f"from {found[name].origin} failed to load: {reason}")]
        ) from error
    if not isinstance(kind, type):
        raise ConfigError([_broken(what, name, "is not a class")])
    _refuse_unfinished(what, name, kind)
    return kind


def _refuse_unfinished(what: str, name: str, kind: type[Any]) -> None:
    """Refuse a class that could not be instantiated or configured later."""
    options = getattr(kind, "settings_type", None)
    if not (isinstance(options, type) and issubclass(options, Settings)):
        raise ConfigError([_broken(what, name, "has no `settings_type` derived from Settings")])
    if isabstract(kind):
        lacking = ", ".join(sorted(kind.__abstractmethods__))
        raise ConfigError([_broken(what, name, f"lacks {lacking}")])


def _mapping_problems(kind: type[Adapter[Any]]) -> Sequence[str]:
    """Return what an adapter's default mapping fills that it does not offer, or not so."""
    try:
        default = read_mapping(kind.default_mapping)
        compile_mapping(default, kind.fields)
    except ConfigError as error:
        return error.problems
    return [f"{name}: {words}" for name, words in misfits(default, kind.fields).items()]


def _broken(what: str, name: str, reason: str) -> str:
    return f"the {what} {name} is broken: {reason}"


def _summary(kind: type[Any]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _writes(kind: type[Adapter[Any]]) -> str:
    if issubclass(kind, RuleAdapter):
        return "whole set of rules"
    if hasattr(kind, "hand_over"):  # an EventAdapter, which a look need not import
        return "events"
    return "whole list" if issubclass(kind, ListAdapter) else "batches"


def _tls(settings: Settings) -> "Callable[[], SSLContext] | None":
    if not isinstance(settings, TlsSettings):
        return None

    def context() -> "SSLContext":
        from connector.http.tls import client_context  # noqa: PLC0415 - only what speaks TLS needs it

        return client_context(settings.auth, settings.ca)

    return context
