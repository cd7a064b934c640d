"""Labelling with one producer's code and key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from app.labelling import json_file
from app.labelling.label import label_key, new_label
from app.settings import Settings


@dataclass(frozen=True)
class Labeller:
    """Labels what a model generated, as the provider that the settings name.

    Attributes:
        producer: code of the service provider.
        key: secret of the integrity value.
    """

    producer: str
    key: bytes

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The labeller of these settings; makes the key at the first use."""
        return cls(settings.label_producer, label_key(settings))

    def label(self, text: str) -> dict[str, Any]:
        """The label object of a generated text."""
        return new_label(self.producer, self.key, text).model_dump()

    def labelled(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """A JSON object with its label, sealed over all its other fields."""
        label = new_label(self.producer, self.key, json.dumps(content, sort_keys=True))
        return json_file.labelled(content, label, self.key)
