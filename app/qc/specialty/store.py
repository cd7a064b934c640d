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

    Each gets the code of a rule, which it keeps when it is imported again. Nothing is kept when one is unsound.

    Raises:
        UserError: the file is unsound, a rule cannot be read (naming indicator and rule), or it cannot be kept.
    """
    loaded = load_indicators(path)
    for name, indicator in loaded.items():
        problems = compile_indicator(indicator).problems
        if problems:
            raise UserError(f"{path} 的指标“{name}”有误：{problems[0]}，请改正 facts 或 logical_rules。")
    indicators = _with_codes(loaded, stored_indicators(settings))
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


def remove_indicator(name_or_code: str, settings: Settings) -> str:
    """Take an imported indicator away again, named by itself or by the code of its rule; gives its name.

    Raises:
        UserError: there is no such indicator, or its file cannot be removed.
    """
    stored = stored_indicators(settings)
    found = [name for name, each in stored.items() if name_or_code in (name, each.code)]
    if not found:
        raise UserError(f"没有导入过指标“{name_or_code}”，请用 bingli rules list 查看 S-0 开头的规则。")
    path = _file_of(indicator_folder(settings), found[0])
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} 无法删除（{error.strerror}），请检查权限。") from error
    return found[0]


def _with_codes(indicators: Indicators, stored: Indicators) -> Indicators:
    """Each indicator with its own code: that it already has here, else the one it brings, else the next free."""
    codes = {name: each.code for name, each in stored.items() if each.code}
    for name, each in indicators.items():
        if name not in codes and each.code and each.code not in codes.values():
            codes[name] = each.code
    free = (code for code in map("S-{:03}".format, range(1, 100)) if code not in set(codes.values()))
    for name in indicators:
        if name not in codes:
            code = next(free, None)
            if code is None:
                raise UserError(
                    "导入的指标已有 99 个，编号 S-001 至 S-099 已用完，请先用 bingli rules remove 删去不用的。"
                )
            codes[name] = code
    return {name: each.model_copy(update={"code": codes[name]}) for name, each in indicators.items()}


def _file_of(folder: Path, name: str) -> Path:
    return folder / f"{content_key('indicator', name)[:_NAME_DIGITS]}.json"
