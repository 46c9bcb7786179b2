import json
import os
import re
from pathlib import Path

import pytest
from config_plugins import GOLDEN
from config_plugins import registry as small_registry
from jsonschema import Draft202012Validator

from connector.config import Loaded, load
from connector.config.model import Config
from connector.config.problems import Problems
from connector.config.reference import json_schema, reference_page
from connector.config.yamlfile import read_yaml
from connector.registry import Registry

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "config.example.yaml"
REMAKE = "made from the code: run this test with REWRITE_GOLDEN=1 and commit the file"


def as_editors_read(path: Path) -> object:
    return read_yaml(path.read_bytes(), Problems(path.name)).value


@pytest.fixture(scope="module")
def ours() -> Registry:
    """What this distribution brings, whatever else is installed."""
    return Registry.installed("threat-feed-connector")


def same_as_committed(path: Path, made: str) -> bool:
    if os.environ.get("REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(made, encoding="utf-8")
    return path.read_text(encoding="utf-8") == made


def test_the_committed_schema_is_that_of_the_code(ours):
    made = json.dumps(json_schema(ours), indent=2) + "\n"
    assert same_as_committed(PROJECT / "connector.schema.json", made), REMAKE


def test_the_committed_reference_is_that_of_the_code(ours):
    assert same_as_committed(PROJECT / "docs" / "reference.md", reference_page(ours)), REMAKE


def test_the_schema_is_valid_and_explains_itself_without_one_of(ours):
    schema = json_schema(ours)
    Draft202012Validator.check_schema(schema)
    assert "oneOf" not in json.dumps(schema)


def without_descriptions(schema: object, path: str = "") -> list[str]:
    """Return the paths of keys that have no sentence."""
    found: list[str] = []
    if isinstance(schema, dict):
        for key, below in schema.get("properties", {}).items():
            silent = isinstance(below, dict) and not below.get("description")
            if silent and "const" not in below and key not in {"env", "file", "credential"}:
                found.append(f"{path}.{key}")
        for key, below in schema.items():
            found += without_descriptions(below, f"{path}.{key}")
    elif isinstance(schema, list):
        for number, below in enumerate(schema):
            found += without_descriptions(below, f"{path}[{number}]")
    return found


def test_every_option_of_every_model_has_a_sentence(ours):
    definitions = json_schema(ours)["$defs"]
    for definition in definitions.values():
        for choice in definition.pop("allOf", []):
            own = choice["then"]["properties"]
            definition["properties"] |= {key: own[key] for key in own if own[key] is not True}
            for key in ("options", "mapping"):
                if key in own:
                    definition["properties"][key] = {"description": "described above"}
    assert without_descriptions(definitions) == []


def errors_of(value: object) -> list[str]:
    validator = Draft202012Validator(json_schema(small_registry()))
    return [error.message for error in validator.iter_errors(value)]


FILE = {
    "version": 1,
    "feeds": {"a": {"type": "pages", "url": "https://taxii.example/", "every": "5m"}},
    "lists": {"b": {"select": {"types": ["url"]}}},
    "outputs": {"c": {"list": "b", "adapter": "text", "options": {"file": "x"}}},
}


def changed(*path: str, to: object) -> dict:
    value = json.loads(json.dumps(FILE))
    below = value
    for part in path[:-1]:
        below = below[part]
    below[path[-1]] = to
    return value


def test_the_schema_takes_a_good_file():
    assert errors_of(FILE) == []


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        (("feeds", "a", "type"), "tavii"),
        (("feeds", "a", "colour"), "red"),
        (("feeds", "a", "every"), "5"),
        (("feeds", "a", "page_size"), 0),
        (("feeds", "a", "auth"), {"token": "hunter2"}),
        (("feeds", "a", "max_age"), {"ipv4": "5d"}),
        (("feeds", "a", "max_age"), "ninety"),
        (("feeds", "Bad Name"), {"type": "pages", "url": "https://x.example"}),
        (("lists", "b", "select", "types"), ["ip"]),
        (("outputs", "c", "options", "file"), 5),
        (("outputs", "c", "options"), {}),
        (("outputs", "c", "options"), {"file": "x", "colour": "red"}),
        (("outputs", "c", "mapping"), {"colour": {"default": "red"}}),
        (("outputs", "c", "mapping"), {"comment": {"from": "colour"}}),
        (("outputs", "c", "limits"), {"max_remove_ratio": 20}),
        (("colour",), "red"),
    ],
)
def test_the_schema_refuses_what_the_check_refuses(path, typed):
    assert errors_of(changed(*path, to=typed)) != []


@pytest.mark.parametrize("ages", ["90d", {"file": "1w", "default": "90d"}])
def test_the_schema_takes_both_ways_to_write_an_age(ages):
    assert errors_of(changed("feeds", "a", "max_age", to=ages)) == []


def test_a_broken_plugin_spoils_neither_schema_nor_page():
    broken = Registry({"unfinished": int}, {"worse": int})
    assert json_schema(broken)["$defs"]["OutputConfig"]["properties"]["adapter"]["enum"] == []
    assert "unfinished" not in reference_page(broken)


def test_the_page_shows_type_bound_default_and_sentence():
    page = reference_page(small_registry())
    assert "| `page_size` | whole number, 1 to 1,000 | `100` | Objects in a page. |" in page
    assert "| `file` | text | **required** | The file. |" in page
    assert "| `every` | duration, 10s to 1w | `5m` | How often the feed is polled. |" in page
    assert "| `token` | secret |  | Sent as `Authorization: Bearer TOKEN`. |" in page
    assert "- Capacity: 1,000 entries" in page
    assert "- Fields of its mapping: `comment` (text of at most 255 characters), `sever" in page


def test_links_of_the_page_lead_to_headings():
    page = reference_page(small_registry())
    headings = {
        "".join(
            letter for letter in line[3:].lower() if letter.isalnum() or letter in " -_"
        ).replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("## ")
    }
    links = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert links
    assert links <= headings


@pytest.fixture
def example(tmp_path, ours, secrets_of_the_example) -> Loaded:
    """The example, as an operator would have it: with its secrets and files beside it."""
    (tmp_path / "config.yaml").write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "allow.txt").write_text("203.0.113.0/24 # ours\n")
    named = re.findall(r"env: (\w+)", EXAMPLE.read_text(encoding="utf-8"))
    environ = dict.fromkeys(named, "c2FtcGxl")  # a key of TSIG is base64
    return load(tmp_path / "config.yaml", ours, environ)


def test_the_example_is_valid_and_without_a_warning(example):
    assert example.warnings == ()
    assert {config.type for config in example.config.feeds.values()} == {"taxii", "bundle"}


def test_the_example_shows_every_section_and_every_adapter(example, ours):
    assert example.config.model_fields_set == set(Config.model_fields)
    adapters = {output.adapter for output in example.config.outputs.values()}
    assert adapters == set(ours.adapter_names())


def test_the_example_is_valid_for_editors_too(ours):
    assert EXAMPLE.read_text(encoding="utf-8").startswith(
        "# yaml-language-server: $schema=./connector.schema.json\n"
    )
    value = as_editors_read(EXAMPLE)
    errors = Draft202012Validator(json_schema(ours)).iter_errors(value)
    assert [error.message for error in errors] == []


def test_editors_refuse_the_golden_errors(ours):
    value = as_editors_read(GOLDEN / "errors.yaml")
    errors = list(Draft202012Validator(json_schema(small_registry())).iter_errors(value))
    assert len(errors) > 20
