"""书写助手: a note being written, with marks in it and hints beside it."""

from app.privacy.rights import Action
from app.ui.editor import editor
from app.ui.page import Opening, Page


def build() -> Opening:
    """The editor is the page; it asks for what it shows."""
    editor()
    return Opening(lambda desk, query: (), ())


PAGE = Page("", "书写助手", "边写边查：哪一句、为什么、怎样改。", (Action.HINT,), build)
