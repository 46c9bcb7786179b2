"""The adapter suite passes what keeps its promises, and names the promise that is broken."""

from itertools import islice

import pytest
from sample_plugins import FIREWALL, SMALLEST_PLUGIN, STAGED, outcome

from connector.adapter import ObservableType
from connector.indicators.observables.canonical import canonical
from connector.testing.samples.entries import hostile_values, sample_values

pytest_plugins = ["pytester"]


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
    assert counts["skipped"] > 5, output  # it does not say how its folder fails
    assert "override the fixture `break_target` to make the target unreachable" in output


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


def test_a_firewall_that_stages_changes_passes_without_a_skip(pytester) -> None:
    counts, _output = outcome(pytester, STAGED)
    assert counts.keys() == {"passed"}


def test_a_batch_that_is_too_large_is_split_as_the_core_splits_it(pytester) -> None:
    small = FIREWALL.replace(
        "    def add(self, entries):\n",
        "    def add(self, entries):\n"
        "        if len(entries) > 2:\n            raise BatchTooLargeError(2)\n",
    ).replace("    Batch,\n", "    Batch,\n    BatchTooLargeError,\n")
    counts, _output = outcome(pytester, small)
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


PUTS = '        table[kind, value] = ("us", note)\n'
ADDS = "    def add(self, entries):\n"
BROKEN_FIREWALLS = {
    "removes what others own": (
        "        table.pop((kind, value), None)",
        "        table.clear()",
        "removing our entries removed one that is not ours",
    ),
    "adds by replacing all": (
        "            for entry in entries:\n                note",
        "            self.firewall.rules.clear()\n"
        "            for entry in entries:\n                note",
        "a later addition should leave the earlier entries",
    ),
    "knows no entry that is gone": (
        "        table.pop((kind, value), None)",
        "        table.pop((kind, value))",
        "KeyError",
    ),
    "reads an unreachable target as empty": (
        "        rules = self.firewall.call(self.firewall.table)\n",
        "        if not self.firewall.reachable:\n            return []\n"
        "        rules = self.firewall.call(self.firewall.table)\n",
        "read() returned 0 entries from an unreachable target",
    ),
    "does not look for what others put there": (
        ADDS,
        "    def holds(self, observables):\n"
        "        return [one for one in super().holds(observables)\n"
        "                if self.firewall.rules[one.type, one.value][0] == 'us']\n\n" + ADDS,
        "which someone else added: so it was taken for ours, and removed",
    ),
    "holds whatever it is asked for": (
        ADDS,
        "    def holds(self, observables):\n        return [Held(each) for each in observables]\n\n"
        + ADDS,
        "holds() and read() disagree on",
    ),
    "holds nothing when it does not answer": (
        ADDS,
        "    def holds(self, observables):\n"
        "        try:\n"
        "            return super().holds(observables)\n"
        "        except UnavailableError:\n"
        "            return []\n\n" + ADDS,
        "holds() reported 16 entries as absent from an unreachable target",
    ),
    "cuts its fields": (
        'entry.fields.get("note", "")',
        'entry.fields.get("note", "")[:3]',
        "field note is 'sam', was written as 'sample note'",
    ),
    "takes a comma for two rules": (
        PUTS,
        PUTS + '        if "," in note:\n'
        '            table[kind, note.split(",")[1]] = ("us", "")\n',
        "added or removed entries",
    ),
    "takes a wildcard for more": (
        PUTS,
        "        value = value.removeprefix('*.')\n" + PUTS,
        "never written: domain-name 'worse.example'",
    ),
    "tells kinds by their looks": (
        PUTS,
        "        kind = 'ipv4-addr' if value[0].isdigit() else kind\n" + PUTS,
        "texts of type mutex are read back as something else",
    ),
    "rejects plain samples": (
        "            said = {}\n",
        "            return {entries[0].observable: Refused('no room')}\n",
        "plain samples were rejected",
    ),
    "forgets its own name of an entry": (
        "        return self.firewall.call(work)\n\n    def remove",
        "        said = self.firewall.call(work)\n"
        "        return {one.observable: Written('x') for one in entries} | said\n\n    def remove",
        "which one would remove() get?",
    ),
    "takes a full table for a refusal": (
        "                return Full()",
        "                return Refused('full')",
        "what a full target has no room for should be Full, not Refused",
    ),
    "takes wrong credentials for an outage": (
        "raise RefusedError(",
        "raise UnavailableError(",
        "with wrong credentials should raise RefusedError",
    ),
    "raises what its target's library raises": (
        'raise UnavailableError("the connection broke")',
        'raise OSError("the connection broke")',
        "a cut at call 1 of read(): should raise UnavailableError, not OSError",
    ),
    "cannot be closed after a failure": (
        ADDS,
        "    def close(self):\n        self.firewall.call(self.firewall.discard)\n\n" + ADDS,
        "the firewall does not answer",
    ),
    "prints its secret": (
        "class FirewallAdapter(EntryAdapter[FirewallSettings]):\n",
        "class FirewallAdapter(EntryAdapter[FirewallSettings]):\n"
        "    def __repr__(self):\n        return self.settings.token.reveal()\n\n",
        "is in what people see: <SECRET>",
    ),
}


@pytest.mark.parametrize("defect", BROKEN_FIREWALLS)
def test_a_firewall_that_breaks_a_promise_is_told_which(defect: str, pytester) -> None:
    sound, broken, words = BROKEN_FIREWALLS[defect]
    assert sound in FIREWALL
    counts, output = outcome(pytester, FIREWALL.replace(sound, broken))
    assert counts.get("failed")
    assert words in output


def test_values_in_messages_are_cut(pytester) -> None:
    loses = FIREWALL.replace(PUTS, "        if len(value) < 500:\n    " + PUTS)
    _counts, output = outcome(pytester, loses)
    (line,) = {
        line for line in output.splitlines() if "missing: url" in line and "aaaa'" not in line
    }
    assert len(line) < 120
