"""Validates one part of the file against its model, and describes its errors."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.config.problems import Path, Problems
from connector.config.wording import Finding, explain, merge
from connector.config.yamlfile import YamlFile

M = TypeVar("M", bound=BaseModel)

NO_KEY: Final = "a known key"
# Pydantic turns "50" into 50 and "yes" into true; in the file such a word is meant literally.
_BENT: Final = frozenset({"int_type", "float_type", "bool_type", "int_from_float"})


class Sections:
    """Validates parts of one file, each against its own model; all problems go to one place."""

    def __init__(self, file: YamlFile, problems: Problems, context: Mapping[str, Any]) -> None:
        self.file = file
        self._problems = problems
        self._context = dict(context)

    def note(self, path: Path, text: str) -> None:
        """Note a problem at a path; it gets the line of that path in the file."""
        self._problems.add(self.file.position(path), path, text)

    def note_elsewhere(self, rendered: Iterable[str]) -> None:
        """Note problems of another file; the texts have their lines."""
        for line in rendered:
            self._problems.add_elsewhere(line)

    def faulty(self, path: Path) -> bool:
        """Return whether there is a problem at or below a path."""
        return self._problems.below(path)

    def validated(
        self,
        model: type[M],
        value: Any,
        path: Path,
        owner: str = NO_KEY,
        beside: tuple[str, ...] = (),
    ) -> M | None:
        """Return the model of a value, or None after noting all that is wrong with it.

        `owner` completes "is not ..." for an unknown key; `beside` are further keys that are
        valid there and belong to another model.
        """
        made, errors = self._tried(model, value)
        findings: dict[Path, list[Finding]] = {}
        for error in errors:
            loc = tuple(part for part in error["loc"] if part != "[key]")
            missing = error["type"] == "missing"
            at = (*path, *loc) if missing else self.file.known((*path, *loc))
            findings.setdefault(at, []).append(explain(error, model, owner, beside))
        for at, several in findings.items():
            self.note(at, str(merge(several)))
        return None if errors else made

    def salvaged(self, model: type[M], value: Any, path: Path) -> M | None:
        """Return the model of the valid keys of a faulty part, so that these can be checked too."""
        if not isinstance(value, dict):
            return None
        keys = {field.alias or name for name, field in model.model_fields.items()}
        sound = {
            key: below
            for key, below in value.items()
            if key in keys and not self.faulty((*path, key))
        }
        return self._tried(model, sound)[0]

    def _tried(self, model: type[M], value: Any) -> tuple[M | None, list[ErrorDetails]]:
        made, errors = None, []
        try:
            made = model.model_validate(value, context=self._context)
        except ValidationError as refused:
            errors = refused.errors(include_url=False)
        errors = [error for error in errors if not _follows(error, errors)]
        known = {error["loc"] for error in errors}
        bent = [error for error in self._bent(model, value) if error["loc"] not in known]
        return made, [*errors, *bent]

    def _bent(self, model: type[M], value: Any) -> list[ErrorDetails]:
        """Return the paths at which a word would silently become a number or a boolean."""
        try:
            model.model_validate_json(json.dumps(value), strict=True, context=self._context)
        except ValidationError as refused:
            return [error for error in refused.errors(include_url=False) if error["type"] in _BENT]
        return []


def _follows(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """Return whether a list is too short only because its elements are invalid."""
    loc = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(loc)] == loc and len(other["loc"]) > len(loc) for other in errors
    )
