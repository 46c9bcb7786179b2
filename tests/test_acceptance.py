"""The fifteen acceptance checks of the feed side: each is a test that bears its number."""

import re
from pathlib import Path

CHECKS = 15
NAMES = re.compile(r"^def test_checks?_(\d+)(?:_and_(\d+))?_", re.M)


def test_every_acceptance_check_is_a_test_that_bears_its_number() -> None:
    found = {
        int(number)
        for file in Path(__file__).parent.rglob("test_*.py")
        for numbers in NAMES.findall(file.read_text(encoding="utf-8"))
        for number in numbers
        if number
    }
    assert found == set(range(1, CHECKS + 1))
