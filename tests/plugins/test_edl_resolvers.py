"""dnsmasq and Unbound load our files, and stop what was listed and nothing else."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from edl_files import DOMAIN, entries, published
from edl_programs import OPEN, answers, dnsmasq, open_folder, open_resolver, unbound
from test_kinds import NAMED, as_read, unread

from connector.adapter import Entry, ObservableType
from connector.testing.samples.entries import hostile_values, sample_values

pytestmark = pytest.mark.real_server

LISTED = entries(
    DOMAIN,
    *("*.both.example", "*.worse.example"),
    *("a.both.example", "bad.example", "both.example", "xn--bcher-kva.example"),
)
EXACT = ["bad.example", "xn--bcher-kva.example", "both.example"]
INNOCENT = ["www.bad.example", "xbad.example", "example", "good.example", "xboth.example"]
BLOCKED = {"0.0.0.0", "::", "NXDOMAIN"}  # noqa: S104  an answer


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    with open_resolver() as port:
        yield port


@pytest.fixture(params=["hosts", "dnsmasq", "unbound"])
def form(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def resolver(form: str, path: Path, behind: int) -> AbstractContextManager[int]:
    if form == "unbound":
        return unbound(path, behind)
    option = "addn-hosts" if form == "hosts" else "conf-file"
    return dnsmasq(f"--{option}={path}", f"--server=127.0.0.1#{behind}")


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


def loaded(
    form: str, folder: Path, listed: list[Entry], behind: int, **options: object
) -> AbstractContextManager[int]:
    path, _ = published(folder, listed, format=form, **options)
    path.chmod(0o644)
    return resolver(form, path, behind)


def test_a_listed_name_is_stopped_in_both_families_and_no_other(
    form: str, folder: Path, behind: int
) -> None:
    with loaded(form, folder, LISTED, behind) as port:
        assert set(answers(port, *EXACT).values()) <= BLOCKED
        assert set(answers(port, *EXACT, kind="AAAA").values()) <= BLOCKED
        assert set(answers(port, *INNOCENT, "worse.example").values()) == {OPEN}
        below = {"unbound": {"x.both.example"}, "hosts": {"a.both.example"}}
        under = below.get(form, {"x.both.example", "a.worse.example", "a.b.worse.example"})
        assert set(answers(port, *under).values()) <= BLOCKED


def test_a_name_that_left_the_list_resolves_again(form: str, folder: Path, behind: int) -> None:
    with loaded(form, folder, entries(DOMAIN, "other.example"), behind) as port:
        assert set(answers(port, *EXACT).values()) == {OPEN}
        assert set(answers(port, "other.example").values()) <= BLOCKED


def test_an_empty_list_loads_and_stops_nothing(form: str, folder: Path, behind: int) -> None:
    with loaded(form, folder, [], behind) as port:
        assert set(answers(port, *EXACT, *INNOCENT).values()) == {OPEN}


def test_a_widened_name_stops_itself_and_all_below(folder: Path, behind: int) -> None:
    with loaded("unbound", folder, LISTED, behind, widen=True) as port:
        assert set(answers(port, "worse.example", "a.b.worse.example").values()) <= BLOCKED
        assert set(answers(port, *INNOCENT).values()) == {OPEN}


def test_hostile_values_load_and_stop_nothing_but_themselves(
    form: str, folder: Path, behind: int
) -> None:
    texts = [*NAMED, *(value for kind in ObservableType for value in hostile_values(kind))]
    texts += [next(sample_values(kind)) for kind in ObservableType]
    hostile = [Entry(one) for one in sorted({*as_read(texts), *unread(texts)})]
    names = [one for one in hostile if one.type is DOMAIN]
    found = as_read(texts, [DOMAIN])
    exact = [one.value for one in found if one.type is DOMAIN and not one.below]
    innocent = {"google.de", "gov", "com", "localhost.example", "de", "www.gov", "yahoo.com"}
    with loaded(form, folder, names, behind) as port:
        assert set(answers(port, *sorted(innocent - set(exact))).values()) == {OPEN}
        assert set(answers(port, *exact).values()) <= BLOCKED
