"""Files of the adapter edl for tests: one made of entries, and every format with its families."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connector_edl import EdlAdapter, EdlSettings
from connector_edl.dialects import DIALECTS, Format
from outcome_words import words_on

from connector.adapter import Entry, Family, Observable, ObservableType, OutputContext

V4, V6 = ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR
DOMAIN, URL = ObservableType.DOMAIN_NAME, ObservableType.URL
MAILBOX, SHA256 = ObservableType.EMAIL_ADDR, ObservableType.FILE_SHA256
ADDRESSES = ["ipv4-addr", "ipv6-addr"]

FORMATS: list[tuple[Format, Family]] = [
    (form, family)
    for form, dialect in DIALECTS.items()
    if form is not Format.PLAIN and not dialect.objects  # those come with entries of feeds
    for family in dialect.families
]


def name_of(chosen: tuple[Format, Family]) -> str:
    """Return the name of a format and family for the id of a test."""
    form, family = chosen
    return f"{form}-{min(family)}"


def edl(folder: Path, *, mapped: Iterable[str] = (), **options: object) -> EdlAdapter:
    settings = EdlSettings.model_validate({"file": "list.txt", **options})
    return EdlAdapter(settings, OutputContext("edge", folder, mapped=tuple(mapped)))


def entries(kind: ObservableType, *values: str, **fields: str | int) -> list[Entry]:
    return [Entry(Observable(kind, value), fields) for value in values]


def published(folder: Path, listed: Iterable[Entry], **options: Any) -> tuple[Path, dict]:
    """Publish a list; return its file, and what was refused of it, in words."""
    adapter = edl(folder, **options)
    refused = words_on(adapter.publish(iter(listed)))
    adapter.close()
    return folder / adapter.settings.file, refused


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
