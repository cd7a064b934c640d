"""Judging notes by a set of indicators: the one place where indicators, calibration and model meet."""

from app.qc.calibration import Calibration, load_calibration
from app.qc.specialty.asking import Asker
from app.qc.specialty.conditions import Compiled, Statement, compile_indicator
from app.qc.specialty.deciding import Calibrations, Decision, Observed, decide, observe
from app.qc.specialty.indicator import Indicators
from app.resources import RULES

CALIBRATIONS = RULES / "calibration"
DETECTORS = "indicators-detectors"
WITH_MODEL = "indicators-model"


def load_calibrations(engine: str | None) -> Calibrations:
    """The stored calibrations; the model's only where it was fitted with the model and prompts of ``engine``.

    Raises:
        UserError: a stored file is missing or unsound.
    """
    detectors = load_calibration(CALIBRATIONS / f"{DETECTORS}.json")
    path = CALIBRATIONS / f"{WITH_MODEL}.json"
    model: Calibration | None = load_calibration(path) if engine and path.exists() else None
    return Calibrations(detectors, model if model and model.engine == engine else None)


class IndicatorJudge:
    """Judges notes by indicators; without ``asker``, by the words of the note alone."""

    def __init__(self, indicators: Indicators, asker: Asker | None) -> None:
        self._indicators = indicators
        self._compiled = {name: compile_indicator(each) for name, each in indicators.items()}
        self._asker = asker
        self._calibrations: Calibrations | None = None

    @property
    def engine(self) -> str | None:
        """The model and prompts that take part; ``None`` for none."""
        return self._asker.identity if self._asker else None

    def compiled(self, name: str) -> Compiled:
        """The condition of an indicator.

        Raises:
            KeyError: there is no such indicator.
        """
        return self._compiled[name]

    def statements(self, name: str) -> tuple[Statement, ...]:
        """The statements of an indicator's condition."""
        return self._compiled[name].statements

    def observe(self, name: str, note: str) -> Observed:
        """What is known of the note before any calibration."""
        return observe(note, self._indicators[name], self._compiled[name], self._asker)

    def decide(self, name: str, note: str) -> Decision:
        """The verdict; undetermined only for a note without words.

        Raises:
            UserError: a stored calibration is missing or unsound.
        """
        if not note.strip():
            return Decision(None, 0.5, (), "rule", "没有可供判断的文字")
        if self._calibrations is None:
            self._calibrations = load_calibrations(self.engine)
        return decide(self.observe(name, note), self._compiled[name], self._calibrations)
