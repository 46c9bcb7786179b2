"""What only one plugin needs is an extra; where it is missing, a message says how to install it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# Runs the command line where one package is not installed.
PROGRAM = """\
import sys
sys.modules[sys.argv.pop(1)] = None
from connector.commands.app import main
main()
"""
CONFIG = """\
version: 1
feeds:
  isac: {type: bundle, path: feed.json}
lists:
  mail: {purpose: block, select: {types: [email-addr]}}
  rules: {purpose: watch}
outputs:
"""
MAIL = "  mail: {list: mail, adapter: postfix, options: {folder: maps, senders: senders}}\n"
RPZ = (
    "  dns: {list: mail, adapter: rpz, options: {zone: rpz.example, servers: [192.0.2.53], "
    "key_name: connector, key_secret: {env: HOME}}}\n"
)
RULES = "{list: rules, adapter: rules, options: {file: a.yar, language: yara%s}}\n"


def run(folder: Path, hidden: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, hidden, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("hidden", "output", "line", "words"),
    [
        (
            "lmdb",
            MAIL,
            8,
            "outputs.mail.options: needs the Python package lmdb; "
            "install it with: pip install 'threat-feed-connector[postfix]'",
        ),
        (
            "redis",
            "  cache: {list: mail, adapter: redis, options: {url: redis://127.0.0.1}}\n",
            8,
            "outputs.cache.options: needs the Python package redis; "
            "install it with: pip install 'threat-feed-connector[redis]'",
        ),
        (
            "yara",
            f"  rules: {RULES % ', compile: true'}",
            8,
            "outputs.rules.options.compile: needs the Python package yara; "
            "install it with: pip install 'threat-feed-connector[yara]'",
        ),
        (
            "dns",
            RPZ,
            8,
            "outputs.dns.options: needs the Python package dns; "
            "install it with: pip install 'threat-feed-connector[rpz]'",
        ),
    ],
)
def test_check_says_how_to_install_what_an_output_needs(
    tmp_path: Path, hidden: str, output: str, line: int, words: str
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG + output)
    checked = run(tmp_path, hidden, "check")
    said = " ".join(checked.stderr.split())
    assert (checked.returncode, f"config.yaml:{line}" in said) == (2, True), said
    assert words in said


def test_a_state_on_a_server_says_how_to_install_its_driver(tmp_path: Path) -> None:
    state = 'state: {url: "postgresql+psycopg://connector@127.0.0.1:1/connector"}\n'
    edl = "  edge: {list: mail, adapter: edl, options: {file: mail.txt}}\n"
    (tmp_path / "config.yaml").write_text(state + CONFIG + edl)
    asked = run(tmp_path, "psycopg", "status")
    said = " ".join(asked.stderr.split())
    assert asked.returncode == 1
    assert "needs the Python package psycopg" in said
    assert "pip install 'threat-feed-connector[postgresql]'" in said


@pytest.mark.parametrize("hidden", ["lmdb", "redis", "yara"])
def test_all_else_works_without_it(tmp_path: Path, hidden: str) -> None:
    edl = "  edge: {list: mail, adapter: edl, options: {file: mail.txt}}\n"
    (tmp_path / "config.yaml").write_text(f"{CONFIG}{edl}  rules: {RULES % ''}")
    assert run(tmp_path, hidden, "check").returncode == 0
    listed = run(tmp_path, hidden, "plugins", "list")
    assert listed.returncode == 0, listed.stdout


def test_one_extra_brings_all_others_and_the_tests_bring_that() -> None:
    own = sorted(EXTRAS.keys() - {"all", "test"})
    assert EXTRAS["all"] == [f"threat-feed-connector[{','.join(own)}]"]
    assert "threat-feed-connector[all]" in EXTRAS["test"]
