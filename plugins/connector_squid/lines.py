"""Lines of Squid's access lists, and the entries that each of them stands for.

Squid takes no two lines of which one covers the other: beside `.bad.example`, `bad.example` ends
it, and of `203.0.113.7` and `203.0.113.0/24` it ignores the one that it reads later, be it the
wider. So what a line covers is no line of its own, but a comment that says so:

    .bad.example
    #= www.bad.example in .bad.example
"""

from collections.abc import Container, Iterable, Iterator
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final, NamedTuple

from connector.adapter import Observable, ObservableType, Outcome, Refused, Subject, observable_of

BELOW_ALONE: Final = (
    "Squid has no line for the names below a domain without the domain itself; choose "
    "below_alone: widen to deny that too"
)
_COVERED: Final = "#= "
_IN: Final = " in "


class Covered(NamedTuple):
    """An entry that another line stands for."""

    value: str
    line: str

    def __str__(self) -> str:
        return f"{_COVERED}{self.value}{_IN}{self.line}"


def domain_lines(
    names: Iterable[Observable], widen: bool, refused: dict[Subject, Outcome]
) -> Iterator[str]:
    """Yield the lines for domain names, with what each covers; `refused` gets what has none."""
    wanted = {one.value for one in names}
    below = {value[2:] for value in wanted if value.startswith("*.")}
    dotted = {name for name in below if widen or name in wanted}
    yield from (f".{name}" for name in sorted(dotted) if _widest(name, dotted) == name)
    for value in sorted(wanted):
        name = value.removeprefix("*.")
        if widest := _widest(name, dotted):
            yield str(Covered(value, f".{widest}"))
        elif name == value:
            yield value
        else:
            refused[Observable(ObservableType.DOMAIN_NAME, value)] = Refused(BELOW_ALONE)


def _widest(name: str, dotted: Container[str]) -> str:
    """Return the widest domain that covers a name, or is it; none where none does."""
    labels = name.split(".")
    parents = (".".join(labels[at:]) for at in range(len(labels) - 1, -1, -1))
    return next((parent for parent in parents if parent in dotted), "")


def address_lines(addresses: Iterable[Observable]) -> Iterator[str]:
    """Yield the lines for addresses and prefixes, with what each covers."""
    widest, line = (0, 0, 0), ""
    for span, value in sorted(
        ((_span(one.value), one.value) for one in addresses), key=_wide_first
    ):
        if span[0] == widest[0] and span[2] <= widest[2]:
            yield str(Covered(value, line))
        else:
            widest, line = span, value
            yield value


def _span(value: str) -> tuple[int, int, int]:
    """Return family, first and last of the addresses that are meant."""
    host, _, length = value.partition("/")
    packed = inet_pton(AF_INET6 if ":" in host else AF_INET, host)
    first, bits = int.from_bytes(packed), 8 * len(packed)
    return bits, first, first + (1 << (bits - int(length or bits))) - 1


def _wide_first(one: tuple[tuple[int, int, int], str]) -> tuple[int, int, int]:
    family, first, last = one[0]
    return family, first, -last


def entries_of(lines: Iterable[str], kind: ObservableType) -> Iterator[Observable]:
    """Yield the entries that lines stand for, those of others too.

    What a comment names counts only if the line that covers it is there.
    """
    plain: set[str] = set()
    covered: list[Covered] = []
    for line in lines:
        if line.startswith(_COVERED):
            covered.append(Covered(*line.removeprefix(_COVERED).partition(_IN)[::2]))
        elif not line.startswith("#"):
            plain.add(line.strip())
    there = [one for one in covered if one.line in plain]
    explained = {one.line for one in there if one.line.startswith(".")}
    for value in (*(one.value for one in there), *sorted(plain - explained)):
        text = f"*{value}" if value.startswith(".") else value
        # What means nothing here is a text, which no list of ours has.
        yield observable_of(kind, text) or Observable(ObservableType.MUTEX, text)
