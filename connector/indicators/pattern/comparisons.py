"""Reads comparison expressions, the text in brackets, into a disjunctive normal form."""

import re
from dataclasses import dataclass, field
from itertools import chain, product
from math import prod
from typing import Final

from connector.indicators.pattern.tokens import (
    DOUBLE_QUOTES,
    UNQUOTED_HASH_NAME,
    Token,
    Words,
)

DEEPEST: Final = 100
MOST_TERMS: Final = 512
MOST_COMPARISONS: Final = 100_000

_LONGEST_NUMBER: Final = 30
_OPERATORS: Final = (
    *("=", "==", "!=", "<>", "<", "<=", ">", ">="),
    *("IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"),
)
_ORDERED: Final = frozenset({"<", "<=", ">", ">="})
_INTS: Final = ("int", "negative_int")
_FLOATS: Final = ("float", "negative_float")
_TEXTS: Final = ("string", "quoted")
_OTHERS: Final = ("timestamp", "hex", "binary")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
HASH_NAMES: Final = {
    "md5": "md5",
    "sha1": "sha1",
    "sha-1": "sha1",
    "sha256": "sha256",
    "sha-256": "sha256",
    "sha512": "sha512",
    "sha-512": "sha512",
}

Literal = str | int | float | bool | None


class PatternTooLargeError(ValueError):
    """The pattern exceeds the bounds on depth, length or complexity."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test of one property; `literal` is None unless it is text, a number or a boolean.

    `IN` becomes equalities, `!=` a negated equality. Paths are normalised: object type in lower
    case, keys unquoted, every index `[*]`, `hashes.sha256` in any spelling.
    """

    path: str
    operator: str
    literal: Literal
    negated: bool
    at: int


Term = tuple[Comparison, ...]


@dataclass(slots=True)
class _Group:
    """What has been read inside parentheses: finished terms, and factors of the next."""

    defaults: list[Term] = field(default_factory=list)
    factors: list[list[Term]] = field(default_factory=list)

    def end_factors(self) -> None:
        self.defaults.extend(_multiplied(self.factors))
        self.factors = []


def read_comparisons(words: Words, *, has_exists: bool) -> list[Term]:
    """Return the alternatives of a comparison expression, each an AND of comparisons.

    It uses its own stack instead of recursion: a bulletin's OR of thousands must not exhaust the
    interpreter's.
    """
    outer: list[_Group] = []
    group = _Group()
    while True:
        while words.take("("):
            outer.append(group)
            group = _Group()
            check_depth(len(outer))
        defaults = read_test(words, has_exists=has_exists)
        while True:
            group.factors.append(defaults)
            if words.take("AND"):
                break
            group.end_factors()
            if words.take("OR"):
                break
            if not outer:
                return group.defaults
            words.read(")")
            defaults, group = group.defaults, outer.pop()


def check_depth(depth: int) -> None:
    """Raise PatternTooLargeError if parentheses are nested too deep."""
    if depth > DEEPEST:
        raise PatternTooLargeError(f"its parentheses are more than {DEEPEST} deep")


def _multiplied(factors: list[list[Term]]) -> list[Term]:
    if len(factors) == 1:
        return factors[0]
    choices = [len(factor) for factor in factors if len(factor) > 1]
    count = prod(choices)
    if len(choices) > 1 and count > MOST_TERMS:
        raise PatternTooLargeError(f"its ANDs of ORs make more than {MOST_TERMS} alternatives")
    if count * sum(max(map(len, factor)) for factor in factors) > MOST_COMPARISONS:
        raise PatternTooLargeError(f"its ANDs make more than {MOST_COMPARISONS} comparisons")
    return [tuple(chain.from_iterable(defaults)) for defaults in product(*factors)]


def read_test(words: Words, *, has_exists: bool) -> list[Term]:
    """Return the alternatives of one test of one property; only IN has several."""
    at = words.next.at
    negated = has_exists and words.take("NOT")
    if negated or (has_exists and words.next.kind == "EXISTS"):
        words.read("EXISTS")
        return [(Comparison(_read_path(words), "EXISTS", None, negated, at),)]
    path = _read_path(words)
    negated = words.take("NOT")
    operator = words.read(*_OPERATORS, what="a comparison operator").kind
    if operator == "IN":
        return _read_members(words, path, negated, at)
    if operator in {"!=", "<>"}:
        negated = True
    if operator in {"=", "==", "!=", "<>"}:
        return [(Comparison(path, "=", _read_literal(words), negated, at),)]
    if operator in _ORDERED:
        literal = _read_literal(words, truths=False)
    else:
        literal = _text(words, words.read(*_TEXTS, what="a text in quotes"))
    return [(Comparison(path, operator, literal, negated, at),)]


def _read_members(words: Words, path: str, negated: bool, at: int) -> list[Term]:
    words.read("(")
    if words.take(")"):
        return [(Comparison(path, "IN", None, negated, at),)]
    members = []
    while True:
        place = words.next.at
        members.append(Comparison(path, "=", _read_literal(words), negated, place))
        if words.read(",", ")").kind == ")":
            break
    # NOT IN is an AND of inequalities, IN an OR of equalities.
    return [tuple(members)] if negated else [(member,) for member in members]


def _read_path(words: Words) -> str:
    parts = [words.read("word", what="an object type").text.lower(), words.read(":").kind]
    parts.append(_read_key(words, ""))
    while True:
        if words.take("."):
            parts += [".", _read_key(words, parts[-1])]
        elif words.take("["):
            words.read("*", *_INTS)
            words.read("]")
            parts.append("[*]")
        else:
            return "".join(parts)


def _read_key(words: Words, parent: str) -> str:
    is_hash_name = parent == "hashes"
    token = words.next
    if token.kind == "word" and "-" in token.text:
        if not is_hash_name:
            raise words.problem("a property name with a hyphen needs quotes")
        words.repairs.append(UNQUOTED_HASH_NAME)
    token = words.read("word", *_TEXTS, what="a property name")
    name = token.text if token.kind == "word" else _text(words, token)
    if is_hash_name:
        name = HASH_NAMES.get(name.lower(), name)
    # A key such as 'hashes.MD5' must not read like the path of another property.
    return name if _PLAIN_KEY.fullmatch(name) else f"'{name}'"


def _read_literal(words: Words, *, truths: bool = True) -> Literal:
    kinds: tuple[str, ...] = (*_TEXTS, *_INTS, *_FLOATS, *_OTHERS)
    if truths:
        kinds += ("true", "false")
    token = words.read(*kinds, what="a constant")
    if token.kind in _TEXTS:
        return _text(words, token)
    if token.kind in {"true", "false"}:
        return token.kind == "true"
    if token.kind in _OTHERS or len(token.text) > _LONGEST_NUMBER:
        return None
    return int(token.text) if token.kind in _INTS else float(token.text)


def _text(words: Words, token: Token) -> str:
    if token.kind == "quoted":
        words.repairs.append(DOUBLE_QUOTES)
    return token.unquoted
