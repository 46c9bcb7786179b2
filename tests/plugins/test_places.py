"""Two outputs that would keep a list at one place are refused, whatever else tells them apart."""

import json
from pathlib import Path

import pytest

from connector.config.loading import load
from connector.errors import ConfigError
from connector.registry import Registry

KVSTORE = {
    "url": "https://splunk.example:8089", "app": "search", "collection": "threats",
    "auth": {"token": {"env": "TOKEN"}},
}  # fmt: skip
ALIKE = {
    "edl": ({"file": "a.txt"}, {"file": "a.txt", "format": "panos", "types": ["url"]}),
    "edl and rules": ({"file": "a.txt"}, {"file": "a.txt", "language": "yara"}),
    "rules and edl": ({"file": "a.yar", "language": "yara"}, {"file": "a.yar"}),
    "haproxy": (
        {"socket": "one.sock", "addresses": "a.map"},
        {"socket": "two.sock", "names": "./a.map"},
    ),
    "nftables": ({"set": "bad"}, {"set": "bad", "drop": False}),
    "postfix": (
        {"folder": "maps", "senders": "from", "clients": "hosts"},
        {"folder": "./maps", "domains": "From", "action": "WARN"},
    ),
    "squid": ({"domains": "a.txt"}, {"addresses": "./a.txt", "squid": ["sudo", "squid"]}),
    "splunk_kvstore": (
        {**KVSTORE, "owner_tag": "us"},
        {**KVSTORE, "owner_tag": "us", "read_timeout": "5s"},
    ),
}
APART = {
    "edl": ({"file": "a.txt"}, {"file": "b.txt"}),
    "haproxy": (
        {"socket": "one.sock", "addresses": "a.map"},
        {"socket": "one.sock", "names": "b.map"},
    ),
    "nftables": ({"set": "bad"}, {"set": "bad", "netns": "lab"}),
    "postfix": ({"folder": "maps", "senders": "from"}, {"folder": "maps", "clients": "hosts"}),
    "squid": ({"domains": "a.txt"}, {"domains": "b.txt"}),
    "splunk_kvstore": (KVSTORE, KVSTORE),
}


def check(folder: Path, adapters: str, *options: dict[str, object]) -> None:
    one, _, two = adapters.partition(" and ")
    outputs = {
        name: {"list": "perimeter", "adapter": adapter, "options": given}
        for name, adapter, given in zip(("one", "two"), (one, two or one), options, strict=True)
    }
    lines = [
        "version: 1",
        "feeds: {files: {type: bundle, path: bundles/}}",
        "lists: {perimeter: {}}",
        "outputs:",
        *(f"  {name}: {json.dumps(output)}" for name, output in outputs.items()),
    ]
    path = folder / "config.yaml"
    path.write_text("\n".join(lines))
    load(path, Registry.installed(), {"TOKEN": "t"})


@pytest.mark.parametrize("adapter", ALIKE)
def test_two_outputs_at_one_place_are_refused_with_both_lines(adapter: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, adapter, *ALIKE[adapter])
    [problem] = caught.value.problems
    assert "config.yaml:6: outputs.two.options: point to the same place" in problem
    assert "outputs.one on line 5" in problem


@pytest.mark.parametrize("adapter", APART)
def test_two_outputs_at_different_places_are_taken(adapter: str, tmp_path: Path) -> None:
    check(tmp_path, adapter, *APART[adapter])


def test_a_place_that_a_link_leads_to_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "also").symlink_to("maps")
    with pytest.raises(ConfigError) as caught:
        check(
            tmp_path, "postfix", {"folder": "maps", "senders": "from"},
            {"folder": "also", "senders": "from"},
        )  # fmt: skip
    assert "point to the same place" in caught.value.problems[0]


SEVERAL = {
    "postfix": {"folder": "maps", "senders": "from", "clients": "hosts"},
    "haproxy": {"socket": "s", "addresses": "a.map", "names": "n.map"},
    "squid": {"domains": "d.txt", "addresses": "a.txt"},
}


@pytest.mark.parametrize("adapter", SEVERAL)
def test_options_of_several_places_can_be_narrowed_to_some(adapter: str) -> None:
    model = Registry.installed().adapter(adapter).settings_type
    options = model.model_validate(SEVERAL[adapter])
    assert options.places
    for place in options.places_by_option.values():
        narrowed = options.narrowed({place})
        assert narrowed is not None
        assert narrowed.places == {place}
    assert options.narrowed(options.places) == options
    assert options.narrowed([]) is None
