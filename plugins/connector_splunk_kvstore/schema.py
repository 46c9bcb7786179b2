"""A collection's stanza: find, create and complete it, without removing others' declarations."""

import json
from collections.abc import Mapping
from typing import Any, Final

from connector_splunk_kvstore.documents import ACCELERATIONS, FIELD_TYPES
from connector_splunk_kvstore.splunk import HTTPError, Service

Collection = Any  # splunklib.client.KVStoreCollection; the SDK has no types

_FIELD: Final = "field."
_ACCELERATION: Final = "accelerated_fields."


def find(service: Service, app: str, name: str) -> Collection | None:
    """Return the app's own collection, or None when the app certainly has none of that name.

    Asked for a name, splunkd also returns a collection that another app shares globally, and the
    SDK would then write there. It reports an absent collection like an absent app or an answer
    without entries, so the list has to confirm an absence.
    """
    try:
        found = service.kvstore[name]
    except KeyError:
        found = None
    if found is not None and found.access.app == app:
        return found
    listed = [each for each in service.kvstore.list() if each.name == name]
    return next((each for each in listed if each.access.app == app), None)


def create(service: Service, name: str) -> None:
    """Create the collection with our schema."""
    service.kvstore.create(
        name, fields=dict(FIELD_TYPES), accelerated_fields=dict(ACCELERATIONS), replicate="true"
    )


def complete(collection: Collection) -> None:
    """Declare those of our fields that are not declared yet."""
    missing = {
        **{f"{_FIELD}{name}": type_ for name, type_ in FIELD_TYPES.items()},
        **{f"{_ACCELERATION}{name}": json.dumps(keys) for name, keys in ACCELERATIONS.items()},
    }
    missing = {name: value for name, value in missing.items() if name not in collection.content}
    if not missing:
        return
    try:
        collection.post(**missing)
    except HTTPError as error:
        # The role may only write documents, or there is an index too many: documents are stored and
        # found all the same, with the types they were written with.
        if error.status not in (400, 403):
            raise
    collection.refresh()


def declared_types(collection: Collection) -> Mapping[str, str]:
    """Return the declared type of each field that has one."""
    return {
        name.removeprefix(_FIELD): str(value)
        for name, value in collection.content.items()
        if name.startswith(_FIELD)
    }
