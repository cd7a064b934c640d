"""The indicators that a hospital has brought, kept in its data folder, one file an indicator."""

from pathlib import Path

from app.errors import UserError
from app.qc.specialty.conditions import compile_indicator
from app.qc.specialty.indicator import Indicator, Indicators, dump_indicator, load_indicators
from app.settings import Settings
from app.storage.cache import content_key

_NAME_DIGITS = 16


def indicator_folder(settings: Settings) -> Path:
    """Where imported indicators are."""
    return settings.data_dir / "indicators"


def import_indicators(path: Path, settings: Settings) -> Indicators:
    """Check the indicators of a file and keep them, each in place of an older one of its name.

    Nothing is kept when one of them is unsound.

    Raises:
        UserError: the file is unsound, a rule cannot be read (naming indicator and rule), or it cannot be kept.
    """
    indicators = load_indicators(path)
    for name, indicator in indicators.items():
        problems = compile_indicator(indicator).problems
        if problems:
            raise UserError(f"{path} 的指标“{name}”有误：{problems[0]}，请改正 facts 或 logical_rules。")
    folder = indicator_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, indicator in indicators.items():
            _file_of(folder, name).write_text(dump_indicator(name, indicator), "utf-8")
    except OSError as error:
        raise UserError(f"{folder} 无法写入（{error.strerror}），请检查权限和磁盘空间。") from error
    return indicators


def stored_indicators(settings: Settings) -> Indicators:
    """The imported indicators by name; none where nothing was imported.

    Raises:
        UserError: a kept file is unsound.
    """
    found: dict[str, Indicator] = {}
    for path in sorted(indicator_folder(settings).glob("*.json")):
        found |= load_indicators(path)
    return found


def _file_of(folder: Path, name: str) -> Path:
    return folder / f"{content_key('indicator', name)[:_NAME_DIGITS]}.json"
