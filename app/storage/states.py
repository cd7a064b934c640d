"""The states of a finding and the stages of a record."""

from collections.abc import Mapping
from enum import StrEnum


class Stage(StrEnum):
    """When a record is judged: while the patient is in, or afterwards."""

    RUNNING = "running"
    FINAL = "final"


STAGE_TITLES: Mapping[Stage, str] = {Stage.RUNNING: "运行", Stage.FINAL: "终末"}


class State(StrEnum):
    """Where the work on a finding stands."""

    UNASSIGNED = "unassigned"
    ASSIGNED = "assigned"
    CORRECTED = "corrected"
    APPEALED = "appealed"
    UPHELD = "upheld"
    REJECTED = "rejected"
    CLOSED = "closed"
    FALSE_ALARM = "false_alarm"


STATE_TITLES: Mapping[State, str] = {
    State.UNASSIGNED: "待分派",
    State.ASSIGNED: "待整改",
    State.CORRECTED: "已整改待复核",
    State.APPEALED: "申诉中",
    State.UPHELD: "申诉成立",
    State.REJECTED: "申诉驳回",
    State.CLOSED: "已关闭",
    State.FALSE_ALARM: "误报",
}
DONE_STATES = (State.CLOSED, State.FALSE_ALARM)
OPEN_STATES = tuple(state for state in State if state not in DONE_STATES)


class Verdict(StrEnum):
    """What people made of a finding in the end: a true defect, or none."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
