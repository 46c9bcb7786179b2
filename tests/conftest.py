"""Where CI asks for it, a real-server test that was skipped counts as failed.

Only what CI itself could not make may be missing: then a variable says why, and the tests that name
it (`real_server("suricata")`) are skipped with that reason.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from connector.config import machine_hosts
from connector.log import log

# What decides whether a change is good draws the same examples each time, on any machine.
# `make fuzz` looks for new ones, which then become tests with a name.
settings.register_profile("decide", derandomize=True, deadline=None, database=None)
settings.register_profile("fuzz", deadline=None, database=None, print_blob=True)
settings.load_profile("decide")

_ASKED_BY = "CONNECTOR_REQUIRE_REAL_SERVERS"

# pytest, and what prints for a terminal, say more or less where these are set. What a test started
# here prints, and compares, is the same on every machine.
for _variable in ("CI", "BUILD_NUMBER", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS"):
    os.environ.pop(_variable, None)


def reason_to_do_without(server: str) -> str:
    """Return why CI could not make a server; empty where it could."""
    return os.environ.get(f"CONNECTOR_WITHOUT_{server.upper()}", "")


def _required() -> bool:
    return os.environ.get(_ASKED_BY) == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test that is marked `real_server`, with the reason why it was skipped."""
    report = yield
    marked = item.get_closest_marker("real_server")
    excused = marked is not None and any(map(reason_to_do_without, marked.args))
    needed = marked is not None and not excused and not hasattr(report, "wasxfail")
    if report.skipped and needed and _required():
        report.outcome = "failed"
        report.longrepr = f"{_ASKED_BY} is set, and this test was skipped: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that skips itself as a whole: nobody knows which tests it holds."""
    report = yield
    if report.skipped and _required():
        report.outcome = "failed"
        report.longrepr = f"{_ASKED_BY} is set, and {collector.nodeid} skips itself as a whole"
    return report


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


# The files that take longest, longest first: a worker that came to one last would end alone.
LONGEST = (
    "test_scenario_kill.py", "test_plugin_kit.py", "test_edl.py", "test_postfix.py",
    "test_edl_dialects.py", "test_pattern_judges.py", "test_scenario_rules.py", "test_demo.py",
    "test_cli.py", "test_scenario_daemon.py", "test_scenario_places_cleaned.py", "test_squid.py",
    "test_scenario_first_load.py", "test_scenario_whole_feed.py", "test_scenario_runs.py",
    "test_empty_sections.py", "test_scenario_histories.py", "test_rules_suricata.py",
    "test_scenario_limits.py", "test_scenario_disk.py", "test_splunk_kvstore.py",
    "test_scenario_proxies.py", "test_output_guide.py", "test_wrong_adapters.py",
    "test_scenario_trust_property.py", "test_scenario_real_feeds.py", "test_edl_mail.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; workers take files in this order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """Forget how a test that ran a command here has set the log up: its streams are closed then."""
    yield
    log._set_up = None
    if structlog := sys.modules.get("structlog"):
        structlog.reset_defaults()


@pytest.fixture
def free_port() -> int:
    """A port of loopback that nobody listened at a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def secrets_of_the_example(tmp_path: Path) -> Path:
    """The certificate and key that `config.example.yaml` names, where it looks for them."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    command = (
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=ais", "-keyout", "ais.key", "-out", "ais.crt",
    )  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(autouse=True)
def _no_servers_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask nobody for the names of time servers that happen to stand in this machine's files."""
    monkeypatch.setattr(machine_hosts, "MACHINE_FILES", {})
