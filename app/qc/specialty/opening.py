"""Opening a judge from the settings: its model and the cache of the model's answers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.qc.specialty.asking import Asker, indicator_prompts
from app.qc.specialty.indicator import Indicators
from app.qc.specialty.judging import IndicatorJudge, calibration_folder
from app.settings import Settings
from app.storage.cache import ContentCache

ANSWER_CACHE = "indicator-answers.sqlite"


@contextmanager
def open_judge(settings: Settings, indicators: Indicators, *, use_model: bool) -> Iterator[IndicatorJudge]:
    """A judge; with ``use_model``, its model is started on entry and stopped on exit.

    Raises:
        ModelUnavailable: the model is not there, or cannot be started.
    """
    with ExitStack() as stack:
        asker = None
        if use_model:
            from app.llm.engines import open_model

            model = stack.enter_context(open_model(settings))
            cache = stack.enter_context(ContentCache(settings.data_dir / ANSWER_CACHE))
            asker = Asker(model, indicator_prompts(), cache)
        yield IndicatorJudge(indicators, asker, calibration_folder(settings))
