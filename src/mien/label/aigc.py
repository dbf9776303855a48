"""The label programs read: the element AIGC of GB 45438-2025, annex E, for metadata of any kind.

Seven strings, as JSON: what it is ("1": generated or synthesised by AI), who made it and under
which number, and who spread it; whoever writes the element first names itself for both (note 1).
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime

KEY = "AIGC"
GENERATED = "1"  # 2: possibly, 3: suspected

# E j): values consist mainly of 0x21, 0x23…0x5B and 0x5D…0x7E. A name may also be in Chinese.
_UNUSABLE = re.compile(r'[\s"\\\x00-\x1f\x7f]+')
# TC260-PG-20252A: format 00, kind of provider and of its proof, 18 characters of a credit code or
# the like, what it does (1: it generates), and 4 characters of its own choice.
_PROVIDER_CODE = re.compile(r"00[0-9]{2}[0-9A-Z]{18}[0-9][0-9A-Z]{4}")


def element(producer: str, number: str) -> str:
    """The JSON of one piece of content. producer: name or code; number: of this content alone."""
    who, what = usable(producer) or "mien", usable(number)
    return json.dumps(
        {
            "Label": GENERATED,
            "ContentProducer": who,
            "ProduceID": what,
            "ReservedCode1": "",
            "ContentPropagator": who,
            "PropagateID": what,
            "ReservedCode2": "",
        },
        separators=(",", ":"),
    )


def new_number() -> str:
    """A number that nothing else has."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}-{uuid.uuid4().hex[:16]}"


def usable(value: str) -> str:
    """What the element's values may hold of ``value``; blanks become ``_``."""
    return _UNUSABLE.sub("_", value.strip())


def is_provider_code(value: str) -> bool:
    """Whether it is built as the practice guide on providers' codes says."""
    return _PROVIDER_CODE.fullmatch(value) is not None
