"""For any feed and any hostile one beside it: what stands because of the first is as without it."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from connector_rules import RulesAdapter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scenario_site import FREED, QuickRegistry, Site
from stix_samples import PRODUCER, START, STRANGER, TLP, Object, indicator, revoked, sid, stamp
from test_scenario_consent import acs, identity
from test_scenario_context import link, opinion, said
from test_scenario_purges import GREEN_1, classified, ends

from connector.decisions.decide import Merged
from connector.feed import Collection, Feed, Field, FilePath, Page, Settings
from connector.model import Rule
from connector.reports.explain import explain_value
from connector.store.store import Store
from connector.sync.entries import Describer

MARKING = sid("marking-definition", "ours")
NEVER_SENT = sid("marking-definition", "never sent")
VALUES = [f"192.0.2.{n}" for n in range(1, 5)]
THEIRS = "198.51.100.7"


class ToldSettings(Settings):
    """Options of a feed that tests dictate."""

    path: FilePath = Field(description="What it says at each poll, and whether that is all.")


class ToldFeed(Feed[ToldSettings]):
    """Says what a file dictates: at each poll what is new, or all that it still says."""

    settings_type = ToldSettings

    def collections(self) -> Sequence[Collection]:
        whole = bool(self._told()["whole"])
        return [Collection("told", "told", whole=whole, at_once=whole)]

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        steps = self._told()["steps"]
        read = int(cursor or 0)
        if read == len(steps):
            return
        new = steps[-1:] if collection.whole else steps[read:]
        objects = [json.dumps(one).encode() for step in new for one in step]
        yield Page(objects, str(len(steps)), last=True)

    def _told(self) -> Any:
        return json.loads(self.settings.path.read_text())


def marking(ref: str, **body: Any) -> Object:
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": ref,
        "created": "2026-01-01T00:00:00Z", **body,
    }  # fmt: skip


def tlp(ref: str, level: str) -> Object:
    return marking(ref, definition_type="tlp", definition={"tlp": level})


def soon(ref: str) -> Object:
    return ends(ref, "2026-03-03T12:00:00Z")


def forms(ref: str) -> list[Object]:
    """All that a marking can be made to say, also in newer versions."""
    denies = acs(ref, policy="urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny")
    said = [
        tlp(ref, "white"), tlp(ref, "red"), acs(ref), denies, ends(ref), soon(ref), classified(ref),
        marking(ref, extensions={"extension-definition--0": {"extension_type": "x"}}),
        marking(ref, definition_type="statement", definition={"statement": "free for all"}),
    ]  # fmt: skip
    return [*said, *({**one, "created": "2026-02-01T00:00:00Z"} for one in said)]


def claim(number: int, *refs: str, **fields: Any) -> Object:
    marked = {"object_marking_refs": list(refs)} if refs else {}
    made = indicator(number, VALUES[number - 1], confidence=50, **marked, **fields)
    return {"name": f"Ours {number}", **made}


RAT = said("malware", "rat", name="Rat")
RULE = indicator("rule", pattern="rule one { condition: true }", pattern_type="yara", confidence=50)
PLACE = said("location", "kp", country="KP")
OURS: list[Object] = [
    claim(1, GREEN_1), claim(2, MARKING, TLP["clear"]), claim(3, NEVER_SENT), claim(4),
    claim(4, days=3), claim(1, GREEN_1, days=4), revoked(claim(4), days=6),
    tlp(MARKING, "white"), acs(MARKING), soon(MARKING), identity("ais-consent-everyone"),
    identity("ais-consent-none", days=1), RAT, PLACE, link("indicates", claim(1), RAT),
    link("originates-from", RAT, PLACE), opinion("disagree", claim(2), by=PRODUCER),
    said("sighting", "ours", days=20, sighting_of_ref=claim(1)["id"]),
    RULE, {**RULE, "pattern": "rule two { condition: true }", "modified": stamp(START)},
]  # fmt: skip


def versions(number: int) -> list[Object]:
    """What a stranger makes of an indicator of ours."""
    ours = claim(number)
    return [
        revoked(ours, days=9), revoked(ours, days=9, created_by_ref=STRANGER),
        {**ours, "pattern": f"[ipv4-addr:value = '{THEIRS}']", "name": "Theirs",
         "modified": stamp(START)},
        {**ours, "pattern": "nonsense", "modified": stamp(START)},
        {**ours, "confidence": 100, "object_marking_refs": [TLP["red"]], "name": "Theirs"},
    ]  # fmt: skip


HOSTILE: list[Object] = [
    *(one for ref in (GREEN_1, TLP["clear"], MARKING, NEVER_SENT) for one in forms(ref)),
    *(one for number in (1, 2, 4) for one in versions(number)),
    identity("ais-consent-none", "cisa-proprietary", days=5), identity("ais-consent-everyone"),
    revoked(identity("cisa-proprietary"), days=40), said("identity", 1, id=PRODUCER, country="KR"),
    *(opinion(word, claim(number), by=by, days=30) for number in (1, 4)
      for word in ("strongly-disagree", "agree") for by in (PRODUCER, STRANGER)),
    *(said("sighting", number, days=29, sighting_of_ref=claim(number)["id"]) for number in (1, 4)),
    said("malware", "rat", days=9, name="Kitten"), revoked(RAT, days=9),
    link("indicates", claim(4), RAT), revoked(link("indicates", claim(1), RAT), days=9),
    said("location", "kp", country="KR", days=9), link("duplicate-of", claim(4), claim(1)),
    said("report", "r", name="Wave", object_refs=[claim(n)["id"] for n in (1, 2, 3, 4)]),
    indicator("mine", THEIRS, object_marking_refs=[GREEN_1]),
    {**RULE, "pattern": "", "confidence": 100}, revoked(RULE, days=40),
    {**RULE, "object_marking_refs": [TLP["red"]], "confidence": 100, "modified": stamp(START)},
    {**RULE, "pattern": "rule one { condition: false }", "confidence": 100,
     "modified": stamp(START)},
]  # fmt: skip

Steps = list[list[Object]]
World = tuple[bool, Steps]


def worlds(pool: list[Object], most: int) -> st.SearchStrategy[World]:
    step = st.lists(st.sampled_from(pool), max_size=most)
    return st.tuples(st.booleans(), st.lists(step, min_size=3, max_size=3))


def config(feeds: Sequence[str]) -> dict[str, Any]:
    told = (
        "{indicator.name} {producer.name} {context.malware} {context.country} "
        "{marking} {confidence}"
    )
    ours = {"feeds": ["a"]}
    lists = {
        "alone": {"select": ours},
        "shared": {"select": ours, "audience": "community"},
        "chosen": {"select": {**ours, "context": {"malware": ["Rat"]}}},
        "both": {},
    }
    hunt = {"adapter": "rules", "options": {"file": "hunt.yar", "language": "yara"}}
    common = {"type": "told", "unmarked_tlp": "clear", "max_age": {"default": "31d"}}
    return {
        "feeds": {name: {**common, "path": f"{name}.json"} for name in feeds},
        "allowlist": FREED,
        "organisation": {"nationality": "USA", "codes": ["USA.VA"], "entity": "GOV"},
        "lists": {**lists, "hunt": {"purpose": "watch"}},
        "outputs": {"hunt": {"list": "hunt", **hunt}} | {
            name: {
                "list": name, "adapter": "firewall", "options": {"device": name},
                "mapping": {"comment": {"template": told}},
            }
            for name in lists
        },
    }  # fmt: skip


class Played:
    """A site on which the feeds say what they say, poll by poll."""

    def __init__(self, folder: Path, feeds: Sequence[str]) -> None:
        self.site = Site(folder)
        rack = self.site.rack.adapter
        self.site.registry = QuickRegistry(
            {"firewall": rack, "rules": RulesAdapter}, {"told": ToldFeed}
        )
        self.site.configure(**config(feeds))
        for name in feeds:
            self._say(name, whole=False, steps=[])

    def _say(self, name: str, *, whole: bool, steps: Steps) -> None:
        told = {"whole": whole, "steps": steps}
        (self.site.folder / f"{name}.json").write_text(json.dumps(told))

    def play(self, told: dict[str, World]) -> None:
        service = self.site.service
        for turn in range(3):
            service.feeds.dispose()  # what is due now is so before any feed says more
            for name, (whole, steps) in told.items():
                self._say(name, whole=whole, steps=steps[: turn + 1])
                service.feeds.poll(name)
                service.feeds.dispose()
            for name in service.lists:
                service.lists.refresh(name)
            self.site.clock.advance(days=1)
        for name in service.lists:
            service.lists.refresh(name)

    def entries(self, name: str) -> dict[str, Any]:
        """What a list's output would say of each entry."""
        service, store = self.site.service, self.site.service.store
        output = service.outputs[name]
        with store.database.read() as transaction:
            describer = Describer(name, output.listing, output.target.mapper, store, transaction)
            rows = list(store.wanted.rows(transaction, output.listing.number, None))
            return {entry.value: dict(entry.fields) for _, entry in describer.entries(rows)}

    def rules(self, feed: str = "a") -> list[tuple[Rule, Merged]]:
        """What the output of rules would write of a feed, and what its list knows of it."""
        service, store = self.site.service, self.site.service.store
        output = service.outputs["hunt"]
        with store.database.read() as transaction:
            wanted = store.wanted.rows(transaction, output.listing.number, None)
            rows = [row for row in wanted if output.target.fits(row.observable)]
            found = [
                (line, row.merged)
                for row, line in output.target.lines(output.listing, store, transaction, rows)
            ]
            return [one for one in found if isinstance(one[0], Rule) and one[0].feed == feed]

    def stands(self, without: set[str]) -> dict[str, Any]:
        """All that can be seen of the first feed."""
        explained = {
            (value, claim["indicator"]): {
                **claim,
                "reasons": {
                    name: why for name, why in claim["reasons"].items()
                    if name != "both" or value not in without
                },
            }
            for value in (*VALUES, RULE["id"])
            for observable in explain_value(self.site.service.decider, value)["observables"]
            for claim in observable["claims"]
            if claim["feed"] == "a" and not purged(claim)
        }  # fmt: skip
        alone = {name: self.entries(name) for name in ("alone", "shared", "chosen")}
        both = self.entries("both")
        return {
            **alone,
            "both": {value: both[value] for value in sorted(both.keys() - without)},
            "rules": self.rules(),
            "explained": explained,
            "kept": kept(self.site.service.store),
            "status": self.site.feed("a"),
        }


def purged(claim: dict[str, Any]) -> bool:
    """Whether nothing is left of it but its place: its value stays while others claim it."""
    return bool(claim["reasons"]["alone"]["detail"].startswith("purged"))


def kept(store: Store) -> list[tuple[Any, ...]]:
    """Every object of the first feed as it is stored, and what its markings let us hold."""
    asked = (
        "SELECT o.key, o.state, o.modified, o.sighted, x.body, o.packed IS NULL FROM objects o "
        "LEFT JOIN contexts x ON x.number = o.context WHERE o.feed = 1 ORDER BY o.key",
        "SELECT id, gone, body FROM markings WHERE feed = 1 ORDER BY id",
        "SELECT marking, at, spill, waiting FROM disposals WHERE feed = 1 ORDER BY marking",
    )
    with store.database.read() as transaction:
        return [tuple(row) for sql in asked for row in transaction.rows(sql)]


def claimed(world: World) -> set[str]:
    """The values that a feed claims itself at any time."""
    patterns = [one.get("pattern", "") for step in world[1] for one in step]
    return {value for value in (*VALUES, THEIRS) if any(f"'{value}'" in each for each in patterns)}


def assert_unmoved(folder: Path, ours: World, theirs: World) -> None:
    found = []
    for told in ({"a": ours}, {"a": ours, "b": theirs}, {"b": theirs, "a": ours}):
        played = Played(folder / str(len(found)), ["a", "b"] if len(told) > 1 else ["a"])
        with closing(played.site):
            played.play(told)
            found.append(played.stands(claimed(theirs)))
    shutil.rmtree(folder)
    alone, *beside = found
    for other in beside:
        assert other["explained"] == alone["explained"]
        assert other == alone


@given(ours=worlds(OURS, 9), theirs=worlds(HOSTILE, 8))
@settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_that_another_feed_sends_changes_what_becomes_of_ours(
    site_folder: Path, ours: World, theirs: World
) -> None:
    assert_unmoved(site_folder, ours, theirs)


@pytest.mark.parametrize("part", range(4))
def test_nor_does_all_that_is_known_to_hurt_at_once(site_folder: Path, part: int) -> None:
    hurting = HOSTILE[part::4]
    whole = bool(part % 2)
    ours = (whole, [OURS[:7] + OURS[8:9] + OURS[10:], [], []])
    theirs = (not whole, [hurting, hurting[::2], []])
    assert_unmoved(site_folder, ours, theirs)


@pytest.mark.parametrize(
    ("rule", "live"), [(rule, rule in HOSTILE[-1:]) for rule in HOSTILE[-4:]], ids=range(4)
)
def test_a_rule_of_ours_stands_beside_whatever_another_feed_makes_of_its_id(
    site_folder: Path, rule: Object, live: bool
) -> None:
    fresh = {**RULE, "modified": stamp(START)}
    ours, theirs = (False, [[fresh], [], []]), (False, [[rule], [], []])
    assert_unmoved(site_folder / "unmoved", ours, theirs)
    played = Played(site_folder / "seen", ["a", "b"])
    with closing(played.site):
        played.play({"a": ours, "b": theirs})
        assert [one.text for one, _merged in played.rules("a")] == [fresh["pattern"]]
        assert [one.text for one, _merged in played.rules("b")] == [rule["pattern"]] * live
