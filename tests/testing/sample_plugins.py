"""Plugins with their tests, sound ones, to break in one place; and how their tests end."""

import re

import pytest

SMALLEST_PLUGIN = """
from collections.abc import Iterable
from pathlib import Path

import pytest

from connector.adapter import (
    Entry,
    Field,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    OutputContext,
    Settings,
    UnavailableError,
)
from connector.testing.adapter_suite import AdapterSuite


class EdlSettings(Settings):
    path: Path = Field(description="File your web server hands to the firewall.")
    type: ObservableType = Field(description="The one kind of observable in this list.")


class EdlAdapter(ListAdapter[EdlSettings]):
    settings_type = EdlSettings
    supports = frozenset(ObservableType)

    def accepts(self, observable: Observable) -> bool:
        return observable.type is self.settings.type

    def read(self) -> Iterable[Held]:
        try:
            with self.settings.path.open(encoding="utf-8") as lines:
                for line in lines:
                    yield Held(Observable(self.settings.type, line.rstrip("\\n")))
        except FileNotFoundError:
            return
        except OSError as error:
            raise UnavailableError(str(error)) from error

    def publish(self, entries: Iterable[Entry]) -> None:
        draft = self.settings.path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as lines:
            lines.writelines(f"{entry.value}\\n" for entry in entries)
        draft.replace(self.settings.path)
        return {}


class TestEdl(AdapterSuite):
    @pytest.fixture
    def adapter(self, tmp_path):
        settings = EdlSettings(path=tmp_path / "block.txt", type="ipv4-addr")
        return EdlAdapter(settings, OutputContext("edge", tmp_path))
"""

FIREWALL = '''
from pathlib import Path

import pytest

from connector.adapter import (
    Batch,
    Entry,
    EntryAdapter,
    Full,
    Held,
    Observable,
    ObservableType,
    OutputContext,
    Refused,
    RefusedError,
    SecretValue,
    Settings,
    StagedAdapter,
    Text,
    UnavailableError,
    Written,
)
from connector.testing.adapter_suite import AdapterSuite, Trouble


class Firewall:
    """A firewall in a dictionary: rules by kind and value, with a note and an owner."""

    def __init__(self):
        self.rules = {}
        self.staged = None
        self.exceptions = set()
        self.refuses = set()
        self.room = None
        self.reachable = self.knows_us = True
        self.calls = 0
        self.breaks_at = None
        self.after = False

    def call(self, work):
        """Do what one call asks for, where the connection stands."""
        self.calls += 1
        if not self.reachable:
            raise UnavailableError("the firewall does not answer")
        if not self.knows_us:
            raise RefusedError("the firewall does not know us")
        breaks = self.calls == self.breaks_at
        if breaks and not self.after:
            self.staged = None  # the session is gone, and what was staged in it
            raise UnavailableError("the connection broke")
        done = work()
        if breaks:
            raise UnavailableError("the connection broke after the work")
        return done

    def put(self, kind, value, note):
        table = self.rules if self.staged is None else self.staged
        if value in self.refuses:
            return Refused("not in our country")
        if self.room is not None and (kind, value) not in table:
            if self.room == 0:
                return Full()
            self.room -= 1
        table[kind, value] = ("us", note)

    def drop(self, kind, value):
        table = self.rules if self.staged is None else self.staged
        table.pop((kind, value), None)

    def table(self):
        return dict(self.rules)

    def open(self):
        self.staged = dict(self.rules)

    def apply(self):
        if self.staged is not None:
            self.rules, self.staged = self.staged, None

    def discard(self):
        self.staged = None


class FirewallSettings(Settings):
    firewall: Firewall
    token: SecretValue = SecretValue("a long token")


class FirewallAdapter(EntryAdapter[FirewallSettings]):
    settings_type = FirewallSettings
    supports = frozenset(
        {
            ObservableType.IPV4_ADDR,
            ObservableType.DOMAIN_NAME,
            ObservableType.MUTEX,
            ObservableType.URL,
        }
    )
    fields = {"note": Text()}
    batch = Batch(entries=3)

    @property
    def firewall(self):
        return self.settings.firewall

    def shown(self, kind, value, note):
        contrary = "allowed by hand" if (kind, value) in self.firewall.exceptions else ""
        one = Observable(ObservableType(kind), value)
        return Held(one, {"note": note}, handle=f"{kind}/{value}", contrary=contrary)

    def read(self):
        rules = self.firewall.call(self.firewall.table)
        return [self.shown(kind, value, note) for (kind, value), (owner, note) in rules.items()]

    def add(self, entries):
        def work():
            said = {}
            for entry in entries:
                note = entry.fields.get("note", "")
                outcome = self.firewall.put(entry.type, entry.value, note)
                if outcome is not None:
                    said[entry.observable] = outcome
            return said

        return self.firewall.call(work)

    def remove(self, entries):
        def work():
            for entry in entries:
                self.firewall.drop(entry.type, entry.value)

        self.firewall.call(work)
        return {}


class Unkind(AdapterSuite):
    impossible = {
        "restart_target": "a dictionary never restarts",
        "neighbour": "it has one table",
    }

    @pytest.fixture
    def firewall(self):
        return Firewall()

    @pytest.fixture
    def foreign(self, firewall):
        def put(entry):
            firewall.rules[entry.type, entry.value] = ("them", "")

        return put

    @pytest.fixture
    def contrary(self, firewall):
        def put(entry):
            firewall.rules[entry.type, entry.value] = ("them", "")
            firewall.exceptions.add((entry.type, entry.value))

        return put

    @pytest.fixture
    def refuse(self, firewall):
        return lambda entry: firewall.refuses.add(entry.value)

    @pytest.fixture
    def fill(self, firewall):
        return lambda room: setattr(firewall, "room", room)

    @pytest.fixture
    def break_target(self, firewall):
        return lambda: setattr(firewall, "reachable", False)

    @pytest.fixture
    def wrong_credentials(self, firewall):
        return lambda: setattr(firewall, "knows_us", False)

    @pytest.fixture
    def troubles(self, firewall):
        def breaks(after):
            def at(call):
                firewall.breaks_at, firewall.after = firewall.calls + call, after

                def happened():
                    did = firewall.calls >= firewall.breaks_at
                    firewall.breaks_at = None
                    return did

                return happened

            return at

        return [Trouble("a cut", breaks(False)), Trouble("a cut after the work", breaks(True))]


class TestFirewall(Unkind):
    @pytest.fixture
    def adapter(self, firewall):
        return FirewallAdapter(FirewallSettings(firewall=firewall), OutputContext("edge", Path()))
'''

STAGED = FIREWALL.replace(
    "class TestFirewall(Unkind):",
    """class StagedFirewallAdapter(FirewallAdapter, StagedAdapter):
    def begin(self):
        self.firewall.call(self.firewall.open)

    def commit(self):
        self.firewall.call(self.firewall.apply)

    def abandon(self):
        self.firewall.discard()


class TestFirewall(Unkind):""",
).replace("return FirewallAdapter(", "return StagedFirewallAdapter(")


def outcome(pytester: pytest.Pytester, plugin: str) -> tuple[dict[str, int], str]:
    pytester.makepyfile(test_plugin=plugin)
    result = pytester.runpytest("-p", "no:cacheprovider", "-p", "no:randomly", "-rfs")
    return result.parseoutcomes(), result.stdout.str()


def failed(output: str) -> set[str]:
    """Return the names of the promises that were broken."""
    return set(re.findall(r"^FAILED \S+::(test_\w+(?:\[.*?\])?)", output, re.M))
