"""Reads the secret that a reference names: environment, file, or systemd credential."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector.settings import SecretValue

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
MAX_BYTES: Final = 1 << 20


class SecretReader:
    """Resolves references while a file is loaded; keeps the `files` read and any `warnings`."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self.warnings: dict[Path, str] = {}
        self.files: set[Path] = set()

    def resolve(self, kind: str, name: str) -> SecretValue:
        """Return the secret; raise ValueError with the remedy when there is none."""
        if kind == "env":
            return self._from_environment(name)
        if kind == "credential":
            return self._from_credentials(name)
        return self._from_file(self._folder / name)

    def _from_environment(self, name: str) -> SecretValue:
        text = self._environ.get(name)
        if text is None:
            raise ValueError(f"the environment variable {name} is not set")
        if not text:
            raise ValueError(f"the environment variable {name} is empty")
        return SecretValue(text)

    def _from_credentials(self, name: str) -> SecretValue:
        if "/" in name or name in {".", ".."}:
            raise ValueError(f"should be the plain name of a credential, without a path: {name}")
        folder = self._environ.get(CREDENTIALS)
        if not folder:
            raise ValueError(
                f"the credential {name} cannot be read: {CREDENTIALS} is not set; this process "
                "was not started by a systemd unit with LoadCredential="
            )
        return self._from_file(Path(folder, name))

    def _from_file(self, path: Path) -> SecretValue:
        self.files.add(path)
        try:
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode):
                raise ValueError(f"{path} is not a regular file")
            with path.open("rb") as opened:
                raw = opened.read(MAX_BYTES + 1)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
        text = _text(path, raw)
        if mode & stat.S_IROTH and not _is_certificate(text):
            self.warnings[path] = (
                f"{path}: any user of this machine can read this secret "
                f"(mode {stat.S_IMODE(mode):04o}): make it 0600"
            )
        return SecretValue(text, path)


def _text(path: Path, raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES >> 10} KiB")
    try:
        text = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _is_certificate(text: str) -> bool:
    """A certificate is given like a secret, but anyone may see it, unlike its key."""
    return "-----BEGIN CERTIFICATE-----" in text and "PRIVATE KEY-----" not in text
