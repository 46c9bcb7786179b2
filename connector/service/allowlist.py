"""The allowlist in force: built on first use, replaced when something changes it."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from connector.decisions.allowlist.allowlist import Allowlist, ExceptionRule, Protection
from connector.log import log
from connector.model import Observable, Purpose
from connector.service.own_hosts import OwnHosts


class AllowlistInForce:
    """The allowlist of all policies; any change by people or hosts replaces it as a whole.

    It is built on first use: commands that only read the state never need it.
    """

    def __init__(
        self,
        make: Callable[..., Allowlist],
        exceptions: Sequence[ExceptionRule],
        change: int,
        hosts: OwnHosts | None = None,
    ) -> None:
        self._make = make
        self._exceptions = tuple(exceptions)
        self._hosts = hosts
        self._lock = threading.Lock()
        self._held: Allowlist | None = None
        self.change = change

    def protects(
        self, observable: Observable, now: datetime, purpose: Purpose = Purpose.BLOCK
    ) -> Protection | None:
        """Return what protects an observable from lists of a purpose."""
        return (self._held or self.made()).protects(observable, now, purpose)

    def made(self) -> Allowlist:
        """Return the allowlist, building it on first use."""
        with self._lock:
            if self._held is None:
                self._held = self._make(self._exceptions)
            return self._held

    def take_up(self, exceptions: Sequence[ExceptionRule], change: int) -> None:
        """Replace the exceptions made by command."""
        self._exceptions, self.change = tuple(exceptions), change
        self._make_again()

    def look_up_hosts(self, now: int) -> bool:
        """Resolve our own hosts when it is due; return whether their addresses changed."""
        if self._hosts is None or not self._hosts.refresh(now):
            return False
        if self._held is not None:  # the first look changes no answer that was given
            self._make_again()
            log.info("allowlist.hosts_changed", hosts=len(self._hosts.hosts))
        return True

    def _make_again(self) -> None:
        """Rebuild it from the current hosts and exceptions; warninglists stay as they are."""
        with self._lock:
            if self._held is not None:
                self._held = self._make(self._exceptions, self._held.warninglists)
