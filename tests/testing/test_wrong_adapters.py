"""Ten adapters that are wrong in one way each: one promise refuses each, the one that names it."""

from dataclasses import dataclass

import pytest
from sample_plugins import FIREWALL, STAGED, failed, outcome

pytest_plugins = ["pytester"]

PUTS = '        table[kind, value] = ("us", note)\n'
DROPS = "        table.pop((kind, value), None)\n"
ADDS = "    def add(self, entries):\n"
COMMITS = "    def commit(self):\n        self.firewall.call(self.firewall.apply)\n"
READS = "        return [self.shown(kind, value, note)"
TABLE = "    def table(self):\n        return dict(self.rules)\n"


@dataclass(frozen=True)
class Wrong:
    """A sound plugin, where it is broken and how, and the promise that says so."""

    sound: str
    broken: str
    promise: str
    plugin: str = FIREWALL


WRONG = {
    "updates of fields are ignored": Wrong(
        PUTS,
        '        table.setdefault((kind, value), ("us", note))\n',
        "test_fields_that_change_are_written_again",
    ),
    "a name that is removed takes the names below it along": Wrong(
        DROPS, DROPS + '        table.pop((kind, f"*.{value}"), None)\n',
        "test_what_looks_alike_is_kept_apart[a name and all names below it]",
    ),
    "http and https of one address are one row": Wrong(
        PUTS,
        '        folded = value.replace("https:", "http:")\n'
        '        for one in (folded, folded.replace("http:", "https:")) if kind == "url" else ():\n'
        "            table.pop((kind, one), None)\n" + PUTS,
        "test_what_looks_alike_is_kept_apart[http and https]",
    ),
    "the case of a path is folded": Wrong(
        PUTS,
        "        folded = [one for one in table if one[1].lower() == value.lower()]\n"
        "        for one in folded if kind == 'url' else []:\n"
        "            table.pop(one, None)\n" + PUTS,
        "test_what_looks_alike_is_kept_apart[upper and lower case]",
    ),
    "holds answers by a covering prefix": Wrong(
        ADDS,
        "    def holds(self, observables):\n"
        "        from ipaddress import ip_network\n"
        "        there = {one.observable: one for one in self.read()}\n"
        "        nets = [ip_network(one.value) for one in there if one.type == 'ipv4-addr']\n"
        "        for one in observables:\n"
        "            if one in there:\n"
        "                yield there[one]\n"
        "            elif one.type == 'ipv4-addr':\n"
        "                if any(ip_network(one.value).subnet_of(net) for net in nets):\n"
        "                    yield Held(one)\n\n" + ADDS,
        "test_holds_answers_for_exactly_what_it_is_asked[a prefix and what it covers]",
    ),
    "a line of a field's text is an entry of its own": Wrong(
        PUTS,
        PUTS + '        for line in str(note).splitlines()[1:]:\n'
        '            table["domain-name", line] = ("us", "")\n',
        "test_hostile_field_texts_add_no_entry_and_lose_none",
    ),
    "read stops at 1,000 rows": Wrong(
        TABLE,
        "    def table(self):\n        return dict(list(self.rules.items())[:1000])\n",
        "test_a_large_list_is_read_back_whole",
    ),
    "what was staged is lost at a commit that failed": Wrong(
        COMMITS,
        "    def commit(self):\n"
        "        try:\n"
        "            self.firewall.call(self.firewall.apply)\n"
        "        except UnavailableError:\n"
        "            self.firewall.call(self.firewall.apply)  # the session is new, and empty\n",
        "test_a_failure_while_writing_is_told_and_writing_again_mends_it[commit]",
        STAGED,
    ),
    "what is rejected is named in the target's spelling": Wrong(
        "                    said[entry.observable] = outcome\n",
        "                    if isinstance(outcome, Refused):\n"
        "                        said[entry.value.upper()] = outcome\n"
        "                    else:\n"
        "                        said[entry.observable] = outcome\n",
        "test_what_the_target_refuses_is_named_as_it_was_given",
    ),
    "a contrary row is shown as held": Wrong(
        ", contrary=contrary)",
        ")",
        "test_the_opposite_of_an_entry_is_contrary_and_never_held",
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", WRONG)
def test_a_wrong_adapter_is_refused_by_the_promise_that_names_its_fault(
    defect: str, pytester: pytest.Pytester
) -> None:
    wrong = WRONG[defect]
    assert wrong.sound in wrong.plugin
    _counts, output = outcome(pytester, wrong.plugin.replace(wrong.sound, wrong.broken))
    assert failed(output) == {wrong.promise}, output
