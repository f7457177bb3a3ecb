"""What a model is built of and what one pass costs, measured: norms, positions, task, weights, FLOPs, milliseconds."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

from polysema.core.inside.architectures import find_plan, kind_of
from polysema.core.inside.next_sentence import has_next_sentence_head
from polysema.core.inside.readings import HookedRun, one_reading
from polysema.core.model.load import LanguageModel
from polysema.core.model.loading_cost import stored_bytes
from polysema.core.space.space import Family

N_PASSES = 5
ROTARY, RELATIVE, SINUSOIDAL, LEARNED = "rotary", "relative (a bias on the scores)", "sinusoidal", "learned"
TASKS = {
    Family.DECODER: "say the next token",
    Family.ENCODER_DECODER: "write the target, token by token, given the source",
}

CANNOT = {
    Family.ENCODER: "write a text: it has no next word, only gaps",
    Family.DECODER: "see what comes behind a token: its vector of a word knows the left side alone",
    Family.ENCODER_DECODER: "write without a source, or anything but what its pairs taught it",
}


@dataclass(frozen=True, slots=True)
class FamilyCard:
    """A model in figures.

    `norms` is where they stand and of which kind, `positions` how it knows the order, `task` what its head was trained
    on, `cannot` what an architecture of its kind is unable to. `n_parameters` counts every weight once, `weight_bytes`
    is what they take in memory and `file_bytes` what the model's files take as they come (0 where that isn't known).
    `flops` (two for each multiplication with its addition) and `milliseconds` (the median of some passes on this
    machine) are of one pass over `n_tokens`: of an encoder-decoder those of both texts.
    """

    model: str
    architecture: str
    norms: str
    positions: str
    task: str
    cannot: str
    n_parameters: int
    weight_bytes: int
    n_tokens: int
    flops: int
    milliseconds: float
    file_bytes: int = 0


def family_card(model: LanguageModel, text: str) -> FamilyCard:
    """A model's figures, with those of one pass over a text.

    Args:
        model: Any on the engine torch; of an encoder-decoder its decoder, which writes its text itself.
        text: What the model reads.

    Returns:
        The card; FLOPs and milliseconds are measured now.

    Raises:
        UserError: The text is empty or too long.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    run = one_reading(model, None, text) if model.reads_two else one_reading(model, text)
    inputs = _inputs(model, run)
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:  # the products of other kernels are not seen by the counter
        one_pass(model, inputs)
    times = []
    for _ in range(N_PASSES):
        start = time.perf_counter()
        one_pass(model, inputs)
        times.append((time.perf_counter() - start) * 1000)
    weights = {id(parameter): parameter for parameter in model.whole.parameters()}.values()
    return FamilyCard(
        model.name,
        kind_of(model),
        norms_of(model),
        positions_of_model(model),
        task_of(model),
        CANNOT[model.family],
        sum(one.numel() for one in weights),
        sum(one.numel() * one.element_size() for one in weights),
        len(run) + (len(run.source) if run.source is not None else 0),
        int(counter.get_total_flops()),
        statistics.median(times),
        stored_bytes(model.name, model.path),
    )


def _inputs(model: LanguageModel, run: HookedRun) -> dict[str, object]:
    import torch

    device = model.whole.device
    ids = torch.tensor([run.ids], device=device)
    if run.source is None:
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    read = torch.tensor([run.source.ids], device=device)
    return {"input_ids": read, "attention_mask": torch.ones_like(read), "decoder_input_ids": ids}


def one_pass(model: LanguageModel, inputs: dict[str, Any]) -> None:
    """One pass over what `inputs` name, without a cache."""
    import torch

    with torch.inference_mode():
        model.whole(**inputs, return_dict=True, **({"use_cache": False} if model.causal else {}))
        if model.whole.device.type == "cuda":
            torch.cuda.synchronize()


def norms_of(model: LanguageModel) -> str:
    """Where the norms stand, and of which kind they are."""
    names = [type(module).__name__ for module in model.module.modules()]
    kind = "RMS norm" if any("RMSNorm" in name or name == "T5LayerNorm" for name in names) else "layer norm"
    plan = find_plan(model)
    if plan is None:
        return kind
    return f"{kind} after each sum" if plan.post_norm else f"{kind} before each part"


def positions_of_model(model: LanguageModel) -> str:
    """How the model knows the order of its tokens."""
    modules = list(model.module.named_modules())
    kinds = " ".join(type(module).__name__ for _, module in modules)
    names = [name.rpartition(".")[2] for name, _ in modules]
    if "Rotary" in kinds:
        return ROTARY
    if "relative_attention_bias" in names or "rel_embeddings" in names:
        return RELATIVE
    if "Sinusoidal" in kinds:
        return SINUSOIDAL
    return LEARNED if {"position_embeddings", "wpe", "embed_positions"} & set(names) else "none found"


def task_of(model: LanguageModel) -> str:
    """What the head of the model was trained on."""
    if model.family is not Family.ENCODER:
        return TASKS[model.family]
    if model.whole.get_output_embeddings() is None:
        return "no head here: states for another task, such as sentence similarity"
    pair = ", and say whether one sentence follows another" if has_next_sentence_head(model) else ""
    return f"fill masked tokens{pair}"
