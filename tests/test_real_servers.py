"""In CI no test of a real server is skipped unseen; what CI could not make is excused by name."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.real_server
def test_of_one_that_has_to_be_there():
    pytest.skip("is not there")

@pytest.mark.real_server("suricata")
def test_of_one_that_may_be_missing():
    pytest.skip("could not be made")
"""


@pytest.fixture
def ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    conftest = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    pytester.makeconftest(conftest)
    pytester.makeini("[pytest]\nmarkers = real_server: one that runs here")
    pytester.makepyfile(TESTS)
    monkeypatch.setenv("CONNECTOR_REQUIRE_REAL_SERVERS", "1")
    monkeypatch.delenv("CONNECTOR_WITHOUT_SURICATA", raising=False)
    return pytester


def test_a_skipped_test_of_a_real_server_fails(ci: pytest.Pytester) -> None:
    ci.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(failed=2)


def test_only_what_ci_could_not_make_may_be_skipped(
    ci: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_WITHOUT_SURICATA", "its root cannot be made: no network")
    ci.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(failed=1, skipped=1)
