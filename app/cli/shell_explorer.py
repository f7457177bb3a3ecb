"""The explorer of a command: the names that the settings give to models and spaces are names here too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polysema.app.explorer import Explorer

SETTING_VARIABLES = ("POLYSEMA_SETTINGS", "POLYSEMA_MODELS")  # without either no setting names a model


def shell_explorer(device: str | None = None) -> Explorer:
    """An explorer with the names of the settings, where there are any.

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

    return Explorer(device, models=load_settings().settings.own_models)
