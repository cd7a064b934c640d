"""Work days, by calendars kept as data in ``app/qc/calendars/``."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from app.yaml_data import read_yaml

_FOLDER = Path(__file__).with_name("calendars")
_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True)
class WorkCalendar:
    """Which days are worked.

    Attributes:
        holidays: days off besides weekends.
        workdays: weekend days that are worked.
        announced_years: years whose holidays were announced; of others only weekends are known.
    """

    holidays: frozenset[date]
    workdays: frozenset[date]
    announced_years: frozenset[int]

    def is_workday(self, day: date) -> bool:
        """Whether the day is worked."""
        if day in self.workdays:
            return True
        return day.weekday() < _SATURDAY and day not in self.holidays

    def nth_workday_after(self, day: date, count: int) -> date:
        """The ``count``-th work day after a day, which itself does not count.

        Raises:
            OverflowError: it would lie beyond the last year there is.
        """
        while count:
            day += _DAY
            count -= self.is_workday(day)
        return day

    def knows(self, since: date, until: date) -> bool:
        """Whether the holidays of every year from ``since`` to ``until`` are announced."""
        return self.announced_years.issuperset(range(since.year, until.year + 1))

    def with_changes(self, holidays: Iterable[date], workdays: Iterable[date]) -> "WorkCalendar":
        """The calendar with further holidays and worked weekend days."""
        return WorkCalendar(
            self.holidays | frozenset(holidays), self.workdays | frozenset(workdays), self.announced_years
        )


@cache
def load_calendar(name: str) -> WorkCalendar:
    """Read the calendar ``name``.

    Raises:
        FileNotFoundError: there is no such calendar.
    """
    years = read_yaml(_FOLDER / f"{name}.yaml")
    spans = [span for year in years.values() for span in year["holidays"]]
    holidays = (first + n * _DAY for first, last in spans for n in range((last - first).days + 1))
    workdays = (day for year in years.values() for day in year["workdays"])
    announced = (number for number, year in years.items() if year["announced"])
    return WorkCalendar(frozenset(holidays), frozenset(workdays), frozenset(announced))
