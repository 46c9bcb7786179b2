"""Profiles: defaults that suit a server that is known, and nothing else."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from connector.feeds.taxii import settings as taxii_settings
from connector.feeds.taxii.feed import Profile, TaxiiSettings
from connector.feeds.taxii.settings import PROFILES

URL = "https://taxii.example/taxii2/"


@pytest.mark.parametrize("profile", list(Profile))
def test_a_profile_sets_what_it_says_and_leaves_the_rest(profile: Profile) -> None:
    plain = TaxiiSettings(url=URL)
    made = TaxiiSettings(url=URL, profile=profile.value)
    by_hand = TaxiiSettings(url=URL, **PROFILES[profile])
    assert made == by_hand.model_copy(update={"profile": profile})
    changed = {
        name for name in type(made).model_fields if getattr(made, name) != getattr(plain, name)
    }
    assert changed - {"profile"} <= set(PROFILES[profile])


def test_the_profile_of_ais_knows_its_window_and_its_slowness() -> None:
    made = TaxiiSettings(url=URL, profile="ais")
    assert (made.window, made.read_timeout) == (timedelta(hours=47), timedelta(minutes=30))
    assert made.roots == ("public",)


def test_what_the_file_says_counts_more_than_a_profile() -> None:
    made = TaxiiSettings(url=URL, profile="ais", window="20h", roots=())
    assert (made.window, made.roots) == (timedelta(hours=20), ())
    assert made.read_timeout == timedelta(minutes=30)


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(ValidationError, match="'ais', 'medallion', 'opentaxii', 'opencti' or"):
        TaxiiSettings(url=URL, profile="limo")


@pytest.mark.parametrize("profile", list(Profile))
def test_every_profile_is_in_the_table_with_every_value(profile: Profile) -> None:
    told = TaxiiSettings.model_fields["profile"].description or ""
    (row,) = [
        line for line in (taxii_settings.__doc__ or "").splitlines() if f"| {profile} " in line
    ]
    for name, value in PROFILES[profile].items():
        shown = value if isinstance(value, str | int) else ", ".join(value)
        assert name == "version" or f"{name} {shown}" in row
        assert name == "version" or f"{name.removesuffix('s')}" in told
