"""Whatever stands in the file, the operator gets sentences and never a traceback."""

from pathlib import Path
from typing import Any

import yaml
from config_plugins import registry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.config import load
from connector.config.model import AllowlistConfig, Config, FeedConfig, ListConfig, OutputConfig
from connector.config.service import ServerConfig, StateConfig
from connector.errors import ConfigError

MODELS = (Config, FeedConfig, ListConfig, OutputConfig, AllowlistConfig, ServerConfig, StateConfig)
KNOWN = {field.alias or name for model in MODELS for name, field in model.model_fields.items()}
MORE = "url file env any none auth token value why until from template values steps comment a b-1"
KEYS = st.sampled_from([*sorted(KNOWN), *MORE.split()])
SOME = """pages text addresses remote perimeter a b-1 5m 1h 999999999w block watch own public amber
url ipv4-addr file default confidence 203.0.113.0/24 2027-06-30 0.0.0.0:80 sqlite:///x sqlite:///
//[ https://[ ::1 . .. / ~ no 1_000 12:30 {value} {"""
WORDS = st.sampled_from(SOME.split())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS | WORDS, below, max_size=5),
    max_leaves=25,
)
FILES = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        field.alias or name: VALUES
        for name, field in Config.model_fields.items()
        if name != "version"
    },
)
PIECES = st.lists(
    st.sampled_from(
        [
            "a",
            ": ",
            "\n",
            "  ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&x ",
            "*x",
            "<<",
            "? ",
            "| ",
            ">",
            "'",
            '"',
            "#",
            "!",
            "!!int ",
            "%",
            "---",
            "...",
            "\t",
            "\\",
            "\\x",
            "\\U",
            "FFFFFFFF",
            "\x00",
            "\ufeff",
            "é",
            "null",
            "feeds",
            "1",
        ]
    ),
    max_size=40,
).map("".join)
FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def judge(folder: Path, raw: bytes) -> None:
    file = folder / "c.yaml"
    file.write_bytes(raw)
    problems = [f"{folder} is fine"]
    try:
        load(file, registry(), {"A": "secret"})
    except ConfigError as error:
        problems = list(error.problems)
    assert problems
    assert all(problem.startswith(str(folder)) for problem in problems)
    assert not any("\n" in problem for problem in problems)


@FUZZ
@given(text=PIECES)
def test_any_text_is_read_or_refused_in_sentences(tmp_path, text):
    judge(tmp_path, text.encode())


@FUZZ
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_sentences(tmp_path, raw):
    judge(tmp_path, raw)


@FUZZ
@given(value=FILES)
def test_any_values_are_read_or_refused_in_sentences(tmp_path, value: Any):
    judge(tmp_path, yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace"))


@FUZZ
@given(keys=st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_options_are_read_or_refused_in_sentences(tmp_path, keys):
    value = {
        "version": 1,
        "feeds": {"a": {"type": "pages", **keys}},
        "lists": {"b-1": keys},
        "outputs": {
            "x": {"list": "b-1", "adapter": "text", **keys},
            "y": {"list": "b-1", "adapter": "text", "options": keys, "limits": keys},
        },
    }
    judge(tmp_path, yaml.safe_dump(value).encode("utf-8", "replace"))
