"""Who gets the room at a full target, by rank and by each feed's share."""

import pytest

from connector.decisions.room import Room

A, B, SEVERAL = 1, 2, 0
RANKED = [(11, B), (12, B), (13, B), (1, A), (2, A), (14, B), (3, A)]


@pytest.mark.parametrize(
    ("capacity", "shares", "best", "beyond"),
    [
        (4, {}, {11, 12, 13, 1}, set()),
        (4, {B: 0.5}, {11, 12, 1, 2}, {13}),
        (4, {B: 0.0}, {1, 2, 3, 11}, {12, 13, 14}),
        (3, {B: 0.0}, {1, 2, 3}, {11, 12, 13, 14}),
        (4, {B: 1.0}, {11, 12, 13, 1}, set()),
        (4, {B: 0.49}, {11, 1, 2, 3}, {12, 13, 14}),
        (7, {B: 0.1}, {11, 12, 13, 14, 1, 2, 3}, set()),
        (9, {B: 0.1}, {11, 12, 13, 14, 1, 2, 3}, set()),
        (4, {A: 0.25}, {11, 12, 13, 1}, set()),
        (5, {A: 0.2, B: 0.4}, {11, 12, 1, 13, 2}, {14, 3}),
    ],
)
def test_what_exceeds_a_share_gets_only_the_room_that_the_others_leave(
    capacity: int, shares: dict[int, float], best: set[int], beyond: set[int]
) -> None:
    room = Room.of(RANKED, capacity, shares)
    assert (room.best, room.beyond_share) == (best, beyond)


def test_what_several_feeds_claim_counts_against_no_share() -> None:
    room = Room.of([(1, SEVERAL), (2, SEVERAL), (3, B), (4, A)], 3, {B: 0.0})
    assert room.best == {1, 2, 4}


def test_a_share_is_not_cut_by_how_numbers_are_kept() -> None:
    ranked = [(number, B) for number in range(100)] + [(number, A) for number in range(100, 200)]
    assert len(Room.of(ranked, 100, {B: 0.29}).best & set(range(100))) == 29
