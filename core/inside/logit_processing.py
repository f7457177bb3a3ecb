"""What is done to the logits before a token is chosen: a model's own rules, temperature, cut-offs."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.core.inside.generation_results import DecodingOptions
from polysema.core.model.load import LanguageModel

if TYPE_CHECKING:
    from transformers import GenerationConfig, LogitsProcessorList

MAX_BEAMS = 16
MAX_TEMPERATURE = 100.0
MAX_LENGTH_PENALTY = 100.0
DEFAULT_TOP_K = 50  # of transformers, where neither a model nor a caller says otherwise
DRAWING_OPTIONS = ("temperature", "top_k", "top_p", "min_p", "seed")


def end_tokens(model: LanguageModel) -> set[int]:
    """The ids with which a model ends what it writes."""
    found: set[int] = set()
    for holder in (getattr(model.whole, "generation_config", None), model.whole.config):
        ids = getattr(holder, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, list) else {ids} if isinstance(ids, int) else set()
    return found


def generation_config(model: LanguageModel) -> "GenerationConfig":
    """The rules by which a model says that it writes; an empty set of rules where it says nothing."""
    from transformers import GenerationConfig

    found = getattr(model.whole, "generation_config", None)
    return found if isinstance(found, GenerationConfig) else GenerationConfig()


def checked_options(model: LanguageModel, options: DecodingOptions) -> DecodingOptions:
    """The options with what is None filled in from the model's own rules; raises `UserError` for what can't be."""
    rules = generation_config(model)

    def filled(name: str, default: float) -> float:
        for given in (getattr(options, name), getattr(rules, name, None)):
            if given is not None:
                return float(given)
        return default

    drawn = any(getattr(options, name) is not None for name in DRAWING_OPTIONS)
    if options.do_sample is False and drawn:
        raise UserError("temperature, top-k, top-p, min-p and a seed are of drawing tokens: leave them out, or sample")
    if options.num_beams == 1 and options.length_penalty is not None:
        raise UserError("a length penalty compares beams: give 2 beams or more, or leave it out")
    min_p = filled("min_p", -1.0)
    made = replace(
        options,
        do_sample=drawn if options.do_sample is None else options.do_sample,
        temperature=filled("temperature", 1.0),
        top_k=int(filled("top_k", DEFAULT_TOP_K)),
        top_p=filled("top_p", 1.0),
        min_p=None if min_p == -1.0 else min_p,
        length_penalty=filled("length_penalty", 1.0),
        seed=options.seed or 0,
    )
    _check_ranges(made)
    if made.num_beams > 1 and made.do_sample:
        raise UserError("beams are compared and not drawn: choose one beam to sample, or leave sampling out")
    n_tokens = len(model.input_table)
    wrong = next((number for number in made.prefix if not 0 <= number < n_tokens), None)
    if wrong is not None:
        raise UserError(f"token ids of {model.name} go from 0 to {n_tokens - 1:,}; the prefix has {wrong:,}")
    return made


def _check_ranges(options: DecodingOptions) -> None:
    temperature, top_k, top_p = options.temperature or 0.0, options.top_k or 0, options.top_p or 0.0
    if not 0 < temperature <= MAX_TEMPERATURE:
        raise UserError(
            f"the temperature is above 0 and at most {MAX_TEMPERATURE:g}; got {temperature:g} (without sampling "
            "the most probable token is written each time)"
        )
    if top_k < 0:
        raise UserError(f"top-k is a number of tokens, or 0 for all; got {top_k}")
    if not 0 < top_p <= 1:
        raise UserError(f"top-p is a probability above 0 and at most 1; got {top_p:g}")
    if options.min_p is not None and not 0 <= options.min_p <= 1:
        raise UserError(f"min-p is a share from 0 to 1; got {options.min_p:g}")
    if not 1 <= options.num_beams <= MAX_BEAMS:
        raise UserError(f"1 to {MAX_BEAMS} beams are gone on with; got {options.num_beams}")
    if not -MAX_LENGTH_PENALTY <= (options.length_penalty or 0.0) <= MAX_LENGTH_PENALTY:
        raise UserError(
            f"the length penalty is a power from -{MAX_LENGTH_PENALTY:g} to {MAX_LENGTH_PENALTY:g}; "
            f"got {options.length_penalty:g}"
        )
    if not 0 <= (options.seed or 0) < 2**63:
        raise UserError(f"a seed is a whole number from 0 on; got {options.seed}")


def rule_processors(model: LanguageModel, n_prompt: int, max_length: int) -> "LogitsProcessorList":
    """A model's own rules, as transformers applies them to every way of choosing a token, in its order.

    Args:
        model: Whose rules they are.
        n_prompt: How many tokens stand before the first that is chosen.
        max_length: How many tokens there are in all at most: the last may have to be the end.

    Returns:
        Processors of (n_rows, n_tokens) ids and (n_rows, vocabulary) logits.
    """
    from transformers.generation import logits_process as of

    rules, ends, device = generation_config(model), sorted(end_tokens(model)), model.whole.device
    first = rules.forced_bos_token_id
    begin = n_prompt if n_prompt > 1 or first is None else n_prompt + 1
    repetition = None if rules.repetition_penalty == 1.0 else rules.repetition_penalty
    table: tuple[tuple[object, Callable[[], object]], ...] = (
        (repetition, lambda: of.RepetitionPenaltyLogitsProcessor(repetition)),
        (rules.no_repeat_ngram_size or None, lambda: of.NoRepeatNGramLogitsProcessor(rules.no_repeat_ngram_size)),
        (rules.bad_words_ids, lambda: of.NoBadWordsLogitsProcessor(rules.bad_words_ids, ends or None)),
        (
            (ends and rules.min_length) or None,
            lambda: of.MinLengthLogitsProcessor(rules.min_length, ends, device=device),
        ),
        (
            (ends and rules.min_new_tokens) or None,
            lambda: of.MinNewTokensLengthLogitsProcessor(n_prompt, rules.min_new_tokens, ends, device=device),
        ),
        (first, lambda: of.ForcedBOSTokenLogitsProcessor(first)),
        (
            rules.forced_eos_token_id,
            lambda: of.ForcedEOSTokenLogitsProcessor(max_length, rules.forced_eos_token_id, device=device),
        ),
        (rules.suppress_tokens, lambda: of.SuppressTokensLogitsProcessor(rules.suppress_tokens, device=device)),
        (
            rules.begin_suppress_tokens,
            lambda: of.SuppressTokensAtBeginLogitsProcessor(rules.begin_suppress_tokens, begin, device=device),
        ),
    )
    return of.LogitsProcessorList(make() for value, make in table if value is not None)


def with_warpers(processors: "LogitsProcessorList", options: DecodingOptions) -> "LogitsProcessorList":
    """The same with temperature and cut-offs behind, in the order of transformers."""
    from transformers.generation import logits_process as of

    made = of.LogitsProcessorList(processors)
    if not options.do_sample:
        return made
    if options.temperature not in (None, 1.0):
        made.append(of.TemperatureLogitsWarper(options.temperature))
    if options.top_k:
        made.append(of.TopKLogitsWarper(options.top_k))
    if options.top_p is not None and options.top_p < 1:
        made.append(of.TopPLogitsWarper(options.top_p))
    if options.min_p is not None:
        made.append(of.MinPLogitsWarper(options.min_p))
    return made
