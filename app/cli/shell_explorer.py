"""The explorer of a command: the settings' models and the collections of their data folder have their names here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polysema.app.explorer import Explorer

SETTING_VARIABLES = ("POLYSEMA_SETTINGS", "POLYSEMA_MODELS", "POLYSEMA_DATA")  # without one no setting says a name


def shell_explorer(device: str | None = None) -> Explorer:
    """An explorer with the names and the data folder of the settings, where there are any.

    Args:
        device: Where models compute, such as cpu or cuda; None: a GPU where there is one.

    Returns:
        It, nothing opened yet.

    Raises:
        UserError: A setting is wrong, or nothing is where one of its names leads.
    """
    from polysema.app.explorer import Explorer

    if not any(os.environ.get(name) for name in SETTING_VARIABLES):
        return Explorer(device)
    from polysema.app.config.loading import load_settings

    settings = load_settings().settings
    return Explorer(device, settings.folder, settings.own_models)
