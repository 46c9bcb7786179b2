"""Text from outside, such as titles, ids and error bodies, as it may reach logs and terminals.

Escape sequences colour, move and rewrite what an operator sees; other invisible characters turn it
round. Messages take such text on one line; what prints or logs lets nothing through whatever it is.
"""

from typing import Final

LONGEST_LINE: Final = 200
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # before UTF-8 it says nothing


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return the beginning of a text on one line, with blanks for what is not printable."""
    start = text[: 4 * longest]
    return " ".join("".join(c if c.isprintable() else " " for c in start).split())[:longest]


def harmless(text: str, keeps: str = "") -> str:
    """Return a text with what is not printable as escapes, but for characters to be kept."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keeps else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
