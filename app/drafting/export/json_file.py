"""The draft as ``bingli/draft/1`` JSON."""

import json

from app.drafting.draft import Draft
from app.labelling import json_file as json_label
from app.labelling.label import Label
from app.records.model import MedicalRecord


def render(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    """The labelled draft as UTF-8 JSON, indented; what it cites is in the record."""
    content = json.dumps(draft.model_dump(mode="json")).encode()
    return json_label.write(content, Label.model_validate(draft.label), key)
