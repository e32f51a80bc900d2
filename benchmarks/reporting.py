"""What every benchmark says about itself: machine, versions, date; tables as Markdown and JSON."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from taller_cnn.files import atomic_path, provenance

RESULTS = Path(__file__).parent / "results"


def spread(values: Sequence[float], decimals: int) -> str:
    """Median with least and greatest, for a table."""
    return (
        f"{statistics.median(values):.{decimals}f} "
        f"({min(values):.{decimals}f} to {max(values):.{decimals}f})"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def machine_line(where: Mapping[str, Any]) -> str:
    """Processor, threads and versions in one sentence."""
    machine, versions = where["machine"], where["versions"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"{machine['instructions']}; {machine['system']}; Python {versions['python']}, "
        f"torch {versions['torch']}; {where['created']}."
    )


def write_results(name: str, title: str, body: str, figures: Mapping[str, Any]) -> None:
    """Write ``results/<date>-<name>.md`` and ``.json``."""
    where = provenance()
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / f"{date.today().isoformat()}-{name}"
    text = f"# {title}\n\n{machine_line(where)}\n\n{body}\n"
    record = json.dumps({**figures, "provenance": where}, indent=2, allow_nan=False) + "\n"
    for suffix, content in ((".md", text), (".json", record)):
        with atomic_path(stem.with_suffix(suffix)) as path:
            path.write_text(content, encoding="utf-8")
    print(text)


def child(arguments: Sequence[str], environment: Mapping[str, str]) -> Any:
    """Run this benchmark's own script in a process of its own; the JSON it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, env=dict(environment), check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)
