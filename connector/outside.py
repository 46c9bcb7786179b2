"""Makes text from outside, such as titles, ids and error bodies, safe for logs and terminals.

Escape sequences colour, move and rewrite what an operator sees; other invisible characters reverse
it. Messages take such text on one line; printing and logging escape all of it.
"""

import re
from typing import Final

_LINKED: Final = re.compile(r"://|@|(?<=\w)\.(?=\w)")
LONGEST_LINE: Final = 200
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # means nothing in UTF-8


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return the beginning of a text on one line, with spaces for unprintable characters."""
    start = text[: 4 * longest]
    return " ".join("".join(c if c.isprintable() else " " for c in start).split())[:longest]


def harmless(text: str, keeps: str = "") -> str:
    """Return a text with unprintable characters escaped, except those in `keeps`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keeps else _escaped(c) for c in text)


def defanged(text: str) -> str:
    """Return a text in which nothing can become a link: `bad[.]example`."""
    return _LINKED.sub(r"[\g<0>]", text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
