"""How words are looked up, as requests have it."""

from polysema.core.space.lookup import Policy


def lookup_fields(policy: Policy | None) -> dict[str, str]:
    """What a word stands for, as requests have it."""
    if policy is None:
        return {}
    return {"case": policy.case.value, "phrases": policy.phrases.value, "unknown": policy.unknown.value}
