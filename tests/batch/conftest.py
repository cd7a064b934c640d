import json

import pytest


@pytest.fixture
def stay():
    """Makes a stay of one note."""

    def make(record_id: str, **fields: object) -> dict[str, object]:
        return {
            "record_id": record_id,
            "encounter": {
                "department": "呼吸内科",
                "admitted_at": "2026-03-01 08:00",
                "discharged_at": "2026-03-05 09:00",
            },
            "documents": [
                {"id": "D1", "type": "入院记录", "text": "主诉：咳嗽3天。", "written_at": "2026-03-01 10:00"}
            ],
            **fields,
        }

    return make


@pytest.fixture
def jsonl(tmp_path):
    """Writes records (or raw lines) as a JSONL file; gives its path."""

    def write(*records: object, name: str = "病历.jsonl") -> str:
        path = tmp_path / name
        lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return str(path)

    return write
