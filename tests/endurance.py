"""Whether the tests take their long form: more kills, more cuts of the power, every method and every word.

`make endure` asks for it; `make test` shows the same on less.
"""

import os

ENDURE = os.environ.get("POLYSEMA_ENDURE") == "1"
