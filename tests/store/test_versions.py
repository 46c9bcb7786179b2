"""What a received version means for the one that is held (STIX 2.1 section 3.6)."""

import pytest
from msgspec.structs import replace

from connector.decisions.records import ObjectState
from connector.decisions.selection import IndicatorAttributes
from connector.store.feeds.versions import UNDATED, HeldVersion, News, ObjectVersion, news

CREATOR, STRANGER = "identity--creator", "identity--stranger"
CURRENT, REVOKED, WITHDRAWN, DISPUTED, UNREADABLE, DISPOSED = (
    ObjectState.CURRENT, ObjectState.REVOKED, ObjectState.WITHDRAWN, ObjectState.DISPUTED,
    ObjectState.UNREADABLE, ObjectState.DISPOSED,
)  # fmt: skip

# held state, version's state, version's time against the held one's, its creator -> news
TABLE = [
    (CURRENT, CURRENT, 0, CREATOR, News.NONE),
    (CURRENT, CURRENT, -1, CREATOR, News.NONE),
    (CURRENT, CURRENT, 1, CREATOR, News.NEWER),
    (CURRENT, CURRENT, 0, STRANGER, News.NONE),
    (CURRENT, CURRENT, 1, STRANGER, News.FOREIGN),
    (CURRENT, REVOKED, 1, CREATOR, News.REVOKED),
    (CURRENT, REVOKED, 0, CREATOR, News.REVOKED),
    (CURRENT, REVOKED, -1, CREATOR, News.REVOKED),
    (CURRENT, REVOKED, 1, STRANGER, News.DISPUTED),
    (CURRENT, REVOKED, 0, STRANGER, News.DISPUTED),
    (CURRENT, REVOKED, -1, STRANGER, News.DISPUTED),
    (REVOKED, CURRENT, 1, CREATOR, News.NONE),
    (REVOKED, CURRENT, -1, CREATOR, News.NONE),
    (REVOKED, REVOKED, 1, CREATOR, News.NONE),
    (REVOKED, REVOKED, 1, STRANGER, News.NONE),
    (REVOKED, CURRENT, 1, STRANGER, News.NONE),
    (WITHDRAWN, CURRENT, 0, CREATOR, News.RETURNED),
    (WITHDRAWN, CURRENT, 0, STRANGER, News.NONE),
    (WITHDRAWN, CURRENT, 1, CREATOR, News.NEWER),
    (WITHDRAWN, CURRENT, -1, CREATOR, News.RETURNED),
    (WITHDRAWN, CURRENT, 1, STRANGER, News.FOREIGN),
    (WITHDRAWN, REVOKED, 1, CREATOR, News.REVOKED),
    (WITHDRAWN, REVOKED, 1, STRANGER, News.DISPUTED),
    (DISPUTED, CURRENT, 0, CREATOR, News.NONE),
    (DISPUTED, CURRENT, 1, CREATOR, News.NEWER),
    (DISPUTED, REVOKED, 1, CREATOR, News.REVOKED),
    (DISPUTED, REVOKED, 0, STRANGER, News.NONE),
    (DISPUTED, REVOKED, 1, STRANGER, News.DISPUTED),
    (DISPUTED, CURRENT, 1, STRANGER, News.FOREIGN),
]


@pytest.mark.parametrize(("held", "state", "later", "creator", "expected"), TABLE)
def test_a_version_is_news_by_time_creator_and_what_is_held(
    held: ObjectState, state: ObjectState, later: int, creator: str, expected: News
) -> None:
    version = ObjectVersion(
        b"k", state, 1000 + later, None, None, None, IndicatorAttributes(creator), b"", tuple
    )
    disputed = 1000 if held == DISPUTED else None
    assert news(HeldVersion(1, held, 1000, CREATOR, disputed), version) is expected


def test_nothing_brings_a_revoked_object_back() -> None:
    for state in ObjectState:
        for later in (-1, 0, 1):
            version = ObjectVersion(
                b"k", state, 1000 + later, None, None, None, IndicatorAttributes(), b"", tuple
            )
            assert news(HeldVersion(1, ObjectState.REVOKED, 1000, ""), version) is News.NONE


def test_a_revocation_of_what_nobody_had_seen_is_its_creators_only_when_that_shows() -> None:
    held = HeldVersion(1, REVOKED, 1000, CREATOR, 1000)
    for later in (-1, 0, 1):
        said = {
            creator: ObjectVersion(
                b"k",
                CURRENT,
                1000 + later,
                None,
                None,
                None,
                IndicatorAttributes(creator),
                b"",
                tuple,
            )
            for creator in (CREATOR, STRANGER)
        }
        assert news(held, said[CREATOR]) is News.CONFIRMED
        assert news(held, said[STRANGER]) is News.CLAIMED
        again = News.DISPUTED if later > 0 else News.NONE
        assert news(held, replace(said[CREATOR], state=REVOKED)) is again
        assert news(held, replace(said[STRANGER], state=REVOKED)) is News.CONFIRMED


# held state, time of the unreadable version against the held one's (None: it bears none), its
# creator -> news
OF_UNREADABLE = [
    (CURRENT, 1, CREATOR, News.NEWER),
    (CURRENT, 0, CREATOR, News.NONE),
    (CURRENT, -1, CREATOR, News.NONE),
    (CURRENT, None, CREATOR, News.NEWER),
    (CURRENT, 1, STRANGER, News.FOREIGN),
    (CURRENT, 1, "", News.FOREIGN),
    (CURRENT, None, STRANGER, News.FOREIGN),
    (DISPUTED, 1, CREATOR, News.NEWER),
    (WITHDRAWN, 1, CREATOR, News.NEWER),
    (WITHDRAWN, 0, CREATOR, News.NONE),
    (WITHDRAWN, None, CREATOR, News.NEWER),
    (UNREADABLE, 1, CREATOR, News.NEWER),
    (UNREADABLE, 0, CREATOR, News.NONE),
    (UNREADABLE, None, CREATOR, News.NONE),
    (REVOKED, 1, CREATOR, News.NONE),
    (REVOKED, None, CREATOR, News.NONE),
    (DISPOSED, 1, CREATOR, News.NONE),
]


@pytest.mark.parametrize(("held", "later", "creator", "expected"), OF_UNREADABLE)
def test_an_unreadable_version_is_news_where_it_is_newer_and_no_strangers(
    held: ObjectState, later: int | None, creator: str, expected: News
) -> None:
    modified = UNDATED if later is None else 1000 + later
    version = ObjectVersion(
        b"k",
        UNREADABLE,
        modified,
        None,
        None,
        None,
        IndicatorAttributes(),
        b"",
        tuple,
        unread_creator=creator,
    )
    assert news(HeldVersion(1, held, 1000, CREATOR), version) is expected


@pytest.mark.parametrize(
    ("creator", "later", "expected"),
    [
        (CREATOR, 1, News.NEWER), (CREATOR, 0, News.NEWER), (CREATOR, -1, News.NONE),
        (STRANGER, 1, News.FOREIGN), (STRANGER, 0, News.NONE),
    ],
)  # fmt: skip
def test_a_readable_version_that_is_not_older_ends_an_unreadable_one(
    creator: str, later: int, expected: News
) -> None:
    version = ObjectVersion(
        b"k", CURRENT, 1000 + later, None, None, None, IndicatorAttributes(creator), b"", tuple
    )
    assert news(HeldVersion(1, UNREADABLE, 1000, CREATOR), version) is expected


def test_what_was_never_read_makes_nobody_its_creator() -> None:
    version = ObjectVersion(
        b"k", CURRENT, 1001, None, None, None, IndicatorAttributes(STRANGER), b"", tuple
    )
    assert news(HeldVersion(1, UNREADABLE, 1000, ""), version) is News.NEWER
