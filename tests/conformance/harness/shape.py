"""Holds a raw reply against the SDK's own model: fields it does not know and values of another type.

The SDK itself checks neither: it drops what it does not know and keeps any value in any field. What a model reads is
taken from its own `from_map`, what type it expects from the annotations of its constructor.
"""

import functools
import inspect
import re
import typing

ASSIGNMENT = re.compile(r"m\.get\('([^']+)'\)|self\.(\w+)(?:\.append|\s*=|\[)")


@functools.lru_cache(maxsize=None)
def fields_of(model):
    """Wire name to type, for one model of an SDK."""
    hints = typing.get_type_hints(model.__init__)
    fields, name = {}, None
    for wire, attribute in ASSIGNMENT.findall(inspect.getsource(model.from_map)):
        if wire:
            name = wire
        elif name is not None and name not in fields:
            fields[name] = hints.get(attribute)
    return fields


def deviations(model, value, path=""):
    """All that the model cannot read, as sentences."""
    if not isinstance(value, dict):
        return [f"{path or 'the reply'} is {word(value)}, the SDK reads an object"]
    known = fields_of(model)
    found = []
    for name, item in value.items():
        place = f"{path}.{name}" if path else name
        if name not in known:
            found.append(f"{place} is not a field the SDK knows")
        else:
            found += of_type(known[name], item, place)
    return found


def of_type(wanted, value, place):
    """All that is wrong with a value of a field with this type."""
    if wanted is None or wanted is typing.Any:
        return []
    if value is None:
        return [f"{place} is null, where the real cloud leaves a field out"]
    origin = typing.get_origin(wanted)
    if origin is list:
        if not isinstance(value, list):
            return [f"{place} is {word(value)}, the SDK reads a list"]
        (item_type,) = typing.get_args(wanted)
        return [text for number, item in enumerate(value) for text in of_type(item_type, item, f"{place}[{number}]")]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{place} is {word(value)}, the SDK reads a map"]
    if hasattr(wanted, "from_map"):
        return deviations(wanted, value, place)
    fits = {
        str: isinstance(value, str),
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, (int, float)) and not isinstance(value, bool),
    }.get(wanted, True)
    return [] if fits else [f"{place} is {word(value)}, the SDK reads {wanted.__name__}"]


def word(value):
    """What a JSON value is, in words."""
    words = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else f"{words[type(value)]} ({value!r})"[:80]
