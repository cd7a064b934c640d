"""A running service for tests: accounts of every role with tokens, a ward of two physicians, one record each.

with running(tmp_path) as service:
    service.as_("physician").get("/v1/records")
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.privacy.rights import Account, Grant, Role
from app.service.application import create_app
from app.service.parts import Parts
from app.settings import Settings
from app.storage.accounts import TokenKind

PASSWORD = "correct horse battery"
DEPARTMENT = "消化内科"
OWN, OTHERS = "ZY-OWN", "ZY-OTHERS"

ACCOUNTS: Mapping[str, Account] = {
    account.name: account
    for account in (
        Account(
            name="physician",
            display_name="李明德",
            department=DEPARTMENT,
            grants=(Grant(role=Role.PHYSICIAN),),
        ),
        Account(
            name="colleague",
            display_name="周正言",
            department="神经内科",
            grants=(Grant(role=Role.PHYSICIAN),),
        ),
        Account(name="head", display_name="主任甲", department=DEPARTMENT, grants=(Grant(role=Role.HEAD),)),
        Account(name="qc", display_name="质控员", department="质控科", grants=(Grant(role=Role.QC),)),
        Account(name="evaluator", display_name="评测员", grants=(Grant(role=Role.EVALUATOR),)),
        Account(name="administrator", display_name="管理员", grants=(Grant(role=Role.ADMINISTRATOR),)),
        Account(
            name="former",
            display_name="前质控员",
            grants=(Grant(role=Role.QC, until=datetime(2020, 1, 1, tzinfo=UTC)),),
        ),
    )
}


class Service(NamedTuple):
    """A running application, a client without credentials, and one client an account."""

    app: FastAPI
    client: TestClient
    tokens: Mapping[str, str]

    @property
    def parts(self) -> Parts:
        """What the application opened."""
        parts: Parts = self.app.state.parts
        return parts

    def as_(self, name: str) -> "Caller":
        """A client that calls in the name of an account."""
        return Caller(self.client, {"Authorization": f"Bearer {self.tokens[name]}"})


class Caller:
    """Calls with the headers of one account."""

    def __init__(self, client: TestClient, headers: Mapping[str, str]) -> None:
        self._client = client
        self._headers = headers

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._client, method)

        def with_headers(*arguments: Any, headers: Mapping[str, str] = {}, **named: Any) -> Any:
            return call(*arguments, headers={**self._headers, **headers}, **named)

        return with_headers


@contextmanager
def running(
    folder: Path, *, use_model: bool = False, with_workplace: bool = False, **settings: Any
) -> Iterator[Service]:
    """The application with its accounts; ended on exit."""
    app = create_app(
        Settings(data_dir=folder / "data", **settings), use_model=use_model, with_workplace=with_workplace
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        accounts = app.state.parts.accounts
        accounts.save(ACCOUNTS["administrator"], password=PASSWORD)
        for name, account in ACCOUNTS.items():
            if name != "administrator":
                accounts.save(account, password=PASSWORD)
        lifetime = timedelta(days=1)
        tokens = {name: accounts.open_token(name, TokenKind.API, lifetime) for name in ACCOUNTS}
        yield Service(app, client, tokens)


def stay(record_id: str = OWN, author: str = "physician", department: str = DEPARTMENT) -> dict[str, Any]:
    """A stay still going on, whose admission note has a chief complaint without duration."""
    names = {"physician": "李明德", "colleague": "周正言"}
    return {
        "format": "bingli/record/1",
        "record_id": record_id,
        "patient": {"id": "P1", "name": "钱守仁", "sex": "男", "age": "52岁"},
        "encounter": {"department": department, "admitted_at": "2026-05-06T10:20:00+08:00"},
        "documents": [
            {
                "id": "D01",
                "type": "入院记录",
                "text": NOTE,
                "written_at": "2026-05-06T14:02:00+08:00",
                "author": {"id": author, "name": names.get(author, author), "title": "住院医师"},
            }
        ],
    }


NOTE = (
    "主诉：反复上腹痛。\n"
    "现病史：患者2月前进食生冷后出现上腹隐痛，3天前加重，于我院门诊就诊，予抑酸治疗后无好转。\n"
    "既往史：否认高血压、糖尿病史。\n"
    "体格检查：T 36.5℃，P 78次/分，R 18次/分，BP 128/78mmHg。\n"
    "初步诊断：慢性胃炎\n"
)
