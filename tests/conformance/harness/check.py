"""Comparisons that say what was compared when they fail."""


def equal(what, seen, wanted):
    """Fails unless both are equal."""
    assert seen == wanted, f"{what} is {seen!r}, not {wanted!r}"


def contains(what, seen, wanted):
    """Fails unless a mapping has these fields with these values; nested mappings likewise."""
    for key, value in wanted.items():
        assert key in seen, f"{what} has no {key}; it has {sorted(seen)}"
        if isinstance(value, dict) and isinstance(seen[key], dict):
            contains(f"{what}.{key}", seen[key], value)
        else:
            equal(f"{what}.{key}", seen[key], value)


def one(what, items):
    """The only one of a list."""
    assert len(items) == 1, f"{what}: {len(items)} instead of one: {items!r}"
    return items[0]


def has(what, items, wanted):
    """Fails unless the list holds it."""
    assert wanted in items, f"{what}: {wanted!r} is not in {items!r}"


def lacks(what, items, unwanted):
    """Fails when the list holds it."""
    assert unwanted not in items, f"{what}: {unwanted!r} is still in {items!r}"
