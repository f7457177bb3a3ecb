"""The front door: what `import polysema` gives, what it costs, and that its examples are true."""

import doctest
import inspect
import subprocess
import sys

import numpy as np
import pytest

import polysema


def test_every_public_name_is_there_and_documented() -> None:
    assert set(dir(polysema)) == set(polysema.__all__)
    for name in polysema.__all__:
        value = getattr(polysema, name)
        assert name == "__version__" or (inspect.getdoc(value) or "").strip(), f"{name} has no docstring"
    assert str(polysema.__doc__).splitlines()[0].endswith(".")
    with pytest.raises(AttributeError, match="has no attribute 'Explorr'; it has Client, "):
        polysema.Explorr  # noqa: B018


def test_the_import_is_light() -> None:
    code = (
        "import sys; before = set(sys.modules); import polysema; print(len(set(sys.modules) - before), "
        "polysema.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    n_modules, version = done.stdout.split()
    assert version == polysema.__version__
    bare = "import sys; before = set(sys.modules); import importlib.metadata; print(len(set(sys.modules) - before))"
    own = int(n_modules) - int(subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True).stdout)
    assert own <= 3


def test_local_vectors_load_no_model_library() -> None:
    code = (
        "import sys, polysema; s = polysema.Space.from_vectors(['a', 'b'], [[1, 0], [0, 1]]);"
        "polysema.ExactIndex(s.vectors).search(s.vectors, k=1); print(*{m.partition('.')[0] for m in sys.modules})"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"torch", "transformers", "streamlit", "sklearn", "umap", "fastapi"}


def test_the_examples_of_the_docstrings_are_true() -> None:
    from polysema.core.space import space

    for module in (polysema, space):
        failed, tried = doctest.testmod(module)
        assert (failed, tried > 0) == (0, True)


def test_a_space_of_ones_own_is_asked_like_a_dictionary() -> None:
    space = polysema.Space.from_vectors(["bank", "River"], np.array([[1, 0], [0, 2]], np.float64), "mine")
    assert (space.vectors.dtype, list(space), "bank" in space, "Bank" in space, 3 in space) == (
        np.float32,
        ["bank", "River"],
        True,
        False,
        False,
    )
    assert (space["bank"].tolist(), space[["River", "bank"]].tolist()) == ([1, 0], [[0, 2], [1, 0]])
    assert repr(space) == "Space(2 x 2, mine, static)"
    assert repr(space.keys) == "Keys(2: 'bank', 'River')"
    with pytest.raises(KeyError) as caught:
        space["shore"]
    assert str(caught.value).startswith("'shore' is not among the 2 words of mine")
    with pytest.raises(ValueError, match="'shore' is not among"):
        space[["bank", "shore"]]
    with pytest.raises(TypeError, match="indexed by a word or a list of words; got 0"):
        space[0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("keys", "vectors", "error", "message"),
    [
        ("ab", [[1.0], [2.0]], TypeError, "keys are a list; got the one string 'ab'"),
        (["a", 1], [[1.0], [2.0]], TypeError, "number 2 is 1, of type int"),
        (["a"], [1.0], polysema.PolysemaError, r"got the shape \(1,\)"),
        (["a"], [["x"]], polysema.PolysemaError, "must be an array"),
        (["a", "b"], [[1.0], [float("nan")]], polysema.PolysemaError, "row 1 holds NaN or Inf"),
        (["a", "b"], [[1.0]], polysema.PolysemaError, "2 names for 1 vectors"),
    ],
)
def test_vectors_that_are_no_space_are_refused(
    keys: object, vectors: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        polysema.Space.from_vectors(keys, vectors)  # type: ignore[arg-type]
