"""Print constraints.txt: a pin for every distribution that is installed."""

from importlib import metadata

HEADER = """\
# Everything that `make` installs, pinned. Written by `make lock`; checked against the environment by
# tests/test_packaging.py.
"""


def pins() -> dict[str, str]:
    """Name (normalized) to version, local parts such as +cpu left off."""
    found = {}
    for dist in metadata.distributions():
        name = dist.metadata["Name"].lower().replace("_", "-").replace(".", "-")
        if name != "polysema":
            found[name] = dist.version.partition("+")[0]
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print(HEADER + "\n".join(f"{name}=={version}" for name, version in pins().items()))
