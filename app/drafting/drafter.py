"""Drafting as the program's faces use it: one call a stay, each sentence handed over as soon as it stands."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import NamedTuple

from app.drafting.assemble import Drafting, Placed, Tally
from app.drafting.draft import Draft
from app.drafting.entailment import ModelJudge
from app.drafting.missing import Coverage
from app.drafting.write import Narrator
from app.labelling.labeller import Labeller
from app.llm.client import LanguageModel
from app.records.model import CHINA_TIME, DocumentType, MedicalRecord
from app.settings import Settings
from app.storage.cache import ContentCache

DRAFT_CACHE = "drafts.sqlite"


class Drafted(NamedTuple):
    """A finished draft and how it came about.

    Attributes:
        key: secret under which the draft is sealed; exports need it.
        failures: why some windows stand in the words of the record, in Chinese.
        remembered: how many windows were not written now, but taken from the cache.
    """

    draft: Draft
    coverage: Coverage
    tally: Tally
    key: bytes
    failures: tuple[str, ...]
    remembered: int


class Drafter:
    """Drafts stay after stay with one model; get it from ``open_drafter``."""

    def __init__(self, labeller: Labeller, narrator: Narrator | None, judge: ModelJudge | None) -> None:
        self._labeller = labeller
        self._narrator = narrator
        self._judge = judge

    def draft(
        self,
        record: MedicalRecord,
        document_type: DocumentType | None = None,
        *,
        on_sentence: Callable[[Placed], None] = lambda placed: None,
    ) -> Drafted:
        """Draft one document.

        Args:
            record: the stay.
            document_type: what to draft; by default the document that ends the stay.
            on_sentence: called with each sentence and its section, in order, while the rest is being written.

        Raises:
            UserError: the stay does not call for this document, or the record has no notes.
        """
        narrator = self._narrator
        failed, remembered = (len(narrator.failures), narrator.remembered) if narrator else (0, 0)
        drafting = Drafting(record, self._narrator, self._judge, document_type)
        for placed in drafting.sentences():
            on_sentence(placed)
        draft = drafting.finish(self._labeller, datetime.now(CHINA_TIME), self._prompts)
        return Drafted(
            draft,
            drafting.coverage(),
            drafting.tally,
            self._labeller.key,
            failures=tuple(narrator.failures[failed:]) if narrator else (),
            remembered=narrator.remembered - remembered if narrator else 0,
        )

    @property
    def _prompts(self) -> str | None:
        used = (part.prompt_key for part in (self._narrator, self._judge) if part)
        return ",".join(used) or None


@contextmanager
def open_drafter(
    settings: Settings, *, use_model: bool, model: LanguageModel | None = None
) -> Iterator[Drafter]:
    """A drafter; with ``use_model``, it writes with ``model``, or one that is started on entry and stopped on exit.

    Raises:
        ModelUnavailable: the model is not there, or cannot be started.
        UserError: the label's key or the audit log cannot be used.
    """
    labeller = Labeller.of(settings)
    with ExitStack() as stack:
        if not use_model:
            yield Drafter(labeller, None, None)
            return
        if model is None:
            from app.llm.engines import open_model

            model = stack.enter_context(open_model(settings))
        cache = stack.enter_context(ContentCache(settings.data_dir / DRAFT_CACHE))
        yield Drafter(labeller, Narrator(model, cache), ModelJudge(model, cache))
