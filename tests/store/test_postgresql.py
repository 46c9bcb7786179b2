"""The whole way on PostgreSQL, by the commands that people type."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from store_samples import indicator

from connector.commands.app import main

pytestmark = pytest.mark.real_server

CONFIG = """\
version: 1
state: {{url: "{url}"}}
feeds:
  files: {{type: bundle, path: bundles/, unmarked_tlp: clear}}
allowlist: {{warninglists: [], builtin: {{except: [documentation]}}}}
lists:
  perimeter: {{purpose: block, audience: own}}
  hunting: {{purpose: watch, audience: own}}
outputs:
  edge: {{list: perimeter, adapter: edl, options: {{file: edge.txt, format: plain}},
         mapping: {{comment: {{template: "{{indicator.id}}"}}}}, limits: {{max_add: 5}}}}
  few: {{list: hunting, adapter: edl, options: {{file: few.txt, format: plain}},
        limits: {{max_entries: 2}}}}
publish_folder: published
"""


class Site:
    """An installation in a folder, whose state lies on a server."""

    def __init__(self, folder: Path, url: str, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        (folder / "bundles").mkdir()
        (folder / "config.yaml").write_text(CONFIG.format(url=url))

    def say(self, *raw: bytes) -> None:
        body = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000"}
        body |= {"objects": [json.loads(each) for each in raw]}  # type: ignore[dict-item]
        (self.folder / "bundles" / "all.json").write_text(json.dumps(body))

    def connector(self, *words: str, code: int = 0) -> str:
        """Run a command in this process, as its entry point does; return what it printed."""
        self._capture.readouterr()
        argv = ["connector", *words, "-c", str(self.folder / "config.yaml")]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", argv)
            with pytest.raises(SystemExit) as ended:
                main()
        structlog.reset_defaults()
        told = self._capture.readouterr()
        assert (ended.value.code or 0) == code, told.out + told.err
        return told.out

    def asked(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.connector(*words, "--json", code=code))

    def lines(self, name: str) -> list[str]:
        lines = (self.folder / "published" / name).read_text().splitlines()
        return [line.split("#")[0].strip() for line in lines if not line.startswith("#")]


@pytest.fixture
def site(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Site]:
    server = request.getfixturevalue("postgres")
    yield Site(tmp_path, server.create("connector_site"), capsys)
    server.drop("connector_site")


def addresses(*hosts: int) -> list[str]:
    return [f"198.51.100.{host}" for host in hosts]


def test_every_command_works_on_a_state_that_lies_on_a_server(site: Site) -> None:
    site.say(*(indicator(number, confidence=number) for number in range(1, 5)))
    site.connector("run", "--once")
    assert site.lines("edge.txt") == addresses(1, 2, 3, 4)
    assert sorted(site.lines("few.txt")) == addresses(3, 4)
    status = site.asked("status")
    assert status["claims"] == 4
    assert [each["reasons"] for each in status["lists"]] == [{"wanted": 4}, {"wanted": 4}]
    assert status["outputs"][1]["reasons"] == {"written": 2, "over_capacity": 2}

    site.say(*(indicator(number) for number in range(3, 20)), indicator(1, revoked=True))
    site.connector("run", "--once", code=3)
    assert site.lines("edge.txt") == addresses(3, 4), "what left goes, what is new waits"
    [held] = [each["held_plan"] for each in site.asked("status", code=1)["outputs"][:1]]
    [told] = site.asked("plan", "edge", "--held")["plans"]
    assert [(hold["id"], len(hold["add"])) for hold in told["held"]] == [(held, 15)]
    site.connector("refuse", held, "--why", "too many", "--until", "2099-12-31")
    site.connector("run", "--once")
    site.connector("apply", held, "--why", "seen")
    site.connector("apply", held, code=4)
    assert site.lines("edge.txt") == addresses(*range(3, 20))

    found = site.asked("explain", "198.51.100.2")
    [observable] = found["observables"]
    assert {each["reason"] for each in observable["outputs"]} == {"withdrawn"}
    assert site.asked("feeds", "list")["feeds"]
    site.connector("allow", "add", "198.51.100.3", "--why", "ours")
    site.connector("run", "--once")
    assert site.lines("edge.txt") == addresses(*range(4, 20))
    assert site.asked("plan")["plans"][0]["unchanged"] == 16


ENDS = """\
version: 1
state: {{url: "{url}"}}
feeds:
  files: {{type: bundle, path: bundles/, unmarked_tlp: clear}}
  theirs: {{type: bundle, path: theirs/}}
allowlist: {{warninglists: [], builtin: {{except: [documentation]}}}}
lists: {{perimeter: {{}}}}
outputs:
  edge: {{list: perimeter, adapter: edl, options: {{file: edge.txt, format: plain}},
         limits: {{small: 1000}}}}
publish_folder: published
"""
ACS = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
OURS = "marking-definition--0c0c0c0c-0000-4000-8000-000000000001"


def marking(ref: str, **more: Any) -> bytes:
    """A marking that permits all, and what else is asked of it."""
    said = {
        "extension_type": "property-extension", "identifier": f"isa:guide.19001.ACS3-{ref}",
        "create_date_time": "2020-01-01T00:00:00Z", "responsible_entity_custodian": "USA.DHS",
        "policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit",
        "control_set": {"classification": "U"}, **more,
    }  # fmt: skip
    body = {
        "type": "marking-definition", "spec_version": "2.1", "id": ref,
        "created": "2026-01-01T00:00:00Z", "extensions": {ACS: said},
    }  # fmt: skip
    return json.dumps(body).encode()


def test_a_marking_purges_its_own_feed_alone_and_much_of_it_when_a_person_says_so(
    site: Site,
) -> None:
    (site.folder / "theirs").mkdir()
    url = (site.folder / "config.yaml").read_text().partition('url: "')[2].partition('"')[0]
    (site.folder / "config.yaml").write_text(ENDS.format(url=url))
    ends = {"resource_disposition": {"disposition_date": "2021-01-01T00:00:00Z"}}
    bearing = {"object_marking_refs": [OURS, GREEN]}
    many = [indicator(number, **bearing) for number in range(1, 31)]
    site.say(marking(OURS), indicator(99), *many)
    site.connector("run", "--once")
    hostile = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000001"}
    said = [json.loads(marking(ref, **ends)) for ref in (GREEN, OURS)]
    (site.folder / "theirs" / "all.json").write_text(json.dumps({**hostile, "objects": said}))
    site.connector("run", "--once")
    assert len(site.lines("edge.txt")) == 31
    site.say(marking(OURS, **ends), indicator(99), *many)
    site.connector("run", "--once")
    assert site.lines("edge.txt") == addresses(99)
    [waiting] = site.asked("status", code=1)["feeds"][0]["purges"]
    assert (waiting["marking"], waiting["objects"]) == (OURS, 31)
    assert site.asked("feeds", "purge", "files") == {"feed": "files", "purged": 31}
    assert site.asked("status")["lists"][0]["reasons"] == {"expired": 30, "wanted": 1}
    site.say(marking(OURS), indicator(99), *many)
    for _ in range(2):
        site.connector("run", "--once")
    assert site.asked("status")["lists"][0]["reasons"] == {"wanted": 31}
