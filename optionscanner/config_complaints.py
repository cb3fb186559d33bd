"""Turns what pydantic found wrong into one sentence per problem: line, key, expectation, what came, the way out.

Main entries: `complaints`, and `allowed`, which says what a setting accepts in the same words as the complaints;
`config.yaml` is tested to use them too.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from optionscanner.config_text import ConfigText, Place

_WRONG_KEY = "extra_forbidden"
_OWN_WORDS = "value_error"
_LONGEST_LIST = 80


def complaints(model: type[BaseModel], errors: Sequence[Mapping[str, Any]], read: ConfigText) -> list[tuple[int, str]]:
    """(line, sentence) for each of pydantic's `errors` about the values of `read`."""
    found: dict[Place, tuple[int, str]] = {}
    for error in errors:
        place: Place = tuple(error["loc"])
        field = field_at(model, place)
        if error["type"] == _WRONG_KEY:
            sentence = _unknown_key(model, place)
        elif error["type"] == _OWN_WORDS and _is_section(field):
            sentence = str(error["ctx"]["error"])  # a rule between several keys, which it names itself
        elif error["type"] == "missing":
            sentence = f"{dotted(place)} is missing; it must be {allowed(field)}."
        else:
            came = _came(error["input"], read.words.get(place))
            sentence = f"{dotted(place)} must be {allowed(field)}, came {came}{_hint(field, error['input'])}."
        found.setdefault(place, (read.line_of(place) or 1, sentence))
    return list(found.values())


def printable(text: str) -> str:
    """The text in one line that any terminal can show as it is meant: control characters are spelt out."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def dotted(place: Place) -> str:
    """flow.half_life_s, rates[2].from."""
    text = ""
    for step in place:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def allowed(field: FieldInfo | None) -> str:
    """What a setting accepts: "a number from 0 to 1 (share of the mid)"."""
    if field is None:
        return "`key: value` lines, indented below it"
    inner = field.annotation
    model = _model_in(inner)
    if model is not None:
        return field.description or "a section with `key: value` lines"
    unit = f" ({field.description})" if field.description else ""
    if get_origin(inner) is Literal:
        return "one of " + ", ".join(str(word) for word in get_args(inner)) + unit
    kinds: dict[Any, str] = {float: "a number", int: "a whole number", date: "a date such as 2026-01-30"}
    return kinds.get(inner, "text") + _range(field) + unit if inner in kinds else (field.description or "text")


def field_at(model: type[BaseModel], place: Place) -> FieldInfo | None:
    """The declared field at a place, None where no field is declared or the place is the whole file."""
    found: FieldInfo | None = None
    inside: type[BaseModel] | None = model
    for step in place:
        if isinstance(step, int):
            continue
        if inside is None or step not in _keys(inside):
            return None
        found = _keys(inside)[step]
        inside = _model_in(found.annotation)
    return found


def every_key(model: type[BaseModel], above: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    """Every setting below the sections of `model`, in order; entries of lists are one setting."""
    for key, field in _keys(model).items():
        inner = _model_in(field.annotation)
        if inner is None or get_origin(field.annotation) is tuple:
            yield (*above, key), field
        else:
            yield from every_key(inner, (*above, key))


def _unknown_key(model: type[BaseModel], place: Place) -> str:
    *above, wrong = place
    section = field_at(model, tuple(above))
    inside = model if section is None else _model_in(section.annotation)
    here = list(_keys(inside)) if inside else []
    elsewhere = {str(key[-1]): dotted(key) for key, _ in every_key(model)}
    what = "section" if not above else "key"
    start = f"{dotted(place)} is not a known {what}"
    near = difflib.get_close_matches(str(wrong), here, n=1, cutoff=0.6)
    if near:
        return f"{start}; did you mean {dotted((*above, near[0]))}?"
    near = difflib.get_close_matches(str(wrong), elsewhere, n=1, cutoff=0.75)
    if near:
        return f"{start}; did you mean {elsewhere[near[0]]}?"
    return f"{start}; known here: {', '.join(here)}."


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation holds, itself or as entries of a tuple."""
    if inspect.isclass(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    inner = get_args(annotation)
    return _model_in(inner[0]) if inner and get_origin(annotation) not in (Literal, types.UnionType) else None


def _is_section(field: FieldInfo | None) -> bool:
    """Whether a place is a section or the whole file, rather than a setting."""
    return field is None or (_model_in(field.annotation) is not None and get_origin(field.annotation) is not tuple)


def _range(field: FieldInfo) -> str:
    limits = {
        name: getattr(part, name) for part in field.metadata for name in ("ge", "gt", "le") if hasattr(part, name)
    }
    words = []
    if "gt" in limits:
        words.append(f"above {limits['gt']:.10g}")
    if "ge" in limits:
        words.append(f"from {limits['ge']:.10g}" if "le" in limits else f"of at least {limits['ge']:.10g}")
    if "le" in limits:
        words.append(f"to {limits['le']:.10g}" if "ge" in limits else f"and at most {limits['le']:.10g}")
    return "".join(" " + word for word in words)


def _hint(field: FieldInfo | None, value: object) -> str:
    wants_number = field is not None and field.annotation in (int, float)
    if wants_number and isinstance(value, str) and re.match(r"\s*[-+.]?\d", value):
        return "; write a number in digits, without quotes, unit or leading zeros"
    return ""


def _came(value: object, typed: str | None) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, Sequence) and not isinstance(value, str):
        listed = "[" + ", ".join(map(str, value)) + "]"
        return listed if len(listed) <= _LONGEST_LIST else listed[:_LONGEST_LIST] + "...]"
    if isinstance(value, str | Path):
        return f"the text '{typed if typed is not None else value}'"
    return typed or str(value)
