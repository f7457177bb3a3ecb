"""fastText's binary models: the vectors of known and unknown words are fastText's own, as gensim reads them."""

import struct
from pathlib import Path

import numpy as np
import pytest
from gensim.models.fasttext import FastText, load_facebook_vectors, save_facebook_model

from polysema.core.errors import UnknownWordError, UnreadableError
from polysema.core.files import fasttext_reader
from polysema.core.files.fasttext_reader import HEADER, check_fasttext
from polysema.core.files.formats import read_vectors, recognize
from polysema.core.space.lookup import Policy, look_up

TEXTS = [["the", "river", "bank", "où", "l’eau"], ["日本語", "swans", "on", "the", "river", "a"]] * 10


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = FastText(TEXTS, vector_size=12, min_count=1, epochs=2, bucket=50, min_n=2, max_n=4, workers=1, seed=3)
    path = tmp_path_factory.mktemp("fasttext") / "mine.bin"
    save_facebook_model(trained, str(path))
    return path


def test_known_and_unknown_words_have_fasttexts_own_vectors(model: Path) -> None:
    theirs = load_facebook_vectors(str(model))
    space = read_vectors(model)
    assert recognize(model).name == "fasttext"
    assert list(space) == theirs.index_to_key
    for word in [*theirs.index_to_key, "riverbank", "日本", "eau", "swanz", "é"]:
        np.testing.assert_allclose(space.vector(word), theirs[word], atol=1e-6, err_msg=word)
    assert look_up(space, "riverbanks", Policy()).notes == (
        f"'riverbanks' is not among the words of {model}: its vector is made of its n-grams",
    )


def test_without_ngrams_a_word_is_unknown(tmp_path: Path) -> None:
    trained = FastText(TEXTS, vector_size=8, min_count=1, epochs=1, bucket=50, min_n=5, max_n=5, workers=1, seed=3)
    save_facebook_model(trained, str(tmp_path / "x.bin"))
    with pytest.raises(UnknownWordError):
        read_vectors(tmp_path / "x.bin").vector("zq")


def test_what_is_damaged_is_refused(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    wrong = tmp_path / "wrong.bin"
    for cut in (40, 100, 300, len(data) // 2):
        wrong.write_bytes(data[:cut])
        for read in (read_vectors, check_fasttext):
            with pytest.raises(UnreadableError, match=r"^[^:]*wrong.bin (is cut|ends among|can't be read)") as refused:
                read(wrong)
            assert str(refused.value).count("wrong.bin") == 1
    wrong.write_bytes(data[:4] + struct.pack("<i", 11) + data[8:])
    with pytest.raises(UnreadableError, match="of fastText's layout 11; 12 is read"):
        read_vectors(wrong)
    assert HEADER.size == 64


def test_that_a_file_is_whole_is_told_without_its_words(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasttext_reader, "open_fasttext", lambda path: pytest.fail("its words are read"))
    check_fasttext(model)
