"""Everything people do, in one place: each method asks for the right, does the thing, and writes the audit log.

Whoever may not do a thing at all gets ``Denied``. Whoever may do it, but not to this object, gets ``NotFound`` in the
words for an object that is not there, so that nobody learns what others have.
"""

from app.service.desk.administration import Administration
from app.service.desk.batch import Batch
from app.service.desk.correction import Correction
from app.service.desk.drafting import Drafting, ReviewState
from app.service.desk.library import Library
from app.service.desk.records import Records
from app.service.desk.writing import Writing

__all__ = ["Desk", "ReviewState"]


class Desk(Writing, Records, Correction, Batch, Drafting, Library, Administration):
    """What one account may do."""
