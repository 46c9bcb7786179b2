"""Undoes defanging: the ways to write a value so that nobody can click on it."""

import re
from typing import Final

# Repeated blanks are bounded: unbounded they take time quadratic in a hostile text's length.
_REWRITES: Final = (
    (re.compile(r"[\[({]?(://)[\])}]?|[\[({]([:/])[\])}]"), r"\1\2"),
    (
        re.compile(
            r"\\\.|\s{0,3}[\[({](?:\.[\])}]?|dot[\])}])\s{0,3}|\.[\])}]|\s{1,3}dot\s{1,3}",
            re.IGNORECASE,
        ),
        ".",
    ),
    (
        re.compile(
            r"\s{0,3}[\[({](?:@[\])}]?|at[\])}])\s{0,3}|@[\])}]|\s{1,3}at\s{1,3}", re.IGNORECASE
        ),
        "@",
    ),
    (re.compile(r"^h(?:xx|\*\*|tx|xt)p(s?):", re.IGNORECASE), r"http\1:"),
    (re.compile(r"^fxp(s?):", re.IGNORECASE), r"ftp\1:"),
)


def refanged(text: str) -> str:
    """Return the text with every known form of defanging undone; the caller checks the result."""
    for form, plain in _REWRITES:
        text = form.sub(plain, text)
    return text
