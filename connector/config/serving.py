"""Checks of the list server's TLS, and which of its files are renewed without a reload."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from connector.config.problems import Path as Place
from connector.config.sections import Sections
from connector.config.service import ServerConfig
from connector.errors import ConfigError
from connector.instants import SECOND, system_clock, to_datetime
from connector.settings import SecretValue, Settings

_PLACE: Final = ("server", "tls")
DAY: Final = 86_400 * SECOND
SOON_DAYS: Final = 30


def try_tls(sections: Sections, config: ServerConfig) -> Iterator[tuple[Place, str]]:
    """Note a pair that cannot be used; yield a doubt where its certificate ends soon."""
    if config.tls is None:
        return
    from connector.http.serving import served  # noqa: PLC0415 - few have it, and ssl is large

    try:
        ends = served(config.tls).ends
    except ConfigError as error:
        for problem in error.problems:
            option, _, words = problem.partition(": ")
            sections.note((*_PLACE, option), words)
        return
    left = (ends - system_clock()) // DAY
    if left < SOON_DAYS:
        when = f"{to_datetime(ends):%Y-%m-%d %H:%M} UTC"
        words = f"ends in {left} days, {when}" if left >= 0 else f"has ended, {when}"
        yield (*_PLACE, "certificate"), f"{words}; clients refuse it from then on"


def renewed(config: ServerConfig, others: Iterable[Any]) -> frozenset[Path]:
    """Return the files that the list server takes up itself, as nothing else names them."""
    if config.tls is None:
        return frozenset()
    elsewhere = {path for part in (config.clients, *others) for path in _files(part)}
    return config.tls.files - elsewhere


def _files(value: Any) -> Iterator[Path]:
    if isinstance(value, SecretValue):
        if value.file is not None:
            yield value.file
    elif isinstance(value, Settings):
        for name in type(value).model_fields:
            yield from _files(getattr(value, name))
    elif isinstance(value, dict):
        for below in value.values():
            yield from _files(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _files(below)
