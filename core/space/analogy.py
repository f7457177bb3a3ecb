"""Analogies: a is to a* as b is to which word?

Every method is a few queries, and a function from their cosines with a word to the word's score: whoever holds an index
looks up the best. With unit vectors, cos(x, y) = x.y; a, a*, b are the words of the question, x the word that is
scored.

    3cosadd        cos(x, a* - a + b)                                       Mikolov et al. 2013
    3cosmul        cos'(x, a*) cos'(x, b) / (cos'(x, a) + e), cos' = (1 + cos) / 2   Levy and Goldberg 2014
    pairdirection  cos(x - b, a* - a)                                       Levy and Goldberg 2014
    3cosavg        cos(x, b + mean(a*_i) - mean(a_i)), of several pairs      Drozd et al. 2016
    lrcos          P(x is of the class of the a*_i) cos(x, b)               Drozd et al. 2016
    only-b         cos(x, b): a baseline                                    Linzen 2016
    ignore-a       cos(x, a* + b): a baseline                               Linzen 2016
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.expression import Expression, Term
from polysema.core.space.lookup import LEFT_OUT_NOTE, Policy, WordMatch, look_up
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints, Space

# Levy and Goldberg add 0.001, "to prevent division by zero". gensim adds 1e-6, the published figures 1e-10: we take
# gensim's, since 0.001 changes scores in the third digit and the 50d Google figure by 0.14
EPSILON = 1e-6
SEED = 0

Combine = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """How words are scored: `queries` (m, dim) of length 1, and `combine` from cosines (m, n) to scores (n,).

    `linear` says that the score is the cosine with the only query; `is_mul` that it is 3CosMul's of three words with
    weights of 1: the first two queries multiply, the third divides.
    """

    method: str
    queries: Floats
    combine: Combine
    is_mul: bool = False
    epsilon: float = EPSILON
    linear: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class AnalogyTarget:
    """Where an expression points: `vector` (dim,), and the words it was made of.

    `found` are the words as they were looked up, `weights` what each entered with; `known` are the vector and the
    weight of those that stand for something; `rows` are all rows of them, which are left out of the answers.
    """

    expression: Expression
    vector: Floats
    found: tuple[WordMatch, ...]
    weights: tuple[float, ...]
    known: tuple[tuple[Floats, float], ...]

    @property
    def rows(self) -> Ints:
        """The first row of each word that has one."""
        return np.array([f.rows[0] for f in self.found if len(f.rows)], np.int64)

    @property
    def words(self) -> tuple[str, ...]:
        """The words' names in the space."""
        return tuple(f.word for f in self.found)

    @property
    def left_out(self) -> list[int]:
        """Every row that an input stands for."""
        return sorted({int(row) for f in self.found for row in f.rows})


Resolve = Callable[[Term], WordMatch]


def resolver(space: Space, policy: Policy | None = None) -> Resolve:
    """Looks terms up in a space by a policy. A contextual term needs a model, so it is refused here."""
    chosen = policy or Policy()

    def resolve(term: Term) -> WordMatch:
        if term.context is not None:
            raise UserError(f"{term} is an occurrence in a text: it needs a model, and a space of that model's layer")
        return look_up(space, term.word, chosen)

    return resolve


def target(space: Space, expression: Expression, found: Sequence[WordMatch] | None = None) -> AnalogyTarget:
    """The sum of the words' unit vectors, weighted: 3CosAdd's a* - a + b for `a* - a + b`.

    `found` are the words as they were looked up; None: they are looked up here. Raises `UnknownWordError` for a word
    that the space doesn't hold, and `UserError` when the sum is zero.
    """
    if found is None:
        found = [resolver(space)(term) for term in expression.terms]
    kept = [(f.vector, t.weight) for f, t in zip(found, expression.terms, strict=True) if f.how != LEFT_OUT_NOTE]
    if not kept:
        raise UserError(f"{expression}: none of its words is in {space.name}")
    weights = np.array([weight for _, weight in kept], np.float32)
    vector = weights @ np.stack([one for one, _ in kept])  # (terms,) @ (terms, dim) -> (dim,)
    if not np.linalg.norm(vector) > 1e-6:
        raise UserError(f"{expression} adds up to nothing: the words cancel out, so there is no direction to look in")
    every = tuple(term.weight for term in expression.terms)
    return AnalogyTarget(expression, vector, tuple(found), every, tuple(kept))


# Of a sum of words


def by_cosine(method: str, query: Floats) -> Scoring:
    """cos(x, query), with `query` (dim,) of length 1."""
    return Scoring(method, query[None], lambda cosines: cosines[0], linear=True)


def _cosine(method: str, vector: Floats) -> Scoring:
    return by_cosine(method, unit(vector[None])[0])


def three_cos_mul(wanted: AnalogyTarget, epsilon: float = EPSILON) -> Scoring:
    """The product of cos' of the words with a plus over that of those with a minus, each to the power of its weight."""
    known = [(vector, weight) for vector, weight in wanted.known if weight != 0]
    known.sort(key=lambda pair: -pair[1])
    signs = [w for _, w in known]

    def combine(cosines: Floats) -> Floats:
        up, down = None, None
        for cosine, weight in zip(cosines, signs, strict=True):
            part = np.maximum((1 + cosine) / 2, 0)
            if abs(weight) != 1:
                part **= np.float32(abs(weight))
            if weight > 0:
                up = part if up is None else up * part
            else:
                down = part if down is None else down * part
        up = np.ones_like(cosines[0]) if up is None else up
        found: Floats = up if down is None else up / (down + np.float32(epsilon))
        return found

    queries = np.ascontiguousarray(np.stack([v for v, _ in known]))
    return Scoring("3cosmul", queries, combine, signs == [1, 1, -1], epsilon)


def triple(wanted: AnalogyTarget) -> tuple[Floats, Floats, Floats]:
    """The unit vectors of a, a*, b in `a* - a + b`; raises `UserError` for a sum of another form."""
    plus = [vector for vector, weight in wanted.known if weight == 1]
    minus = [vector for vector, weight in wanted.known if weight == -1]
    if (len(plus), len(minus), len(wanted.found)) != (2, 1, 3):
        raise UserError(
            f"this method asks a question of three words, such as queen - king + man; got {wanted.expression}"
        )
    return minus[0], plus[0], plus[1]


def pair_direction(wanted: AnalogyTarget) -> Scoring:
    """cos(x - b, a* - a); 0 for x = b, which has no direction from b."""
    a, a_star, b = triple(wanted)
    d = a_star - a
    length = float(np.linalg.norm(d))
    if not length > 1e-6:
        raise UserError(f"{wanted.expression}: the first two words are the same point, so they have no direction")
    d = d / length
    at_b = float(b @ d)

    def combine(cosines: Floats) -> Floats:
        apart = 2 - 2 * cosines[1]  # |x - b|^2 of unit vectors
        away = np.sqrt(np.maximum(apart, 0))
        found: Floats = np.divide(cosines[0] - at_b, away, out=np.zeros_like(away), where=apart > 1e-6)
        return found

    return Scoring("pairdirection", np.stack([d, b]).astype(np.float32), combine)


def only_b(wanted: AnalogyTarget) -> Floats:
    """b, (dim,): its neighbors alone are the answers."""
    return triple(wanted)[2]


def ignore_a(wanted: AnalogyTarget) -> Floats:
    """a* + b, (dim,): what is found without a."""
    _, a_star, b = triple(wanted)
    return a_star + b


# Of several example pairs


def three_cos_avg(a: Floats, a_star: Floats, b: Floats) -> Scoring:
    """cos(x, b + mean(a*_i) - mean(a_i)), with `a` and `a_star` (pairs, dim) and `b` (dim,) of length 1."""
    vector = b + a_star.mean(axis=0) - a.mean(axis=0)
    if not np.linalg.norm(vector) > 1e-6:
        raise UserError("the pairs' mean offset takes the word to nothing: there is no direction to look in")
    return _cosine("3cosavg", vector)


def lr_cos(a: Floats, a_star: Floats, b: Floats, others: Floats) -> Scoring:
    """P(x is of the target class) cos(x, b).

    The class is learned by a logistic regression: the a*_i are in it; the a_i and `others` (random words of the space)
    are not, and both sides weigh the same (Drozd et al. 2016).
    """
    from sklearn.linear_model import LogisticRegression

    from polysema.core.import_lock import IMPORTING

    samples = np.concatenate([a_star, a, others])
    labels = np.arange(len(samples)) < len(a_star)
    with IMPORTING:
        learner = LogisticRegression(class_weight="balanced", C=10.0, max_iter=1000)
    learner.fit(samples, labels)
    weights, constant = learner.coef_[0].astype(np.float32), float(learner.intercept_[0])
    length = float(np.linalg.norm(weights)) or 1.0

    def combine(cosines: Floats) -> Floats:
        found: Floats = cosines[1] / (1 + np.exp(-(length * cosines[0] + constant)))
        return found

    return Scoring("lrcos", np.stack([weights / length, b]).astype(np.float32), combine)


def random_rows(space: Space, many: int, besides: Sequence[int], seed: int = SEED) -> Ints:
    """Rows drawn with a fixed seed, none of them in `besides`."""
    chosen = np.random.default_rng(seed).permutation(len(space))[: many + len(besides)]
    return np.sort(chosen[~np.isin(chosen, besides)][:many]).astype(np.int64)


BY_ONE_COSINE: dict[str, Callable[[AnalogyTarget], Floats]] = {
    "3cosadd": lambda wanted: wanted.vector,
    "only-b": only_b,
    "ignore-a": ignore_a,
}
OF_A_SUM = ("3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a")
OF_PAIRS = ("3cosavg", "lrcos")
METHODS = (*OF_A_SUM, *OF_PAIRS)


def check_method(name: str) -> str:
    """The method's name in lower case; raises `UserError` naming those that exist."""
    if name.lower() not in METHODS:
        raise UserError(f"method {name!r} does not exist; choose one of {', '.join(METHODS)}")
    return name.lower()


def scorings_of_sum(
    method: str | None, beside: Sequence[str], wanted: AnalogyTarget, epsilon: float = EPSILON
) -> list[Scoring]:
    """How a method that asks about a sum of words scores them, if one is named, and behind it each of those beside.

    Those beside that the sum is not of the form of are left out; for `method` itself `UserError` is raised.
    """
    made: dict[str, Scoring] = {}
    vectors: dict[str, Floats] = {}
    for name in (*beside, method) if method is not None else beside:
        try:
            if name in BY_ONE_COSINE:
                vectors[name] = BY_ONE_COSINE[name](wanted)
            else:
                made[name] = three_cos_mul(wanted, epsilon) if name == "3cosmul" else pair_direction(wanted)
        except UserError:
            if name == method:
                raise
    units = [unit(vector[None])[0] for vector in vectors.values()]
    made |= {name: by_cosine(name, one) for name, one in zip(vectors, units, strict=True)}
    return [made[name] for name in (method, *beside) if name in made]


def scoring_of_pairs(space: Space, method: str, pairs: Sequence[tuple[WordMatch, WordMatch]], b: WordMatch) -> Scoring:
    """3CosAvg or LRCos from example pairs (a_i, a*_i), for the word b. Raises `UserError` without any pair."""
    if not pairs:
        raise UserError(f"{method} needs example pairs, such as man:woman; got none")
    a = np.stack([first.vector for first, _ in pairs])
    a_star = np.stack([second.vector for _, second in pairs])
    if method == "3cosavg":
        return three_cos_avg(a, a_star, b.vector)
    taken = [int(row) for pair in (*pairs, (b, b)) for found in pair for row in found.rows]
    rows = random_rows(space, max(len(pairs), 50), taken)
    return lr_cos(a, a_star, b.vector, unit(np.asarray(space.vectors[rows])))
