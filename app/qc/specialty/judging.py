"""Judging notes by a set of indicators: the one place where indicators, calibration and model meet."""

from pathlib import Path

from app.qc.calibration import Calibration, load_calibration
from app.qc.specialty.asking import Asker
from app.qc.specialty.conditions import Compiled, Statement, compile_indicator
from app.qc.specialty.deciding import Calibrations, Decision, Observed, decide, observe
from app.qc.specialty.indicator import Indicator, Indicators
from app.resources import RULES
from app.settings import Settings

SHIPPED = RULES / "calibration"
DETECTORS = "indicators-detectors"
WITH_MODEL = "indicators-model"


def calibration_folder(settings: Settings) -> Path:
    """Where a hospital's own calibrations are; they go before those that ship with the program."""
    return settings.data_dir / "calibration"


def load_calibrations(engine: str | None, own: Path | None = None) -> Calibrations:
    """The calibrations in force, each from the folder ``own`` if it is there, else the shipped one.

    That with a model counts only where it was fitted with the model and prompts of ``engine``.

    Raises:
        UserError: a stored file is missing or unsound.
    """
    detectors = load_calibration(_place(DETECTORS, own))
    path = _place(WITH_MODEL, own)
    model: Calibration | None = load_calibration(path) if engine and path.exists() else None
    return Calibrations(detectors, model if model and model.engine == engine else None)


def _place(name: str, own: Path | None) -> Path:
    folders = [SHIPPED] if own is None else [own, SHIPPED]
    places = [folder / f"{name}.json" for folder in folders]
    return next((place for place in places if place.exists()), places[-1])


class IndicatorJudge:
    """Judges notes by indicators; without ``asker``, by the words of the note alone."""

    def __init__(self, indicators: Indicators, asker: Asker | None, own: Path | None = None) -> None:
        """Judge by ``indicators``; ``own`` is the folder of a hospital's own calibrations."""
        self._indicators = indicators
        self._compiled = {name: compile_indicator(each) for name, each in indicators.items()}
        self._asker = asker
        self._own = own
        self._calibrations: Calibrations | None = None

    @property
    def engine(self) -> str | None:
        """The model and prompts that take part; ``None`` for none."""
        return self._asker.identity if self._asker else None

    def indicator(self, name: str) -> Indicator:
        """The indicator of a name.

        Raises:
            KeyError: there is no such indicator.
        """
        return self._indicators[name]

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
            self._calibrations = load_calibrations(self.engine, self._own)
        return decide(self.observe(name, note), self._compiled[name], self._calibrations)
