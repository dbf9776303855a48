"""What a model gave a tool: read as JSON, however it was wrapped, and held against the schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mien.tools.contract import ToolError
from mien.well_formed import json_well_formed

_FENCE = re.compile(r"^```\w*\s*|\s*```$")
# Control characters are no JSON, but small models write line breaks into strings.
_DECODER = json.JSONDecoder(strict=False)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def arguments_of(text: str) -> dict[str, Any]:
    """The object in a model's arguments; an empty one for none.

    Accepted besides JSON: JSON within a JSON string, a code fence around it, anything behind the
    object (vLLM sends some arguments twice), an empty object in front of it.

    Raises:
        ToolError: there is no object.
    """
    return _object_in(text, within=2)


def _object_in(text: str, within: int) -> dict[str, Any]:
    text = _FENCE.sub("", text.strip())
    if not text:
        return {}
    try:
        decoded, end = _DECODER.raw_decode(text)
        value = json_well_formed(decoded)
    except (ValueError, RecursionError) as e:
        raise ToolError(f"The arguments are not valid JSON ({e}). Send one JSON object.") from None
    rest = text[end:].strip()
    if value == {} and rest.startswith("{"):
        return _object_in(rest, within)
    if isinstance(value, str) and within:
        return _object_in(value, within - 1)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ToolError("The arguments are not a JSON object. Send one JSON object.")
    return value


def conformed(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with numbers and booleans that came as text made what the schema wants.

    Only what models get wrong is looked at: ``required``, ``type`` and ``enum`` of the object's
    own properties. The rest, also whether a text may be empty, is for the tool itself.

    Raises:
        ToolError: says which argument is missing or wrong, and what it should be.
    """
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = [str(name) for name in schema.get("required") or ()]
    # Null stands for "left out", but where it has to be there: some schemas want it.
    given = {k: v for k, v in arguments.items() if v is not None or k in required}
    missing = [name for name in required if name not in given]
    if missing:
        raise ToolError(f"Missing argument: {', '.join(missing)}. Call it again with that.")
    return {name: _fitting(name, value, properties.get(name)) for name, value in given.items()}


def _fitting(name: str, value: Any, schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return value
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    if names and not any(_is(value, kind) for kind in names):
        for kind in names:
            if (made := _made(value, kind)) is not None:
                value = made
                break
        else:
            kinds = " or ".join(map(str, names))
            raise ToolError(f"Argument {name} must be of type {kinds}. Call it again with that.")
    choice = schema.get("enum")
    if isinstance(choice, list) and choice and value not in choice:
        raise ToolError(f"Argument {name} must be one of {json.dumps(choice, ensure_ascii=False)}.")
    return value


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _TYPES.get(kind, (object,)))


def _made(value: Any, kind: str) -> Any:
    """The value as this type, None when it cannot be meant."""
    if kind == "string" and isinstance(value, int | float):
        return json.dumps(value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind in ("integer", "number", "boolean", "array", "object") and isinstance(value, str):
        try:
            read = json.loads(value.strip().lower() if kind == "boolean" else value)
        except (ValueError, RecursionError):
            return None
        return read if _is(read, kind) else None
    return None
