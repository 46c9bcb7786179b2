"""Shows the progress of long work on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


@contextmanager
def progress(console: Console) -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function that shows the progress of long work; silent without a terminal."""
    if not console.is_terminal:
        yield lambda _what, _done, _total: None
        return
    bars = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
        TextColumn("{task.completed:,.0f}"), TimeElapsedColumn(), console=console, transient=True,
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}

    def shown(what: str, done: int, total: int | None) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)

    with bars:
        yield shown
