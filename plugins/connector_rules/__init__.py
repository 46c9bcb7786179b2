"""A file of detection rules that an engine loads: YARA, Sigma, Snort or Suricata."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from connector.adapter import (
    ConfigError,
    Draft,
    Outcomes,
    OutputContext,
    Published,
    Refused,
    Rule,
    RuleAdapter,
    RuleLanguage,
    RuleRef,
    failures_typed,
    import_extra,
)
from connector_rules import record, sigma_rules, signatures, yara_rules
from connector_rules.engine import Engine
from connector_rules.found import Written, rules_in
from connector_rules.settings import RulesSettings
from connector_rules.signatures import Action, Allowed
from connector_rules.texts import RuleRejectedError, plain, refuse_hostile

__all__ = ["Action", "RulesAdapter", "RulesSettings"]

_COMMENTS: Final = dict.fromkeys(RuleLanguage, "#") | {RuleLanguage.YARA: "//"}
_VERSION: Final = 3  # of our checks: a rule that passed an older version is checked again
_DIALECTS: Final = {
    RuleLanguage.SNORT: signatures.SNORT,
    RuleLanguage.SURICATA: signatures.SURICATA,
}
_KEPT: Final = "Kept by Connector: changes made here by hand are replaced."

_Digest = tuple[str, bytes]
_Named = tuple[Rule, frozenset[str]]  # a rule and the names that it uses in the file


class RulesAdapter(RuleAdapter[RulesSettings]):
    """Publishes the rules of one language as a file, for the list server or the engine itself."""

    settings_type = RulesSettings
    takes_rules = frozenset(RuleLanguage)

    def __init__(self, settings: RulesSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._published = Published(self.context.publish_folder / settings.file)
        self._comment = _COMMENTS[settings.language]
        self._head = f"{self._comment} {_KEPT}\n"
        self._yara = _yara(settings)
        engine = getattr(self._yara, "YARA_VERSION", "")
        self._checks = f"{_VERSION} {engine} {settings.model_dump_json()}"
        self._allowed = Allowed(settings.actions, settings.variables, settings.keywords)
        self._refused: dict[_Digest, str] = {}  # by the engine, in this process
        self._taken: frozenset[_Digest] = frozenset()

    def takes(self, language: RuleLanguage) -> bool:
        """Return whether this file takes rules of the language."""
        return language is self.settings.language

    def stamp(self) -> str:
        """Return what tells the file from any other in its place."""
        return self._published.stamp()

    def read(self) -> Iterator[Rule]:
        """Yield the rules of the file: from its record while the file is as we left it."""
        with failures_typed(self._published.path):
            digest = self._published.digest()
            if digest is None:
                return
            own = self._published.record(digest)
            if own.exists():
                yield from (rule for rule, _names in record.rules(own))
            else:
                yield from self._found()

    def publish(self, rules: Iterable[Rule]) -> Outcomes:
        """Replace the file and its record; the engine sees either the old rules or the new ones."""
        rejected: dict[RuleRef, str] = {}
        with failures_typed(self._published.path), Draft(self._published) as draft:
            draft.write(self._head.encode(), record.first_line(self._checks).encode())
            taken = self._tested if self.settings.test else self._writable
            for rule, names in taken(rules, rejected):
                draft.write(self._block(rule).encode(), record.line_of(rule, names).encode())
            draft.publish(held_back=False)
        return {ref: Refused(words) for ref, words in rejected.items()}

    def _tested(self, rules: Iterable[Rule], rejected: dict[RuleRef, str]) -> list[_Named]:
        """Return the rules that the engine accepts as well; a refused rule frees its names.

        A refused rule is not tested again until another rule leaves, which may have been the cause.
        """
        given, settings = list(rules), self.settings
        if not self._taken <= {_digest(rule) for rule in given}:
            self._refused.clear()
        engine = Engine(
            settings.test or (), settings.test_seconds, self._published.path, self._head
        )
        while True:
            rejected.clear()
            writable = list(self._writable(given, rejected))
            refused = engine.refused([self._block(rule) for rule, _names in writable])
            if not refused:
                self._taken = frozenset(_digest(rule) for rule, _names in writable)
                return writable
            for at, words in refused.items():
                self._refused[_digest(writable[at][0])] = f"refused by the engine: {words}"

    def _writable(self, rules: Iterable[Rule], rejected: dict[RuleRef, str]) -> Iterator[_Named]:
        """Yield the rules that may be written; of two with one name, the one in the file.

        Otherwise a feed could replace another's rule by sending one with the same name. Of two new
        rules the first is written, which is the one seen first.
        """
        judged = self._judged()
        taken: dict[str, str] = {}
        waiting: list[_Named] = []
        for rule in rules:
            try:
                names = self._judge(rule, judged)
            except RuleRejectedError as refusal:
                rejected[rule.ref] = str(refusal)
                continue
            if any(judged.keys.get(name, rule.key) != rule.key for name in names):
                waiting.append((rule, names))
            elif _take(rule, names, taken, rejected):
                yield rule, names
        for rule, names in waiting:
            if _take(rule, names, taken, rejected):
                yield rule, names

    def _judged(self) -> "_Judged":
        """Return the checked rules of the present file, and which rule has each name there."""
        digest = self._published.digest()
        own = None if digest is None else self._published.record(digest)
        known = _Judged({}, {})
        if own is None or not own.exists():
            return known
        same = record.checks_of(own) == self._checks
        for rule, names in record.rules(own):
            known.keys.update(dict.fromkeys(names, rule.key))
            if same:
                known.names[_digest(rule)] = names
        return known

    def _judge(self, rule: Rule, judged: "_Judged") -> frozenset[str]:
        """Return the names that a rule uses; raise RuleRejectedError where it is not writable."""
        digest = _digest(rule)
        if digest in self._refused:
            raise RuleRejectedError(self._refused[digest])
        return judged.names.get(digest) or self._names(rule)

    def _names(self, rule: Rule) -> frozenset[str]:
        """Return the names that a rule uses, after the checks of its language."""
        refuse_hostile(rule.text)
        settings = self.settings
        if rule.language is RuleLanguage.YARA:
            names = yara_rules.names_of(rule.text, settings.modules)
            if self._yara is not None:
                yara_rules.compile_alone(self._yara, rule.text)
            return names
        if rule.language is RuleLanguage.SIGMA:
            return sigma_rules.names_of(rule.text)
        dialect = _DIALECTS[rule.language]
        return signatures.names_of(rule.text, dialect, self._allowed)

    def _block(self, rule: Rule) -> str:
        """Return a rule as it is written."""
        written = self._written(rule)
        return f"{written.header}\n{written.body}"

    def _written(self, rule: Rule) -> Written:
        """Return a rule as it is written, below a comment that names its origin."""
        name = f": {plain(rule.name)}" if rule.name else ""
        header = f"{self._comment} {plain(rule.indicator)} from {plain(rule.feed)}{name}"
        if rule.language is not RuleLanguage.SIGMA:
            return Written(rule, header, f"{rule.text.strip()}\n")
        return Written(rule, header, sigma_rules.document_of(rule.text))

    def _found(self) -> Iterator[Rule]:
        """Yield the rules of a file that someone else changed: ours, and one for all the rest."""
        text = self._published.path.read_bytes().decode("utf-8", "replace")
        own = (record.rules(newest) for newest in self._published.records()[:1])
        written = (self._written(rule) for rules in own for rule, _names in rules)
        rest = Rule(f"text of others in {self.settings.file}", self.settings.language, "")
        yield from rules_in(text.replace(self._head, "", 1), written, rest)


class _Judged(NamedTuple):
    """The names that checked rules use, and the key of the rule in the file that has each name."""

    names: dict[_Digest, frozenset[str]]
    keys: dict[str, str]


def _digest(rule: Rule) -> _Digest:
    return rule.language, blake2b(rule.text.encode(), digest_size=16).digest()


def _take(
    rule: Rule, names: frozenset[str], taken: dict[str, str], rejected: dict[RuleRef, str]
) -> bool:
    for name in sorted(names & taken.keys()):
        rejected[rule.ref] = f"has the name {name}, which the rule of {taken[name]} has too"
        return False
    taken.update(dict.fromkeys(names, rule.key))
    return True


def _yara(settings: RulesSettings) -> Any:
    """Return the package that compiles YARA rules; None where none is needed."""
    if settings.language is not RuleLanguage.YARA or settings.compile is False:
        return None
    try:
        return import_extra("yara", "threat-feed-connector[yara]")
    except ConfigError as error:
        if settings.compile:
            raise ConfigError([f"compile: {error}"]) from error
        return None
