"""What is wrong with an adapter's class and can be seen before anything runs, in words."""

from collections.abc import Iterator
from datetime import timedelta
from inspect import signature
from typing import Any, Final

from connector.adapter.batch import Batch
from connector.adapter.contract import Adapter, EntryAdapter
from connector.adapter.fields import Choice, Flag, Instant, Number, Text
from connector.model import ObservableType, RuleLanguage
from connector.settings import EventSettings, read_rate

__all__ = ["mistakes"]

_VERBS: Final = {
    "__init__": ("settings", "context"),
    "read": (),
    "publish": ("entries",),
    "add": ("entries",),
    "remove": ("held",),
    "weigh": ("entry",),
    "holds": ("observables",),
    "begin": (),
    "commit": (),
    "abandon": (),
    "activate": (),
    "worded": ("event",),
    "hand_over": ("events",),
    "flush": (),
    "accepts": ("observable",),
    "held_as": ("observable",),
    "pools": (),
    "shares": (),
    "known_as": (),
    "pool_of": ("observable",),
    "takes": ("language",),
    "close": (),
}
_SHORTEST: Final = timedelta(minutes=1)
_FIRST_EDITION: Final = {"http", "place"}


def mistakes(kind: type[Adapter[Any]]) -> Iterator[str]:
    """Yield what keeps an adapter from working, one sentence for each."""
    yield from _misnamed("supports", kind.supports, ObservableType)
    yield from _misnamed("takes_rules", kind.takes_rules, RuleLanguage)
    if not hasattr(kind.fields, "items"):
        yield "`fields` should map each name to Text, Number, Choice, Flag or Instant"
    else:
        for name, spec in kind.fields.items():
            if not isinstance(spec, Text | Number | Choice | Flag | Instant):
                yield f"`fields` gives {name} {_shown(spec)}, not Text, Number, Choice, Flag or so"
    if issubclass(kind, EntryAdapter):
        yield from _of_batch(kind)
        yield from _of_bound(kind.ttl_bound)
    if hasattr(kind, "hand_over") and not issubclass(kind.settings_type, EventSettings):
        yield "`settings_type` should be derived from EventSettings, as events wait on disk"
    if kind.rate is not None:
        yield from _unreadable_rate(kind.rate)
    for verb, arguments in _VERBS.items():
        yield from _uncallable(kind, verb, arguments)


def _of_bound(bound: Any) -> Iterator[str]:
    if isinstance(bound, property) or bound is None:
        return
    if not isinstance(bound, timedelta):
        yield f"`ttl_bound` is {_shown(bound)}, not timedelta"
    elif bound < _SHORTEST:
        yield f"`ttl_bound` is {bound}, and should be at least {_SHORTEST}"


def _of_batch(kind: type[EntryAdapter[Any]]) -> Iterator[str]:
    if hasattr(kind, "batch_size"):
        yield "`batch_size` is from the first edition: write `batch = Batch(entries=...)`"
    if isinstance(kind.batch, property):
        return  # by the options
    if not isinstance(kind.batch, Batch):
        yield f"`batch` is {_shown(kind.batch)}, not Batch"
        return
    bounds = ("entries", kind.batch.entries), ("bytes", kind.batch.bytes)
    for name, bound in (*bounds, ("commit_every", kind.batch.commit_every)):
        if bound is not None and bound < 1:
            yield f"`batch` has {name}={bound}, and should have at least 1"


def _misnamed(attribute: str, named: Any, wanted: type) -> Iterator[str]:
    wrong = next((one for one in named if not isinstance(one, wanted)), None)
    if wrong is not None:
        yield f"`{attribute}` names {_shown(wrong)}, not {wanted.__name__}"


def _unreadable_rate(rate: Any) -> Iterator[str]:
    try:
        read_rate(rate)
    except ValueError as error:
        yield f"`rate` is {_shown(rate)}, and {error}"


def _uncallable(kind: type[Any], verb: str, arguments: tuple[str, ...]) -> Iterator[str]:
    """Yield that the core could not call a verb as it does."""
    written = getattr(kind, verb, None)
    if written is None:
        return
    parameters = signature(written).parameters
    if verb == "__init__" and parameters.keys() & _FIRST_EDITION:
        yield (
            "its __init__ takes what the first edition of the contract gave: take settings and "
            "context, as docs/upgrading.md says"
        )
        return
    try:
        signature(written).bind(None, *arguments)
    except TypeError:
        said = ", ".join(parameters)
        wanted = ", ".join(("self", *arguments))
        yield f"{verb}({said}) should take ({wanted})"


def _shown(value: Any) -> str:
    return f"text {value!r}"[:80] if type(value) is str else type(value).__name__
