"""What an ACS 3.0 marking means for us and for one audience: use, sharing, and what stays hidden.

A permit counts only if it certainly covers the viewer; a denial counts if it may.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from connector.indicators.markings.acs import AcsMarking, AcsScope, SharingRule
from connector.model import Audience

__all__ = ["Judgement", "Organisation", "Use", "judge"]

_USE: Final = frozenset(("NETDEF", "CISAUSES", "ALL"))
_DISPLAY: Final = frozenset(("DSPLY", "ALL"))
_ANONYMOUS: Final = frozenset(("ANONYMOUSACCESS", "ALL"))
_ORIGIN: Final = (frozenset(("IDSRC", "ALL")), frozenset(("TENOT", "ALL")))

_PII: Final = frozenset(("PII", "POSSIBLEPII", "PII-NECESSARY-TO-UNDERSTAND-THREAT"))
# Two publications swap the meanings of PR and TEI: proprietary information, and targeted entity.
_PROPRIETARY: Final = frozenset(("CISAPROPRIETARY", "PR", "TEI"))
_TARGETED: Final = frozenset(("PR", "TEI"))
_OURS_ALONE: Final = _PROPRIETARY | frozenset(
    ("FISA", "PCII", "LES", "INT", "NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA")
)
_Party = tuple[frozenset[str], ...]
_AMERICANS: Final = AcsScope(nationalities=frozenset(("USA",)))
# What we pass on loses its marking, so a permit must cover everyone who may receive it there.
_PERMITTING: Final = {
    Audience.OPERATOR: frozenset(("ALL", "PRIVATESECTOR", "NONFED")),
    Audience.COMMUNITY: frozenset(("ALL", "SECTOR")),
    Audience.PUBLIC: frozenset(("ALL",)),
}


class Use(IntEnum):
    """What we may do with an indicator ourselves, ordered from free to forbidden."""

    PERMIT = 0
    WATCH = 1
    DENY = 2


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who we are, for markings that require it; None and no codes mean unknown."""

    nationality: str | None = None
    codes: frozenset[str] = frozenset()
    entity: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one ACS marking allows for one audience, at one instant.

    `share` says whether that audience may see it, `publish` whether anyone may. `until` is the
    next instant at which the answer changes by time alone.
    """

    use: Use
    why_use: str
    share: bool
    why_share: str
    publish: bool
    pii: bool
    spill: str
    expired: bool
    proprietary: bool
    reveals_origin: bool
    official_use: bool
    until: int | None

    @property
    def why(self) -> str:
        """What it refuses, in words; empty if nothing."""
        refused = (self.why_use if self.use else "", "" if self.share else self.why_share)
        return "; ".join(dict.fromkeys(filter(None, refused)))


def judge(
    marking: AcsMarking, organisation: Organisation, audience: Audience, now: int
) -> Judgement:
    """Return what a marking allows us and our audience at an instant in microseconds."""
    parties = _parties(organisation, audience)
    use, why_use = _use(marking, parties, now)
    publish = _publishes(marking, now)
    share, why_share = _share(marking, organisation, audience, publish=publish)
    restricted = bool(marking.fault or marking.spill or marking.unknown)
    return Judgement(
        use=use,
        why_use=why_use,
        share=share,
        why_share=why_share,
        publish=publish,
        pii=restricted or bool(marking.tags & _PII),
        spill=marking.spill,
        expired=_expired(marking, now),
        proprietary=restricted or bool(marking.tags & _PROPRIETARY),
        reveals_origin=not restricted and _reveals_origin(marking, parties),
        official_use="FOUO" in marking.tags,
        until=_until(marking, now),
    )


def _parties(organisation: Organisation, audience: Audience) -> list[_Party]:
    """Return the attributes of all who must be permitted: ourselves and the recipients."""
    ours = [organisation]
    if audience is Audience.OPERATOR:
        ours.append(replace(organisation, entity="CTR"))
    elif audience is not Audience.OWN:
        ours.append(Organisation())
    return [_attributes(party) for party in ours]


def _attributes(party: Organisation) -> _Party:
    """Return the attributes by dimension; an unknown dimension has an empty set."""
    return (
        _upper([party.nationality] if party.nationality else ()),
        _upper(party.codes),
        frozenset(),  # the configuration cannot say which shareability (NCC, EM, LE, IC) we have
        _upper([party.entity] if party.entity else ()),
    )


def _upper(codes: Iterable[str]) -> frozenset[str]:
    return frozenset(code.strip().upper() for code in codes)


def _expired(marking: AcsMarking, now: int) -> bool:
    return marking.disposal is not None and marking.disposal <= now


def _until(marking: AcsMarking, now: int) -> int | None:
    turns = [at for at in (marking.disposal, marking.release) if at is not None and at > now]
    return min(turns, default=None)


def _use(marking: AcsMarking, parties: Sequence[_Party], now: int) -> tuple[Use, str]:
    if unfit := _unfit(marking):
        return Use.DENY, unfit
    if _expired(marking, now):
        return Use.DENY, "its disposition date has passed"
    if barred := next(filter(None, (_barred(marking, party) for party in parties)), ""):
        return Use.DENY, barred
    use, why = max(_permission(marking, party) for party in parties)
    if use is Use.PERMIT and marking.unknown:
        return Use.WATCH, f"has {marking.unknown[0]}, which is not understood"
    return use, why


def _unfit(marking: AcsMarking) -> str:
    if marking.spill:
        return f"{marking.spill} is not allowed on this system"
    return f"cannot be read: {marking.fault}" if marking.fault else ""


def _barred(marking: AcsMarking, party: _Party) -> str:
    """Return why the control set excludes a viewer before any rule applies."""
    if not _covers(marking.access, party):
        return "its control set does not include us or this audience"
    if "NF" in marking.tags and not _covers(_AMERICANS, party):
        return "NF: not for foreign nationals (organisation.nationality is not USA)"
    return ""


def _permission(marking: AcsMarking, party: _Party) -> tuple[Use, str]:
    allowed = _ruling(marking, _USE, party)
    if allowed or (allowed is None and marking.permits_by_default):
        return Use.PERMIT, ""
    denied = "no rule permits network defence here, and privdefault=deny"
    words = denied if allowed is None else "a rule denies network defence"
    if _ruling(marking, _DISPLAY, party):
        return Use.WATCH, f"{words}; only display is permitted"
    return Use.DENY, words


def _ruling(marking: AcsMarking, actions: frozenset[str], party: _Party) -> bool | None:
    """Return what the rules on these actions say to a viewer, or None if no rule applies."""
    ruling: bool | None = None
    for rule in marking.rules:
        if rule.actions.isdisjoint(actions):
            continue
        if rule.permits and _covers(rule.scope, party):
            ruling = True
        elif not rule.permits and _may_cover(rule.scope, party):
            return False
    return ruling


def _covers(scope: AcsScope, party: _Party) -> bool:
    """Return whether a scope certainly covers a viewer: each dimension is all, or names it."""
    return all(
        codes is None or "ALL" in codes or not codes.isdisjoint(own)
        for codes, own in zip(scope.dimensions, party, strict=True)
    )


def _may_cover(scope: AcsScope, party: _Party) -> bool:
    """Return whether a scope may cover a viewer; unknown attributes count as covered."""
    return all(
        codes is None or "ALL" in codes or not own or _any_within(own, codes)
        for codes, own in zip(scope.dimensions, party, strict=True)
    )


def _any_within(own: frozenset[str], codes: frozenset[str]) -> bool:
    """Return whether one of our codes is among these or part of one (USA.DHS.CISA)."""
    return any(mine == code or mine.startswith(code + ".") for mine in own for code in codes)


def _publishes(marking: AcsMarking, now: int) -> bool:
    """Return whether the public may see it: it was released, and nothing contradicts that."""
    if marking.fault or marking.spill or marking.unknown or _expired(marking, now):
        return False
    held = marking.tags & (_OURS_ALONE | {"FOUO", "NF"})
    return not held and marking.release is not None and marking.release <= now


def _share(
    marking: AcsMarking, organisation: Organisation, audience: Audience, *, publish: bool
) -> tuple[bool, str]:
    """Return whether an audience may receive it from us, and if not, why."""
    if refused := _unfit(marking):
        return False, refused
    if audience is Audience.OWN:
        return True, ""
    if refused := _kept(marking) or _share_denied(marking, organisation, audience):
        return False, refused
    if publish:  # covers everyone, so the default does not apply
        return True, ""
    if audience is Audience.PUBLIC:
        return False, "not released to the public (no PUBREL in force, or FOUO or NF as well)"
    permitted = any(
        rule.permits and rule.scopes & _PERMITTING[audience] for rule in marking.sharing
    )
    if permitted or marking.shares_by_default:
        return True, ""
    return False, "no rule permits sharing it further, and sharedefault=deny"


def _kept(marking: AcsMarking) -> str:
    """Return why it must stay with us, whatever its rules say."""
    if marking.unknown:
        return f"has {marking.unknown[0]}, which is not understood"
    if kept := marking.tags & _OURS_ALONE:
        return f"{min(kept)} must stay within our own systems"
    return ""


def _share_denied(marking: AcsMarking, organisation: Organisation, audience: Audience) -> str:
    for rule in marking.sharing:
        if not rule.permits and _concerns(rule, organisation, audience):
            return f"further sharing is denied to {min(rule.scopes)}"
    unknown = _attributes(Organisation())
    if audience is Audience.PUBLIC and _ruling(marking, _ANONYMOUS, unknown) is False:
        return "anonymous access is denied"
    return ""


def _concerns(rule: SharingRule, organisation: Organisation, audience: Audience) -> bool:
    """Return whether a denial may cover an audience: nobody knows everyone in a community.

    A contracted operator is not a foreign government, nor an organisation that we do not belong to.
    """
    if audience is not Audience.OPERATOR:
        return True
    own = _upper(organisation.codes)
    return any(
        code != "FOREIGNGOV"
        and ("." not in code or not own or _any_within(own, frozenset((code,))))
        for code in rule.scopes
    )


def _reveals_origin(marking: AcsMarking, parties: Sequence[_Party]) -> bool:
    if marking.tags & _TARGETED:
        return False
    rulings = (_ruling(marking, actions, party) for actions in _ORIGIN for party in parties)
    return all(marking.permits_by_default if one is None else one for one in rulings)
