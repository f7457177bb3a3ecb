"""Models that can't be right, looked at and opened in the picker: one line each, and the page's model stays."""

import re
from pathlib import Path

from tests.app.test_dashboard import as_launched, page, settle  # noqa: F401
from tests.app.test_picker import home, look_at  # noqa: F401
from tests.service.test_bad_models import KNOWN_BEFORE, KNOWN_BY_LOADING, bad, one_line  # noqa: F401


def test_a_model_that_can_not_be_right_is_one_line_in_the_picker(home: Path, bad: Path) -> None:  # noqa: F811
    app = page("inside")
    at_first = app.selectbox(key="am").value
    known = [(name, message, False) for name, _, message in KNOWN_BEFORE]
    known += [(name, message, True) for name, _, _, message in KNOWN_BY_LOADING]
    for name, message, by_loading in known:
        app = look_at(app, "am", bad / name)
        if by_loading:
            assert not app.error, (name, app.error)
            app = settle(app.button(key="am_open").click().run())
        assert not app.exception
        (told,) = (one.value for one in app.error)
        assert re.search(message.format(bad / name), one_line(told), re.IGNORECASE), told
        assert app.selectbox(key="am").value == at_first
        assert ("am_open" in [one.key for one in app.button]) == by_loading
