"""A MISP event as STIX objects: its producer, and an indicator for each attribute."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from connector.feed import UnavailableError, read_json
from connector_misp.flags import read_day, read_flag, read_seconds
from connector_misp.patterns import WHOLE, NoPatternError, pattern_of

_IDS: Final = UUID("7d2c7a53-1a0f-5a0e-9d0e-3f1f6f0f9c11")  # for what has no UUID in MISP
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TLP: Final = {
    "white": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "clear": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "e828b379-4e03-4974-9ac4-e53a884c97c1",
}
# Two scales of MISP's own taxonomies as values from 0 to 100: its confidence levels, and the
# Admiralty's as STIX 2.1 converts them (appendix A). The last step of each says nothing.
_CONFIDENCE: Final = {
    'misp:confidence-level="completely-confident"': 100,
    'misp:confidence-level="usually-confident"': 75,
    'misp:confidence-level="fairly-confident"': 50,
    'misp:confidence-level="rarely-confident"': 25,
    'misp:confidence-level="unconfident"': 0,
    **{
        f'admiralty-scale:information-credibility="{step}"': value
        for step, value in enumerate((90, 70, 50, 30, 10), 1)
    },
}
_UNKNOWN_TLP: Final = _TLP["red"]  # an unknown level may be as strict as any

Document = dict[str, Any]


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID in lower case, which is also safe as a file name."""
    return _UUID.fullmatch(text) is not None


def read_event(content: bytes, where: str) -> Document:
    """Return the event; raise where it is incomplete: half an event would withdraw the rest."""
    document = read_json(content, where)
    event = document.get("Event") if isinstance(document, dict) else document
    parts = [event] if isinstance(event, dict) else []
    parts += _listed(parts[0], "Object", where) if parts else []
    if not parts:
        raise UnavailableError(f"{where}: is not a MISP event, but {type(event).__name__}")
    for part in parts:
        _listed(part, "Attribute", where)
    return parts[0]


def _listed(part: Document, key: str, where: str) -> list[Document]:
    found = [] if part.get(key) is None else part[key]
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise UnavailableError(f"{where}: {key} should be a list of objects")
    return found


class EventReader:
    """Makes the STIX objects of one event; an event marked as unpublished has none for detection.

    An attribute's own time is its age. A tag that is added to the event, such as a TLP marking,
    only changes the time of the event: each second that it is later moves `modified` by a
    microsecond, so that the new version counts without being younger.
    """

    def __init__(self, uuid: str, event: Document, *, everything: bool) -> None:
        self._uuid = uuid
        self._event = event
        self._everything = everything
        self._changed = read_seconds(event.get("timestamp")) or 0
        self._dated = read_day(event.get("date")) or self._changed
        self._published = read_flag(event.get("published")) is not False
        self._tags = _tags(event)
        self._producer = _producer(event.get("Orgc"))

    def objects(self) -> Iterator[bytes]:
        """Yield the producer, then the indicators."""
        if self._producer is not None:
            identity, name = self._producer
            stamp = _stamp(self._changed)
            yield _written(
                type="identity", spec_version="2.1", id=identity, created=stamp, modified=stamp,
                name=name, identity_class="organization",
            )  # fmt: skip
        for attribute, tags in self._attributes():
            if self._everything or self._meant(attribute):
                yield self._indicator(attribute, tags)

    def _meant(self, attribute: Document) -> bool:
        """Return whether it is meant for detection: explicitly, and with no unreadable flag."""
        flagged = read_flag(attribute.get("to_ids")) is True
        return flagged and self._published and _deleted(attribute) is not None

    def _attributes(self) -> Iterator[tuple[Document, Sequence[str]]]:
        """Yield every attribute with its own tags; those of a deleted object are deleted."""
        for attribute in self._event.get("Attribute") or []:
            yield attribute, _tags(attribute)
        for owner in self._event.get("Object") or []:
            for attribute in owner.get("Attribute") or []:
                said = (_deleted(owner), _deleted(attribute))
                deleted = True in said or ("?" if None in said else False)
                yield {**attribute, "deleted": deleted}, _tags(attribute)

    def _indicator(self, attribute: Document, own_tags: Sequence[str]) -> bytes:
        kind, value = str(attribute.get("type")), attribute.get("value")
        created = read_seconds(attribute.get("timestamp")) or self._dated
        tags = list(dict.fromkeys((*self._tags, *own_tags)))
        flagged = str(self._meant(attribute))
        labels = [
            f'misp:type="{kind}"',
            f'misp:category="{attribute.get("category") or ""}"',
            f'misp:to_ids="{flagged}"',
            *(tag for tag in tags if not tag.lower().startswith("tlp:")),
        ]
        return _written(
            type="indicator",
            spec_version="2.1",
            id=f"indicator--{self._uuid_of(attribute, kind, value)}",
            created=_stamp(created),
            modified=_stamp(created, later=self._changed - created),
            valid_from=_moment(attribute.get("first_seen")) or _stamp(created),
            created_by_ref=self._producer and self._producer[0],
            name=_text(self._event.get("info")),
            description=_text(attribute.get("comment")),
            indicator_types=["malicious-activity"],
            confidence=min(_confidences(own_tags) or _confidences(self._tags), default=None),
            labels=labels,
            object_marking_refs=_markings(tags) or None,
            revoked=_deleted(attribute) is True or None,
            **_pattern(kind, value),
        )

    def _uuid_of(self, attribute: Document, kind: str, value: object) -> str:
        given = str(attribute.get("uuid")).lower()
        return given if is_uuid(given) else str(uuid5(_IDS, f"{self._uuid}|{kind}|{value}"))


def _pattern(kind: str, value: object) -> Document:
    """Return the pattern and its language; a malformed value has none, and is counted."""
    if not isinstance(value, str):
        return {"pattern_type": "stix"}
    if kind in WHOLE:
        return {"pattern": value, "pattern_type": WHOLE[kind]}
    try:
        pattern = pattern_of(kind, value)
    except NoPatternError:
        return {"pattern_type": "stix"}
    if pattern is None:
        return {"pattern": value, "pattern_type": f"misp-{kind}"}
    return {"pattern": pattern, "pattern_type": "stix"}


def _markings(tags: Sequence[str]) -> list[str]:
    levels = [tag.lower().removeprefix("tlp:") for tag in tags if tag.lower().startswith("tlp:")]
    return list(
        dict.fromkeys(f"marking-definition--{_TLP.get(one, _UNKNOWN_TLP)}" for one in levels)
    )


def _confidences(tags: Sequence[str]) -> list[int]:
    """Return the confidence values among the tags."""
    found = (_CONFIDENCE.get(tag.lower()) for tag in tags)
    return [value for value in found if value is not None]


def _producer(organisation: object) -> tuple[str, str] | None:
    if not isinstance(organisation, dict) or not _text(organisation.get("name")):
        return None
    name = str(organisation["name"])
    given = str(organisation.get("uuid")).lower()
    return f"identity--{given if is_uuid(given) else uuid5(_IDS, name)}", name


def _tags(part: Document) -> list[str]:
    found = part.get("Tag")
    named = [tag.get("name") for tag in found if isinstance(tag, dict)] if found else []
    return [name for name in named if isinstance(name, str) and name]


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _deleted(part: Document) -> bool | None:
    """Return whether a part is deleted; None for a flag that is neither yes nor no."""
    return read_flag(part["deleted"]) if part.get("deleted") is not None else False


def _stamp(seconds: int, later: int = 0) -> str:
    moment = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=max(0, later))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(value: object) -> str | None:
    """Return `first_seen` as STIX writes it; None without a time zone."""
    try:
        moment = datetime.fromisoformat(str(value))
        return (
            None
            if moment.tzinfo is None
            else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        )
    except (ValueError, OverflowError):
        return None


def _written(**fields: Any) -> bytes:
    return msgspec.json.encode({key: value for key, value in fields.items() if value is not None})
