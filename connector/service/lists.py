"""The configured lists: decided on what changed, or again as a whole after other changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from connector.config.model import ListConfig
from connector.decisions.policy import PRODUCER
from connector.errors import StoppedError
from connector.instants import Clock
from connector.log import log
from connector.model import Audience
from connector.service.allowlist import AllowlistInForce
from connector.service.isolation import isolate_bugs
from connector.store.lists.entry_rows import RefreshResult
from connector.store.store import Store
from connector.sync.cycle import refresh
from connector.sync.listing import Listing


class Lists(Mapping[str, Listing]):
    """The lists by name, and which of them must be decided again as a whole.

    Only a start and the methods `take_up_...` cause that: one for each input besides claims.
    """

    def __init__(
        self,
        listings: Mapping[str, Listing],
        config: Mapping[str, ListConfig],
        store: Store,
        now: Clock,
        allowlist: AllowlistInForce,
    ) -> None:
        self._listings = dict(listings)
        self._config = config
        self._store = store
        self._now = now
        self.allowlist = allowlist
        self.stopped: Callable[[], bool] = lambda: False
        self._undecided = set(listings)
        self._deciding: set[str] = set()

    def __getitem__(self, name: str) -> Listing:
        return self._listings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listings)

    def __len__(self) -> int:
        return len(self._listings)

    def refresh(
        self,
        name: str,
        *,
        everything: bool = False,
        progress: Callable[[int], None] = lambda _considered: None,
    ) -> RefreshResult:
        """Decide one list again, on what changed or on everything."""

        def go_on(considered: int) -> None:
            progress(considered)
            if self.stopped():
                raise StoppedError

        self._deciding.add(name)
        if name in self._undecided:  # whatever calls for it from here on, calls for the next time
            self._undecided.discard(name)
            everything = True
        try:
            with isolate_bugs(list=name):
                done = refresh(
                    self[name], self._store.lists, everything=everything, now=self._now(),
                    progress=go_on,
                )  # fmt: skip
        except BaseException as error:
            self._undecided.add(name)
            self._store.outputs.note_damage(self[name].number, self._now(), error)
            raise
        finally:
            self._deciding.discard(name)
        self._store.database.checkpoint_after(done.considered)
        log.info(
            "list.refreshed", list=name, scope="everything" if everything else "changed",
            considered=done.considered, added=done.added, removed=done.removed,
            changed=done.changed,
        )  # fmt: skip
        return done

    def is_decided(self, name: str) -> bool:
        """Return whether a list is complete for the current file, markings and exceptions."""
        return name not in self._undecided and name not in self._deciding

    def take_up_hosts(self) -> None:
        """Resolve our own hosts from time to time; lists follow if their addresses changed."""
        if self.allowlist.look_up_hosts(self._now()):
            self._undecided.update(self)

    def take_up_exceptions(self) -> None:
        """Apply exceptions that `connector allow` has added or ended since; lists follow."""
        change = self._store.exceptions.change()
        if change == self.allowlist.change:
            return
        rules = self._store.exceptions.rules(self._now())
        self.allowlist.take_up(rules, change)
        self._undecided.update(self)
        log.info("allowlist.changed", exceptions=len(rules))

    def take_up_markings(self) -> None:
        """Follow markings that were missing or older when verdicts were made."""
        self._forget_verdicts(self)
        self._undecided.update(self)

    def take_up_producers(self) -> None:
        """Follow changes of producers: their consent, identity and location."""
        self._take_up_consents()
        asking = [name for name in self if self[name].policy.select.context.asks_producers]
        if asking and self._store.producers.moved():
            self._forget_verdicts(asking)
            self._undecided.update(asking)

    def _take_up_consents(self) -> None:
        """Decide again what changed producers created, or everything if that is unknown."""
        changed = self._store.producers.changed()
        if not changed:
            return
        self._forget_verdicts(self)
        asking = [name for name in self if self._asks_consent(name)]
        marked = False
        try:
            producers = {producer for _feed, producer in changed}
            marked = not asking or self._store.objects.mark_changed_of(producers)
        finally:
            if not marked:
                self._undecided.update(asking)

    def _asks_consent(self, name: str) -> bool:
        """Return whether a list leaves our organisation, or shows producers to its readers."""
        shared = self._config[name].audience is not Audience.OWN
        return shared or PRODUCER in self[name].policy.shows

    def _forget_verdicts(self, names: Iterable[str]) -> None:
        for name in names:
            self[name].judge.forget_verdicts()
