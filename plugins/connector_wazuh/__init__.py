"""A CDB list of a Wazuh 4 manager, by its API, which rules look values up in."""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from connector.adapter import (
    Entry,
    Field,
    FieldSpec,
    Held,
    Http,
    HttpSettings,
    ListAdapter,
    Login,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    Response,
    Secret,
    ServerUrl,
    Subject,
    Text,
    families_of,
    misreading,
    observable_of,
)

__all__ = ["WazuhAdapter", "WazuhSettings"]

_T: Final = ObservableType
# One line that the manager does not take has it refuse the whole file: a key is in quotes, of
# these characters alone, or has no space, quote or colon (its validator, as of 4.14).
_IN_QUOTES: Final = re.compile(r"[\w\-: ]+")
_BARE: Final = re.compile(r'[^:"\s]+')
_NOT_IN_LABELS: Final = re.compile('[:"\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]')
_SKIPPED: Final = "TEMPLATE"  # a line with it is left out when the file is read
# An empty file is refused, and this name is never looked up (RFC 6761).
_ALWAYS: Final = "connector.invalid"
_NOT_FOUND: Final = 1802
_RELOADS: Final = {
    "analysisd": "manager/analysisd/reload",
    "cluster": "cluster/analysisd/reload",
    "restart": "manager/restart",
}


class WazuhSettings(HttpSettings):
    """Where the manager is, and which of its lists is ours."""

    url: ServerUrl = Field(
        description="The manager's API, as https://wazuh.example:55000; in a cluster the master's."
    )
    user: str = Field(min_length=1, max_length=64, description="Name of the API user.")
    password: Secret = Field(description="Its password.")
    cdb_list: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name of the list's file below etc/lists; all of it is ours.",
    )
    reload: Literal["analysisd", "cluster", "restart"] = Field(
        "analysisd",
        description="How rules get to see a new list: `analysisd` loads rules and lists anew on "
        "the manager, `cluster` on all nodes, `restart` is for managers that cannot do that.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The list, whoever logs in."""
        return frozenset({("wazuh list", urlsplit(self.url).netloc.lower(), self.cdb_list)})

    @property
    def credentials_are_for(self) -> object:
        """The manager: the password is sent to no other."""
        return urlsplit(self.url).netloc.lower()

    def address(self, path: str) -> str:
        """Return the address of a call."""
        return f"{self.url.rstrip('/')}/{path}"


class WazuhLogin(Login):
    """Tokens of the API, which last 15 minutes unless its administrator says otherwise."""

    def __init__(self, settings: WazuhSettings) -> None:
        self._settings = settings

    def open(self, http: Http) -> str:
        """Log in."""
        pair = f"{self._settings.user}:{self._settings.password.reveal()}".encode()
        answer = http.request(
            "POST", self._settings.address("security/user/authenticate"),
            headers={"Authorization": f"Basic {b64encode(pair).decode()}"},
        )  # fmt: skip
        token = _said(answer).get("token")
        if not isinstance(token, str):
            raise answer.error("it gave no token")
        return token


class WazuhAdapter(ListAdapter[WazuhSettings]):
    """Keeps one CDB list as a whole, and has the manager load it."""

    settings_type = WazuhSettings
    # No key can be one of these: they have a colon, or stand for another name.
    supports = frozenset(ObservableType) - {_T.URL, _T.ENDPOINT, _T.AUTONOMOUS_SYSTEM}
    fields: ClassVar[Mapping[str, FieldSpec]] = {"label": Text(max_length=120)}
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "label": {"template": "{feed.name} {indicator.id}"}
    }

    def __init__(self, settings: WazuhSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._types = families_of(context.types & self.supports or self.supports)[0]
        self._session = context.logged_in(WazuhLogin(settings))

    def accepts(self, observable: Observable) -> bool:
        """Return whether a rule finds it: by exactly its key, or an address in a prefix of IPv4."""
        wide = observable.type is _T.IPV6_ADDR and "/" in observable.value
        return observable.type in self._types and not (wide or observable.below)

    def doubts(self) -> Sequence[str]:
        """Return a warning where the list may have types that this one silently leaves out."""
        if self.context.types <= self._types:
            return ()
        kept = ", ".join(sorted(self._types))
        return (
            "cdb_list: a CDB list has one family of types, because its keys do not name theirs: "
            f"only {kept} are written. Set `types: [{kept}]` at the output to confirm, or choose "
            "others",
        )

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its label as the list shows it."""
        return Entry(entry.observable, {"label": _label(entry)})

    def read(self) -> Iterator[Held]:
        """Yield the entries of the list; one that is not there is empty."""
        answer = self._ask("GET", f"lists/files/{self.settings.cdb_list}")
        if said := _errors(answer):
            if _NOT_FOUND in said:
                return
            raise answer.error(_words(said))
        found = _said(answer).get("affected_items")
        if not (isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict)):
            raise answer.error("it is no list")
        kind = min(self._types)
        for key, label in found[0].items():
            if key != _ALWAYS:
                one = observable_of(kind, key) or Observable(kind, key)
                yield Held(one, {"label": str(label)})

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Replace the file; the manager looks at all of it before it takes it."""
        refused: dict[Subject, Outcome] = {}
        lines = [f"{_ALWAYS}:kept by threat-feed-connector\n"]
        for entry in entries:
            if words := _unfit(entry.observable):
                refused[entry.observable] = Refused(words)
            else:
                lines.append(f"{_key(entry.value)}:{_label(entry)}\n")
        self._change(f"lists/files/{self.settings.cdb_list}?overwrite=true", "".join(lines))
        return refused

    def activate(self) -> None:
        """Have the manager load its rules and lists anew."""
        self._change(_RELOADS[self.settings.reload])

    def _change(self, path: str, text: str = "") -> None:
        answer = self._ask("PUT", path, text.encode())
        if said := _errors(answer):
            raise answer.error(_words(said))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Response:
        return self._session.request(
            method, self.settings.address(path), body=body or None, repeatable=True,
            headers={"Content-Type": "application/octet-stream"} if body else {},
        )  # fmt: skip


def _key(value: str) -> str:
    """Return a value that fits as the key of a line."""
    return value if _BARE.fullmatch(value) else f'"{value}"'


def _unfit(observable: Observable) -> str | None:
    """Return why no line can have a value as its key; None where one can."""
    value = observable.value
    if _SKIPPED in value:
        return f"the manager skips lines that contain {_SKIPPED}"
    if not value.isprintable() or value != value.strip():
        return "contains a control character, or a space at one of its ends"
    if not (_BARE.fullmatch(value) or _IN_QUOTES.fullmatch(value)):
        return "beside a space or a colon, a key may have letters, digits, _ and - alone"
    return misreading(observable.type, value)


def _label(entry: Entry) -> str:
    text = _NOT_IN_LABELS.sub(" ", str(entry.fields.get("label", "")))
    return text.replace(_SKIPPED, _SKIPPED.lower()).strip()


def _said(answer: Response) -> Mapping[str, Any]:
    """Return the `data` of an answer."""
    said = answer.json()
    data = said.get("data") if isinstance(said, dict) else None
    if not isinstance(data, dict):
        raise answer.error("it is no answer of Wazuh's API")
    return data


def _errors(answer: Response) -> dict[int, str]:
    """Return the errors in an answer, by code: they come with status 200 as well."""
    failed = _said(answer).get("failed_items") or []
    if not answer.json().get("error"):
        return {}
    try:
        errors = [one["error"] for one in failed]
        return {int(one["code"]): str(one["message"]) for one in errors} or {0: str(answer.json())}
    except (KeyError, TypeError, ValueError):
        return {0: json.dumps(failed)[:200]}


def _words(errors: Mapping[int, str]) -> str:
    return "; ".join(f"{words} ({code})" for code, words in errors.items())
