"""The page Measures: what each kind asks for, and how it is measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard.measures import inputs
from polysema.app.dashboard.picker import choices
from polysema.app.explorer.bias_measure import UNITS, BiasOptions
from polysema.app.explorer.results.bias import BiasReport
from polysema.app.explorer.results.model_measures import ContextualityReport, LabelReport, ProbeReport
from polysema.core.corpus import open_corpus
from polysema.core.measure.annotations import read_annotations, read_context_pairs
from polysema.core.measure.bias_lists import LIST_NAMES, bias_lists, split_words
from polysema.core.progress import Progress

Report = ContextualityReport | LabelReport | ProbeReport | BiasReport
MAX_PAGE_TEXTS = 2000  # texts of a file that the page measures; the shell takes any number
LISTS = {
    "first": "rose, tulip, daisy, lily, orchid, violet",
    "second": "ant, wasp, spider, mosquito, cockroach, flea",
    "toward": "love, peace, happy, pleasure, friend, wonderful",
    "away": "agony, awful, hatred, pain, filth, terrible",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is to be measured: its `key` tells it from others, `work` does it, `code` is the Python that does the same.

    `curves` are the attributes of a row that are drawn over the layers, by what they are called.
    """

    key: tuple[object, ...]
    work: Callable[[Progress], Report]
    curves: dict[str, str]
    code: str
    details: str


def contextuality(models: Sequence[str]) -> Measurement | None:
    """Anisotropy and the rest, over texts."""
    given = inputs.own_file(
        "contextuality", "Texts, one a line", inputs.example_texts(), "A word counts that stands in several of them."
    )
    least = int(
        st.number_input(
            "Contexts a word needs",
            2,
            100,
            5,
            key="least",
            bind="query-params",
            help="In how many texts a word stands whose self-similarity counts.",
        )
    )
    if given is None:
        return None

    def work(progress: Progress) -> Report:
        texts = given.read(lambda path: list(islice((t for t in open_corpus(path) if t.strip()), MAX_PAGE_TEXTS)))
        return widgets.explorer().measures.contextuality(texts, models, least, progress)

    names = {
        "anisotropy": "anisotropy",
        "self-similarity": "self_similarity",
        "self-similarity, adjusted": "adjusted_self_similarity",
        "intra-sentence similarity": "intra_similarity",
        "intra-sentence similarity, adjusted": "adjusted_intra_similarity",
        "explained variance": "explained",
        "explained variance, adjusted": "adjusted_explained",
    }
    code = (
        "from polysema import Explorer\n\ntexts = open('texts.txt').read().splitlines()\n"
        f"found = Explorer().measures.contextuality(texts, {list(models)!r}, min_contexts={least})\nfound.to_pandas()"
    )
    return Measurement(
        ("contextuality", given.key, least),
        work,
        names,
        code,
        "Ethayarajh (2019): anisotropy is the mean cosine of words taken at random; adjusted is less what vectors "
        "taken at random have. The first word of a text is an outlier in GPT-like models: both are drawn.",
    )


def labels(kind: str, models: Sequence[str]) -> Measurement | None:
    """Senses, or a linear probe, of labeled words."""
    given = inputs.own_file(
        kind,
        "Words with their labels, as CSV",
        inputs.example_labels(),
        "The columns word, sense (or label, tag), text, and start and end in characters, else the word's first place.",
    )
    if given is None:
        return None
    verb = "annotated_senses" if kind == "senses" else "probe"

    def work(progress: Progress) -> Report:
        found = given.read(read_annotations)
        measures = widgets.explorer().measures
        return (measures.annotated_senses if kind == "senses" else measures.probe)(found, models, progress)

    names = {"accuracy": "accuracy"}
    if kind == "probe":
        names |= {"selectivity": "selectivity", "control task": "control"}
    code = (
        "from polysema import Explorer\nfrom polysema.core.measure.annotations import read_annotations\n\n"
        f"found = Explorer().measures.{verb}(read_annotations('labels.csv'), {list(models)!r})\nfound.to_pandas()"
    )
    message = (
        "How often a word’s nearest other occurrence has its sense; a static vector can’t beat the most frequent one."
        if kind == "senses"
        else "A logistic regression on each layer, five folds by text; in the control task every word has one random "
        "label, and the selectivity is the difference (Hewitt and Liang 2019)."
    )
    return Measurement((kind, given.key), work, names, code, message)


def word_in_context(models: Sequence[str]) -> Measurement | None:
    """Whether a word means the same in two texts."""
    given = inputs.own_file(
        "wic",
        "Pairs, as CSV",
        inputs.example_pairs(),
        "The columns word, sentence1, sentence2 and label (true where the word means the same in both).",
    )
    if given is None:
        return None

    def work(progress: Progress) -> Report:
        return widgets.explorer().measures.word_in_context(given.read(read_context_pairs), models, progress)

    code = (
        "from polysema import Explorer\nfrom polysema.core.measure.annotations import read_context_pairs\n\n"
        f"found = Explorer().measures.word_in_context(read_context_pairs('pairs.csv'), {list(models)!r})\n"
        "found.to_pandas()"
    )
    return Measurement(
        ("wic", given.key),
        work,
        {"accuracy": "accuracy"},
        code,
        "A threshold on the cosine is learned on four fifths of the pairs and tried on the fifth. A static vector is "
        "the same in both texts: the dashed line is its accuracy (Pilehvar and Camacho-Collados 2019).",
    )


def bias(models: Sequence[str]) -> Measurement | None:
    """How words lean to attributes, in a static space and in models."""
    one, two = st.columns(2)
    boxes = dict(zip(LIST_NAMES, (one, two, one, two), strict=True))
    written = {
        name: permalink.box(
            boxes[name].text_input,
            "measures",
            label,
            LISTS[name],
            key=f"bias_{name}",
            help="Words with commas between; or sentences, for models.",
        )
        for name, label in zip(LIST_NAMES, ("First words", "Second words", "Toward", "Away"), strict=True)
    }
    three, four = st.columns([4, 8], vertical_alignment="bottom")
    statics = choices.spaces()
    space = permalink.pick(
        three, "Static space", ["none", *statics], "space", key="bias_space", index=min(1, len(statics)), help="Beside."
    )
    unit = four.segmented_control(
        "In a model",
        list(UNITS),
        default=UNITS[0],
        required=True,
        key="bias_unit",
        bind="query-params",
        help="The word itself in templates such as “This is …”, or the mean over the whole sentence.",
    )
    test = bias_lists("lists", {name: split_words(text or "") for name, text in written.items()})
    spaces = [] if space == "none" else [space]
    options = BiasOptions(unit or UNITS[0])
    code = (
        "from polysema import Explorer\nfrom polysema.app.explorer.bias_measure import BiasOptions\n"
        "from polysema.core.measure.bias_lists import BiasLists\n\n"
        f"test = {test!r}\n"
        f"found = Explorer().measures.bias([test], {spaces!r}, {list(models)!r}, BiasOptions({options.unit!r}))\n"
        "found.to_pandas()"
    )
    return Measurement(
        ("bias", test, tuple(spaces), options),
        partial(widgets.explorer().measures.bias, [test], spaces, models, options),
        {"WEAT effect": "effect", "p": "p", "RIPA, first words": "ripa_first", "RIPA, second words": "ripa_second"},
        code,
        "WEAT (Caliskan et al. 2017): the difference of the mean leans in standard deviations; p is exact where at "
        "most 20,000 partitions exist. RIPA (Ethayarajh et al. 2019): mean inner products, in the unit of the vectors.",
    )
