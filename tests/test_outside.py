"""Text from outside acts on no terminal and forges no line, wherever it is shown."""

import io
import json

import pytest
import structlog
from rich.table import Table
from rich.text import Text

from connector.commands.logs import set_up_logs
from connector.commands.terminal import HarmlessConsole, err, out, print_json
from connector.outside import harmless, one_line

HOSTILE = "a\x1b]0;owned\x07b\x1b[31mc\x9b2Jd\u202ee\x7ff\x08"


def test_a_line_is_one_line_of_printable_characters_and_bounded() -> None:
    assert one_line("a\r\nb\x1b[31m\tc") == "a b [31m c"
    assert one_line("é\u202e日本") == "é 日本"
    assert len(one_line("x" * 10_000_000)) == 200
    assert one_line(HOSTILE).isprintable()


def test_what_is_not_printable_is_shown_as_escapes() -> None:
    assert harmless("caf\u00e9") == "caf\u00e9"
    assert harmless("a\x1b[31m\n") == "a\\x1b[31m\\n"
    assert harmless("a\nb\ud800", keeps="\n") == "a\nb\\ud800"


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_that_is_printed_acts_on_the_terminal(terminal: bool) -> None:
    table = Table("name", box=None)
    table.add_row(Text(HOSTILE))
    for shown in (HOSTILE, Text(HOSTILE), table):
        seen = io.StringIO()
        console = HarmlessConsole(
            file=seen, force_terminal=terminal, highlight=False, soft_wrap=True,
            color_system=None, width=200,
        )  # fmt: skip
        console.print(shown, markup=False)
        assert all(c.isprintable() or c == "\n" for c in seen.getvalue())
        assert "\\x1b]0;owned" in seen.getvalue()


@pytest.mark.parametrize("console", [out, err])
def test_a_value_is_never_shown_as_a_picture(console: HarmlessConsole) -> None:
    with console.capture() as seen:
        console.print("https://bad.example/:key:", markup=False)
    assert seen.get() == "https://bad.example/:key:\n"


def test_our_own_colours_are_kept() -> None:
    seen = io.StringIO()
    HarmlessConsole(file=seen, force_terminal=True, color_system="standard").print("x", style="red")
    assert seen.getvalue() == "\x1b[31mx\x1b[0m\n"


def test_json_on_a_terminal_is_harmless_and_still_the_same_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json({"title": HOSTILE, "name": "é"})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"title": HOSTILE, "name": "é"}
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "é" in shown


@pytest.mark.parametrize("form", ["console", "json"])
def test_nothing_that_is_logged_acts_on_the_terminal(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    set_up_logs(form, "info")
    try:
        structlog.get_logger().warning("feed.failed", why=HOSTILE + "\nforged", such_as=[HOSTILE])
    finally:
        structlog.reset_defaults()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
