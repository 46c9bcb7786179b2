"""The allowlist in force: made when it is first asked, replaced when something changes it."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from connector.decisions.allowlist.allowlist import Allowlist, ExceptionRule, Protection
from connector.log import log
from connector.model import Observable, Purpose
from connector.service.own_hosts import OwnHosts


class AllowlistInForce:
    """The allowlist that all policies ask; what people and hosts change replaces it as a whole.

    It is made when it is first asked: commands that only look at the state never ask.
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
        """Return who keeps an observable off lists of a purpose."""
        return (self._held or self.made()).protects(observable, now, purpose)

    def made(self) -> Allowlist:
        """Return the allowlist, made if it was not asked yet."""
        with self._lock:
            if self._held is None:
                self._held = self._make(self._exceptions)
            return self._held

    def take_up(self, exceptions: Sequence[ExceptionRule], change: int) -> None:
        """Replace the exceptions made by command."""
        self._exceptions, self.change = tuple(exceptions), change
        self._make_again()

    def look_up_hosts(self, now: int) -> bool:
        """Look which addresses our own hosts have when it is time; return whether that changed."""
        if self._hosts is None or not self._hosts.refresh(now):
            return False
        if self._held is not None:  # the first look changes nothing that anybody was told
            self._make_again()
            log.info("allowlist.hosts_changed", hosts=len(self._hosts.hosts))
        return True

    def _make_again(self) -> None:
        """Make it of the hosts and exceptions that hold now; warninglists stay as they are."""
        with self._lock:
            if self._held is not None:
                self._held = self._make(self._exceptions, self._held.warninglists)
