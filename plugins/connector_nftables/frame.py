"""The sets, chains and rules around the elements, and which of them are missing.

    NAME_input, NAME_forward, NAME_output    base chains; only when we drop
      NAME_from, NAME_to                     one rule a set: source or destination is in it
        NAME_hit                             the consequence: `counter drop`, or the
                                             administrator's own rules when we do not drop

Rules of ours have a comment; all other rules in these chains belong to someone else.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from connector.adapter import RefusedError

from .kinds import SetKind, kind_named
from .netlink import Chain, Kernel

HOOKS: Final = {"input": 1, "forward": 2, "output": 3}
_ENTRANCES: Final = {"input": ("from",), "forward": ("from", "to"), "output": ("to",)}
_SIDES: Final = {"from": "s", "to": "d"}
_MARK: Final = "connector: "
_DORMANT: Final = (
    0x01  # an administrator can switch a table off: it exists, and no packet passes through it
)

RuleKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Names:
    """The table, and the beginning of the names of all our sets and chains."""

    family: str
    table: str
    name: str

    @property
    def path(self) -> str:
        """The table as nft commands name it."""
        return f"{self.family} {self.table}"

    def of(self, suffix: str) -> str:
        """Return the full name of one of our sets or chains."""
        return f"{self.name}_{suffix}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options ask for: base chains by hook, with a priority; none when we do not drop."""

    hooks: tuple[str, ...]
    priority: int

    def rules(self, kinds: Iterable[SetKind], names: Names) -> dict[RuleKey, str]:
        """Return the rules for these sets, by chain and comment."""
        wanted = {}
        if self.hooks:
            wanted["hit", "drop"] = "counter drop"
        for kind in kinds:
            target, found = names.of(kind.suffix), names.of("hit")
            for chain, side in _SIDES.items():
                wanted[chain, kind.suffix] = f"{kind.match(side)} @{target} goto {found}"
        for hook in self.hooks:
            for chain in _ENTRANCES[hook]:
                wanted[hook, chain] = f"jump {names.of(chain)}"
        return wanted

    def chains(self) -> dict[str, Chain]:
        """Return the chains by suffix."""
        plain = {suffix: Chain(None, None) for suffix in ("hit", "from", "to")}
        return plain | {hook: Chain(HOOKS[hook], self.priority) for hook in self.hooks}


@dataclass(frozen=True, slots=True)
class Frame:
    """Our objects in the kernel, by suffix; `shared` are chains that have rules of others."""

    kinds: frozenset[SetKind] = frozenset()
    chains: tuple[tuple[str, Chain], ...] = ()
    rules: tuple[tuple[RuleKey, int], ...] = ()
    shared: frozenset[str] = frozenset()
    dormant: bool = False

    def enforced(self, wish: Wish, names: Names) -> frozenset[SetKind]:
        """Return the sets that packets are compared with."""
        if self.dormant or self._misfits(wish) or wish.chains().keys() - dict(self.chains).keys():
            return frozenset()
        present = dict(self.rules).keys()
        if wish.rules((), names).keys() - present:
            return frozenset()
        return frozenset(k for k in self.kinds if not wish.rules((k,), names).keys() - present)

    def repairs(self, kinds: frozenset[SetKind], wish: Wish, names: Names) -> Iterator[str]:
        """Yield the commands that lead from this frame to the wish, with sets of these kinds."""
        table = names.path
        misfits = self._misfits(wish)
        for suffix in misfits:
            if suffix in self.shared:
                raise RefusedError(
                    f"nftables: chain {names.of(suffix)} in table {table} has to be replaced or "
                    "deleted for these options, and has rules that are not ours: move those to a "
                    "chain of your own"
                )
            yield f"delete chain {table} {names.of(suffix)}"
        chains = {suffix for suffix, _ in self.chains} - set(misfits)
        rules = {key: handle for key, handle in self.rules if key[0] in chains}
        if not wish.hooks and ("hit", "drop") in rules:
            yield f"delete rule {table} {names.of('hit')} handle {rules['hit', 'drop']}"
        yield f"add table {table}"
        for kind in _in_order(kinds - self.kinds):
            yield f"add set {table} {names.of(kind.suffix)} {{ {kind.declaration} }}"
        for suffix, chain in wish.chains().items():
            if suffix not in chains:
                yield f"add chain {table} {names.of(suffix)}{_hooked(chain, suffix)}"
        for (suffix, label), rule in wish.rules(_in_order(kinds | self.kinds), names).items():
            if (suffix, label) not in rules:
                yield f'add rule {table} {names.of(suffix)} {rule} comment "{_MARK}{label}"'

    def _misfits(self, wish: Wish) -> list[str]:
        """Return our chains that have another hook or priority than wished, or should not exist."""
        wanted = wish.chains()
        return [suffix for suffix, chain in self.chains if wanted.get(suffix) != chain]


def survey(kernel: Kernel, names: Names) -> Frame:
    """Return our objects in the kernel."""
    flags = kernel.table_flags(names.table)
    if flags is None:
        return Frame()
    ours = f"{names.name}_"
    chains = tuple(
        (suffix, chain)
        for name, chain in kernel.chains(names.table).items()
        if (suffix := name.removeprefix(ours)) != name and suffix in {"hit", *_SIDES, *HOOKS}
    )
    found = [rule for rule in kernel.rules(names.table) if rule.chain.startswith(ours)]
    rules = tuple(
        ((rule.chain.removeprefix(ours), rule.comment.removeprefix(_MARK)), rule.handle)
        for rule in found
        if rule.comment.startswith(_MARK)
    )
    shared = (rule.chain.removeprefix(ours) for rule in found if not rule.comment.startswith(_MARK))
    kinds = _our_sets(kernel, names, ours)
    return Frame(kinds, chains, rules, frozenset(shared), bool(flags & _DORMANT))


def _our_sets(kernel: Kernel, names: Names, ours: str) -> frozenset[SetKind]:
    kinds = set()
    for name, shape in kernel.sets(names.table).items():
        kind = kind_named(name.removeprefix(ours)) if name.startswith(ours) else None
        if kind is None:
            continue
        if not kind.has_shape(shape.flags, shape.key_type):
            raise RefusedError(
                f"nftables: set {name} in table {names.path} is not ours (it should be a plain set "
                f"of {kind.declaration[:-1]}); remove it, or choose another name in the option set"
            )
        kinds.add(kind)
    return frozenset(kinds)


def _in_order(kinds: Iterable[SetKind]) -> list[SetKind]:
    return sorted(kinds, key=lambda kind: (kind.version.number, kind.port, kind.prefix or 0))


def _hooked(chain: Chain, suffix: str) -> str:
    if chain.hook is None:
        return ""
    return f" {{ type filter hook {suffix} priority {chain.priority}; policy accept; }}"
