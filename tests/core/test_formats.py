"""Files of vectors, there and back, in every layout; what is kept of them; what gensim makes of them."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import gensim
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gensim.models import KeyedVectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

from polysema.core.errors import ConflictError, NotFoundError, UnreadableError, UserError
from polysema.core.files import vector_cache
from polysema.core.files.formats import WRITINGS, read_vectors, recognize, write_vectors
from polysema.core.space.space import Keys, Origin, Space

GENSIM = Path(gensim.__file__).parent / "test" / "test_data"
SMALL = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    names = draw(st.lists(words, min_size=1, max_size=8, unique=True))
    dim = draw(st.integers(1, 6))
    vectors = draw(hnp.arrays(np.float32, (len(names), dim), elements=numbers))
    return Space(Keys(names), vectors, Origin("made"))


def same(a: Space, b: Space) -> None:
    assert list(a.keys) == list(b.keys)
    assert a.vectors.tobytes() == b.vectors.tobytes()


def name_of(form: str) -> str:
    return "v" + WRITINGS[form].endings[0]


@pytest.mark.parametrize("first", WRITINGS)
@pytest.mark.parametrize("second", WRITINGS)
@settings(SMALL, max_examples=6)
@given(space=spaces())
def test_every_pair_of_layouts_keeps_words_and_numbers(
    first: str, second: str, space: Space, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    write_vectors(space, folder / name_of(first), first)
    there = read_vectors(folder / name_of(first))
    same(space, there)
    write_vectors(there, folder / f"w{WRITINGS[second].endings[0]}", second)
    same(space, read_vectors(folder / f"w{WRITINGS[second].endings[0]}"))


@pytest.mark.parametrize("form", ["word2vec-text", "npy", "safetensors", "parquet", "tensorboard"])
@SMALL
@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\t"), max_size=9),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_words_with_spaces_and_oddities_come_back(
    form: str, names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    space = Space(Keys(names), np.arange(3 * len(names), dtype=np.float32).reshape(-1, 3), Origin("made"))
    path = tmp_path_factory.mktemp("odd") / name_of(form)
    try:
        write_vectors(space, path, form)
        same(space, read_vectors(path))
    except UnreadableError as error:  # control characters are no text
        assert form == "word2vec-text"
        assert any(ord(c) < 32 for name in names for c in name)
        assert "no file of vectors that is known" in str(error)
    except UserError as error:
        assert form == "word2vec-text"
        assert "most words begin or end with a space or are empty" in str(error)


@SMALL
@given(
    content=st.binary(max_size=300),
    head=st.sampled_from(
        [b"", b"2 3\n", b"the 1 2\n", b"\x93NUMPY", b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\x10\0\0\0\0\0\0\0{"]
    ),
)
def test_any_bytes_are_read_or_refused_in_one_line(
    content: bytes, head: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "v"
    path.write_bytes(head + content)
    try:
        space = read_vectors(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(space.vectors).all()


@SMALL
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    form = data.draw(st.sampled_from(list(WRITINGS)))
    space = Space(Keys(["the", "bank", "swan"]), np.arange(12, dtype=np.float32).reshape(3, 4), Origin("made"))
    path = write_vectors(space, folder / name_of(form), form)[0]
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        del raw[at:]
    else:
        raw[at] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        read = read_vectors(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(read.vectors).all()


def test_the_content_says_what_a_file_is(tmp_path: Path) -> None:
    space = Space(Keys(["a", "b"]), np.eye(2, dtype=np.float32), Origin("made"))
    for form in ("word2vec-text", "word2vec-binary", "safetensors", "parquet"):
        write_vectors(space, tmp_path / f"{form}.dat", form)
        same(space, read_vectors(tmp_path / f"{form}.dat"))
    (tmp_path / "packed").write_bytes(gzip.compress((tmp_path / "word2vec-binary.dat").read_bytes()))
    assert recognize(tmp_path / "packed").name == "word2vec-binary"
    same(space, read_vectors(tmp_path / "packed"))


def test_a_word_that_looks_like_numbers_does_not_change_the_width(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the 1 2\nroute 66 1 2\n66 3 4\n")
    space = read_vectors(tmp_path / "v.txt")
    assert (list(space.keys), space.dim) == (["the", "route 66", "66"], 2)


@pytest.mark.parametrize(
    "text",
    [
        "1e-30",
        "1.17549435e-38",
        "1e-45",
        "3.4028235e38",
        "0.12345678901234567890123",
        "123456789012345678901234567890",
        "-.5",
        "5.",
        "1E+2",
        "-0",
    ],
)
def test_numbers_are_rounded_as_python_does(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.txt").write_text(f"a {text} 1\n" * 1)
    assert read_vectors(tmp_path / "v.txt").vectors[0, 0].tobytes() == np.float32(float(text)).tobytes()


def test_many_unusual_numbers_take_the_slow_road_to_the_same_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((2000, 50)) * 1e-30
    (tmp_path / "v.txt").write_text(
        "".join(f"w{i} {' '.join(map(repr, row))}\n" for i, row in enumerate(values.tolist()))
    )
    assert (read_vectors(tmp_path / "v.txt").vectors == values.astype(np.float32)).all()


def test_blocks_join_without_a_seam(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    space = Space(Keys([f"w{i}" for i in range(500)]), rng.standard_normal((500, 3)).astype(np.float32), Origin("made"))
    for form in WRITINGS:
        path = write_vectors(space, tmp_path / name_of(form), form)[0]
        same(space, read_vectors(path, block_bytes=257))
    (tmp_path / "bad.txt").write_text("".join(f"w{i} 1 2\n" for i in range(300)) + "x 1\n" + "y 1 2\n" * 90)
    with pytest.raises(UnreadableError, match="line 301: 1 numbers; the others have 2"):
        read_vectors(tmp_path / "bad.txt", block_bytes=257)


def test_gensims_files_and_ours_are_the_same(tmp_path: Path) -> None:
    theirs = KeyedVectors.load_word2vec_format(str(GENSIM / "lee_fasttext.vec"))
    ours = read_vectors(GENSIM / "lee_fasttext.vec")
    assert list(ours.keys) == theirs.index_to_key
    assert (ours.vectors == theirs.vectors).all()
    theirs.save_word2vec_format(str(tmp_path / "g.bin"), binary=True)
    same(ours, read_vectors(tmp_path / "g.bin"))
    theirs.save_word2vec_format(str(tmp_path / "g.txt"), fvocab=str(tmp_path / "g.counts"))
    same(ours, read_vectors(tmp_path / "g.txt"))
    for form, binary in (("word2vec-text", False), ("word2vec-binary", True)):
        write_vectors(ours, tmp_path / form, form)
        back = KeyedVectors.load_word2vec_format(str(tmp_path / form), binary=binary)
        assert (back.index_to_key, (back.vectors == theirs.vectors).all()) == (theirs.index_to_key, True)
    glove = read_vectors(GENSIM / "test_glove.txt")
    assert (
        back := KeyedVectors.load_word2vec_format(str(GENSIM / "test_glove.txt"), no_header=True)
    ).index_to_key == list(glove.keys)
    assert (back.vectors == glove.vectors).all()


def test_gensims_own_save(tmp_path: Path) -> None:
    vectors = KeyedVectors(3)
    vectors.add_vectors(["a", "b"], np.eye(2, 3, dtype=np.float32))
    vectors.save(str(tmp_path / "m.kv"), separately=["vectors"], sep_limit=0)
    with pytest.raises(UnreadableError, match=r"m\.kv is a pickle .*KeyedVectors\.load\('m\.kv'\)"):
        read_vectors(tmp_path / "m.kv")
    table = next(tmp_path.glob("*.npy"))
    with pytest.raises(NotFoundError, match="gensim keeps the words of a .vectors.npy in the pickle beside it"):
        read_vectors(table)
    (tmp_path / "m.kv.vocab").write_text("a 2\nb 1\n")
    assert list(read_vectors(table).keys) == ["a", "b"]


def test_npz_safetensors_and_parquet_of_others(tmp_path: Path) -> None:
    vectors = np.array([[1, 2], [3, 4]], np.float64)
    np.savez(tmp_path / "v.npz", embeddings=vectors, vocab=np.array(["a", "ö b"]))
    np.savez(tmp_path / "objects.npz", embeddings=vectors, vocab=np.array(["a", "b"], object))
    np.savez(tmp_path / "two.npz", a=vectors, b=vectors)
    save_file({"embeddings": vectors.astype(np.float16)}, tmp_path / "v.safetensors")
    pq.write_table(pa.table({"token": ["a", "ö b"], "0": vectors[:, 0], "1": vectors[:, 1]}), tmp_path / "wide.parquet")
    pq.write_table(pa.table({"word": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}), tmp_path / "ragged.parquet")
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "none.parquet")
    bare = read_vectors(tmp_path / "v.safetensors")
    assert list(bare.keys) == ["0", "1"]
    assert "no .vocab file of its name (one a line) is beside it" in bare.origin.notes[0]
    (tmp_path / "v.vocab").write_text("a\nö b\n")
    for name in ("v.npz", "v.safetensors", "wide.parquet"):
        space = read_vectors(tmp_path / name)
        assert (list(space.keys), space.vectors.tolist()) == (["a", "ö b"], vectors.tolist())
    for name, message in (
        ("objects.npz", "an array of Python objects, which only a pickle holds"),
        ("two.npz", "one table of numbers .* are needed; it holds: a float64"),
        ("ragged.parquet", "not all have one dimension: 1, 2"),
        ("none.parquet", "a column of lists of numbers named vector is needed; it has: n int64"),
    ):
        with pytest.raises(UnreadableError, match=message):
            read_vectors(tmp_path / name)


def test_bfloat16_is_read(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save

    table = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16)
    save({"weight": table}, tmp_path / "v.safetensors")
    (tmp_path / "v.vocab").write_text("a\nb\nc\n")
    assert (read_vectors(tmp_path / "v.safetensors").vectors == table.float().numpy()).all()


def test_what_a_layout_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    space = Space(Keys(["new york", "a\nb"]), np.eye(2, dtype=np.float32), Origin("made"))
    with pytest.raises(UserError, match=r"word2vec-binary can't hold the word 'new york' \(row 1; 2 such\)"):
        write_vectors(space, tmp_path / "v.bin")
    with pytest.raises(UserError, match=r"word2vec-text can't hold the word 'a\\nb'"):
        write_vectors(space, tmp_path / "v.txt")
    with pytest.raises(UserError, match="the ending of v.doc names no layout"):
        write_vectors(space, tmp_path / "v.doc")
    with pytest.raises(UserError, match="not written as 'onnx'; choose one of word2vec-text"):
        write_vectors(space, tmp_path / "v.doc", "onnx")
    with pytest.raises(UserError, match="there is no folder"):
        write_vectors(space, tmp_path / "no" / "v.parquet")
    write_vectors(space, tmp_path / "v.parquet")
    with pytest.raises(ConflictError, match=r"v\.parquet is there already; .* \(--replace\)"):
        write_vectors(space, tmp_path / "v.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["v.parquet"]
    same(space, read_vectors(tmp_path / "v.parquet"))


def test_a_file_is_converted_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    calls: list[str] = []
    real = vector_cache.convert
    monkeypatch.setattr(vector_cache, "convert", lambda *args: (calls.append("convert"), real(*args))[1])
    digests = []
    monkeypatch.setattr(
        vector_cache.hashlib,
        "file_digest",
        lambda f, n, _real=vector_cache.hashlib.file_digest: (digests.append(1), _real(f, n))[1],
    )
    path = tmp_path / "v.txt"
    path.write_text("a 1 2\nb 3 4\n")
    first = read_vectors(path)
    assert isinstance(first.vectors.base, np.memmap) or isinstance(first.vectors, np.memmap)
    read_vectors(path)
    assert (len(calls), len(digests)) == (1, 1)
    os.utime(path)  # another time, the same content: read to know, but not converted again
    read_vectors(path)
    assert (len(calls), len(digests)) == (1, 2)
    path.write_text("a 1 2\nb 3 5\n")
    assert read_vectors(path).vectors.tolist() == [[1, 2], [3, 5]]
    assert (len(calls), len(digests)) == (2, 3)
    (tmp_path / "copy.txt").write_text("a 1 2\nb 3 5\n")
    read_vectors(tmp_path / "copy.txt")
    assert len(calls) == 2
    for kept in (tmp_path / "home" / "vectors").glob("*/vectors.npy"):
        kept.write_bytes(kept.read_bytes()[:-1])  # a damaged entry is made anew
    assert read_vectors(path).vectors.tolist() == [[1, 2], [3, 5]]
    assert len(calls) == 3


def test_a_conversion_that_is_killed_leaves_nothing_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    path = tmp_path / "v.txt"
    path.write_text("a 1 2\nb 3 4\n")
    code = (
        "import os, sys\nfrom polysema.core import atomic\n"
        "atomic.sync = lambda p: os._exit(9)\nfrom polysema.core.files.formats import read_vectors\n"
        "read_vectors(sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    left = list((tmp_path / "home" / "vectors").glob(".*.part"))
    assert len(left) == 1
    assert list(read_vectors(path).keys) == ["a", "b"]
    assert not left[0].exists()


def test_memory_stays_bounded_while_a_file_is_converted(tmp_path: Path) -> None:
    row = " ".join(["0.125"] * 300)
    with (tmp_path / "v.txt").open("w") as file:
        for i in range(240_000):
            file.write(f"w{i} {row}\n")
    code = (
        "import sys\nfrom polysema.core.files.formats import read_vectors\n"
        "import polysema.core.files.text_parser, pyarrow.parquet, pyarrow as pa, numpy as np\n"
        "def kib(name): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(name))\n"
        "pa.array(np.arange(3))\nbefore = kib('VmRSS')\nopen('/proc/self/clear_refs', 'w').write('5')\n"
        "space = read_vectors(sys.argv[1])\n"
        "print(space.vectors.nbytes >> 20, (kib('VmHWM') - before) >> 10)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "v.txt")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "POLYSEMA_HOME": str(tmp_path / "home")},
    )
    vectors, grown = map(int, done.stdout.split())
    assert vectors == 274
    assert 10 < grown < 160, "MiB: a few blocks of text and numbers, whatever the file's size"


def test_no_room_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("a file where the folder would be")
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    (tmp_path / "v.txt").write_text("a 1 2\n")
    with pytest.raises(UserError, match="can't be kept in .*POLYSEMA_HOME"):
        read_vectors(tmp_path / "v.txt")
