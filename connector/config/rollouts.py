"""Checks of staged roll-outs: an output waits for another one of its list, and none for itself."""

from collections.abc import Mapping

from connector.config.model import OutputConfig
from connector.config.problems import Path
from connector.config.sections import Sections
from connector.registry import nearest


def check_rollouts(
    sections: Sections, outputs: Mapping[str, OutputConfig], names: tuple[str, ...]
) -> None:
    """Note every output that waits for none, for itself, for another list's or in a circle."""
    for name, output in outputs.items():
        if output.rollout is None:
            continue
        path: Path = ("outputs", name, "rollout", "after")
        if words := _fault(name, output.rollout.after, output, outputs, names):
            sections.note(path, words)


def no_such(what: str, name: str, names: tuple[str, ...]) -> str:
    """Return that a name is none of this file, and which would do."""
    return f"{name} is not a {what} of this file ({nearest(name, names) or 'there are none'})"


def _fault(
    name: str,
    after: str,
    output: OutputConfig,
    outputs: Mapping[str, OutputConfig],
    names: tuple[str, ...],
) -> str:
    if after == name:
        return "an output cannot wait for itself"
    others = tuple(each for each in names if each != name)
    if after not in names:
        return no_such("output", after, others).replace("is not a output", "is not an output")
    first = outputs.get(after)
    if first is not None and first.list != output.list:
        return f"{after} has list {first.list}, not {output.list}: it gets other entries"
    if name in (way := _way(after, outputs)):
        circle = " after ".join((name, *way[: way.index(name) + 1]))
        return f"outputs wait for each other ({circle}), so that none gets anything new"
    return ""


def _way(name: str, outputs: Mapping[str, OutputConfig]) -> list[str]:
    """Return an output, the one it waits for, and so on, each once."""
    way: list[str] = []
    while name not in way:
        way.append(name)
        output = outputs.get(name)
        if output is None or output.rollout is None:
            break
        name = output.rollout.after
    return way
