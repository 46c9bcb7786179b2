"""Keeps a plain list of addresses in a file that something else reads."""

from collections.abc import Iterable

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    Field,
    FilePath,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcomes,
    Settings,
    UnavailableError,
)


class PlainListSettings(Settings):
    file: FilePath = Field(description="File to write; its folder must exist.")


class PlainListAdapter(ListAdapter[PlainListSettings]):
    """Keeps IPv4 addresses in a text file, one per line."""

    settings_type = PlainListSettings
    supports = frozenset({ObservableType.IPV4_ADDR})

    def read(self) -> Iterable[Held]:
        try:
            lines = self.settings.file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UnavailableError(f"{self.settings.file}: {error.strerror}") from error
        return [Held(Observable(ObservableType.IPV4_ADDR, line)) for line in lines]

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        draft = self.settings.file.with_suffix(".new")
        try:
            with draft.open("w", encoding="utf-8") as lines:
                lines.writelines(f"{entry.value}\n" for entry in entries)
            draft.replace(self.settings.file)
        except OSError as error:
            raise UnavailableError(f"{draft}: {error.strerror}") from error
        return ALL_WRITTEN
