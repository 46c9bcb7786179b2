"""The pages of TAXII 2.0: ranges of a bundle."""

import json
import re
from collections.abc import Sequence
from enum import Enum
from uuid import uuid4

from connector.testing.taxii.faults import Envelope, Fault, Reply
from connector.testing.taxii.store import Stored

TAXII = "application/vnd.oasis.taxii+json; version=2.0"
STIX = "application/vnd.oasis.stix+json; version=2.0"


class Ranges(Enum):
    """The forms of a range that a server understands: a space, as in TAXII 2.0, or `=`."""

    BOTH = re.compile(r"items[ =](\d+)-(\d+)")
    SPACE = re.compile(r"items (\d+)-(\d+)")
    EQUALS = re.compile(r"items=(\d+)-(\d+)")
    NONE = None


def labelled(reply: Reply) -> Reply:
    """Return a resource with the media type of TAXII 2.0; pages of objects keep their own."""
    if reply.headers.get("Content-Type") == STIX:
        return reply
    return reply.with_header("Content-Type", TAXII)


def page(
    rows: Sequence[Stored],
    span: str | None,
    kind: str,
    most: int,
    ranges: Ranges,
    faults: Sequence[Fault],
) -> Reply:
    """Return the rows of a range: 206 with a part, 416 past the end, 400 for a malformed range."""
    total = len(rows)
    start, end = 0, total if ranges is Ranges.NONE else most
    if span is not None and ranges.value is not None:
        found = ranges.value.fullmatch(span)
        if found is None:
            return Reply(400, {}, b'{"title": "the range is not understood"}')
        start, end = int(found[1]), min(int(found[2]) + 1, int(found[1]) + most)
        if start >= total:
            return Reply(416, {"Content-Range": f"items */{total}"}, b'{"title": "past the end"}')
    shown = rows[start:end]
    envelope = Envelope(tuple(_manifest(row) if kind == "manifest" else row.raw for row in shown))
    for fault in faults:
        envelope = fault.envelope(envelope)
    headers = {"Content-Type": TAXII if kind == "manifest" else STIX}
    if shown:
        headers["X-TAXII-Date-Added-First"] = shown[0].date_added
        headers["X-TAXII-Date-Added-Last"] = shown[-1].date_added
    partial = len(shown) < total
    if partial:
        headers["Content-Range"] = f"items {start}-{start + len(shown) - 1}/{total}"
    return Reply(206 if partial else 200, headers, _body(envelope, kind))


def _body(envelope: Envelope, kind: str) -> bytes:
    listed = b"[" + b",".join(envelope.objects) + b"]"
    if kind == "manifest":
        return b'{"objects":' + listed + b"}"
    head = f'{{"type":"bundle","id":"bundle--{uuid4()}","spec_version":"2.0","objects":'
    return head.encode() + listed + b"}"


def _manifest(row: Stored) -> bytes:
    entry = {
        "id": row.id,
        "date_added": row.date_added,
        "versions": [row.version],
        "media_types": [STIX],
    }
    return json.dumps(entry).encode()
