"""The schema of a fact."""

import re
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from app.qc.checks.specialty import Trigger
from app.qc.facts.stay import STAY_DETECTORS
from app.records.model import DocumentType
from app.text.patterns import regex


class Fact(BaseModel):
    """Something a document or the whole stay says or does not say, asked once for all rules that need it.

    A fact is of the document that a rule judges, unless it looks into others (``look_in``), follows from the
    data (``when``), or its detector reads the whole stay; then it is of the stay. A fact looked for in several
    documents is true where one of them says it, and false where each is known not to.

    Attributes:
        name: an identifier, used in conditions.
        question: a closed Chinese question about the section, answerable by 是 or 否.
        sections: where to look, first that is present; empty: the whole document.
        look_in: document types of the stay in which it is looked for, instead of the document judged.
        among: which of these documents; see ``app.qc.facts.stay.selections``. By default all.
        detector: the code that answers first; see ``app.qc.facts.detectors`` and ``app.qc.facts.stay``.
        said_by: instead of a detector, a pattern over half-width text that says it,
        about: and one without which it cannot be said; by default ``said_by`` itself. What lies between,
            words on the matter that do not say it, is left to reading.
        asserted: whether ``said_by`` must be claimed of the patient: not denied, planned or doubted.
        when: or the data that make it true; one is enough.
        ask_model: whether the model is asked what the detector or the words left open.
        threshold: the probability of 是 from which a model's answer counts as true.
        denial_threshold: the probability of 是 up to which it counts as false; in between is unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    question: str = Field(min_length=4)
    sections: tuple[str, ...] = ()
    look_in: tuple[DocumentType, ...] = ()
    among: str | None = None
    detector: str | None = None
    said_by: str | None = None
    about: str | None = None
    asserted: bool = False
    when: tuple[Trigger, ...] = ()
    ask_model: bool = False
    threshold: float = Field(default=0.9, ge=0, le=1)
    denial_threshold: float = Field(default=0.1, ge=0, le=1)

    @cached_property
    def is_of_stay(self) -> bool:
        """Whether it has one answer for the stay, not one a document."""
        return bool(self.look_in or self.when) or self.detector in STAY_DETECTORS

    @cached_property
    def said(self) -> re.Pattern[str] | None:
        """The compiled ``said_by``."""
        return regex(self.said_by) if self.said_by is not None else None

    @cached_property
    def topic(self) -> re.Pattern[str] | None:
        """The compiled ``about``."""
        return regex(self.about) if self.about is not None else None
