"""Where a search head is, and who we are there: options of all outputs that keep documents."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from connector.adapter import Field, HttpSettings, ServerUrl

__all__ = ["SplunkServer"]


class SplunkServer(HttpSettings):
    """A search head; `auth` has a token, or a user name and password."""

    url: ServerUrl = Field(
        description="Management port of the search head, as https://splunk.example:8089; plain "
        "http is accepted for this machine only."
    )
    owner_tag: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$",
        description="Value of the field `source`, which marks our documents; the output's name "
        "when left out. An output that is renamed needs its former name here: without it the new "
        "file is refused. "
        "Two installations that share a collection need different tags.",
    )

    @property
    def server(self) -> str:
        """Scheme, host and port, for places."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @field_validator("url")
    @classmethod
    def _management_port(cls, url: str) -> str:
        if urlsplit(url).path.strip("/"):
            raise ValueError("should end after the port; app and collection are options")
        return url

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.auth.token is None) == (self.auth.username is None):
            raise ValueError("auth should have either token, or username and password")
        return self
