"""`Explorer`: the one object behind the command line, the dashboard and programs, so that they can't disagree.

A question goes where its noun is: `words`, `texts`, `maps`, `inside` (a model); they stand on `spaces`, `corpora` and
`models`, which hold what was used last.
"""

from polysema.app.explorer.inside import InsideVerbs
from polysema.app.explorer.maps import Maps
from polysema.app.explorer.texts import Texts
from polysema.core.argument_types import checked_arguments


@checked_arguments
class Explorer(Texts, Maps, InsideVerbs):
    """Holds the models and spaces last used, and answers questions about them. Safe to share between threads."""
