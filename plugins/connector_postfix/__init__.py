"""Maps of Postfix: senders and clients in indexes that need no reload, the rest in texts that do.

The administrator names them in main.cf, once; docs/outputs/postfix.md has the lines.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import model_validator

from connector.adapter import (
    Entry,
    Field,
    FieldSpec,
    FieldValue,
    FilePath,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    Settings,
    Subject,
    Text,
    TextDraft,
    file_stamp,
    import_extra,
)

from .keys import client_of, keys_of, sender_of
from .mapfile import Draft, MapFile, failures_typed
from .parents import settle
from .texts import TextMap, Tools, body_checks, header_checks, networks

__all__ = ["PostfixAdapter", "PostfixSettings"]

_T = ObservableType
_TEXTS: Final = {
    "networks": networks,
    "header_checks": header_checks,
    "body_checks": body_checks,
}
_MOST_PATTERNS: Final = 5000  # Postfix tries each on each line
_LONGEST_TEXT: Final = 80
_UNSAFE_TEXT: Final = re.compile(r"[^A-Za-z0-9 ._:/-]+")
Stem = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", description="Name of a map.")
]


class PostfixSettings(Settings):
    """Where the maps are, what they do, and how Postfix reads them."""

    folder: FilePath = Field(
        description="Folder of the maps; the service must be able to write there."
    )
    senders: Stem | None = Field(
        None, description="Map of e-mail addresses and domains, for check_sender_access."
    )
    domains: Stem | None = Field(
        None,
        description="Separate map of domains, also for check_sender_access; without it domains go "
        "to `senders`.",
    )
    clients: Stem | None = Field(
        None, description="Map of client addresses, for check_client_access."
    )
    networks: Stem | None = Field(
        None,
        description="In place of `clients`, a cidr table of addresses and prefixes of any length; "
        "Postfix is reloaded after each change.",
    )
    header_checks: Stem | None = Field(
        None,
        description="Table for header_checks (regexp): subjects, and addresses in From beside "
        "those in `senders`; Postfix is reloaded after each change.",
    )
    body_checks: Stem | None = Field(
        None,
        description="Table for body_checks (regexp): URLs in the text of a message; Postfix is "
        "reloaded after each change.",
    )
    action: Literal["REJECT", "DEFER_IF_PERMIT", "HOLD", "DISCARD", "WARN"] = Field(
        "REJECT", description="What Postfix does with the mail; WARN only logs, for a dry run."
    )
    parent_domains: bool = Field(
        True,
        description="Whether smtpd_access_maps is in parent_domain_matches_subdomains of main.cf, "
        "as it is by default: a domain then matches all names below it too.",
    )
    exact_domains: Literal["refuse", "widen"] | None = Field(
        None,
        description="With parent_domains, what becomes of a domain that is listed without the "
        "names below it, as most are: refuse it, or widen it to all of them. Until one is chosen, "
        "it is refused and `connector check` warns.",
    )

    postfix: tuple[str, ...] = Field(
        ("postfix",),
        min_length=1,
        description="Command that checks and reloads Postfix, such as [sudo, postfix]; run for "
        "networks, header_checks and body_checks alone.",
    )
    config_directory: FilePath | None = Field(
        None, description="Folder of main.cf, where it is not /etc/postfix."
    )

    @property
    def named(self) -> Mapping[str, str | None]:
        """The maps by option."""
        return {
            "senders": self.senders,
            "domains": self.domains,
            "clients": self.clients,
            "networks": self.networks,
            "header_checks": self.header_checks,
            "body_checks": self.body_checks,
        }

    @property
    def places_by_option(self) -> Mapping[str, tuple[object, ...]]:
        """Each of the maps."""
        return {
            option: ("postfix map", self.folder, stem.lower())
            for option, stem in self.named.items()
            if stem
        }

    @model_validator(mode="after")
    def _check_maps(self) -> Self:
        named = [stem for stem in self.named.values() if stem]
        if not named:
            raise ValueError("name at least one map, such as senders, domains or clients")
        if len({stem.lower() for stem in named}) < len(named):
            raise ValueError("senders, domains, clients and the others should be different maps")
        if self.clients and self.networks:
            raise ValueError("clients and networks take the same entries: name one of them")
        if self.action == "DEFER_IF_PERMIT" and (self.header_checks or self.body_checks):
            raise ValueError("header_checks and body_checks have no action DEFER_IF_PERMIT")
        return self


class PostfixAdapter(ListAdapter[PostfixSettings]):
    """Keeps the maps of one Postfix host as files that only this adapter writes.

    A blocked sender sees the field `text`, so no mapping fills it by default.
    """

    settings_type = PostfixSettings
    supports = frozenset(
        {_T.EMAIL_ADDR, _T.DOMAIN_NAME, _T.IPV4_ADDR, _T.IPV6_ADDR, _T.EMAIL_SUBJECT, _T.URL}
    )
    fields: ClassVar[Mapping[str, FieldSpec]] = {"text": Text()}

    def __init__(self, settings: PostfixSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        import_extra("lmdb", "threat-feed-connector[postfix]")
        named = {option: settings.named[option] for option in _TEXTS}
        self._texts: Mapping[str, TextMap] = {
            option: _TEXTS[option](settings.folder / stem)
            for option, stem in named.items()
            if stem is not None
        }
        self._tools = Tools(settings.postfix, settings.config_directory)

    def accepts(self, observable: Observable) -> bool:
        """Return whether there is a map, and a key, for this observable."""
        if self._texts_for(observable.type):
            return True
        if self._stem(observable.type) is None:
            return False
        try:
            return bool(keys_of(observable))
        except ValueError:
            return False

    def doubts(self) -> Sequence[str]:
        """Return what is rejected as long as nobody has chosen what becomes of exact domains."""
        options = self.settings
        chosen = options.exact_domains is not None or not options.parent_domains
        if chosen or _T.DOMAIN_NAME not in self.context.types or self._stem(_T.DOMAIN_NAME) is None:
            return ()
        return [
            "exact_domains: is not set, so a domain that is listed without the names below it is "
            "rejected, as are most domains of a feed: widen blocks the names below it too, refuse "
            "keeps the rejection and ends this warning"
        ]

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its text as the map stores it."""
        if not entry.fields:
            return entry
        if not (text := _plain(entry.fields.get("text", ""))):
            return Entry(entry.observable)
        return Entry(entry.observable, MappingProxyType({"text": text}))

    def stamp(self) -> str:
        """Return what tells the maps from any others in their place."""
        files = [MapFile(self.settings.folder, stem) for stem in self._stems()]
        indexed = file_stamp(*(path for file in files for path in (file.index, file.source)))
        return ", ".join([indexed, *(text.stamp() for text in self._texts.values())])

    def pools(self) -> Mapping[str, int | None]:
        """Return how many patterns each kind of checks has at most; all else has room."""
        return {"": None, "header_checks": _MOST_PATTERNS, "body_checks": _MOST_PATTERNS}

    def pool_of(self, observable: Observable) -> str:
        """Return which checks an entry is in, if it is in any."""
        checks = [name for name in self._texts_for(observable.type) if name != "networks"]
        return checks[0] if checks else ""

    def read(self) -> Iterable[Held]:
        """Yield the entries of the live maps; the field `action` shows another action than ours.

        An address that is not in both of its maps shows so, and differs from any of ours.
        """
        in_texts = dict(self._in_texts())
        twice = self._stem(_T.EMAIL_ADDR) is not None and "header_checks" in self._texts
        for held in self._indexed():
            if twice and held.observable.type is _T.EMAIL_ADDR:
                beside = in_texts.pop(held.observable, None)
                if beside != held.fields:
                    yield Held(held.observable, {**held.fields, "where": "not in header_checks"})
                    continue
            yield held
        for one, fields in in_texts.items():
            alone = twice and one.type is _T.EMAIL_ADDR
            yield Held(one, {**fields, "where": "in header_checks alone"} if alone else fields)

    def _in_texts(self) -> Iterator[tuple[Observable, Mapping[str, FieldValue]]]:
        for text in self._texts.values():
            for one, value in text.pairs():
                yield one, _fields_of(value, self.settings.action)

    def _indexed(self) -> Iterator[Held]:
        for stem in self._stems():
            observable_of = client_of if stem == self.settings.clients else sender_of
            for key, value in MapFile(self.settings.folder, stem).pairs():
                if observable := observable_of(key):
                    yield Held(observable, _fields_of(value, self.settings.action))

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Write every map to a draft, then rename each; publishing again is harmless."""
        files = {stem: MapFile(self.settings.folder, stem) for stem in self._stems()}
        with failures_typed(), ExitStack() as drafts:
            for file in files.values():
                file.check_ours()
            made = {stem: drafts.enter_context(Draft(file)) for stem, file in files.items()}
            texts = {name: drafts.enter_context(text.draft()) for name, text in self._texts.items()}
            refused: dict[Subject, Outcome] = {}
            self._fill(made, self._split(texts, entries, refused), refused)
            for name, text in texts.items():
                self._tools.test(self._texts[name].kind, text.seal())
            for draft in made.values():
                draft.seal()
            for draft in made.values():
                draft.publish()
            for name, text in texts.items():
                text.publish()
                MapFile(self.settings.folder, str(self.settings.named[name])).empty_index()
        return refused

    def activate(self) -> None:
        """Have Postfix load the texts anew; the indexes need no reload."""
        if self._texts:
            self._tools.reload()

    def _split(
        self,
        drafts: Mapping[str, TextDraft],
        entries: Iterable[Entry],
        refused: dict[Subject, Outcome],
    ) -> Iterator[Entry]:
        """Write what is of a text, and yield what is of an index or of none."""
        for entry in entries:
            one, value = (
                entry.observable,
                _value(self.settings.action, entry.fields.get("text", "")),
            )
            names = self._texts_for(one.type)
            words = next(filter(None, (self._texts[name].why_not(one) for name in names)), "")
            if words:
                refused[one] = Refused(words)
                continue
            for name in names:
                drafts[name].write([self._texts[name].line(one, value)])
            if not names or self._stem(one.type) is not None:
                yield entry

    def _texts_for(self, kind: ObservableType) -> list[str]:
        return [name for name, text in self._texts.items() if text.takes(kind)]

    def _fill(
        self,
        drafts: dict[str, Draft],
        entries: Iterable[Entry],
        refused: dict[Subject, Outcome],
    ) -> None:
        if self.settings.parent_domains:
            entries = settle(entries, self._widens, self._written_in(drafts), refused)
        action = self.settings.action
        for entry in entries:
            stem = self._stem(entry.type)
            if stem is None:
                words = f"the options name no map for {entry.type}"
                refused[entry.observable] = Refused(words)
                continue
            try:
                keys = keys_of(entry.observable)
            except ValueError as error:
                refused[entry.observable] = Refused(str(error))
                continue
            value = _value(action, entry.fields.get("text", ""))
            for key in keys:
                drafts[stem].put(key, value)

    @property
    def _widens(self) -> bool:
        return self.settings.exact_domains == "widen"

    def _written_in(self, drafts: dict[str, Draft]) -> Callable[[Entry], bool]:
        stem = self._stem(_T.DOMAIN_NAME)
        return lambda below: stem is not None and drafts[stem].has(below.value[2:])

    def _stem(self, kind: ObservableType) -> str | None:
        options = self.settings
        if kind is _T.EMAIL_ADDR:
            return options.senders
        if kind is _T.DOMAIN_NAME:
            return options.domains or options.senders
        return options.clients if kind in {_T.IPV4_ADDR, _T.IPV6_ADDR} else None

    def _stems(self) -> list[str]:
        options = self.settings
        return [stem for stem in (options.clients, options.domains, options.senders) if stem]


@lru_cache(maxsize=1024)
def _plain(text: FieldValue) -> str:
    """Return a text reduced to characters that are harmless everywhere."""
    return " ".join(_UNSAFE_TEXT.sub(" ", str(text)).split())[:_LONGEST_TEXT].rstrip()


def _value(action: str, text: FieldValue) -> str:
    plain = _plain(text)
    return f"{action} {plain}" if plain else action


@lru_cache(maxsize=1024)
def _fields_of(value: str, action: str) -> Mapping[str, FieldValue]:
    word, _, text = value.partition(" ")
    fields: dict[str, FieldValue] = {"text": text} if text else {}
    # It differs from what was written, so the core publishes again after a change of the option.
    return MappingProxyType(fields if word == action else {**fields, "action": word})
