"""Reads the text of `config.yaml` into plain values, remembering the line and the words each came from.

Main entry: `read_text`. Stricter than YAML 1.1, so that nothing turns into something else behind the user's back:
a key given twice, a reference (``*name``) and a tag (``!name``) are refused; ``yes``, ``on``, ``010`` and ``09:15``
stay text, which a setting that wants a number then refuses. What the values mean is `config.py`'s subject.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

import yaml

from optionscanner.errors import ConfigError

Place = tuple[str | int, ...]
"""Where a value stands: ("flow", "half_life_s"), or ("rates", 0, "from")."""

# The plain scalars that are no text: YAML 1.2's core words and decimal numbers, and dates.
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_DECIMAL = re.compile(r"[-+]?(?:[0-9][0-9_]*)?(?:[0-9]\.|\.[0-9])[0-9]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_NUMBER = 30


@dataclass
class ConfigText:
    """What a file says, before anybody asks whether it makes sense."""

    values: dict[str, object] = field(default_factory=dict)
    """Section -> its keys; lists are tuples."""
    lines: dict[Place, int] = field(default_factory=dict)
    """Place -> line in the file, from 1."""
    words: dict[Place, str] = field(default_factory=dict)
    """Place of a scalar -> what the user typed."""
    problems: list[tuple[int, str]] = field(default_factory=list)
    """(line, sentence) for each key given twice or not a name."""

    def line_of(self, place: Place) -> int | None:
        """Line of a place, or of the nearest thing around it."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return None


def read_text(text: str, *, file: str) -> ConfigText:
    """The values of a configuration text; `file` names it in complaints. Raises ConfigError where it is not YAML."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}{_explain(error, text)}") from error
    except RecursionError as error:
        raise ConfigError(f"{file}: is nested too deeply; a setting stands at most three levels deep.") from error
    read = ConfigText()
    if node is None or (isinstance(node, yaml.ScalarNode) and _plain(node) is None):
        return read
    if not isinstance(node, yaml.MappingNode):
        came = "a list" if isinstance(node, yaml.SequenceNode) else f"only {node.value!r}"
        raise ConfigError(f"{file}: must hold sections such as `flow:` with `key: value` below them, came {came}.")
    values = _value(node, (), read)
    if isinstance(values, dict):
        read.values = values
    return read


class _Loader(yaml.SafeLoader):
    """Composes nodes; our own reading of them follows, so the constructor and resolver of YAML 1.1 stay unused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.YAMLError(
                f", line {event.start_mark.line + 1}: a reference (*{event.anchor}) is not supported; "
                "write the value out."
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def _value(node: yaml.Node, place: Place, read: ConfigText) -> object:
    read.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_value(item, (*place, position), read) for position, item in enumerate(node.value))
    if not isinstance(node, yaml.MappingNode):
        read.words[place] = str(node.value)
        return _plain(node)
    values: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            read.problems.append((line, f"{_dotted(place) or 'the file'}: a key must be a name, came a list or map."))
            continue
        key = str(key_node.value)
        inner = (*place, key)
        if key in values:
            first = read.lines[inner]
            read.problems.append((line, f"{_dotted(inner)} is given twice, first in line {first}; keep one."))
            continue
        read.lines[inner] = line
        values[key] = _value(value_node, inner, read)
    return values


def _plain(node: yaml.Node) -> object:
    """A scalar as None, a flag, a number, a date or text."""
    text = str(node.value)
    if not isinstance(node, yaml.ScalarNode) or node.style is not None or node.tag.startswith("!"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _LONGEST_NUMBER:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:  # 2026-02-30: stays text, and the setting that wants a date says so
            return text
    return text


def _explain(error: yaml.YAMLError, text: str) -> str:
    """Our sentence for what PyYAML found, from ", line n" on."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1 if isinstance(error.position, int) else 1
        return f", line {line}: holds a character that no text file should (code {error.character}); delete it."
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    problem, line = error.problem or "", error.problem_mark.line + 1
    if "'\\t'" in problem:
        return f", line {line}: is indented with a tab; use spaces."
    if "but found another document" in problem:
        return f", line {line}: begins a second document (---); a configuration is one document."
    return f", line {line}: is not YAML ({problem}); expected `key: value`, indented with spaces."


def _dotted(place: Place) -> str:
    return ".".join(str(step) for step in place)
