"""The adapter suite passes what keeps its promises, and names the promise that is broken."""

from itertools import islice

import pytest

from connector.adapter import ObservableType
from connector.indicators.observables.canonical import canonical
from connector.testing.samples.entries import hostile_values, sample_values

pytest_plugins = ["pytester"]

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
    Entry,
    Batch,
    EntryAdapter,
    Held,
    Observable,
    ObservableType,
    OutputContext,
    Refused,
    Settings,
    Text,
    UnavailableError,
)
from connector.testing.adapter_suite import AdapterSuite


class Firewall:
    """A firewall in a dictionary: rules by address, with a note and an owner."""

    def __init__(self):
        self.rules = {}
        self.reachable = True


class FirewallSettings(Settings):
    firewall: Firewall


class FirewallAdapter(EntryAdapter[FirewallSettings]):
    settings_type = FirewallSettings
    supports = frozenset(
        {ObservableType.IPV4_ADDR, ObservableType.DOMAIN_NAME, ObservableType.MUTEX}
    )
    fields = {"note": Text()}
    batch = Batch(entries=3)

    @property
    def rules(self):
        if not self.settings.firewall.reachable:
            raise UnavailableError("the firewall does not answer")
        return self.settings.firewall.rules

    def read(self):
        return [
            Held(Observable(ObservableType(kind), value), {"note": note})
            for (kind, value), (owner, note) in self.rules.items()
        ]

    def add(self, entries):
        for entry in entries:
            self.rules[entry.type, entry.value] = ("us", entry.fields.get("note", ""))
        return {}

    def remove(self, entries):
        for entry in entries:
            self.rules.pop((entry.type, entry.value), None)
        return {}


class TestFirewall(AdapterSuite):
    @pytest.fixture
    def firewall(self):
        return Firewall()

    @pytest.fixture
    def adapter(self, firewall):
        return FirewallAdapter(FirewallSettings(firewall=firewall), OutputContext("edge", Path()))

    @pytest.fixture
    def foreign(self, firewall):
        def put(entry):
            firewall.rules[entry.type, entry.value] = ("them", "")

        return put

    @pytest.fixture
    def break_target(self, firewall):
        def unplug():
            firewall.reachable = False

        return unplug
'''


def outcome(pytester: pytest.Pytester, plugin: str) -> tuple[dict[str, int], str]:
    pytester.makepyfile(test_plugin=plugin)
    result = pytester.runpytest("-p", "no:cacheprovider", "-p", "no:randomly")
    return result.parseoutcomes(), result.stdout.str()


@pytest.mark.parametrize("kind", list(ObservableType))
def test_every_sample_is_a_value_that_the_core_would_send(kind: ObservableType) -> None:
    values = [*islice(sample_values(kind), 1000), *hostile_values(kind)]
    assert len(set(values)) == len(values)
    read = [canonical(kind, value) for value in values]
    assert [(observable.type, observable.value) for observable in read] == [
        (kind, value) for value in values
    ]


def test_the_smallest_plugin_passes_with_a_fixture_of_three_lines(pytester) -> None:
    counts, output = outcome(pytester, SMALLEST_PLUGIN)
    assert "failed" not in counts
    assert "errors" not in counts
    assert counts["skipped"] == 2, output  # it does not say how to make its folder unreachable


def test_a_firewall_that_takes_single_changes_passes_without_a_skip(pytester) -> None:
    counts, _output = outcome(pytester, FIREWALL)
    assert counts.keys() == {"passed"}


def test_a_firewall_that_cuts_its_fields_and_says_so_passes(pytester) -> None:
    cuts = FIREWALL.replace('entry.fields.get("note", "")', 'entry.fields.get("note", "")[:3]')
    says = cuts.replace(
        "    def add(self, entries):\n",
        "    def as_held(self, entry):\n"
        '        return Entry(entry.observable, {"note": entry.fields.get("note", "")[:3]})\n\n'
        "    def add(self, entries):\n",
    )
    counts, _output = outcome(pytester, says)
    assert counts.keys() == {"passed"}


def test_without_an_adapter_the_suite_says_what_to_define(pytester) -> None:
    plugin = """
    from connector.testing.adapter_suite import AdapterSuite

    class TestNothing(AdapterSuite):
        pass
    """
    _counts, output = outcome(pytester, plugin)
    assert "define a fixture `adapter` in your subclass of AdapterSuite" in output


BROKEN_LISTS = {
    "takes types it cannot tell apart": (
        "return observable.type is self.settings.type",
        "return True",
        "read() should give back what we wrote",
    ),
    "adds to the old list": (
        '            lines.writelines(f"{entry.value}\\n" for entry in entries)',
        "            values = {entry.value for entry in [*self.read(), *entries]}\n"
        '            lines.writelines(f"{value}\\n" for value in values)',
        "publishing should replace the whole list",
    ),
    "writes into the list that readers see": (
        'draft = self.settings.path.with_suffix(".new")',
        "draft = self.settings.path",
        "half a list should replace nothing",
    ),
    "swallows what goes wrong": (
        "        draft.replace(self.settings.path)\n",
        "        draft.replace(self.settings.path)\n\n"
        "    def publish(self, entries, whole=publish):\n"
        "        try:\n"
        "            whole(self, entries)\n"
        "        except Exception:\n"
        "            pass\n",
        "publish() hid an error of its stream",
    ),
    "drops what it cannot write": (
        'f"{entry.value}\\n" for entry in entries',
        'f"{entry.value}\\n" for entry in entries if "/" not in entry.value',
        "missing: ipv4-addr",
    ),
}


@pytest.mark.parametrize("defect", BROKEN_LISTS)
def test_a_list_that_breaks_a_promise_is_told_which(defect: str, pytester) -> None:
    sound, broken, words = BROKEN_LISTS[defect]
    assert sound in SMALLEST_PLUGIN
    counts, output = outcome(pytester, SMALLEST_PLUGIN.replace(sound, broken))
    assert counts.get("failed")
    assert words in output


BROKEN_FIREWALLS = {
    "removes what others own": (
        "            self.rules.pop((entry.type, entry.value), None)",
        "            self.rules.clear()",
        "removing our entries removed one that is not ours",
    ),
    "adds by replacing all": (
        "    def add(self, entries):\n",
        "    def add(self, entries):\n        self.rules.clear()\n",
        "a later addition should leave the earlier entries",
    ),
    "knows no entry that is gone": (
        "self.rules.pop((entry.type, entry.value), None)",
        "self.rules.pop((entry.type, entry.value))",
        "KeyError",
    ),
    "reads an unreachable target as empty": (
        '            raise UnavailableError("the firewall does not answer")',
        "            return {}",
        "read() returned 0 entries from an unreachable target",
    ),
    "does not look for what others put there": (
        "    def add(self, entries):\n",
        "    def holds(self, observables):\n"
        "        shown = [key for key, (owner, _) in self.rules.items() if owner == 'us']\n"
        "        return {each for each in observables if (each.type, each.value) in shown}\n\n"
        "    def add(self, entries):\n",
        "which someone else added: so it was taken for ours, and removed",
    ),
    "holds whatever it is asked for": (
        "    def add(self, entries):\n",
        "    def holds(self, observables):\n        return [Held(each) for each in observables]\n\n"
        "    def add(self, entries):\n",
        "holds() and read() disagree on",
    ),
    "holds nothing when it does not answer": (
        "    def add(self, entries):\n",
        "    def holds(self, observables):\n"
        "        try:\n"
        "            return super().holds(observables)\n"
        "        except UnavailableError:\n"
        "            return []\n\n"
        "    def add(self, entries):\n",
        "holds() reported 12 entries as absent from an unreachable target",
    ),
    "cuts its fields": (
        'entry.fields.get("note", "")',
        'entry.fields.get("note", "")[:3]',
        "field note is 'sam', was written as 'sample note'",
    ),
    "takes a comma for two rules": (
        '            self.rules[entry.type, entry.value] = ("us", entry.fields.get("note", ""))',
        '            note = entry.fields.get("note", "")\n'
        '            self.rules[entry.type, entry.value] = ("us", note)\n'
        '            if "," in note:\n'
        '                self.rules[entry.type, note.split(",")[1]] = ("us", "")',
        "added or removed entries",
    ),
    "takes a wildcard for more": (
        '            self.rules[entry.type, entry.value] = ("us", entry.fields.get("note", ""))',
        "            value = entry.value.removeprefix('*.')\n"
        '            self.rules[entry.type, value] = ("us", entry.fields.get("note", ""))',
        "never written: domain-name 'worse.example'",
    ),
    "tells kinds by their looks": (
        '            self.rules[entry.type, entry.value] = ("us", entry.fields.get("note", ""))',
        "            kind = 'ipv4-addr' if entry.value[0].isdigit() else entry.type\n"
        '            self.rules[kind, entry.value] = ("us", entry.fields.get("note", ""))',
        "texts of type mutex are read back as something else",
    ),
    "rejects plain samples": (
        "        for entry in entries:\n            self.rules[entry.type",
        "        return {entries[0].observable: Refused('no room')}\n"
        "        for entry in entries:\n            self.rules[entry.type",
        "plain samples were rejected",
    ),
}


@pytest.mark.parametrize("defect", BROKEN_FIREWALLS)
def test_a_firewall_that_breaks_a_promise_is_told_which(defect: str, pytester) -> None:
    sound, broken, words = BROKEN_FIREWALLS[defect]
    assert sound in FIREWALL
    counts, output = outcome(pytester, FIREWALL.replace(sound, broken))
    assert counts.get("failed")
    assert words in output
