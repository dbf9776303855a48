"""Text that can be sent on. JSON's escapes can name half a character (``\\ud83d`` without what
follows): pages that cut a text in the middle of an emoji send it, and no UTF-8 can be made of it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator


def well_formed(text: str) -> str:
    """The text with U+FFFD in place of each half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def json_well_formed(value: Any) -> Any:
    """A value of JSON, all texts in it well-formed."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [json_well_formed(each) for each in value]
    if isinstance(value, dict):
        return {well_formed(key): json_well_formed(each) for key, each in value.items()}
    return value


#: For models of what comes in over HTTP.
WellFormed = Annotated[str, AfterValidator(well_formed)]
