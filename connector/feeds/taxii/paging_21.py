"""Pages of a TAXII 2.1 collection: envelopes that say whether there is more, and by which token."""

from datetime import datetime, timedelta
from typing import Final

from connector.errors import UnavailableError
from connector.feeds.stix_json import read_envelope
from connector.feeds.taxii.answers import check_content_type
from connector.feeds.taxii.client import OBJECTS, CollectionClient, Question
from connector.feeds.taxii.cursor import read_stamp, write_stamp
from connector.feeds.taxii.paging import LostPlaceError, Pager
from connector.feeds.taxii.progress import Progress, Received

LARGEST_LIMIT: Final = 10_000
LONGEST_TOKEN: Final = 4096  # servers still accept a URL of that length
_STEPS_BACK: Final = (timedelta(milliseconds=1), timedelta(microseconds=1))


class TokenPager(Pager):
    """Continues by the server's token, or by time if it gives none."""

    def __init__(
        self, client: CollectionClient, progress: Progress, limit: int, resource: str = OBJECTS
    ) -> None:
        self._client = client
        self._progress = progress
        self._limit = limit
        self._resource = resource
        self._params: dict[str, str] = {}
        self._token: str | None = None
        self._lost_at: object = self  # where a token was lost last: no time before the first

    def first(self, after: datetime | None) -> Received:
        """Ask for the first page."""
        added = {} if after is None else {"added_after": write_stamp(after)}
        return self._asked({"limit": str(self._limit), **added})

    def following(self, page: Received) -> Received:
        """Ask by the token that the server gave; without one, from the last object's time."""
        if self._token is None:
            return self._asked(self._by_time(page))
        if len(self._token) > LONGEST_TOKEN:
            raise UnavailableError(
                f"{page.where}: the server's next has {len(self._token)} characters, more than "
                f"{LONGEST_TOKEN}: too long for a URL"
            )
        params = {**self._params, "next": self._token}
        try:
            return self._asked(params, retries=0)
        except UnavailableError as error:  # not retried: the token may have advanced
            raise LostPlaceError(error) from error

    def give_up(self, lost: LostPlaceError, read_to: datetime | None) -> None:
        """Starting over helps if a token has expired; if it brings nothing new, it fails."""
        if read_to == self._lost_at:
            raise lost.cause from lost
        self._lost_at = read_to

    def _asked(self, params: dict[str, str], retries: int = 2) -> Received:
        asked = self._client.ask(Question(self._resource, params, retries=retries))
        check_content_type(asked.answer)
        envelope = read_envelope(asked.answer.content, asked.answer.where)
        self._params, self._token = params, envelope.next
        way_on = (envelope.next or tuple(sorted(params.items()))) if envelope.more else None
        return Received(envelope.objects, asked, way_on)

    def _by_time(self, page: Received) -> dict[str, str]:
        """Continue from just before the last object: others may have the same stamp."""
        params = {key: value for key, value in self._params.items() if key != "next"}
        last = page.asked.last or self._progress.stamp_of_last(page)
        after = read_stamp(params.get("added_after"))
        if last is not None:
            for step in _STEPS_BACK:
                if after is None or last - step > after:
                    return {**params, "added_after": write_stamp(last - step)}
        limit = min(int(params["limit"]) * 2, LARGEST_LIMIT)
        if last is None or limit == int(params["limit"]):
            raise UnavailableError(
                f"{page.where}: the server says there is more, but gives no next and no time to "
                "continue from, or has more objects with one time than fit in a page"
            )
        return {**params, "limit": str(limit)}
