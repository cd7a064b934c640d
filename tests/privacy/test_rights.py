"""The whole matrix of rights as one table, and who counts as one's own patient."""

from datetime import UTC, datetime, timedelta

import pytest

from app.privacy.rights import (
    ACTION_TITLES,
    MATRIX,
    ROLE_TITLES,
    Account,
    Action,
    Bounds,
    Grant,
    Role,
    Scope,
    bounds,
    may,
    scope_of,
)
from app.records.model import MedicalRecord

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

OWN = Scope(department="心内科", people=frozenset({"id:U17"}))
HOME = Scope(department="心内科", people=frozenset({"id:U2"}))
AWAY = Scope(department="骨科", people=frozenset({"id:U2"}))
PLAIN = Scope(department="骨科", is_deidentified=True)

# What each role may do, to what: o one's own patient, d another of the department, f one elsewhere, x a text that
# names nobody; n: an action without a patient. Columns: physician head qc evaluator administrator.
TABLE = """
read_record      o----  od---  odfx-  ---x-  -----
write_record     o----  od---  odfx-  -----  -----
check            o----  od---  odfx-  ---x-  -----
hint             o----  od---  odfx-  -----  -----
dismiss          o----  od---  odfx-  -----  -----
draft            o----  od---  -----  -----  -----
review_draft     o----  od---  -----  -----  -----
read_findings    o----  od---  odfx-  ---x-  -----
correct          o----  od---  -----  -----  -----
appeal           o----  od---  -----  -----  -----
decide           -----  -----  odfx-  -----  -----
assign           -----  od---  odfx-  -----  -----
recall_request   o----  od---  -----  -----  -----
recall_approve   -----  -----  odfx-  -----  -----
audit_batch      -----  -----  odfxn  -----  -----
search           odfxn  odfxn  odfxn  odfxn  odfxn
add_knowledge    -----  -----  odfxn  -----  odfxn
read_rules       odfxn  odfxn  odfxn  odfxn  odfxn
change_rules     -----  -----  odfxn  -----  -----
evaluate         -----  -----  odfxn  odfxn  -----
manage_accounts  -----  -----  -----  -----  odfxn
read_audit_log   -----  -----  odfxn  -----  odfxn
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
WITHOUT_PATIENT = {
    Action.AUDIT_BATCH, Action.SEARCH, Action.ADD_KNOWLEDGE, Action.READ_RULES, Action.CHANGE_RULES, Action.EVALUATE,
    Action.MANAGE_ACCOUNTS, Action.READ_AUDIT_LOG,
}  # fmt: skip


def account(*roles: Role, until: datetime | None = None, **changes) -> Account:
    grants = tuple(Grant(role=role, until=until) for role in roles)
    given = {"name": "U17", "display_name": "王医师", "department": "心内科", "grants": grants}
    return Account(**(given | changes))


def allowed(someone: Account, action: Action) -> str:
    scopes = {"o": OWN, "d": HOME, "f": AWAY, "x": PLAIN}
    marks = [mark if may(someone, action, scope, NOW) else "-" for mark, scope in scopes.items()]
    is_without = action in WITHOUT_PATIENT and may(someone, action, None, NOW)
    return "".join([*marks, "n" if is_without else "-"])


@pytest.mark.parametrize(("action", "cells"), [(Action(row[0]), row[1:]) for row in ROWS])
def test_the_matrix_of_rights(action, cells):
    assert [allowed(account(role), action) for role in Role] == cells


def test_the_table_and_the_titles_know_every_action_and_role():
    assert {row[0] for row in ROWS} == set(Action) == set(MATRIX) == set(ACTION_TITLES)
    assert set(ROLE_TITLES) == set(Role)


def test_an_administrator_reads_no_clinical_text_in_any_scope():
    someone = account(Role.ADMINISTRATOR)
    clinical = (Action.READ_RECORD, Action.READ_FINDINGS, Action.DRAFT, Action.HINT, Action.CHECK)
    assert not any(
        may(someone, action, scope, NOW) for action in clinical for scope in (OWN, HOME, AWAY, PLAIN, None)
    )


@pytest.mark.parametrize(
    ("until", "is_allowed"),
    [
        (None, True),
        (NOW + HOUR, True),
        (NOW + timedelta(microseconds=1), True),
        (NOW, False),
        (NOW - HOUR, False),
    ],
)
def test_a_right_ends_at_its_date(until, is_allowed):
    assert may(account(Role.QC, until=until), Action.READ_RECORD, AWAY, NOW) is is_allowed


def test_a_disabled_account_may_nothing():
    someone = account(*Role, is_disabled=True)
    assert not any(may(someone, action, scope, NOW) for action in Action for scope in (OWN, None))


def test_an_account_without_a_role_may_nothing():
    assert not any(may(account(), action, scope, NOW) for action in Action for scope in (OWN, PLAIN, None))


def test_several_roles_add_up():
    someone = account(Role.PHYSICIAN, Role.EVALUATOR)
    assert allowed(someone, Action.READ_RECORD) == "o--x-"


@pytest.mark.parametrize(
    ("people", "department", "changes", "is_own"),
    [
        ({"id:U17"}, "骨科", {}, True),  # a patient who was moved stays one's own
        ({"name:王医师"}, "心内科", {}, True),
        ({"name:王医师"}, "骨科", {}, False),  # a namesake elsewhere
        ({"name:王医师"}, None, {"department": None}, False),
        ({"name:U17"}, "骨科", {}, False),
        ({"id:王医师"}, "心内科", {}, False),
        (set(), "心内科", {}, False),
    ],
)
def test_ones_own_patient(people, department, changes, is_own):
    scope = Scope(department=department, people=frozenset(people))
    assert may(account(Role.PHYSICIAN, **changes), Action.READ_RECORD, scope, NOW) is is_own


def test_a_head_without_a_department_heads_nothing():
    someone = account(Role.HEAD, department=None)
    assert not may(someone, Action.READ_RECORD, Scope(department=None), NOW)


@pytest.mark.parametrize(
    ("roles", "limits"),
    [
        ([Role.QC], Bounds(is_unlimited=True)),
        ([Role.HEAD], Bounds(department="心内科")),
        ([Role.PHYSICIAN], Bounds(person="id:U17", named="name:王医师", named_department="心内科")),
        ([Role.EVALUATOR], Bounds(deidentified=True)),
        ([Role.HEAD, Role.EVALUATOR], Bounds(department="心内科", deidentified=True)),
        ([Role.ADMINISTRATOR], None),
        ([], None),
    ],
)
def test_bounds_say_the_same_of_many(roles, limits):
    assert bounds(account(*roles), Action.READ_RECORD, NOW) == limits


def test_a_record_belongs_to_those_who_wrote_signed_and_answer_for_it():
    record = MedicalRecord.model_validate(
        {
            "record_id": "R1",
            "encounter": {"department": "心内科", "attending": "U5"},
            "documents": [
                {
                    "id": "D1",
                    "type": "入院记录",
                    "text": "",
                    "author": {"id": "U17", "name": "王医师"},
                    "signatures": [
                        {"name": "王医师", "role": "记录者"},
                        {"name": "李四", "role": "审核者"},
                        {"name": "张三", "role": "患者"},
                        {"name": "张小三", "role": "近亲属"},
                    ],
                },
                {"id": "D2", "type": "其他", "text": "", "author": {"name": "赵六"}},
                {"id": "D3", "type": "其他", "text": ""},
            ],
        }
    )
    assert scope_of(record).people == {"id:U17", "name:李四", "name:赵六", "id:U5", "name:U5"}


@pytest.mark.parametrize("name", ["", "张三", "a b", "-a", "a" * 65, "a\n", "../x"])
def test_an_account_name_is_plain(name):
    with pytest.raises(ValueError, match="name"):
        account(name=name)
