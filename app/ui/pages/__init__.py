"""The pages, one module each; a page's module has its ``PAGE``."""

from app.ui.pages import administration, batch, discharge, evaluation, knowledge, review, rules, writing

PAGES = (
    writing.PAGE,
    review.PAGE,
    batch.PAGE,
    discharge.PAGE,
    knowledge.PAGE,
    rules.PAGE,
    evaluation.PAGE,
    administration.PAGE,
)
"""In the order of the navigation; the first is the one at ``/ui/``."""
