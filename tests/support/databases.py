"""Databases of both engines for tests: made once, empty for each."""

from app.storage.database import Database
from app.storage.tables import Table


def emptied(database: Database) -> None:
    """Remove every row."""
    with database.session() as session:
        for table in reversed(Table.metadata.sorted_tables):
            session.execute(table.delete())
