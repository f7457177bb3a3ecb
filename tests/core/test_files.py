"""Files of vectors and of texts: good ones and bad ones."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from polysema.core.corpus import open_corpus
from polysema.core.errors import NotFoundError, UnreadableError
from polysema.core.files.formats import read_vectors

GLOVE = "the 0.1 0.2 0.3\nbank -1 2e-2 3\nnew york 1 1 1\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("header", ["", "3 3\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text(tmp_path: Path, header: str, end: str) -> None:
    space = read_vectors(write(tmp_path / "v.txt", (header + GLOVE).replace("\n", end)))
    assert list(space.keys) == ["the", "bank", "new york"]
    np.testing.assert_allclose(space.vectors, [[0.1, 0.2, 0.3], [-1, 0.02, 3], [1, 1, 1]], rtol=1e-6)
    assert len(space.origin.weights_sha256) == 64


def test_text_without_an_end_of_line_and_compressed(tmp_path: Path) -> None:
    plain = read_vectors(write(tmp_path / "a.vec", GLOVE.rstrip("\n")))
    packed = read_vectors(write(tmp_path / "a.vec.gz", gzip.compress(GLOVE.encode())))
    assert plain.vectors.tolist() == packed.vectors.tolist()


def test_word2vec_binary(tmp_path: Path) -> None:
    vectors = np.array([[1, 2, 3], [4, 5, 6]], "<f4")
    content = b"2 3\n" + b"".join(
        word + b" " + row.tobytes() + b"\n" for word, row in zip([b"bank", b"swan"], vectors, strict=True)
    )
    space = read_vectors(write(tmp_path / "v.bin", content))
    assert (list(space.keys), space.vectors.tolist()) == (["bank", "swan"], vectors.tolist())
    cut = read_vectors(write(tmp_path / "cut.bin", content[:-4]))
    assert list(cut.keys) == ["bank"]
    assert cut.origin.notes == (
        "line 1 promises 2 vectors, 1 whole ones are there: these are read",
        "the last one (row 2) is cut off within its numbers: left out",
    )
    with pytest.raises(UnreadableError, match="9,000,000 vectors of width 300 are promised, and not one whole one"):
        read_vectors(write(tmp_path / "lie.bin", b"9000000 300\n" + content))


def test_npy_with_its_vocabulary(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(2, dtype=np.float32))
    bare = read_vectors(tmp_path / "v.npy")
    assert list(bare.keys) == ["0", "1"]
    assert (
        "no .vocab file of its name (one a line) is beside it: each row is named by its number from 0"
        in bare.origin.notes[0]
    )
    write(tmp_path / "v.vocab", "a\nb\n")
    assert list(read_vectors(tmp_path / "v.npy").keys) == ["a", "b"]
    write(tmp_path / "v.vocab", "a\n")
    with pytest.raises(UnreadableError, match=r"1 words for the 2 rows of v\.npy; they must be as many"):
        read_vectors(tmp_path / "v.npy")
    np.save(tmp_path / "v.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(UnreadableError, match="not a .npy file of numbers"):
        read_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no vectors"),
        ("the 1 2\nbank 1\n", "line 2: 1 numbers; the others have 2"),
        ("the 1 2\nbank 1 x\nof 1 2\n", "line 2: 2 numbers were expected; got 'x'"),
        ("the 1 2\nbank 1 1_0\n", "line 2: 2 numbers were expected; got '1_0'"),
        ("2 900000\nthe 1 2\n", "line 1: vectors of dimension 900,000; 1 to 65,536 are read"),
        ("the\n", "line 1: a word and numbers were expected"),
        ("the nan 2\n", "holds no vectors"),
        (b"the 1 2\nb\x00nk 1 2\n", "no file of vectors that is known here"),
        (b"\x80\x04\x95\x00\x00", "is a pickle .* save_word2vec_format"),
        (b"\xba\x16\x4f\x2f\x0c\x00", "can't be read as fastText's binary"),
        ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("\n<!DOCTYPE html><html>", "is a web page"),
        (b"PK\x03\x04 and nothing", "can't be read as a .npz file"),
        (b"PAR1 and nothing", "can't be read as Parquet"),
        (b"\x1f\x8b and nothing", "can't be read"),
        (gzip.compress(b"the 1 2\n" * 9000)[:-20], "can't be read"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UnreadableError, match=message) as error:
        read_vectors(write(tmp_path / "v.txt", content))
    assert "\n" not in str(error.value)
    assert str(tmp_path / "v.txt") in str(error.value)


@pytest.mark.parametrize(
    ("content", "words", "note"),
    [
        ("3 2\nthe 1 2\n", ["the"], "line 1 promises 3 vectors, the file holds 1: these are read"),
        (
            "the 1 2\nbank 1 nan\nof 1 -inf\n",
            ["the"],
            "2 lines with NaN or Inf (at line 2 'bank', line 3 'of'): left out",
        ),
        ("the 1 2\nbank 1 1e39\n", ["the"], "1 line with NaN or Inf (at line 2 'bank'): left out"),
        ("the 1 2\n\nof 1 2\n", ["the", "of"], "1 line blank (at line 2): passed over"),
        (
            "the 1 2\nof 3 4\nthe 5 6\n",
            ["the", "of"],
            "1 line repeated (at line 3 'the'): the vector where the word comes first is kept",
        ),
        (
            "the 1 2\nnew york 3 4\n",
            ["the", "new york"],
            "1 line with a space in the word (at line 2 'new york'): read as one word each",
        ),
        (
            "the 1 2\r\nof 3 4\r\n",
            ["the", "of"],
            "2 lines ended in CR LF (from line 1, line 2): read as plain line ends",
        ),
        ("the 1 2\nof 3", ["the"], "the last one (line 2) is cut off within its numbers: left out"),
        ("the 1 2\nof 3 -", ["the"], "the last one (line 2) is cut off within its numbers: left out"),
    ],
)
def test_irregular_files_are_read_by_a_rule_that_is_told(
    tmp_path: Path, content: str, words: list[str], note: str
) -> None:
    space = read_vectors(write(tmp_path / "v.txt", content))
    assert (list(space.keys), space.origin.notes) == (words, (note,))
    assert space.vectors[0].tolist() == [1, 2]
    assert read_vectors(tmp_path / "v.txt").origin.notes == (note,)


def test_a_corpus_is_checked_whole_and_streamed(tmp_path: Path) -> None:
    corpus = open_corpus(write(tmp_path / "t.txt", "\ufeffone line\r\n\nthe last"))
    assert (corpus.lines, corpus.texts, list(corpus)) == (3, 2, ["one line", "", "the last"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\nwith\0nul\n", "line 2: holds a NUL character"),
        (b"good\n" + b"x" * 5_000_000 + b"\n", "line 2: longer than 1,048,576 bytes"),
        (b"", "holds no text: 0 lines"),
        (b"\n  \n\n", "holds no text: 3 lines, all of them blank"),
    ],
)
def test_bad_texts_are_named_with_their_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        open_corpus(write(tmp_path / "t.txt", content))


def test_texts_of_another_encoding_are_read_and_told(tmp_path: Path) -> None:
    corpus = open_corpus(write(tmp_path / "t.txt", b"good\nb\xe9d\n"))
    assert list(corpus) == ["good", "béd"]
    assert corpus.notes == ("not UTF-8: read as cp1252, which its letters fit best (--encoding names another)",)


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        open_corpus(tmp_path / "nope.txt")
    with pytest.raises(NotFoundError, match="holds no file of texts: none ends in .txt"):
        open_corpus(tmp_path)
