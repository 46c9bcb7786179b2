"""The promises of an adapter of rules: subclass the suite and define a fixture `adapter`."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connector.adapter import (
    Rule,
    RuleAdapter,
    RuleLanguage,
    Settings,
    UnavailableError,
)
from connector.testing.adapter_steps import rejected_by
from connector.testing.samples.rules import HOSTILE_RULES, sample_rule

AnyRuleAdapter = RuleAdapter[Any]
_SOME = 4
_MANY = 200


class RuleAdapterSuite:
    """The five promises, as far as they apply to a whole set of rules, plus hostile rules.

    A plugin's tests are one class with an `adapter` fixture whose target has no rules. A test that
    needs `foreign`, `engine` or `break_target` is skipped, with a reason, until the class defines
    how that is done at this target.
    """

    @pytest.fixture
    def adapter(self) -> AnyRuleAdapter:
        """The adapter under test, on a target of its own."""
        pytest.fail("define a fixture `adapter` in your subclass of RuleAdapterSuite")

    @pytest.fixture
    def fresh(self, adapter: AnyRuleAdapter) -> Callable[[], AnyRuleAdapter]:
        """Makes another adapter on the same target, as after a restart."""
        return lambda: type(adapter)(adapter.settings, adapter.context)

    @pytest.fixture
    def languages(self, adapter: AnyRuleAdapter) -> Sequence[RuleLanguage]:
        """The languages that the adapter, as configured, takes."""
        return [language for language in RuleLanguage if adapter.takes(language)]

    @pytest.fixture
    def sample_rules(self, languages: Sequence[RuleLanguage]) -> Sequence[Rule]:
        """Some rules of every language taken."""
        return [sample_rule(language, n) for language in languages for n in range(_SOME)]

    @pytest.fixture
    def more_rules(self, languages: Sequence[RuleLanguage]) -> Sequence[Rule]:
        """Other rules of every language taken."""
        return [sample_rule(language, n) for language in languages for n in range(_SOME, 2 * _SOME)]

    @pytest.fixture
    def engine(self) -> Callable[[], Collection[str]] | None:
        """Loads the target's set as its engine does, and returns the names of the rules."""
        return None

    @pytest.fixture
    def foreign(self) -> Callable[[], None] | None:
        """Changes the set as someone else would, leaving our rules in it."""
        return None

    @pytest.fixture
    def break_target(self) -> Callable[[], None] | None:
        """Makes the target unreachable."""
        return None

    def test_declares_what_it_can_do(
        self, adapter: AnyRuleAdapter, languages: Sequence[RuleLanguage]
    ) -> None:
        if not issubclass(adapter.settings_type, Settings):
            pytest.fail("settings_type should be a subclass of connector.adapter.Settings")
        if not isinstance(adapter.takes_rules, frozenset) or not adapter.takes_rules:
            pytest.fail("takes_rules should be a frozenset with at least one RuleLanguage")
        if not languages or not adapter.takes_rules.issuperset(languages):
            pytest.fail("takes() should accept a language or more of `takes_rules`, and no other")
        if adapter.supports:
            pytest.fail("an adapter that takes rules gets no observables: leave `supports` empty")

    def test_read_gives_back_what_was_published(
        self, adapter: AnyRuleAdapter, sample_rules: Sequence[Rule]
    ) -> None:
        if rejected := publish(adapter, sample_rules):
            pytest.fail(f"plain samples were rejected: {rejected}")
        expect_held(adapter, sample_rules, "read() should give back what we published")

    def test_a_fresh_adapter_reads_the_same(
        self,
        adapter: AnyRuleAdapter,
        fresh: Callable[[], AnyRuleAdapter],
        sample_rules: Sequence[Rule],
    ) -> None:
        publish(adapter, sample_rules)
        again = fresh()
        try:
            expect_held(again, sample_rules, "after a restart read() should agree")
        finally:
            again.close()

    def test_a_large_set_arrives_whole(
        self, adapter: AnyRuleAdapter, languages: Sequence[RuleLanguage]
    ) -> None:
        rules = [sample_rule(language, n) for language in languages for n in range(_MANY)]
        publish(adapter, rules)
        expect_held(adapter, rules, f"{len(rules)} rules should arrive complete")

    def test_publishing_the_same_again_changes_nothing(
        self, adapter: AnyRuleAdapter, sample_rules: Sequence[Rule]
    ) -> None:
        publish(adapter, sample_rules)
        publish(adapter, sample_rules)
        expect_held(adapter, sample_rules, "publishing the same again should change nothing")

    def test_publishing_replaces_the_whole_set(
        self, adapter: AnyRuleAdapter, sample_rules: Sequence[Rule], more_rules: Sequence[Rule]
    ) -> None:
        publish(adapter, [*sample_rules, *more_rules])
        publish(adapter, more_rules)
        expect_held(adapter, more_rules, "rules that are no longer published should be gone")
        publish(adapter, [])
        expect_held(adapter, [], "after publishing an empty set no rule should remain")

    def test_a_rule_may_be_replaced_by_its_next_version(
        self, adapter: AnyRuleAdapter, languages: Sequence[RuleLanguage]
    ) -> None:
        first = [sample_rule(language, 1) for language in languages]
        later = [
            sample_rule(rule.language, 1, text=sample_rule(rule.language, 2).text) for rule in first
        ]
        publish(adapter, first)
        publish(adapter, later)
        expect_held(adapter, later, "a rule should be stored in its latest version")

    def test_of_two_rules_that_are_called_alike_the_first_seen_stays(
        self, adapter: AnyRuleAdapter, languages: Sequence[RuleLanguage]
    ) -> None:
        for language in languages:
            text = sample_rule(language, 1).text
            twins = sorted(
                (sample_rule(language, n, text=text) for n in (1, 2)),
                key=lambda rule: rule.indicator,
                reverse=True,
            )
            publish(adapter, [])
            if twins[0].key in publish(adapter, twins):
                pytest.fail("a feed chooses its ids: keep the first rule, not the lower id")
            if twins[0].key in publish(adapter, reversed(twins)):
                pytest.fail("a published rule should stay when another one has its name")

    def test_rules_of_two_feeds_with_one_id_are_two_rules(
        self, adapter: AnyRuleAdapter, languages: Sequence[RuleLanguage]
    ) -> None:
        for language in languages:
            ours, text = sample_rule(language, 1), sample_rule(language, 2).text
            theirs = replace(ours, text=text, feed="other")
            publish(adapter, [ours, theirs])
            expect_held(adapter, [ours, theirs], "two feeds may use the same id")
            hostile = replace(theirs, text=HOSTILE_RULES[language][0])
            if publish(adapter, [ours, hostile]).keys() != {hostile.key}:
                pytest.fail("only the hostile rule should be refused, by its `ref`")
            expect_held(adapter, [ours], "no feed may replace the rule of another by using its id")

    def test_what_others_change_is_seen_and_replaced(
        self,
        adapter: AnyRuleAdapter,
        foreign: Callable[[], None] | None,
        sample_rules: Sequence[Rule],
    ) -> None:
        if foreign is None:
            pytest.skip("override the fixture `foreign` to change the set as someone else")
        publish(adapter, sample_rules)
        foreign()
        if held(adapter) == {rule.key: rule for rule in sample_rules}:
            pytest.fail("read() should show that someone else changed the set")
        publish(adapter, sample_rules)
        expect_held(adapter, sample_rules, "publishing should replace the changes of others")

    def test_a_stream_that_breaks_off_leaves_a_whole_set(
        self, adapter: AnyRuleAdapter, sample_rules: Sequence[Rule], more_rules: Sequence[Rule]
    ) -> None:
        publish(adapter, sample_rules)
        try:
            adapter.publish(_breaking_off(more_rules))
        except _BrokenOffError:
            pass
        else:
            pytest.fail("publish() hid an error of its stream: half a set looks complete")
        expect_held(adapter, sample_rules, "half a set should replace nothing")

    def test_an_unreachable_target_is_neither_read_as_empty_nor_written_in_silence(
        self,
        adapter: AnyRuleAdapter,
        break_target: Callable[[], None] | None,
        sample_rules: Sequence[Rule],
    ) -> None:
        if break_target is None:
            pytest.skip("override the fixture `break_target` to make the target unreachable")
        publish(adapter, sample_rules)
        break_target()
        for verb, act in (
            ("read", lambda: list(adapter.read())),
            ("publish", lambda: publish(adapter, sample_rules)),
        ):
            try:
                act()
            except UnavailableError:
                continue
            pytest.fail(f"{verb}() on an unreachable target should raise UnavailableError")

    def test_hostile_rules_are_refused_and_leave_the_others_alone(
        self,
        adapter: AnyRuleAdapter,
        languages: Sequence[RuleLanguage],
        sample_rules: Sequence[Rule],
        engine: Callable[[], Collection[str]] | None,
    ) -> None:
        publish(adapter, sample_rules)
        before = None if engine is None else sorted(engine())
        for language in languages:
            for at, text in enumerate(HOSTILE_RULES[language]):
                hostile = sample_rule(language, 1000 + at, text=text)
                rejected = publish(adapter, [*sample_rules, hostile])
                if rejected.keys() != {hostile.key}:
                    pytest.fail(f"only {text[:60]!r} should be rejected: {rejected}")
                expect_held(adapter, sample_rules, f"{text[:60]!r} should change no other rule")
                if engine is not None and sorted(engine()) != before:
                    pytest.fail(f"{text[:60]!r} changed what the engine loads")


def publish(adapter: AnyRuleAdapter, rules: Iterable[Rule]) -> dict[str, str]:
    """Publish rules in this order; return the reason for each rejected one, by key."""
    given = list(rules)
    return rejected_by("publish", adapter.publish(iter(given)), {rule.ref for rule in given})


def held(adapter: AnyRuleAdapter) -> dict[str, Rule]:
    """Return the rules at the target; a rule shown twice is a failure."""
    found: dict[str, Rule] = {}
    for rule in adapter.read():
        if rule.key in found:
            pytest.fail(f"read() shows the rule of {rule.key} twice")
        found[rule.key] = rule
    return found


def expect_held(adapter: AnyRuleAdapter, expected: Iterable[Rule], promise: str) -> None:
    """Fail unless read() shows exactly these rules, each as it was written."""
    found, wanted = held(adapter), {rule.key: rule for rule in expected}
    problems = [f"  missing: {wanted[one].text[:60]!r}" for one in wanted.keys() - found.keys()]
    problems += [f"  never written: {found[one]}" for one in found.keys() - wanted.keys()]
    problems += [
        f"  {found[one]} was written as {wanted[one]}"
        for one in found.keys() & wanted.keys()
        if found[one] != wanted[one]
    ]
    if problems:
        pytest.fail("\n".join([promise, *sorted(problems)[:20]]))


class _BrokenOffError(Exception):
    """Any failure inside the stream that a set is made from."""


def _breaking_off(rules: Sequence[Rule]) -> Iterator[Rule]:
    yield from rules
    raise _BrokenOffError
