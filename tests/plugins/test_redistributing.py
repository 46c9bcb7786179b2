"""What docs/redistributing.md has an ISAO do, done: from a feed to its members, and back again."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from medallion_host import PASSWORD, Medallion, needs_medallion
from typer.testing import CliRunner, Result

from connector.commands.app import app

pytestmark = [pytest.mark.real_server, needs_medallion]
PAGE = Path(__file__).parents[2] / "docs" / "redistributing.md"
SOURCE, MEMBERS = 0, 1
WHO = "identity--a1b2c3d4-0000-4000-8000-000000000001"
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
SAID = "2026-01-05T00:00:00.000Z"
GOES, PART, STAYS = "198.51.100.9", "198.51.100.8", "198.51.100.7"


def identity() -> dict[str, Any]:
    return {
        "type": "identity", "spec_version": "2.1", "id": WHO, "created": SAID, "modified": SAID,
        "name": "Example Water District", "identity_class": "organization",
        "labels": ["ais-consent-everyone"], "object_marking_refs": [GREEN],
    }  # fmt: skip


def indicator(number: int, value: str, marking: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "indicator", "spec_version": "2.1", "created_by_ref": WHO,
        "id": f"indicator--00000000-0000-4000-8000-{number:012}", "created": SAID,
        "modified": SAID, "valid_from": SAID, "pattern_type": "stix",
        "pattern": f"[ipv4-addr:value = '{value}']", "object_marking_refs": [marking], **fields,
    }  # fmt: skip


FEED = [
    identity(),
    indicator(1, GOES, GREEN),
    indicator(2, "198.51.100.10", GREEN),
    indicator(
        3, PART, GREEN, description="where it was seen",
        granular_markings=[{"selectors": ["description"], "marking_ref": AMBER}],
    ),
    indicator(4, STAYS, AMBER),
]  # fmt: skip


class Isao:
    """The page's configuration at a server of ours, and its commands."""

    def __init__(self, folder: Path, server: Medallion) -> None:
        self.server, self.folder = server, folder
        (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        text = text.replace("https://ais.example/taxii2/", f"{server.origin}/taxii2/")
        text = text.replace("https://members.example/taxii2/", server.root)
        text = text.replace("[Public]", '["Members 0"]').replace(": Members\n", ": Members 1\n")
        told = yaml.safe_load(text)
        told["allowlist"] = {"builtin": {"except": ["documentation"]}, "warninglists": []}
        (folder / "config.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")

    def commands(self) -> list[list[str]]:
        """Return the page's commands of ours, in its order."""
        found = re.findall(r"^\$ connector (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        return [line.split() for line in found]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "-c", str(self.folder / "config.yaml")])

    def told(self, *objects: dict[str, Any]) -> None:
        path = f"collections/{self.server.collections[SOURCE]}/objects/"
        self.server.ask(path, json.dumps({"objects": objects}).encode(), "POST")

    def members(self) -> dict[str, dict[str, Any]]:
        return {one["id"]: one for one in self.server.objects(MEMBERS)}

    def published(self, file: str) -> str:
        return (self.folder / "published" / file).read_text(encoding="utf-8")


@pytest.fixture
def isao(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Isao]:
    monkeypatch.setenv("AIS_PASSWORD", PASSWORD)
    monkeypatch.setenv("MEMBERS_PASSWORD", PASSWORD)
    monkeypatch.setenv("COUNTY_TOKEN", "a-token-of-some-length")
    (tmp_path / "server").mkdir()
    server = Medallion(tmp_path / "server", 2)
    yield Isao(tmp_path, server)
    server.stop()


def test_members_get_what_they_may_have_as_it_was_said_and_nothing_else(isao: Isao) -> None:
    isao.told(*FEED)
    ran = {" ".join(words): isao.run(*words) for words in isao.commands()}
    assert [result.exit_code for result in ran.values()] == [0] * len(ran), {
        name: result.output for name, result in ran.items() if result.exit_code
    }
    assert isao.members() == {one["id"]: one for one in FEED[:3]}
    bundle = json.loads(isao.published("members.json"))
    assert {one["id"] for one in bundle["objects"]} == isao.members().keys()
    assert isao.published("members.txt").split() == [PART, GOES, "198.51.100.10"]
    assert "amber" in ran[f"explain {STAYS}"].output
    assert "description must not be shown" in isao.run("explain", PART).output

    revoked = {**FEED[1], "modified": "2026-02-01T00:00:00.000Z", "revoked": True}
    isao.told(revoked)
    assert isao.run("run", "--once").exit_code == 0
    assert isao.members().keys() == {WHO, FEED[2]["id"]}
    assert GOES not in isao.published("members.txt")
    assert GOES not in isao.published("members.json")
