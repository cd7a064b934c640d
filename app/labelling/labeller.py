"""Labelling with one producer's code and key."""

import getpass
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Self

from app.labelling import json_file
from app.labelling.label import NOTICE, Label, label_key, new_label
from app.settings import Settings

NOTICE_SWITCHED_OFF = "explicit_label_off"
"""Action under which the audit log keeps that content goes out without the explicit notice."""


def _always() -> str:
    return NOTICE


@dataclass(frozen=True)
class Labeller:
    """Labels what a model generated, as the provider that the settings name.

    Attributes:
        producer: code of the service provider.
        key: secret of the integrity value.
        notice: gives the explicit notice; asked before every label, so that it may keep account of itself.
    """

    producer: str
    key: bytes
    notice: Callable[[], str] = _always

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The labeller of these settings; makes the key at the first use.

        With ``explicit_label`` off, the first label writes so to the audit log and raises ``UserError`` where
        that cannot be done; the implicit label cannot be switched off.
        """
        notice = _always if settings.explicit_label else cache(lambda: _without_notice(settings))
        return cls(settings.label_producer, label_key(settings), notice)

    def new(self, content: bytes | str, at: datetime | None = None) -> Label:
        """The label of a newly generated content, sealed over it; ``at`` is aware, by default now.

        Raises:
            UserError: the explicit notice is switched off and the audit log cannot be written.
        """
        return new_label(self.producer, self.key, content, at, self.notice())

    def label(self, text: str) -> dict[str, Any]:
        """The label object of a generated text."""
        return self.new(text).model_dump()

    def labelled(self, content: Mapping[str, Any], at: datetime | None = None) -> dict[str, Any]:
        """A JSON object with its label, sealed over all its other fields."""
        return json_file.labelled(content, self.new(json.dumps(content, sort_keys=True), at), self.key)


def _without_notice(settings: Settings) -> str:
    from app.privacy.audit_log import AuditLog
    from app.privacy.keys import audit_key
    from app.storage.database import open_database

    detail = f"producer={settings.label_producer}"
    with open_database(settings) as database:
        AuditLog(database, audit_key(settings)).write(
            getpass.getuser(), NOTICE_SWITCHED_OFF, "setting", "explicit_label", detail
        )
    return ""
