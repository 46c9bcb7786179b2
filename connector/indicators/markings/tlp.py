"""How far an object may travel: its TLP level, where unknown means restricted."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from connector.model import Audience, Tlp

__all__ = [
    "TLP_2_0_EXTENSION",
    "PartMarking",
    "audience_limit",
    "level_of",
    "restriction_of",
    "strictest",
    "tlp_of_body",
    "tlp_of_id",
]

TLP_2_0_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

_BY_ID: Final[Mapping[str, Tlp]] = MappingProxyType(
    {
        # TLP 1.0, built into STIX 2.x. Its amber allowed sharing with clients: not amber+strict.
        "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
        "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
        "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
        "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
        # TLP 2.0
        "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
        "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
        "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
        "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
        "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED,
    }
)
_BY_LABEL: Final[Mapping[str, Tlp]] = MappingProxyType(
    {level.label: level for level in Tlp} | {"white": Tlp.CLEAR}
)
_NAME: Final = re.compile(r"TLP:\s*(.*\S)\s*", re.IGNORECASE)
# Nobody can block half a pattern, so a marking on one of these applies to the whole entry.
_DECISIVE: Final = re.compile(r"(pattern|name)(\.|$)|\*?$")


def tlp_of_id(ref: str) -> Tlp | None:
    """Return the level of one of the nine published TLP markings, or None for any other id."""
    return _BY_ID.get(ref)


def tlp_of_body(definition: Mapping[str, Any]) -> Tlp | None:
    """Return the TLP level of a marking definition, or None if it has none.

    A level that cannot be read counts as red.
    """
    if (known := _BY_ID.get(str(definition.get("id")))) is not None:
        return known
    for text in _written_levels(definition):
        return _read_level(text)
    return None


def _written_levels(definition: Mapping[str, Any]) -> Iterable[object]:
    """Yield what producers write as the level: body first, then TLP 2.0 extension, then name."""
    if "tlp" in (body := _mapping(definition.get("definition"))):
        yield body["tlp"]
    extension = _mapping(_mapping(definition.get("extensions")).get(TLP_2_0_EXTENSION))
    if "tlp_2_0" in extension:
        yield extension["tlp_2_0"]
    if found := _NAME.fullmatch(str(definition.get("name", ""))):
        yield found[1]


def _read_level(text: object) -> Tlp:
    return _BY_LABEL.get(str(text).strip().lower().removeprefix("tlp:"), Tlp.RED)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def restriction_of(definition: Mapping[str, Any], understood: Collection[str] = ()) -> Tlp | None:
    """Return the level to which a marking definition restricts, or None if it does not.

    `understood` names the marking extensions that another reader handles, such as ACS. A
    definition that is neither TLP, nor a statement, nor one of those counts as red.
    """
    if (level := tlp_of_body(definition)) is not None:
        return level
    extensions = _mapping(definition.get("extensions"))
    if extensions:
        return None if all(name in understood for name in extensions) else Tlp.RED
    return None if definition.get("definition_type") == "statement" else Tlp.RED


def strictest(levels: Iterable[Tlp]) -> Tlp | None:
    """Return the most restrictive of these levels, or None if there are none."""
    return max(levels, default=None)


class PartMarking(Protocol):
    """A granular marking; without a `marking_ref` it only gives the language of a part."""

    @property
    def selectors(self) -> Sequence[str]: ...
    @property
    def marking_ref(self) -> str | None: ...


def level_of(
    refs: Sequence[str],
    granular: Sequence[PartMarking],
    known: Mapping[str, Tlp | None],
    unmarked: Tlp,
) -> tuple[Tlp, str]:
    """Return the level that applies to a whole object, and in words where it comes from.

    `known` has every marking definition we have with its restriction (see `restriction_of`); a
    missing one counts as red.
    """
    strict: Tlp | None = None
    why = ""
    for ref in (*refs, *_decisive_refs(granular)):
        level, words = _resolve(ref, known)
        if level is not None and (strict is None or level > strict):
            strict, why = level, words
    if strict is None:
        return unmarked, f"{unmarked.label}: no TLP marking, the feed's default"
    return strict, why


def _resolve(ref: str, known: Mapping[str, Tlp | None]) -> tuple[Tlp | None, str]:
    if (level := _BY_ID.get(ref)) is not None:
        return level, f"{level.label}: {ref}"
    if ref not in known:
        return Tlp.RED, f"red: {ref} is missing, and unknown means restricted"
    if (level := known[ref]) is None:
        return None, ""
    return level, f"{level.label}: {ref}"


def _decisive_refs(granular: Sequence[PartMarking]) -> Iterable[str]:
    """Yield the markings on parts without which there is no entry."""
    for part in granular:
        if part.marking_ref is not None and _decides(part.selectors):
            yield part.marking_ref


def _decides(selectors: Sequence[str]) -> bool:
    """Return whether selectors cover the pattern or the name; no selector means everything."""
    return not selectors or any(_DECISIVE.match(selector) for selector in selectors)


_LIMITS: Final[Mapping[Audience, Tlp]] = MappingProxyType(
    {
        Audience.OWN: Tlp.AMBER_STRICT,
        Audience.OPERATOR: Tlp.AMBER,
        Audience.COMMUNITY: Tlp.GREEN,
        Audience.PUBLIC: Tlp.CLEAR,
    }
)


def audience_limit(audience: Audience) -> Tlp:
    """Return the most restrictive level that an audience may see; red is for none."""
    return _LIMITS[audience]
