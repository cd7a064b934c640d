"""Which step leads from which state to which, and whose right it takes: data that the loop and the pages read."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from app.privacy.rights import Action
from app.storage.states import Stage, State, Verdict


class Step(StrEnum):
    """What people do with a finding."""

    ASSIGN = "assign"
    CORRECT = "correct"
    APPEAL = "appeal"
    CONFIRM = "confirm"
    SEND_BACK = "send_back"
    UPHOLD = "uphold"
    REJECT = "reject"
    STAND = "stand"
    FALSE_ALARM = "false_alarm"
    CLOSE = "close"


STEP_TITLES: Mapping[Step, str] = {
    Step.ASSIGN: "分派",
    Step.CORRECT: "已整改",
    Step.APPEAL: "申诉",
    Step.CONFIRM: "复核通过",
    Step.SEND_BACK: "退回再改",
    Step.UPHOLD: "申诉成立",
    Step.REJECT: "申诉驳回",
    Step.STAND: "缺陷成立，不再整改",
    Step.FALSE_ALARM: "判为误报",
    Step.CLOSE: "关闭",
}


class Transition(NamedTuple):
    """One way from a state to another.

    Attributes:
        right: what the actor must be allowed to do to the record.
        verdict: what the step says about the finding, if it decides.
        needs_reason: whether it is refused without one.
        stage: the only stage of the record in which it is open; ``None`` for both.
    """

    before: State
    step: Step
    after: State
    right: Action
    verdict: Verdict | None = None
    needs_reason: bool = False
    stage: Stage | None = None


_S, _A, _TRUE, _NOT = State, Action, Verdict.ACCEPTED, Verdict.REFUSED

TRANSITIONS: tuple[Transition, ...] = (
    Transition(_S.UNASSIGNED, Step.ASSIGN, _S.ASSIGNED, _A.ASSIGN),
    Transition(_S.ASSIGNED, Step.ASSIGN, _S.ASSIGNED, _A.ASSIGN),
    Transition(_S.REJECTED, Step.ASSIGN, _S.ASSIGNED, _A.ASSIGN),
    Transition(_S.UNASSIGNED, Step.CORRECT, _S.CORRECTED, _A.CORRECT),
    Transition(_S.ASSIGNED, Step.CORRECT, _S.CORRECTED, _A.CORRECT),
    Transition(_S.REJECTED, Step.CORRECT, _S.CORRECTED, _A.CORRECT),
    Transition(_S.UNASSIGNED, Step.APPEAL, _S.APPEALED, _A.APPEAL, needs_reason=True),
    Transition(_S.ASSIGNED, Step.APPEAL, _S.APPEALED, _A.APPEAL, needs_reason=True),
    Transition(_S.CORRECTED, Step.CONFIRM, _S.CLOSED, _A.DECIDE, _TRUE),
    Transition(_S.CORRECTED, Step.SEND_BACK, _S.ASSIGNED, _A.DECIDE, needs_reason=True),
    Transition(_S.APPEALED, Step.UPHOLD, _S.UPHELD, _A.DECIDE, _NOT, needs_reason=True),
    Transition(_S.APPEALED, Step.REJECT, _S.REJECTED, _A.DECIDE, _TRUE, needs_reason=True),
    Transition(_S.UPHELD, Step.CLOSE, _S.CLOSED, _A.DECIDE),
    Transition(_S.REJECTED, Step.CLOSE, _S.CLOSED, _A.DECIDE),
    Transition(_S.UNASSIGNED, Step.FALSE_ALARM, _S.FALSE_ALARM, _A.DECIDE, _NOT, needs_reason=True),
    Transition(_S.ASSIGNED, Step.FALSE_ALARM, _S.FALSE_ALARM, _A.DECIDE, _NOT, needs_reason=True),
    Transition(_S.APPEALED, Step.FALSE_ALARM, _S.FALSE_ALARM, _A.DECIDE, _NOT, needs_reason=True),
    Transition(_S.UNASSIGNED, Step.STAND, _S.CLOSED, _A.DECIDE, _TRUE, needs_reason=True, stage=Stage.FINAL),
    Transition(_S.ASSIGNED, Step.STAND, _S.CLOSED, _A.DECIDE, _TRUE, needs_reason=True, stage=Stage.FINAL),
)


def transition(state: State, step: Step, stage: Stage) -> Transition | None:
    """The way a step leads from a state; ``None`` where it leads nowhere."""
    for way in TRANSITIONS:
        if way.before is state and way.step is step and way.stage in (None, stage):
            return way
    return None


def open_steps(state: State, stage: Stage) -> tuple[Step, ...]:
    """The steps that are open in a state, in the order of ``Step``."""
    return tuple(step for step in Step if transition(state, step, stage))
