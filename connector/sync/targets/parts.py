"""Rows a part at a time, and two streams of them as one."""

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import TypeVar

from connector.decisions.plan import EntryRefs

T = TypeVar("T")


def refs_in_parts(refs: EntryRefs, size: int) -> Iterator[EntryRefs]:
    """Yield the references of a plan, so many at a time."""
    for at in range(0, len(refs), size):
        yield refs.part(at, at + size)


def merged(late: Iterable[T], held: Iterable[T], number: Callable[[T], int]) -> Iterator[T]:
    """Yield what either has, sorted by number as both are, and what both have once."""
    last = -1
    for one in merge(late, held, key=number):
        if number(one) != last:
            last = number(one)
            yield one


def in_parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield values, so many at a time."""
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part
