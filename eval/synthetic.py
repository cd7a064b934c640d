"""Generated stays: complete records of invented patients, for measuring speed, never quality."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from app.records.model import CHINA_TIME, RECORD_FORMAT
from app.yaml_data import read_yaml

_DATA = Path(__file__).parent / "data" / "synthetic_stay.yaml"
_START = datetime(2026, 1, 5, 8, 0, tzinfo=CHINA_TIME)
_STAY_HOURS = 195
_OPERATION_HOURS = (48, 51)
_FIXED = {
    "diagnosis": "1. {side}股骨转子间骨折；2. 高血压病2级（高危）。",
    "plan": "拟在椎管内麻醉下行{side}股骨转子间骨折闭合复位髓内钉内固定术。",
    "anesthesia": "椎管内麻醉。",
}
_LABS = {
    "wbc": ("血常规", "白细胞", "×10^9/L", "3.5-9.5", (3.6, 9.4), 1),
    "hb": ("血常规", "血红蛋白", "g/L", "115-150", (116, 149), 0),
    "k": ("生化", "钾", "mmol/L", "3.5-5.3", (3.6, 5.2), 1),
    "cr": ("生化", "肌酐", "μmol/L", "57-97", (58, 96), 0),
    "dd": ("凝血功能", "D-二聚体", "mg/L", "0-0.5", (0.1, 0.4), 1),
}
_OPENED = 0.5
_DRUGS = (
    ("氨氯地平片", 5, "mg", "口服", "qd"),
    ("低分子肝素钙注射液", 4000, "IU", "皮下注射", "qd"),
    ("塞来昔布胶囊", 200, "mg", "口服", "bid"),
    ("头孢唑林钠", 1, "g", "静脉滴注", "once"),
)


def synthetic_stay(number: int) -> dict[str, Any]:
    """The stay with this number, always the same: 20 documents, about 20,000 characters, every kind of data.

    The text is put together from invented sentences, with names, numbers, openings and choice of words drawn anew,
    so that hardly a sentence returns in another stay; it reads like a record and says nothing true of anyone.
    """
    return _Stay(number).record()


class _Stay:
    def __init__(self, number: int) -> None:
        self._number = number
        self._random = random.Random(number)  # noqa: S311 - repeatable, not secret
        self._admitted_at = _START + timedelta(hours=7 * (number % 4000))
        self._side = self._random.choice("左右")
        self._values = {
            name: f"{self._random.uniform(*bounds):.{decimals}f}"
            for name, (*_, bounds, decimals) in _LABS.items()
        }

    def record(self) -> dict[str, Any]:
        """The whole stay."""
        data = _data()
        name = self._one("surnames") + self._one("given_names")
        return {
            "format": RECORD_FORMAT,
            "record_id": f"HC{self._number:07}",
            "patient": {"id": f"P{self._number}", "name": name, "sex": "男", "birth_date": "1949-11-03", "age": "76岁"},
            "encounter": self._encounter(),
            "documents": [self._document(n, form) for n, form in enumerate(data["documents"], 1)],
            "diagnoses": self._diagnoses(),
            "orders": self._orders(),
            "lab_results": [self._lab(n) for n in range(30)],
            "exam_reports": self._exams(),
            "procedures": [self._operation()],
            "vitals": [self._vitals(hours) for hours in range(2, _STAY_HOURS, 8)],
            "allergies": [],
            "front_page": self._front_page(name),
            "archived_at": self._at(_STAY_HOURS + 20),
        }  # fmt: skip

    def _at(self, hours: float) -> str:
        return (self._admitted_at + timedelta(hours=hours)).isoformat()

    def _one(self, name: str) -> str:
        return str(self._random.choice(_data()[name]))

    def _sentences(self, stock: str, n: int) -> str:
        return "".join(self._written(stock) for _ in range(n))

    def _written(self, stock: str) -> str:
        chosen = self._chosen(stock)
        if stock in _FIXED:
            return chosen.format(side=self._side)
        if stock != "complaint" and self._random.random() < _OPENED:
            chosen = "，".join(map(self._random.choice, _data()["openings"])) + "，" + chosen
        for word, others in _data()["other_words"].items():
            if word in chosen:
                chosen = chosen.replace(word, self._random.choice(others))
        draw = self._random.randint
        return chosen.format_map({"n": draw(1, 9), "day": draw(1, 9), "side": self._side, **self._values})

    def _chosen(self, stock: str) -> str:
        if stock in _FIXED:
            return _FIXED[stock]
        if stock in _data()["clauses"]:
            return "，".join(self._random.choice(clauses) for clauses in _data()["clauses"][stock]) + "。"
        return str(self._random.choice(_data()["sentences"][stock]))

    def _encounter(self) -> dict[str, Any]:
        return {
            "department": _data()["departments"][self._number % len(_data()["departments"])],
            "admitted_at": self._at(0),
            "discharged_at": self._at(_STAY_HOURS),
            "disposition": "医嘱离院",
            "conditions": [],
            "transfers": [],
            "readmission": False,
        }

    def _document(self, number: int, form: Mapping[str, Any]) -> dict[str, Any]:
        parts = [f"{head}：{self._sentences(stock, n)}" for head, stock, n in form["sections"]]
        author = self._one("physicians")
        signed_at = self._at(form["hours"])
        return {
            "id": f"D{number:02}",
            "type": form["type"],
            "title": form.get("title", form["type"]),
            "text": "\n".join([*parts, f"记录者：{author}"]),
            "written_at": signed_at,
            "event_at": self._at(form["hours"] - 1),
            "author": {"id": "U1", "name": author, "title": "主治医师", "licensed": True},
            "signatures": [{"name": author, "role": "记录者", "title": "主治医师", "signed_at": signed_at}],
            "refers_to": ["PR1"] if _OPERATION_HOURS[0] - 4 <= form["hours"] <= 56 else [],
        }

    def _diagnoses(self) -> list[dict[str, Any]]:
        named = ((f"{self._side}股骨转子间骨折", "S72.100"), ("高血压病2级", "I10.x00"))
        return [
            {"id": f"DX{stage}{rank}", "stage": stage, "rank": rank, "name": name, "icd10": code, "admission_condition": "1"}
            for stage in ("入院", "出院")
            for rank, (name, code) in enumerate(named, 1)
        ]  # fmt: skip

    def _orders(self) -> list[dict[str, Any]]:
        return [self._order(number) for number in range(40)]

    def _order(self, number: int) -> dict[str, Any]:
        name, dose, unit, route, frequency = _DRUGS[number % len(_DRUGS)]
        ordered = 1 + number * 4
        return {
            "id": f"O{number}",
            "kind": "长期" if number % 3 else "临时",
            "category": "药品",
            "content": f"{name} {dose}{unit} {route} {frequency}",
            "drug": {"name": name, "dose": dose, "unit": unit, "route": route, "frequency": frequency},
            "ordered_at": self._at(ordered),
            "stopped_at": self._at(min(ordered + 15, _STAY_HOURS)),
            "ordered_by": self._one("physicians"),
            "executed_at": self._at(ordered + 0.5),
        }

    def _lab(self, number: int) -> dict[str, Any]:
        name = list(_LABS)[number % len(_LABS)]
        panel, item, unit, reference, *_ = _LABS[name]
        return {
            "id": f"L{number}",
            "panel": panel,
            "item": item,
            "value": self._values[name],
            "unit": unit,
            "reference": reference,
            "flag": "正常",
            "specimen": "血",
            "sampled_at": self._at(2 + number * 5),
            "reported_at": self._at(3 + number * 5),
        }

    def _exams(self) -> list[dict[str, Any]]:
        sites = (("X线", f"{self._side}髋关节"), ("CT", "胸部"), ("心电图", "心脏"), ("超声", "双下肢静脉"))
        return [
            {
                "id": f"E{number}",
                "modality": modality,
                "site": site,
                "finding": self._sentences("studies", 4),
                "impression": self._sentences("studies", 1),
                "performed_at": self._at(5 + number),
                "reported_at": self._at(6 + number),
                "critical": False,
            }
            for number, (modality, site) in enumerate(sites, 1)
        ]

    def _operation(self) -> dict[str, Any]:
        started, ended = _OPERATION_HOURS
        return {
            "id": "PR1",
            "kind": "手术",
            "name": "股骨转子间骨折闭合复位髓内钉内固定术",
            "site": "股骨",
            "laterality": self._side,
            "emergency": False,
            "level": "三级",
            "started_at": self._at(started),
            "ended_at": self._at(ended),
            "surgeon": self._one("physicians"),
            "assistants": [self._one("physicians")],
            "anesthesia": "椎管内麻醉",
            "anesthetist": self._one("physicians"),
            "implants": [{"name": "股骨近端髓内钉", "barcode": f"6901{self._number:09}"}],
            "code": "79.1500x006",
        }

    def _vitals(self, hours: int) -> dict[str, Any]:
        draw = self._random.randint
        return {
            "at": self._at(hours),
            "temperature": 36 + draw(1, 9) / 10,
            "pulse": draw(65, 90),
            "respiration": draw(16, 20),
            "systolic": draw(118, 150),
            "diastolic": draw(70, 88),
            "spo2": draw(95, 99),
        }

    def _front_page(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "sex": "男",
            "age": 76,
            "admitted_at": self._at(0),
            "discharged_at": self._at(_STAY_HOURS),
            "discharge_diagnosis_main": f"{self._side}股骨转子间骨折",
            "discharge_diagnosis_main_code": "S72.100",
            "operation_main": "股骨转子间骨折闭合复位髓内钉内固定术",
            "operation_main_code": "79.1500x006",
            "length_of_stay": 8,
            "blood_type": "O",
            "rh": "阳性",
            "drug_allergy": "无",
            "completed_at": self._at(_STAY_HOURS + 6),
            "total_cost": 41230.5,
        }


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = read_yaml(_DATA)
    return data
