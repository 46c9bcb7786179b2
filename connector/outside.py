"""Makes text from outside, such as titles, ids and error bodies, safe for logs and terminals.

Escape sequences colour, move and rewrite what an operator sees; other invisible characters reverse
it. Messages take such text on one line; printing and logging escape all of it.
"""

from typing import Final

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


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
