"""``mien …`` in this process: a process of its own takes seconds to import what is here already."""

from __future__ import annotations

import os
import sys

from click.testing import Result
from loguru import logger
from typer.testing import CliRunner

from mien.cli import add_bench, app


def mien(*arguments: str, stdin: str = "", **environment: str) -> Result:
    """Runs a command to its end; without the settings of whoever runs the tests."""
    others = {name: None for name in os.environ if name.startswith("MIEN_")}
    env = {**others, "COLUMNS": "200", "TERM": "dumb", **environment}
    if arguments[:1] == ("bench",) and "bench" not in {
        group.name for group in app.registered_groups
    }:
        add_bench()
    try:
        return CliRunner().invoke(app, list(arguments), input=stdin, env=env)
    finally:
        logger.remove()  # commands log to what is captured of them
        logger.add(lambda line: sys.stderr.write(line))
