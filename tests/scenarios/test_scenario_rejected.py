"""What a target refuses for what stands beside it: the ledger follows when that changes."""

from typing import Any

import pytest
from connector_postfix import PostfixAdapter
from connector_postfix.mapfile import MapFile
from connector_splunk_kvstore import SplunkKvstoreAdapter
from connector_splunk_kvstore.emulator.server import SplunkEmulator
from scenario_site import QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed

ALONE = indicator("alone", "bad.example")
BELOW = indicator("below", pattern="[domain-name:value LIKE '%.bad.example']")


@pytest.fixture
def mail(site: Site) -> Site:
    """A mail gateway that takes a domain for all names below it, so both halves or neither."""
    site.registry = QuickRegistry({"postfix": PostfixAdapter}, {"bundle": BundleFeed})
    (site.folder / "maps").mkdir()
    options = {"folder": "maps", "senders": "senders"}
    gateway: dict[str, Any] = {"list": "perimeter", "adapter": "postfix", "options": options}
    site.configure(lists={"perimeter": {"purpose": "block"}}, outputs={"edge": gateway})
    return site


def stopped(site: Site) -> list[str]:
    return sorted(key for key, _value in MapFile(site.folder / "maps", "senders").pairs())


def lines_of_audit(site: Site) -> int:
    database = site.service.store.database
    with database.read() as transaction:
        return int(transaction.one("SELECT count(*) FROM audit", ()) or 0)


def test_what_a_list_has_to_go_without_since_its_companion_went_is_not_called_written(
    mail: Site,
) -> None:
    mail.write("feed.json", [ALONE, BELOW])
    mail.once()
    assert stopped(mail) == [".bad.example", "bad.example"]
    mail.write("feed.json", [ALONE, revoked(BELOW)])
    mail.change()
    assert stopped(mail) == []
    assert mail.output()["reasons"] == {"rejected": 1, "revoked": 1}


def test_what_was_rejected_until_its_companion_came_is_ours_and_goes_when_it_is_revoked(
    mail: Site,
) -> None:
    mail.write("feed.json", [ALONE])
    mail.once()
    assert (stopped(mail), mail.output()["reasons"]) == ([], {"rejected": 1})
    mail.write("feed.json", [ALONE, BELOW])
    mail.change()
    assert stopped(mail) == [".bad.example", "bad.example"]
    assert mail.output()["reasons"] == {"written": 2}
    mail.consistent()
    mail.write("feed.json", [revoked(ALONE), BELOW])
    mail.change()
    assert stopped(mail) == []
    assert mail.output()["reasons"] == {"rejected": 1, "revoked": 1}


def test_what_stays_rejected_is_not_told_with_every_list_that_is_published(mail: Site) -> None:
    mail.write("feed.json", [ALONE, BELOW, indicator("lone", "lone.example")])
    mail.once()
    told = lines_of_audit(mail)
    mail.write("feed.json", [revoked(ALONE), revoked(BELOW), indicator("lone", "lone.example")])
    mail.change()
    assert mail.output()["reasons"] == {"rejected": 1, "revoked": 2}
    assert lines_of_audit(mail) == told + 1, "of what was removed, and nothing else"


def test_of_two_kinds_of_observable_with_one_value_only_the_refused_one_counts_as_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLUNK_TOKEN", "a-long-token")
    with SplunkEmulator(tokens={"a-long-token"}) as splunk:
        collection = splunk.collection("threat_lists", "perimeter")
        collection.configure({"field.mutex": "number"})  # by others, before us
        site.registry = QuickRegistry(
            {"splunk_kvstore": SplunkKvstoreAdapter}, {"bundle": BundleFeed}
        )
        options = {
            "url": splunk.url, "app": "threat_lists", "collection": "perimeter",
            "auth": {"token": {"env": "SPLUNK_TOKEN"}},
        }  # fmt: skip
        edge: dict[str, Any] = {"list": "perimeter", "adapter": "splunk_kvstore"}
        site.configure(
            lists={"perimeter": {"purpose": "watch"}}, outputs={"edge": edge | {"options": options}}
        )
        named = indicator("file", pattern="[file:name = 'bad.exe']")
        site.write("feed.json", [named, indicator("lock", pattern="[mutex:name = 'bad.exe']")])
        assert not site.once().failures
        assert [each["type"] for each in collection.documents.values()] == ["file-name"]
        assert site.output()["reasons"] == {"rejected": 1, "written": 1}
        site.consistent()
        site.write("feed.json", [revoked(named)])
        site.change()
        assert not collection.documents
        site.close()
