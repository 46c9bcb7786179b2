"""Reads ACS 3.0 markings in full: what CISA and its partners permit, deny, release and caution.

A part that cannot be read is kept as a `fault`, one that is not understood as `unknown`;
`acs_policy` lets neither of them widen anything.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from connector.indicators.timestamps import Timestamp, mended
from connector.instants import to_instant

__all__ = [
    "ACS_EXTENSION",
    "AccessRule",
    "AcsMarking",
    "AcsScope",
    "SharingRule",
    "read_acs",
]

ACS_EXTENSION: Final = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
_BEFORE_EXTENSIONS: Final = "x-isa-acs"
_PERMITS: Final = {"permit": True, "deny": False}
_POLICY: Final = re.compile(
    r"urn:isa:policy:acs:ns:v3\.0\?privdefault=(permit|deny)&(?:amp;)?sharedefault=(permit|deny)"
)
_REQUIRED: Final = ("identifier", "create_date_time", "responsible_entity_custodian")
_UNDERSTOOD: Final = frozenset(
    (*_REQUIRED, "extension_type", "sep_version", "name", "responsible_entity_originator",
     "authority_reference", "policy_reference", "original_classification",
     "derivative_classification", "declassification", "resource_disposition", "public_release",
     "access_privilege", "further_sharing", "control_set")
)  # fmt: skip
_TAGS: Final[Mapping[str, frozenset[str]]] = {
    "formal_determination": frozenset(
        ("PUBREL", "NF", "AIS", "PII-NECESSARY-TO-UNDERSTAND-THREAT", "NO-PII-PRESENT",
         "PII-NOT-PRESENT", "FOUO", "INFORMATION-DIRECTLY-RELATED-TO-CYBERSECURITY-THREAT")
    ),
    "caveat": frozenset(("FISA", "POSSIBLEPII", "CISAPROPRIETARY")),
    "sensitivity": frozenset(
        ("NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA", "PCII", "LES", "INT", "PII", "PR", "TEI")
    ),
}  # fmt: skip
_DIMENSIONS: Final = (
    "permitted_nationalities", "permitted_organizations", "shareability", "entity",
)  # fmt: skip
_SHOWN: Final = 40

T = TypeVar("T")


class _Value(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A part of a marking: compact as JSON text, and without dropping any unknown field."""


class AcsScope(_Value, frozen=True):
    """To whom a rule applies; None where it does not mention a dimension."""

    nationalities: frozenset[str] | None = None
    organisations: frozenset[str] | None = None
    shareability: frozenset[str] | None = None
    entities: frozenset[str] | None = None

    @property
    def dimensions(self) -> tuple[frozenset[str] | None, ...]:
        """The four dimensions, in the order of the fields."""
        return self.nationalities, self.organisations, self.shareability, self.entities


class AccessRule(_Value, frozen=True):
    """What may or may not be done with a resource, and by whom."""

    actions: frozenset[str]
    permits: bool
    scope: AcsScope


class SharingRule(_Value, frozen=True):
    """With whom a resource may or may not be shared further."""

    scopes: frozenset[str]
    permits: bool


class AcsMarking(_Value, frozen=True):
    """One ACS 3.0 marking; `fault` says why none of it counts, `spill` why we may not hold it.

    Instants are whole microseconds since 1970 (UTC). From `release` on the public may see it.
    """

    fault: str = ""
    spill: str = ""
    permits_by_default: bool = False
    shares_by_default: bool = False
    tags: frozenset[str] = frozenset()
    access: AcsScope = AcsScope()
    rules: tuple[AccessRule, ...] = ()
    sharing: tuple[SharingRule, ...] = ()
    release: int | None = None
    disposal: int | None = None
    unknown: tuple[str, ...] = ()


class _MalformedError(ValueError):
    """A field does not conform to ACS 3.0."""


def read_acs(definition: Mapping[str, Any]) -> AcsMarking | None:
    """Return the ACS marking in a marking definition, or None."""
    body = _body(definition)
    if body is None:
        return None
    spill = _spill(body)
    try:
        return _read(body, spill)
    except _MalformedError as error:
        return AcsMarking(fault=str(error), spill=spill)


def _body(definition: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the marking's fields; before STIX 2.1 had extensions they were in `definition`."""
    extensions = _mapping(definition.get("extensions"))
    if ACS_EXTENSION in extensions:
        return _mapping(extensions[ACS_EXTENSION])
    if str(definition.get("definition_type")).startswith(_BEFORE_EXTENSIONS):
        return _mapping(definition.get("definition"))
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _spill(body: Mapping[str, Any]) -> str:
    """Return why we must not hold this; checked first, before any other fault can hide it."""
    control = _mapping(body.get("control_set"))
    level = control.get("classification")
    if level is not None and str(level).strip().upper() != "U":
        return f"classification {_shown(level)}"
    if control.get("sci_controls"):
        return "compartmented (sci_controls)"
    return ""


def _read(body: Mapping[str, Any], spill: str) -> AcsMarking:
    for name in _REQUIRED:
        if not isinstance(body.get(name), str) or not body[name].strip():
            raise _MalformedError(f"{name} is required")
    permits, shares = _defaults(body.get("policy_reference"))
    control = body.get("control_set")
    if not isinstance(control, Mapping) or not isinstance(control.get("classification"), str):
        raise _MalformedError("control_set.classification is required")
    _check_authority(body)
    tags, unknown = _tags(control)
    return AcsMarking(
        spill=spill,
        permits_by_default=permits,
        shares_by_default=shares,
        tags=tags,
        access=_scope(control, "control_set"),
        rules=_each(body, "access_privilege", _access_rule),
        sharing=_each(body, "further_sharing", _sharing_rule),
        release=_release(body, tags),
        disposal=_disposal(body),
        unknown=(*_unknown_fields(body, _UNDERSTOOD), *unknown),
    )


def _defaults(value: object) -> tuple[bool, bool]:
    """Return whether use and sharing are permitted by default, which every policy must say."""
    policies = value.split() if isinstance(value, str) else []
    found = [_POLICY.fullmatch(policy) for policy in policies]
    if not found or None in found:
        raise _MalformedError("policy_reference should name ACS 3.0 with its two defaults")
    effects = [match.groups() for match in found if match is not None]
    return all(use == "permit" for use, _ in effects), all(to == "permit" for _, to in effects)


def _check_authority(body: Mapping[str, Any]) -> None:
    """Refuse a marking that says U although it was classified and never declassified."""
    classified = {"original_classification", "derivative_classification"} & body.keys()
    if classified and "declassification" not in body:
        raise _MalformedError(f"{min(classified)} contradicts the classification U")


def _tags(control: Mapping[str, Any]) -> tuple[frozenset[str], tuple[str, ...]]:
    tags: set[str] = set()
    unknown: list[str] = []
    for name, understood in _TAGS.items():
        if name in control:
            found = _codes(control[name], f"control_set.{name}")
            tags |= found
            unknown += [f"{name} {_shown(code)}" for code in sorted(found - understood)]
    known = {"classification", "sci_controls", *_TAGS, *_DIMENSIONS}
    return frozenset(tags), (*unknown, *_unknown_fields(control, known))


def _unknown_fields(body: Mapping[str, Any], understood: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"field {_shown(name)}" for name in sorted(body.keys() - set(understood)))


def _each(
    body: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any], str], T]
) -> tuple[T, ...]:
    if name not in body:
        return ()
    items = body[name]
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise _MalformedError(f"{name} should be a list of rules")
    return tuple(read(item, f"{name}[{at}]") for at, item in enumerate(items))


def _access_rule(item: Mapping[str, Any], path: str) -> AccessRule:
    actions = _codes(item.get("privilege_action"), f"{path}.privilege_action")
    within = f"{path}.privilege_scope"
    body = item.get("privilege_scope")
    if not isinstance(body, Mapping) or not body or body.keys() - set(_DIMENSIONS):
        raise _MalformedError(f"{within} should have one or more of {', '.join(_DIMENSIONS)}")
    return AccessRule(actions, _effect(item, path), _scope(body, within))


def _sharing_rule(item: Mapping[str, Any], path: str) -> SharingRule:
    scopes = _codes(item.get("sharing_scope"), f"{path}.sharing_scope")
    return SharingRule(scopes, _effect(item, path))


def _effect(item: Mapping[str, Any], path: str) -> bool:
    effect = item.get("rule_effect")
    if not isinstance(effect, str) or effect.strip().lower() not in _PERMITS:
        raise _MalformedError(f"{path}.rule_effect should be permit or deny")
    return _PERMITS[effect.strip().lower()]


def _scope(body: Mapping[str, Any], path: str) -> AcsScope:
    return AcsScope(
        *(_codes(body[name], f"{path}.{name}") if name in body else None for name in _DIMENSIONS)
    )


def _codes(value: object, path: str) -> frozenset[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise _MalformedError(f"{path} should be a list of codes")
    if not all(isinstance(item, str) and item.strip() for item in items):
        raise _MalformedError(f"{path} should contain codes only")
    return frozenset(item.strip().upper() for item in items)


def _release(body: Mapping[str, Any], tags: frozenset[str]) -> int | None:
    """Return when the public may see it; a `public_release` needs a name to take effect."""
    release = body.get("public_release", {})
    if not isinstance(release, Mapping):
        raise _MalformedError("public_release should say who released it")
    if "PUBREL" not in tags and not release.get("released_by"):
        return None
    if "released_on" not in release:
        return 0
    return _instant(release["released_on"], "public_release.released_on")


def _disposal(body: Mapping[str, Any]) -> int | None:
    if "resource_disposition" not in body:
        return None
    disposition = _mapping(body["resource_disposition"])
    return _instant(disposition.get("disposition_date"), "resource_disposition.disposition_date")


def _instant(value: object, path: str) -> int:
    try:
        return to_instant(msgspec.json.decode(mended(msgspec.json.encode(value)), type=Timestamp))
    except (msgspec.DecodeError, TypeError, ValueError):
        raise _MalformedError(f"{path} should be a timestamp") from None


def _shown(value: object) -> str:
    """Return a feed's own word in a form safe for a sentence: short, quoted, on one line."""
    text = ascii(str(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...'"
