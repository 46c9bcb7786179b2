"""An output that moves, is dropped or renamed leaves nothing behind unseen, and nothing is lost."""

from contextlib import AbstractContextManager
from io import StringIO
from typing import Any, ClassVar

import pytest
from connector_edl import EdlAdapter
from rich.console import Console
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.commands.impact import impact, show_moves
from connector.errors import UnavailableError
from connector.feeds.bundle import BundleFeed
from connector.model import Observable, ObservableType
from connector.reports.explain import explain_value
from connector.reports.formatting import show_explanation, show_status
from connector.reports.status import healthy
from connector.service.farewell import LeftPlaces, open_left_places
from connector.sync.view import EVERYTHING

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
FEW = [indicator("a", ONE), indicator("b", TWO), indicator("c", THREE)]
OLD, NEW = "published file published/list.txt", "published file published/new.txt"


def published(file: str, **more: Any) -> dict[str, Any]:
    return {"list": "perimeter", "adapter": "edl", "options": {"file": file}, **more}


def configure(site: Site, **outputs: Any) -> None:
    site.configure(lists={"perimeter": BLOCK_ALL}, outputs=outputs)


@pytest.fixture
def filed(site: Site) -> Site:
    configure(site, file=published("list.txt"))
    site.write("one.json", FEW)
    site.once()
    return site


def reload(site: Site, **outputs: Any) -> None:
    configure(site, **outputs)
    site.close()


def left(site: Site) -> list[tuple[str, str, int, str]]:
    return [
        (one["output"], one["left"], one["entries"], ", ".join(one["places"]))
        for one in site.status()["left_behind"]
    ]


def test_a_file_that_moved_is_written_anew_and_the_old_one_emptied(filed: Site) -> None:
    reload(filed, file=published("new.txt"))
    filed.once()
    assert filed.lines("new.txt") == [ONE, TWO, THREE]
    assert filed.lines("list.txt") == []
    assert filed.output("file")["state"] == "ok"
    assert left(filed) == []
    assert filed.idle()


def test_a_move_is_foreseen_and_told(filed: Site, capsys: pytest.CaptureFixture[str]) -> None:
    reload(filed, file=published("new.txt"))
    answer = impact(filed.load(), filed.registry)
    [plan] = answer["plans"]
    assert plan["cleans"] == [{"places": [OLD], "entries": 3, "why_not": None}]
    assert (plan["places"], len(plan["add"])) == ([NEW], 3)
    console = Console(width=200, file=StringIO())
    show_moves(console, answer)
    assert f"file: would clean 3 entries at {OLD} and write 3 at {NEW}" in console.file.getvalue()
    capsys.readouterr()
    filed.once()
    told = capsys.readouterr().out
    assert "output.moved" in told
    assert "output.cleaned" in told


def test_looking_at_a_changed_file_moves_nothing(filed: Site) -> None:
    reload(filed, file=published("new.txt"))
    impact(filed.load(), filed.registry)
    filed.open().outputs.propose("file", EVERYTHING)
    assert left(filed) == []
    assert filed.lines("list.txt") == [ONE, TWO, THREE]


def firewall(device: str, **more: Any) -> dict[str, Any]:
    return {"list": "perimeter", "adapter": "firewall", "options": {"device": device}, **more}


@pytest.fixture
def edged(site: Site) -> Site:
    configure(site, edge=firewall("edge"))
    site.write("one.json", FEW)
    site.rack["edge"].put_by_hand(Observable(ObservableType.IPV4_ADDR, THREE), {})
    site.once()
    return site


def test_of_a_firewall_that_was_left_only_what_is_ours_is_removed(edged: Site) -> None:
    reload(edged, edge=firewall("other"))
    edged.once()
    assert edged.at("edge") == [THREE]
    assert edged.at("other") == [ONE, TWO, THREE]
    assert left(edged) == []
    edged.consistent()


def test_a_move_back_before_the_old_place_is_clean_keeps_what_stands_there(edged: Site) -> None:
    edged.rack["edge"].fault = UnavailableError("unplugged")
    reload(edged, edge=firewall("other"))
    edged.once()
    assert left(edged) == [("edge", "moved", 2, "firewall edge")]
    assert edged.output()["state"] == "ok"
    edged.rack["edge"].fault = None
    writes = edged.rack["edge"].writes
    reload(edged, edge=firewall("edge"))
    edged.once()
    assert edged.rack["edge"].writes == writes
    assert edged.at("edge") == [ONE, TWO, THREE]
    assert edged.at("other") == []
    assert left(edged) == []
    edged.consistent()


def test_what_cannot_be_cleaned_is_listed_and_tried_again_after_a_quarter_of_an_hour(
    edged: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    edged.rack["edge"].fault = UnavailableError("unplugged")
    reload(edged, edge=firewall("other"))
    edged.once()
    edged.change()
    [one] = edged.status()["left_behind"]
    assert one["error"] == "unplugged"
    assert not healthy(edged.status())
    assert capsys.readouterr().out.count("output.not_cleaned") == 1
    edged.rack["edge"].fault = None
    edged.change()
    assert left(edged) != []
    edged.clock.advance(minutes=16)
    edged.change()
    assert left(edged) == []
    assert edged.at("edge") == [THREE]


def test_the_old_place_stays_until_the_new_one_has_all_that_is_wanted(filed: Site) -> None:
    (filed.folder / "published" / "new.txt").write_text("198.51.100.7\n", encoding="utf-8")
    reload(filed, file=published("new.txt"))
    filed.once()
    assert filed.lines("new.txt") == ["198.51.100.7"]
    assert filed.lines("list.txt") == [ONE, TWO, THREE]
    [hold] = filed.output("file")["held"]
    assert filed.service.outputs.accept(hold["id"], "ada").done
    assert filed.lines("new.txt") == [ONE, TWO, THREE]
    assert filed.lines("list.txt") == []


def test_a_place_reached_by_another_name_is_not_cleaned(edged: Site) -> None:
    """What was written there stood at the new place before: it is the same device."""
    edged.rack._firewalls["alias"] = edged.rack["edge"]
    reload(edged, edge=firewall("alias"))
    edged.once()
    assert edged.at("edge") == [ONE, TWO, THREE]
    [one] = edged.status()["left_behind"]
    assert "the place of output edge by another name" in one["error"]


def test_what_another_output_keeps_by_another_name_is_not_withdrawn(edged: Site) -> None:
    """The firewall of the dropped output is that of a new one: by what it found there."""
    edged.rack._firewalls["alias"] = edged.rack["edge"]
    reload(edged, core=firewall("alias"), other=firewall("other"))
    edged.once()
    with open_left_places_of(edged) as places:
        answer = places.withdraw("edge", "ada", "replaced")
    assert (answer.done, answer.count, answer.left) == (False, 0, 2)
    assert "the place of output core by another name" in answer.words
    assert edged.at("edge") == [ONE, TWO, THREE]
    assert edged.output("core")["reasons"] == {"written": 3}


class NamedFirewall:
    """Has the adapter tell the serial number of its firewall."""

    serials: ClassVar[dict[str, str]] = {"edge": "7", "alias": "7", "other": "8"}

    def known_as(self: Any) -> list[str]:
        return [self.serials[self.settings.device]]


@pytest.mark.parametrize(("there", "done"), [("alias", False), ("other", True)])
def test_what_a_target_calls_itself_decides_whether_its_entries_are_withdrawn(
    site: Site, there: str, done: bool
) -> None:
    """Also where what is found there would say otherwise, as on a copy of the firewall."""
    made = type("NamedAdapter", (NamedFirewall, site.rack.adapter), {"__doc__": "A firewall."})
    site.registry = QuickRegistry({"firewall": made, "edl": EdlAdapter}, {"bundle": BundleFeed})
    configure(site, edge=firewall("edge"))
    site.write("one.json", FEW)
    site.once()
    site.rack._firewalls["alias"] = site.rack["edge"]
    for one in site.rack["edge"].entries():
        site.rack["other"].put_by_hand(one, {})
    reload(site, core=firewall(there))
    site.once()
    with open_left_places_of(site) as places:
        answer = places.withdraw("edge", "ada", "replaced")
    assert answer.done is done
    assert site.at("edge") == ([] if done else [ONE, TWO, THREE])


def test_a_firewall_that_cannot_say_what_it_is_keeps_what_a_dropped_output_left(
    site: Site,
) -> None:
    class Silent(NamedFirewall):
        def known_as(self: Any) -> list[str]:
            if self.settings.device == "other" and self.device.fault:
                raise self.device.fault
            return super().known_as()

    made = type("NamedAdapter", (Silent, site.rack.adapter), {"__doc__": "A firewall."})
    site.registry = QuickRegistry({"firewall": made}, {"bundle": BundleFeed})
    configure(site, edge=firewall("edge"), other=firewall("other"))
    site.write("one.json", FEW)
    site.once()
    reload(site, other=firewall("other"))
    site.once()
    for fault in (UnavailableError("unplugged"), None):
        site.rack["other"].fault = fault
        with open_left_places_of(site) as places:
            answer = places.withdraw("edge", "ada", "replaced")
        assert answer.done is (fault is None)
        assert ("other does not say whether" in answer.words) is (fault is not None)
    assert site.at("edge") == []


def test_explain_names_the_places_where_a_value_may_still_stand(edged: Site) -> None:
    configure(edged, file=published("list.txt"))
    edged.close()
    edged.once()
    edged.write("one.json", [revoked(one) for one in FEW])
    edged.once()
    answers = {one: explain_value(edged.service.decider, one) for one in (ONE, THREE)}
    assert [observable["left_behind"] for observable in answers[THREE]["observables"]] == [[]]
    [observable] = answers[ONE]["observables"]
    [place] = observable["left_behind"]
    assert (place["output"], place["places"], place["left"]) == (
        "edge", ["firewall edge"], "dropped",
    )  # fmt: skip
    console = Console(width=300, file=StringIO())
    show_explanation(console, answers[ONE])
    assert (
        "edge: may still stand at firewall edge, written 2026-03-01T12:00:00Z (dropped) "
        "(remove: connector withdraw edge; give up: connector outputs forget edge --why WHY)"
    ) in console.file.getvalue()
    with open_left_places_of(edged) as places:
        places.withdraw("edge", "ada", "")
    [observable] = explain_value(edged.service.decider, ONE)["observables"]
    assert observable["left_behind"] == []


def test_two_outputs_that_swap_their_places_take_over_what_stands_there(site: Site) -> None:
    configure(site, a=firewall("left"), b=firewall("right"))
    site.write("one.json", FEW)
    site.once()
    writes = site.rack["left"].writes + site.rack["right"].writes
    reload(site, a=firewall("right"), b=firewall("left"))
    site.once()
    assert site.rack["left"].writes + site.rack["right"].writes == writes
    assert [site.output(name)["written"] for name in "ab"] == [3, 3]
    assert left(site) == []
    site.consistent()


def test_a_renamed_output_takes_its_ledger_along(edged: Site) -> None:
    writes, before = edged.rack["edge"].writes, edged.output()
    reload(edged, border=firewall("edge"))
    edged.once()
    assert edged.rack["edge"].writes == writes
    assert left(edged) == []
    assert edged.output("border")["written"] == before["written"]
    edged.write("one.json", [revoked(FEW[0]), *FEW[1:]])
    edged.change()
    assert edged.at("edge") == [TWO, THREE]
    edged.consistent()


def test_an_output_at_a_place_that_another_left_knows_what_that_wrote(edged: Site) -> None:
    reload(edged, edge=firewall("other"), next=firewall("edge"))
    edged.once()
    assert ours(edged, "next") == 2
    assert edged.at("edge") == [ONE, TWO, THREE]
    assert left(edged) == []
    edged.write("one.json", [revoked(one) for one in FEW])
    edged.change()
    assert edged.at("edge") == [THREE]
    assert edged.at("other") == []


def test_a_dropped_output_is_told_until_somebody_removes_what_it_left(edged: Site) -> None:
    configure(edged, file=published("list.txt"))
    edged.close()
    edged.once()
    assert left(edged) == [("edge", "dropped", 2, "firewall edge")]
    assert edged.status()["left_behind"][0]["since"] == "2026-03-01T12:00:00Z"
    assert not healthy(edged.status())
    assert 'connector_output_left_behind{left="dropped",output="edge"} 2.0' in edged.metrics()
    console = Console(width=300, file=StringIO())
    show_status(console, edged.status())
    assert "connector withdraw edge" in console.file.getvalue()
    with open_left_places_of(edged) as places:
        answer = places.withdraw("edge", "ada", "replaced")
    assert (answer.done, answer.count) == (True, 2)
    assert edged.at("edge") == [THREE]
    assert left(edged) == []
    with open_left_places_of(edged) as places:
        again = places.withdraw("edge", "ada", "replaced")
    assert not again.done
    assert audited(edged, "withdraw") == ["ada: replaced: 2 entries at firewall edge"]


def test_a_dropped_output_that_comes_back_is_as_it_was(edged: Site) -> None:
    configure(edged, file=published("list.txt"))
    edged.close()
    edged.once()
    writes = edged.rack["edge"].writes
    reload(edged, edge=firewall("edge"))
    edged.once()
    assert edged.rack["edge"].writes == writes
    assert ours(edged, "edge") == 2
    assert [one[:2] for one in left(edged)] == [("file", "dropped")]
    edged.consistent()


def test_what_a_dropped_output_left_can_be_forgotten_and_the_audit_knows_it(edged: Site) -> None:
    configure(edged, file=published("list.txt"))
    edged.close()
    edged.once()
    with open_left_places_of(edged) as places:
        assert places.forget("edge", "ada", "sold").done
    assert edged.at("edge") == [ONE, TWO, THREE]
    assert left(edged) == []
    assert audited(edged, "forget") == ["ada: sold: 2 entries at firewall edge"]


def test_an_output_in_force_is_neither_withdrawn_nor_forgotten(edged: Site) -> None:
    for act in ("withdraw", "forget"):
        with open_left_places_of(edged) as places:
            answer = getattr(places, act)("edge", "ada", "mistake")
        assert not answer.done
        assert "is in the file" in answer.words
    assert edged.at("edge") == [ONE, TWO, THREE]


def test_a_target_that_does_not_let_go_keeps_the_place_listed(edged: Site) -> None:
    configure(edged, file=published("list.txt"))
    edged.close()
    edged.once()
    edged.rack["edge"].fault = UnavailableError("unplugged")
    with open_left_places_of(edged) as places:
        answer = places.withdraw("edge", "ada", "")
    assert (answer.done, answer.left) == (False, 2)
    assert "unplugged" in answer.words
    edged.rack["edge"].fault = None
    with open_left_places_of(edged) as places:
        assert places.withdraw("edge", "ada", "").done


def test_a_file_that_others_wrote_since_is_left_as_it_is(filed: Site) -> None:
    reload(filed, file=published("new.txt"))
    path = filed.folder / "published" / "list.txt"
    path.write_text(f"{ONE}\n203.0.113.99\n", encoding="utf-8")
    filed.once()
    assert path.read_text(encoding="utf-8") == f"{ONE}\n203.0.113.99\n"
    [one] = filed.status()["left_behind"]
    assert "others put 1 entries there" in one["error"]


def test_a_file_reached_through_a_link_is_the_same_place(filed: Site) -> None:
    (filed.folder / "linked").symlink_to(filed.folder / "published")
    filed.edit(lambda config: config.update(publish_folder="linked"))
    filed.close()
    filed.once()
    assert filed.lines("list.txt") == [ONE, TWO, THREE]
    assert left(filed) == []


def test_another_publish_folder_is_another_place(filed: Site) -> None:
    filed.edit(lambda config: config.update(publish_folder="elsewhere"))
    filed.close()
    filed.once()
    assert filed.lines("list.txt") == []
    moved = (filed.folder / "elsewhere" / "list.txt").read_text(encoding="utf-8")
    assert moved.splitlines() == [ONE, TWO, THREE]


def test_what_another_adapter_wrote_is_listed_and_can_be_withdrawn(filed: Site) -> None:
    reload(filed, file=firewall("edge"))
    [plan] = impact(filed.load(), filed.registry)["plans"]
    assert "kept through edl" in plan["cleans"][0]["why_not"]
    filed.once()
    assert filed.at() == [ONE, TWO, THREE]
    assert left(filed) == [("file", "moved", 3, OLD)]
    assert filed.lines("list.txt") == [ONE, TWO, THREE]
    with open_left_places_of(filed) as places:
        assert places.withdraw("file", "ada", "").done
    assert filed.lines("list.txt") == []
    assert left(filed) == []


def open_left_places_of(site: Site) -> AbstractContextManager[LeftPlaces]:
    site.close()
    return open_left_places(site.load(), site.registry)


def ours(site: Site, name: str) -> int:
    """How many entries an output's ledger calls ours; those of others do not count."""
    store, listing = site.service.store, site.service.outputs[name].listing
    with store.database.read() as transaction:
        return store.ledger.owned(transaction, store.outputs.open(name, listing.number).number)


def audited(site: Site, action: str) -> list[str]:
    with site.service.store.database.read() as transaction:
        sql = "SELECT result FROM audit WHERE action = ? ORDER BY number"
        return [row[0] for row in transaction.rows(sql, (action,))]
