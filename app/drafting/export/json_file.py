"""The draft as ``bingli/draft/1`` JSON; the label is in the draft already."""

import json

from app.drafting.draft import Draft


def render(draft: Draft) -> bytes:
    """The draft as UTF-8 JSON, indented."""
    return json.dumps(draft.model_dump(mode="json"), ensure_ascii=False, indent=2).encode() + b"\n"
