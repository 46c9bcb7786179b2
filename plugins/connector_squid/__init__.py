"""Access lists of a Squid proxy: domains and addresses that it denies.

The administrator names the files in squid.conf, once; docs/outputs/squid.md has the lines.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Final, Literal, Self

from pydantic import model_validator

from connector.adapter import (
    ADDRESSES,
    Entry,
    Field,
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
    TextFile,
    observable_of,
)

from .lines import address_lines, domain_lines, entries_of
from .program import Squid

__all__ = ["SquidAdapter", "SquidSettings"]

_KINDS: Final = {"domains": "dstdomain", "addresses": "dst"}
_READ_AS: Final = {
    "domains": ObservableType.DOMAIN_NAME,
    "addresses": ObservableType.IPV4_ADDR,
}


class SquidSettings(Settings):
    """Which files Squid reads, and how its program is run."""

    domains: FilePath | None = Field(
        None, description="File of an `acl ... dstdomain` or `srcdomain`, as squid.conf names it."
    )
    addresses: FilePath | None = Field(
        None, description="File of an `acl ... dst` or `src`, as squid.conf names it."
    )
    below_alone: Literal["refuse", "widen"] = Field(
        "refuse",
        description="What becomes of the names below a domain that is not listed itself, for which "
        "Squid has no line: refuse them, or widen them to the domain.",
    )
    squid: tuple[str, ...] = Field(
        ("squid",),
        min_length=1,
        description="Command that runs Squid's program, with the options that yours is started "
        "with, such as [squid, -f, /etc/squid/other.conf].",
    )

    @property
    def files(self) -> Mapping[str, FilePath]:
        """The files that are named, by option."""
        found = {"domains": self.domains, "addresses": self.addresses}
        return {option: path for option, path in found.items() if path is not None}

    @property
    def places_by_option(self) -> Mapping[str, tuple[object, ...]]:
        """Each of the files."""
        return {option: ("squid list", path) for option, path in self.files.items()}

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if not self.files:
            raise ValueError("name at least one file: domains or addresses")
        if len(set(self.files.values())) < len(self.files):
            raise ValueError("domains and addresses should be different files")
        if wrong := [path for path in self.files.values() if re.search(r"[\s\"\\%]", str(path))]:
            raise ValueError(f"{wrong[0]}: a file's path should have no spaces, quotes, \\ or %")
        return self


class SquidAdapter(ListAdapter[SquidSettings]):
    """Keeps files that Squid reads, which are ours alone, and has Squid read them again.

    Squid tests each list, and its whole configuration, before: what it does not take would end it.
    """

    settings_type = SquidSettings
    supports = frozenset({*ADDRESSES, ObservableType.DOMAIN_NAME})

    def __init__(self, settings: SquidSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._files = {option: TextFile(path) for option, path in settings.files.items()}
        self._squid = Squid(settings.squid)

    def accepts(self, observable: Observable) -> bool:
        """Return whether there is a file for this observable."""
        return observable.type in self.supports and _file_of(observable) in self._files

    def stamp(self) -> str:
        """Return what tells the files from any others in their place."""
        return " ".join(file.stamp() for file in self._files.values())

    def read(self) -> Iterable[Held]:
        """Yield the entries that the lines stand for."""
        for option, file in self._files.items():
            for one in entries_of(file.lines(comments=True), _READ_AS[option]):
                yield Held(one)

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Write the files, each in one step, once Squid took all of them in a test."""
        refused: dict[Subject, Outcome] = {}
        wanted: dict[str, list[Observable]] = {option: [] for option in self._files}
        for one in (entry.observable for entry in entries):
            if observable_of(one.type, one.value) != one or not self.accepts(one):
                refused[one] = Refused(f"is no {one.type} that a list of Squid can have")
            else:
                wanted[_file_of(one)].append(one)
        with ExitStack() as opened:
            drafts = {
                option: opened.enter_context(file.draft()) for option, file in self._files.items()
            }
            for option, draft in drafts.items():
                if option == "domains":
                    widen = self.settings.below_alone == "widen"
                    draft.write(domain_lines(wanted[option], widen, refused))
                else:
                    draft.write(address_lines(wanted[option]))
            self._squid.test_lists({draft.seal(): _KINDS[key] for key, draft in drafts.items()})
            for draft in drafts.values():
                draft.publish()
        return refused

    def activate(self) -> None:
        """Have Squid read its configuration again, after a test of all of it.

        A list without entries that no acl names denies what it should: nothing.
        """
        self._squid.take_up([file.path for file in self._files.values() if any(file.lines())])


def _file_of(one: Observable) -> str:
    return "addresses" if one.type in ADDRESSES else "domains"
