"""The store of published points, from which browsers fetch large clouds.

It lies outside of `scatter`, because the server imports it (for `point_routes`) before Streamlit's runtime is there,
and components can be registered only after that.
"""

from collections import OrderedDict
from threading import Lock

from polysema.app.dashboard.components.points import Points, PublishedCloud, check
from polysema.app.dashboard.decorators import cached_resource

__all__ = ["PointStore", "publish", "store"]
MAX_STORE_BYTES = 400_000_000
"""Of all published clouds together. The newest stays even when it alone is larger."""
MAX_STORED_CLOUDS = 64


class PointStore:
    """Published clouds by their version, those used last, within limits of memory and number. Safe in threads."""

    def __init__(self, max_bytes: int = MAX_STORE_BYTES, max_clouds: int = MAX_STORED_CLOUDS) -> None:
        self._max_bytes = max_bytes
        self._max_clouds = max_clouds
        self._clouds: OrderedDict[str, PublishedCloud] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def keep(self, cloud: PublishedCloud) -> None:
        """Hold a cloud, and let go of those not used for longest when there are too many."""
        with self._lock:
            if cloud.version not in self._clouds:
                self._clouds[cloud.version] = cloud
                self._bytes += cloud.nbytes
            self._clouds.move_to_end(cloud.version)
            while len(self._clouds) > 1 and (self._bytes > self._max_bytes or len(self._clouds) > self._max_clouds):
                self._bytes -= self._clouds.popitem(last=False)[1].nbytes

    def get(self, version: str) -> PublishedCloud | None:
        """The cloud of that version, or None when it was never published or was evicted."""
        with self._lock:
            if version in self._clouds:
                self._clouds.move_to_end(version)
            return self._clouds.get(version)

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._clouds.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._clouds)


@cached_resource(1)
def store() -> PointStore:
    """The one store of this process, shared by all sessions."""
    return PointStore()


def publish(points: Points) -> PublishedCloud:
    """Check points, hash them and hold them where browsers can fetch them.

    This reads every value and text once (0.2 to 0.5 s at 400,000 points), so keep what it returns, for example in a
    function with `st.cache_resource`, and give that to `scatter` on every run: that costs nothing again. Sessions that
    publish the same points share one cloud. When the store has let go of it, the next run of `scatter` puts it back.

    Raises:
        ValueError: A column doesn't fit the others, or a number is NaN or infinite.
    """
    cloud = check(points)
    store().keep(cloud)
    return cloud
