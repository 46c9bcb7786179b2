"""What producers consent to (AIS, feed.md section 1.3), whenever their identity arrives."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from rich.console import Console
from scenario_site import Site
from stix_samples import (
    PRODUCER,
    START,
    STRANGER,
    TLP,
    Object,
    indicator,
    revoked,
    sid,
    stamp,
    write_bundle,
)

from connector.indicators.markings.acs import ACS_EXTENSION
from connector.reports.explain import explain_value
from connector.reports.formatting import show_explanation
from connector.store.feeds import objects as objects_store
from connector.testing.taxii.server import TaxiiServer

EVERYBODY = "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit"
SHAREABLE = sid("marking-definition", "shareable")
STAYS = indicator("stays", "192.0.2.99", created_by_ref=None, object_marking_refs=[TLP["clear"]])
Feeds = Callable[..., dict[str, Any]]


def acs(ref: str = SHAREABLE, policy: str = EVERYBODY, **control: Any) -> Object:
    """A marking that permits and shares all, but for what the control set says."""
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": ref,
        "created": "2026-01-05T00:00:00.000Z",
        "extensions": {
            ACS_EXTENSION: {
                "extension_type": "property-extension", "identifier": f"isa:guide.19001.ACS3-{ref}",
                "create_date_time": "2026-01-05T00:00:00Z",
                "responsible_entity_custodian": "USA.DHS.US-CERT", "policy_reference": policy,
                "control_set": {"classification": "U", **control},
            }
        },
    }  # fmt: skip


def identity(*labels: str, ref: str = PRODUCER, days: float = 0, **fields: Any) -> Object:
    return {
        "type": "identity", "spec_version": "2.1", "id": ref, "name": "Example Water District",
        "created": stamp(START), "modified": stamp(START).replace("T12", f"T{12 + int(days)}"),
        "labels": list(labels), "identity_class": "organization", **fields,
    }  # fmt: skip


def sections(template: str = "{producer.name}", **organisation: Any) -> dict[str, Any]:
    """A list for ourselves with comments, and one for the community."""

    def at(listed: str, device: str) -> dict[str, Any]:
        return {
            "list": listed, "adapter": "firewall", "options": {"device": device},
            "mapping": {"comment": {"template": template}}, "limits": {"max_remove_ratio": 1},
        }  # fmt: skip

    who = {"nationality": "USA", "codes": ["USA.VA"], "entity": "GOV", **organisation}
    return {
        "organisation": who,
        "lists": {"own": {"audience": "own"}, "shared": {"audience": "community"}},
        "outputs": {"edge": at("own", "edge"), "partners": at("shared", "partners")},
    }


def comment(site: Site, device: str = "edge", value: str = "192.0.2.1") -> Any:
    held = {found.value: told for found, told in site.rack[device].entries().items()}
    return held[value]["comment"]


def reasons(site: Site, value: str = "192.0.2.1") -> dict[str, tuple[str, str]]:
    """Why a value is, or is not, on each list, as `explain` says it."""
    (observable,) = explain_value(site.service.decider, value)["observables"]
    (claim,) = observable["claims"]
    return {name: (one["reason"], one["detail"]) for name, one in claim["reasons"].items()}


@pytest.fixture
def fed(site: Site, taxii: TaxiiServer, taxii_feed: Feeds) -> Site:
    """A site that polls a server; nothing is there yet but what keeps lists from being empty."""
    site.configure(feeds={"ais": taxii_feed()}, **sections())
    taxii.add_objects([STAYS])
    site.change()
    return site


@pytest.mark.parametrize(
    ("consent", "codes", "own", "shared"),
    [
        ("ais-consent-everyone", ["USA.VA"], True, True),
        ("ais-consent-everyone-cisa-proprietary", ["USA.VA"], True, None),
        ("ais-consent-usg", ["USA.VA"], False, False),
        ("ais-consent-usg", ["USA.USG"], True, False),
        ("ais-consent-none", ["USA.USG"], False, False),
        ("water", ["USA.USG"], False, False),
    ],
)
@pytest.mark.parametrize("order", ["identity first", "identity last"])
def test_a_producer_is_named_where_its_consent_allows_however_it_arrives(
    site: Site, taxii: TaxiiServer, taxii_feed: Feeds, order: str,
    consent: str, codes: list[str], own: bool, shared: bool | None,
) -> None:  # fmt: skip
    site.configure(feeds={"ais": taxii_feed()}, **sections(codes=codes))
    site.open()
    arriving = [identity(consent), indicator(1, "192.0.2.1")]
    for one in arriving if order == "identity first" else reversed(arriving):
        taxii.add_objects([one, STAYS])
        site.change()
        site.consistent()
    name = "Example Water District"
    assert comment(site) == (name if own else "")
    if shared is None:
        assert site.at("partners") == ["192.0.2.99"]
        reason, detail = reasons(site)["shared"]
        assert reason == "withheld"
        assert f"producer '{consent}' withholds it from community" in detail
    else:
        assert comment(site, "partners") == (name if shared else "")
    assert site.idle()


def test_consent_that_is_taken_back_takes_the_name_out_again(fed: Site, taxii: TaxiiServer) -> None:
    taxii.add_objects([identity("ais-consent-everyone"), indicator(1, "192.0.2.1")])
    fed.change()
    assert comment(fed) == "Example Water District"
    taxii.add_objects([identity("ais-consent-none", days=1)])
    fed.change()
    assert comment(fed) == ""
    fed.consistent()
    taxii.add_objects([identity("ais-consent-everyone", days=2, name="Renamed")])
    fed.change()
    assert comment(fed) == "Renamed"


def test_a_revoked_identity_names_nobody_and_goes_on_withholding(
    fed: Site, taxii: TaxiiServer
) -> None:
    proprietary = identity("ais-consent-everyone-cisa-proprietary")
    taxii.add_objects([proprietary, indicator(1, "192.0.2.1")])
    fed.change()
    assert comment(fed) == "Example Water District"
    taxii.add_objects([revoked(proprietary, days=31)])
    fed.change()
    assert comment(fed) == ""
    assert fed.at("partners") == ["192.0.2.99"]
    fed.consistent()


def test_what_bears_an_acs_marking_is_handed_to_nobody_until_its_producer_is_known(
    fed: Site, taxii: TaxiiServer
) -> None:
    marked = {"object_marking_refs": [SHAREABLE, TLP["clear"]]}
    taxii.add_objects([acs(), indicator(1, "192.0.2.1", **marked)])
    fed.change()
    assert fed.at() == ["192.0.2.1", "192.0.2.99"]
    assert fed.at("partners") == ["192.0.2.99"]
    reason, detail = reasons(fed)["shared"]
    assert reason == "withheld"
    assert "identity that created it is missing" in detail
    taxii.add_objects([identity("ais-consent-none")])
    fed.change()
    assert fed.at("partners") == ["192.0.2.1", "192.0.2.99"]
    fed.consistent()


def test_an_indicator_that_says_it_is_not_proprietary_waits_for_nobody(
    fed: Site, taxii: TaxiiServer
) -> None:
    marked = {"object_marking_refs": [SHAREABLE, TLP["clear"]]}
    said = indicator(1, "192.0.2.1", labels=["cisa-proprietary-false"], **marked)
    taxii.add_objects([acs(), said])
    fed.change()
    assert fed.at("partners") == ["192.0.2.1", "192.0.2.99"]


def test_only_its_own_feed_can_consent_for_a_producer(site: Site) -> None:
    files = {"type": "bundle", "unmarked_tlp": "clear"}
    feeds = {name: {**files, "path": f"{name}/"} for name in ("mine", "theirs")}
    site.configure(feeds=feeds, **sections())
    write_bundle(site.folder / "mine" / "all.json", [indicator(1, "192.0.2.1"), STAYS])
    write_bundle(site.folder / "theirs" / "all.json", [identity("ais-consent-everyone")])
    site.change()
    assert comment(site) == ""


def test_a_marking_keeps_the_name_back_though_its_consent_opens_it(
    fed: Site, taxii: TaxiiServer
) -> None:
    amber = {"object_marking_refs": [TLP["amber"]]}
    taxii.add_objects([identity("ais-consent-everyone", **amber), indicator(1, "192.0.2.1")])
    fed.change()
    assert comment(fed) == "Example Water District"
    assert comment(fed, "partners") == ""


def test_explain_says_what_stays_out_of_comments_and_why(fed: Site, taxii: TaxiiServer) -> None:
    taxii.add_objects([identity("ais-consent-usg"), indicator(1, "192.0.2.1")])
    fed.change()
    (observable,) = explain_value(fed.service.decider, "192.0.2.1")["observables"]
    (claim,) = observable["claims"]
    words = {"producer_name": "the producer's consent is 'usg'"}
    assert claim["hidden"] == {"own": words, "shared": words}


def test_explain_tells_people_too(
    fed: Site, taxii: TaxiiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    official = acs(formal_determination=["FOUO"])
    marked = {"object_marking_refs": [SHAREABLE, TLP["clear"]]}
    taxii.add_objects([official, identity("ais-consent-none"), indicator(1, "192.0.2.1", **marked)])
    fed.change()
    show_explanation(Console(width=500), explain_value(fed.service.decider, "192.0.2.1"))
    told = capsys.readouterr().out
    assert "hidden from own, shared: producer_name (the producer's consent is 'none')" in told
    assert f"note: {SHAREABLE} (ACS) says FOUO" in told


def test_explain_reports_markings_that_contradict_each_other(fed: Site, taxii: TaxiiServer) -> None:
    official = acs(formal_determination=["FOUO"])
    marked = {"object_marking_refs": [SHAREABLE, TLP["clear"]]}
    taxii.add_objects([official, indicator(1, "192.0.2.1", **marked)])
    fed.change()
    (observable,) = explain_value(fed.service.decider, "192.0.2.1")["observables"]
    (claim,) = observable["claims"]
    assert claim["marking"] == "green", "the stricter side"
    assert claim["notes"] == [f"{SHAREABLE} (ACS) says FOUO, which contradicts TLP:CLEAR"]


def test_a_mapping_tells_the_marking_that_decided(fed: Site, taxii: TaxiiServer) -> None:
    said = {"comment": {"template": "{marking}"}}
    fed.edit(lambda config: config["outputs"]["edge"].update(mapping=said))
    fed.open()
    official = acs(formal_determination=["FOUO"])
    odd = [{"selectors": ["Pattern"], "marking_ref": TLP["amber"]}]
    both = {"object_marking_refs": [SHAREABLE, TLP["clear"]]}
    taxii.add_objects([
        official, indicator(1, "192.0.2.1", **both),
        indicator(2, "192.0.2.2", object_marking_refs=[TLP["clear"]], granular_markings=odd),
    ])  # fmt: skip
    fed.change()
    assert comment(fed) == "green", "FOUO contradicts clear"
    assert comment(fed, value="192.0.2.2") == "amber", "no selector of STIX: taken for the whole"


def test_personal_information_stays_out_of_comments_and_the_entry_stays(
    fed: Site, taxii: TaxiiServer
) -> None:
    said = {"comment": {"template": "{value} {indicator.name}"}}
    mail, edge = (
        {"list": "own", "adapter": "edl", "mapping": said, "types": [kind],
         "options": {"file": f"{kind}.txt"}}
        for kind in ("email-addr", "ipv4-addr")
    )  # fmt: skip
    fed.edit(lambda config: config["outputs"].update(mail=mail, file=edge))
    fed.open()
    personal = acs(caveat=["POSSIBLEPII"])
    address = "[email-addr:value = 'victim@mail.example']"
    marked = {"object_marking_refs": [SHAREABLE, TLP["clear"]]}
    named = [indicator("m", pattern=address, **marked), indicator(1, "192.0.2.1", **marked)]
    taxii.add_objects([personal, *({**one, "name": "victim@mail.example"} for one in named)])
    fed.change()
    read = [
        *fed.service.outputs["mail"].adapter.read(),
        *fed.service.outputs["file"].adapter.read(),
    ]
    told = {entry.value: entry.fields["comment"] for entry in read}
    assert told["victim@mail.example"].strip() == ""
    assert told["192.0.2.1"].strip() == "192.0.2.1"


@pytest.mark.parametrize("many", [50_000, 1])
@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_identities_and_indicators_ends_in_the_same_lists(
    site: Site,
    taxii: TaxiiServer,
    taxii_feed: Feeds,
    seed: int,
    many: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond `many` indicators of one producer, its list is decided anew as a whole."""
    monkeypatch.setattr(objects_store, "_MOST_STIRRED", many)
    site.configure(feeds={"ais": taxii_feed()}, **sections())
    marked = {"object_marking_refs": [SHAREABLE, TLP["clear"]]}
    objects = [
        acs(), identity("ais-consent-everyone"),
        identity("ais-consent-everyone-cisa-proprietary", ref=STRANGER, name="Mill"),
        indicator(1, "192.0.2.1", **marked), indicator(2, "192.0.2.2", **marked),
        indicator(3, "192.0.2.3", created_by_ref=STRANGER, **marked),
        indicator(4, "192.0.2.4", created_by_ref=sid("identity", "never seen"), **marked),
    ]  # fmt: skip
    Random(seed).shuffle(objects)  # noqa: S311 - the same order for the same seed, no secret
    for one in objects:
        taxii.add_objects([one, STAYS])
        site.change()
        site.consistent()
    assert site.at("partners") == ["192.0.2.1", "192.0.2.2", "192.0.2.99"]
    names = {found.value: told["comment"] for found, told in site.rack["edge"].entries().items()}
    district = "Example Water District"
    assert names == {
        "192.0.2.1": district, "192.0.2.2": district, "192.0.2.3": "Mill", "192.0.2.4": "",
        "192.0.2.99": "",
    }  # fmt: skip
