"""Context: what its objects say, and what that makes of an indicator."""

import json
from typing import Any

import pytest

from connector.decisions.context import ContextChoice, OpinionRule, counted_opinions
from connector.indicators.attribution import DEEPEST, Step, context_of
from connector.indicators.context import ContextNode, Edge, Link, Told, read_context
from connector.indicators.identity import key_of_id
from connector.model import UNMARKED, Context, Word

CLEAR = (UNMARKED,)


def sid(kind: str, number: int = 1) -> str:
    return f"{kind}--{number:08x}-0000-4000-8000-000000000000"


def key(kind: str, number: int = 1) -> bytes:
    return key_of_id(sid(kind, number))


def context_object(kind: str, number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": sid(kind, number), "modified": "2026-03-01T00:00:00Z", **fields}


def relationship(said: str, source: str, target: str, number: int = 1, **fields: Any) -> Any:
    return context_object(
        "relationship", number, relationship_type=said, source_ref=source, target_ref=target,
        **fields,
    )  # fmt: skip


def read(body: dict[str, Any]) -> Told:
    told = read_context(json.dumps(body).encode())
    assert told is not None
    return told


def said_of(*bodies: dict[str, Any], start: str = "indicator") -> tuple[Context, int | None]:
    """Return what these objects say of the first indicator, all by one feed."""
    told = [(key_of_id(body["id"]), read(body)) for body in bodies]

    def steps(source: bytes) -> list[Step]:
        return [
            Step(edge.target, edge.link, one.node.markings)
            for _, one in told
            for edge in one.edges
            if edge.source == source
        ]

    def nodes(asked: bytes) -> list[ContextNode]:
        return [one.node for key, one in told if key == asked]

    return context_of(key(start), steps, nodes)


def words(*bodies: dict[str, Any]) -> set[tuple[str, str]]:
    found, _sighted = said_of(*bodies)
    return {(word.kind, word.name) for word in found.words}


INDICATES = relationship("indicates", sid("indicator"), sid("malware"))
MALWARE = context_object("malware", name="Rat", aliases=["RAT", "Mouse"])
ACTOR = context_object("threat-actor", name="Lazarus Group", aliases=["HIDDEN COBRA"])
WHO = relationship("attributed-to", sid("malware"), sid("threat-actor"), 2)
WHERE = relationship("located-at", sid("threat-actor"), sid("location"), 3)
PLACE = context_object("location", country="KP", name="North Korea")


def test_an_actor_and_its_country_are_reached_through_malware() -> None:
    assert words(INDICATES, MALWARE, WHO, ACTOR, WHERE, PLACE) == {
        ("malware", "Rat"), ("threat_actor", "Lazarus Group"), ("country", "KP"),
    }  # fmt: skip


def test_a_missing_link_ends_the_walk_but_a_missing_object_does_not() -> None:
    assert words(INDICATES, MALWARE, ACTOR, WHERE, PLACE) == {("malware", "Rat")}
    assert words(INDICATES, WHO, ACTOR) == {("threat_actor", "Lazarus Group")}


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("threat-actor", "threat_actor"),
        ("intrusion-set", "threat_actor"),
        ("campaign", "campaign"),
        ("malware", "malware"),
        ("tool", "malware"),
    ],
)
def test_every_kind_has_its_word(kind: str, word: str) -> None:
    link = relationship("indicates", sid("indicator"), sid(kind))
    assert words(link, context_object(kind, name="x")) == {(word, "x")}


@pytest.mark.parametrize(
    "said", ["uses", "related-to", "targets", "communicates-with", "derived-from"]
)
def test_what_says_nothing_of_the_source_is_not_followed(said: str) -> None:
    assert (
        words(INDICATES, relationship(said, sid("malware"), sid("threat-actor"), 2), ACTOR) == set()
    )


def test_where_victims_sit_is_not_where_the_actor_does() -> None:
    victim = context_object("identity", name="a hospital", sectors=["healthcare"], country="US")
    targets = relationship("targets", sid("campaign"), sid("identity"), 2)
    indicates = relationship("indicates", sid("indicator"), sid("campaign"))
    sits = relationship("located-at", sid("identity"), sid("location"), 3)
    assert words(indicates, targets, victim, sits, PLACE) == {("sector", "healthcare")}


@pytest.mark.parametrize("kind", ["report", "grouping"])
def test_a_report_shows_its_title_and_who_it_is_about(kind: str) -> None:
    refs = [sid("indicator"), sid("threat-actor"), sid("location"), sid("identity")]
    report = context_object(kind, name="Wave of March", object_refs=refs)
    assert words(report, ACTOR, PLACE) == {
        ("report", "Wave of March"), ("threat_actor", "Lazarus Group"),
    }  # fmt: skip


def test_a_report_about_the_malware_is_not_about_each_of_its_indicators() -> None:
    report = context_object(
        "report", name="All of 2026", object_refs=[sid("malware"), sid("threat-actor")]
    )
    assert words(INDICATES, MALWARE, report, ACTOR) == {("malware", "Rat")}


def test_circles_end_and_ways_have_a_length() -> None:
    back = relationship("variant-of", sid("malware", 2), sid("malware"), 2)
    there = relationship("variant-of", sid("malware"), sid("malware", 2), 3)
    assert words(INDICATES, there, back, MALWARE) == {("malware", "Rat")}
    chain = [
        relationship("variant-of", sid("malware", n), sid("malware", n + 1), n + 1)
        for n in range(1, 20)
    ]
    last = context_object("malware", DEEPEST, name="in reach")
    beyond = context_object("malware", DEEPEST + 1, name="beyond")
    assert words(INDICATES, *chain, last, beyond) == {("malware", "in reach")}


def test_a_word_has_the_markings_of_all_that_led_to_it() -> None:
    red, green = "marking-definition--red", "marking-definition--green"
    found, _ = said_of(
        INDICATES,
        MALWARE | {"object_marking_refs": [green]},
        WHO | {"granular_markings": [{"marking_ref": red, "selectors": ["target_ref"]}]},
        ACTOR,
    )
    assert {word.name: set(word.markings) for word in found.words} == {
        "Rat": {green, *CLEAR},
        "Lazarus Group": {green, red, *CLEAR},
    }


def test_names_are_one_line_each_and_once_each() -> None:
    assert read(MALWARE).node.names == ("Rat", "Mouse")
    odd = context_object("malware", name=" a\n b ", aliases=["", "x" * 500, "A B"])
    assert read(odd).node.names == ("a b", "x" * 200)


def test_a_whole_country_also_has_its_name() -> None:
    assert read(PLACE).node.countries == ("KP", "North Korea")
    assert read(PLACE | {"city": "Pyongyang"}).node.countries == ("KP",)
    assert read(context_object("location", administrative_area="US-VA")).node.countries == ("US",)


def opinion(number: int, word: str, by: str, day: int = 1, **fields: Any) -> dict[str, Any]:
    return context_object(
        "opinion", number, opinion=word, created_by_ref=by, object_refs=[sid("indicator")],
        modified=f"2026-03-{day:02}T00:00:00Z", **fields,
    )  # fmt: skip


def test_the_newest_opinion_of_each_producer_counts() -> None:
    found, _ = said_of(
        opinion(1, "agree", "a"),
        opinion(2, "strongly-disagree", "a", day=2),
        opinion(3, "neutral", "b", day=3),
        opinion(4, "agree", "b", day=3),
        opinion(5, "nonsense", "c"),
    )
    assert found.opinions == (("a", 1), ("b", 3))


@pytest.mark.parametrize("nobody", [{"created_by_ref": None}, {"created_by_ref": ""}])
def test_a_judgement_without_an_author_does_not_count(nobody: dict[str, Any]) -> None:
    unnamed = opinion(1, "strongly-disagree", "a", day=9) | nobody
    found, _ = said_of(unnamed, opinion(2, "agree", "a"), opinion(3, "agree", "a") | nobody)
    assert found.opinions == (("a", 4),)


def test_a_fact_without_an_author_is_the_feeds_own_word() -> None:
    assert "created_by_ref" not in INDICATES
    assert words(INDICATES, MALWARE) == {("malware", "Rat")}
    assert said_of(sighting(1))[1] is not None


@pytest.mark.parametrize("odd", ["", UNMARKED, "unmarked:2", "unmarked:x"])
def test_what_is_no_id_of_a_marking_is_no_free_pass_to_tell_a_word(odd: str) -> None:
    marked = read(MALWARE | {"object_marking_refs": [odd]}).node.markings
    assert marked == ("marking-definition--",), "which is at hand nowhere, and so restricts"


def test_an_opinion_on_a_duplicate_is_none_on_this_one() -> None:
    other = opinion(1, "disagree", "a") | {"object_refs": [sid("indicator", 2)]}
    duplicate = relationship("duplicate-of", sid("indicator"), sid("indicator", 2))
    assert said_of(duplicate, other)[0].opinions == ()


def sighting(number: int, **fields: Any) -> dict[str, Any]:
    return context_object("sighting", number, sighting_of_ref=sid("indicator"), **fields)


def test_the_latest_sighting_counts_and_one_of_none_does_not() -> None:
    day = 86_400_000_000
    first = 1_772_323_200_000_000
    assert said_of(sighting(1))[1] == first
    assert said_of(sighting(1), sighting(2, last_seen="2026-02-28T00:00:00Z"))[1] == first
    assert said_of(sighting(1, last_seen="2026-02-28T00:00:00Z"))[1] == first - day
    assert said_of(sighting(1, last_seen="2999-01-01T00:00:00Z"))[1] == first, "not from afar"
    assert said_of(sighting(1, count=0))[1] is None
    assert said_of(INDICATES, sighting(1) | {"sighting_of_ref": sid("malware")})[1] is None


@pytest.mark.parametrize(
    "field", [{"aliases": "x"}, {"object_refs": [1]}, {"modified": "yesterday"}, {"count": "many"}]
)
def test_a_malformed_object_says_nothing(field: dict[str, Any]) -> None:
    assert read_context(json.dumps(MALWARE | field).encode()) is None


def test_edges_are_distinguished_by_what_they_say() -> None:
    assert read(INDICATES).edges == (Edge(key("indicator"), key("malware"), Link.LEADS),)
    assert read(INDICATES | {"target_ref": None}).edges == ()


SAID = Context(
    (Word("threat_actor", "Lazarus Group", ("HIDDEN COBRA",)), Word("country", "KP")),
    (("cisa", 2), ("other", 5)),
)


@pytest.mark.parametrize(
    ("chosen", "taken"),
    [
        ({}, True),
        ({"country": {"kp"}}, True),
        ({"country": {"ru", "kp"}}, True),
        ({"country": {"ru"}}, False),
        ({"threat_actor": {"hidden cobra"}}, True),
        ({"threat_actor": {"lazarus group"}, "country": {"ru"}}, False),
        ({"malware": {"lazarus group"}}, False),
        ({"producer_country": {"kr", "jp"}}, True),
        ({"producer_country": {"kp"}}, False),
    ],
)
def test_every_kind_named_must_match_one_of_its_words(chosen: Any, taken: bool) -> None:
    choice = ContextChoice({kind: frozenset(words) for kind, words in chosen.items()})
    assert bool(choice.refuses(SAID, ["JP"])) is not taken


def test_whose_opinion_counts() -> None:
    assert counted_opinions(SAID, ()) == [("cisa", 2), ("other", 5)]
    assert counted_opinions(SAID, {"cisa"}) == [("cisa", 2)], "where the file names whose"


@pytest.mark.parametrize(
    ("rule", "scores", "block", "watch"),
    [
        (OpinionRule(), [], "", ""),
        (OpinionRule(), [3], "", ""),
        (OpinionRule(), [5, 2], "opinion: disagree by p1", ""),
        (OpinionRule(), [1], "opinion: strongly-disagree by p0", ""),
        (OpinionRule(ignore=True, lowest=5), [1], "", ""),
        (OpinionRule(lowest=1), [1], "", ""),
        (OpinionRule(lowest=4), [3], "opinion: neutral by p0", "opinion: neutral by p0"),
        (OpinionRule(lowest=4), [4], "", ""),
        (
            OpinionRule(lowest=4), [],
            "opinion: there is none, but agree is required",
            "opinion: there is none, but agree is required",
        ),
    ],
)  # fmt: skip
def test_disagreement_keeps_off_blocks(
    rule: OpinionRule, scores: list[int], block: str, watch: str
) -> None:
    counted = [(f"p{at}", score) for at, score in enumerate(scores)]
    assert rule.refuses(counted, blocks=True) == block
    assert rule.refuses(counted, blocks=False) == watch


def test_the_gate_opens_for_agreement_and_trusted_producers_and_else_asks_for_confidence() -> None:
    gate = OpinionRule(gate=True, trusted=frozenset({"friend"}))
    assert gate.confidence_asked([], "p", blocks=True) == 70
    assert gate.confidence_asked([("a", 3)], "p", blocks=True) == 70
    assert gate.confidence_asked([("a", 5), ("b", 3)], "p", blocks=True) == 70
    assert gate.confidence_asked([("a", 4)], "p", blocks=True) == 0
    assert gate.confidence_asked([], "friend", blocks=True) == 0
    assert gate.confidence_asked([], "p", blocks=False) == 0
    assert OpinionRule().confidence_asked([], "p", blocks=True) == 0
