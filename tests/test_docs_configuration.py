"""The settings that docs/configuration.md shows can be written as they are shown."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from mien import mind_settings
from mien.config import Settings, load_settings
from mien.mind_settings import LabelSection, MemorySection, SearchSection, ToolsSection
from mien.section import Section

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
# "…" stands for a secret there; the shortest that is taken has eight characters.
BLOCK = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0].replace('"…"', '"not a secret"')


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("MIEN_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "mien.toml"
    config.write_text(BLOCK, encoding="utf-8")
    return load_settings(config)


def test_the_whole_block_loads(documented: Settings) -> None:
    tables = tomllib.loads(BLOCK)
    assert set(tables) == documented.model_fields_set
    assert documented.search.services["searxng"] == {"base_url": "http://localhost:8080"}
    assert documented.tools.mcp["files"].tools == ["read_text_file", "search_files"]
    assert documented.knowledge.embeddings.key_env == "ZHIPUAI_API_KEY"
    assert documented.safety.moderation.url == "https://api.openai.com/v1/moderations"


@pytest.mark.parametrize(
    ("shown", "section", "chosen"),
    [
        ("search", SearchSection, {"enabled", "providers", "services", "allow_hosts"}),
        ("tools", ToolsSection, {"mcp"}),
        ("memory", MemorySection, set()),
        ("label", LabelSection, set()),
    ],
)
def test_what_is_shown_is_the_default(
    documented: Settings, shown: str, section: type[BaseModel], chosen: set[str]
) -> None:
    """chosen: examples, which nobody has without writing them."""
    values = getattr(documented, shown)
    for name in values.model_fields_set - chosen:
        assert getattr(values, name) == getattr(section(), name), name


def test_each_setting_is_told_of_somewhere() -> None:
    """As `name` or ``name = …``, on the page of its subject if not on that of all settings."""
    told = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    sections = [
        each
        for each in vars(mind_settings).values()
        if isinstance(each, type) and issubclass(each, Section) and each is not Section
    ]
    assert len(sections) > 5
    for section in sections:
        for name in section.model_fields:
            shown = rf"(^|\s){name} *=|`{name}`|\[\w+\.{name}[\].]"
            assert re.search(shown, told, re.MULTILINE), f"{section.__name__}.{name}"
