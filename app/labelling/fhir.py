"""The label of FHIR document Bundles: an extension of ``Bundle.meta`` holding the plain JSON, the notice as text.

The Bundle says in FHIR's own words too that it was generated: ``meta.security`` has ``AIAST``. The notice stands
in the narrative of the Composition. Canonical content: the Bundle without the extension, keys sorted, no white
space. So the seal covers every value, not the way the file is laid out.
"""

import json
import re
from html import unescape
from typing import Any

from app.errors import UserError
from app.labelling.found import Found, read_back
from app.labelling.label import Label, notice_among, sealed, to_json
from app.labelling.text import decode

AI_ASSERTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""The security label of what an artificial intelligence asserts (HL7 v3 ObservationValue)."""

_EXTENSION = "urn:bingli:gb45438-2025:AIGC"
_BUNDLE = re.compile(rb'\A\{\s*"resourcetype"\s*:\s*"bundle"')
_TAG = re.compile("<[^>]*>")


def is_bundle(start: bytes) -> bool:
    """Whether a file that begins with ``start``, in lower case, is a Bundle."""
    return bool(_BUNDLE.match(start))


def read(data: bytes) -> Found:
    """Find the label.

    Raises:
        UserError: no Bundle in JSON, or one with a key twice.
    """
    bundle = _parse(data)
    try:
        return _found(bundle)
    except (AttributeError, TypeError) as error:
        raise UserError("FHIR 文件的 meta 或 entry 形式不对，请给出导出的文件。") from error


def _found(bundle: dict[str, Any]) -> Found:
    meta = bundle.get("meta", {})
    copies = [str(e.get("valueString")) for e in meta.get("extension", []) if e.get("url") == _EXTENSION]
    is_marked = AI_ASSERTED["code"] in [coding.get("code") for coding in meta.get("security", [])]
    return Found(
        copies=tuple(copies),
        notice=notice_among(_shown_lines(bundle)),
        content=json.dumps(_unlabelled(bundle), sort_keys=True, separators=(",", ":")),
        problems=() if is_marked or not copies else ("Bundle.meta.security 没有 AIAST",),
    )


def write(data: bytes, label: Label, key: bytes) -> bytes:
    """Label the Bundle in ``data``; an old label is replaced.

    Raises:
        UserError: no Bundle in JSON, or one with a key twice.
        LabelError: the Composition does not show the notice, or the label does not read back whole.
    """
    found, bundle = read(data), _unlabelled(_parse(data))
    final = sealed(label, key, found.content)
    meta = bundle["meta"]
    extension = {"url": _EXTENSION, "valueString": to_json(final.AIGC)}
    bundle["meta"] = {**meta, "extension": [*meta.get("extension", []), extension]}
    return read_back(read, _dump(bundle), final, key)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        bundle = json.loads(decode(data), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UserError("FHIR 文件不是有效的 JSON，请检查文件是否完整。") from error
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise UserError("FHIR 文件顶层不是 Bundle，请给出导出的文件。")
    return bundle


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key stands twice")
    return members


def _unlabelled(bundle: dict[str, Any]) -> dict[str, Any]:
    """A copy without the extension, and without the empty list that it would leave."""
    meta = dict(bundle.get("meta", {}))
    kept = [e for e in meta.pop("extension", []) if e.get("url") != _EXTENSION]
    if kept:
        meta["extension"] = kept
    return {**bundle, "meta": meta}


def _shown_lines(bundle: dict[str, Any]) -> list[str]:
    """The lines of the Composition's narrative, which stands first in a document."""
    composition: dict[str, Any] = next((e.get("resource", {}) for e in bundle.get("entry", [])), {})
    return unescape(_TAG.sub("\n", composition.get("text", {}).get("div", ""))).splitlines()


def _dump(bundle: dict[str, Any]) -> bytes:
    return json.dumps(bundle, ensure_ascii=False, indent=2).encode() + b"\n"
