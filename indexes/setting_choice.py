"""Which setting of an approximate index reaches a recall at the least cost."""

from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.recall import RecallCurve, RecallPoint, Setting, setting_of


class SettingChoice:
    """The settings of an index by the recall that each was measured to have; what was looked up is remembered."""

    def __init__(self, recipe: IndexSpec, curve: RecallCurve) -> None:
        self.recipe = recipe
        self.curve = curve
        # the same whichever thread looked it up first
        self._points_of: dict[tuple[float, bool], RecallPoint | None] = {}
        self._own_of: dict[bool, tuple[Setting, float | None, str]] = {}

    def choose(self, k: int, recall: float | None) -> tuple[Setting | None, float | None, str]:
        """The setting for a recall, None for the exact search; the recall to expect; and why it is exact."""
        if recall is None:
            return self._own(k)
        if recall >= 1:
            return None, 1.0, "exact, as requested"
        point = self.cheapest(recall, k)
        if point is None:
            most = max((p.at(k) for p in self.curve.points), default=None)
            reached = "its recall was not measured" if most is None else f"the best setting reached {most:.3f}"
            return None, 1.0, f"exact: {self.recipe.kind} can't promise a recall of {recall:g} ({reached})"
        return point.setting, point.at(k), ""

    def cheapest(self, recall: float, k: int) -> RecallPoint | None:
        """The curve's cheapest point, looked for once."""
        key = (recall, k <= 10)
        if key not in self._points_of:
            self._points_of[key] = self.curve.cheapest(recall, k)
        return self._points_of[key]

    def _own(self, k: int) -> tuple[Setting, float | None, str]:
        """The recipe's own setting."""
        key = k <= 10
        if key not in self._own_of:
            setting = setting_of(self.recipe)
            self._own_of[key] = setting, self.curve.expected(setting, k), ""
        return self._own_of[key]
