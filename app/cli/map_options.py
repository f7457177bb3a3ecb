"""The options of a layout, which a command gets as `MapOptions`."""

from __future__ import annotations

from functools import wraps

import click

from polysema.app.cli.space_options import Command, with_options


def map_options(command: Command) -> Command:
    """The options of a layout; the command gets them as `options`, a `MapOptions`."""

    @wraps(command)
    def with_map_options(
        *arguments: object,
        dimensions: int,
        neighbors: int,
        min_dist: float,
        perplexity: float,
        epochs: int | None,
        metric: str,
        target: str,
        target_metric: str,
        target_weight: float,
        seed: int,
        **rest: object,
    ) -> None:
        from polysema.core.maps.options import MapOptions

        options = MapOptions(
            n_components=dimensions,
            n_neighbors=neighbors,
            min_dist=min_dist,
            perplexity=perplexity,
            n_epochs=epochs,
            seed=seed,
            metric=metric,
            target=target,
            target_metric=target_metric,
            target_weight=target_weight,
        )
        command(*arguments, options=options, **rest)

    return with_options(with_map_options, *reversed(_OPTIONS))


_OPTIONS = (
    click.option(
        "--dimensions", type=int, default=2, show_default=True, help="2 or 3 to look at, up to 100 to cluster."
    ),
    click.option("--neighbors", type=int, default=15, show_default=True, help="UMAP's n_neighbors."),
    click.option("--min-dist", type=float, default=0.1, show_default=True, help="UMAP's min_dist."),
    click.option("--perplexity", type=float, default=30.0, show_default=True, help="t-SNE's perplexity."),
    click.option("--epochs", type=int, help="UMAP's n_epochs.  [default: 500 for up to 10,000 points, else 200]"),
    click.option(
        "--metric",
        default="cosine",
        show_default=True,
        help="cosine, correlation, euclidean, manhattan or chebyshev, by any method but pca, which takes none.",
    ),
    click.option("--target", default="", help="A column that supervises umap or umap-learn: categories or numbers."),
    click.option("--target-metric", default="", help="categorical or l2.  [default: by the column's type]"),
    click.option(
        "--target-weight", type=float, default=0.5, show_default=True, help="How much the column counts, 0 to 1."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same map."),
)
