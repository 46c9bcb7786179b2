"""The suite for adapters of rules passes what keeps its promises, and names what is broken."""

import pytest

pytest_plugins = ["pytester"]

SENSOR = '''
from pathlib import Path

import pytest

from connector.adapter import (
    OutputContext,
    Refused,
    RuleAdapter,
    RuleLanguage,
    Settings,
    UnavailableError,
)
from connector.testing.rule_suite import RuleAdapterSuite
from connector.testing.samples.rules import HOSTILE_RULES


class Sensor:
    """A sensor in a dictionary: rules by key."""

    def __init__(self):
        self.rules = {}
        self.reachable = True


class SensorSettings(Settings):
    sensor: Sensor


class SensorAdapter(RuleAdapter[SensorSettings]):
    settings_type = SensorSettings
    takes_rules = frozenset({RuleLanguage.SNORT})

    def check(self):
        if not self.settings.sensor.reachable:
            raise UnavailableError("the sensor does not answer")

    def read(self):
        self.check()
        return list(self.settings.sensor.rules.values())

    def publish(self, rules):
        self.check()
        wanted = {rule.key: rule for rule in rules}
        hostile = {one for one, rule in wanted.items() if rule.text in HOSTILE_RULES["snort"]}
        kept = {one: rule for one, rule in wanted.items() if one not in hostile}
        self.settings.sensor.rules = kept
        return {wanted[one].ref: Refused("no") for one in hostile}


class TestSensor(RuleAdapterSuite):
    @pytest.fixture
    def adapter(self):
        return SensorAdapter(SensorSettings(sensor=Sensor()), OutputContext("ids", Path()))

    @pytest.fixture
    def break_target(self, adapter):
        return lambda: setattr(adapter.settings.sensor, "reachable", False)

    @pytest.fixture
    def engine(self, adapter):
        return lambda: list(adapter.settings.sensor.rules)

    @pytest.fixture
    def foreign(self, adapter):
        return lambda: adapter.settings.sensor.rules.clear()
'''
BROKEN = {
    "cuts texts": (
        "wanted = {rule.key: rule for rule in rules}",
        "from dataclasses import replace\n"
        "        wanted = {one.key: replace(one, text=one.text[:9]) for one in rules}",
        "was written as",
    ),
    "keeps what is no longer published": (
        "self.settings.sensor.rules = kept",
        "self.settings.sensor.rules.update(kept)",
        "rules that are no longer published should be gone",
    ),
    "keeps the first version": (
        "self.settings.sensor.rules = kept",
        "known = self.settings.sensor.rules\n"
        "        self.settings.sensor.rules = {k: known.get(k, v) for k, v in kept.items()}",
        "a rule should be stored in its latest version",
    ),
    "swallows an error of its stream": (
        "wanted = {rule.key: rule for rule in rules}",
        "wanted = {}\n"
        "        try:\n"
        "            for rule in rules:\n"
        "                wanted[rule.key] = rule\n"
        "        except Exception:\n"
        "            pass",
        "publish() hid an error of its stream",
    ),
    "takes one id for one rule": (
        "wanted = {rule.key: rule for rule in rules}",
        "wanted = {rule.indicator: rule for rule in rules}",
        "two feeds may use the same id",
    ),
    "takes what is hostile": (
        'if rule.text in HOSTILE_RULES["snort"]',
        'if rule.text == "include /etc/passwd"',
        "should be rejected: {",
    ),
    "rejects in silence": (
        "Refused(\"no\") for one in hostile}",
        "Refused(\"no\") for one in hostile if not wanted}",
        "should be rejected: {",
    ),
    "reads an unreachable target as empty": (
        "        self.check()\n        return list(",
        "        return [] if not self.settings.sensor.reachable else list(",
        "read() on an unreachable target should raise UnavailableError",
    ),
    "takes observables as well": (
        "    takes_rules =",
        '    supports = frozenset({"url"})\n    takes_rules =',
        "leave `supports` empty",
    ),
}  # fmt: skip


def outcome(pytester: pytest.Pytester, source: str) -> tuple[dict[str, int], str]:
    pytester.makepyfile(source)
    ran = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-q")
    return ran.parseoutcomes(), ran.stdout.str()


def test_a_sound_adapter_passes(pytester: pytest.Pytester) -> None:
    counts, output = outcome(pytester, SENSOR)
    assert counts == {"passed": 13}, output


@pytest.mark.parametrize("defect", BROKEN)
def test_an_adapter_that_breaks_a_promise_is_told_which(
    defect: str, pytester: pytest.Pytester
) -> None:
    sound, broken, words = BROKEN[defect]
    assert sound in SENSOR
    counts, output = outcome(pytester, SENSOR.replace(sound, broken))
    assert counts.get("failed")
    assert words in output
