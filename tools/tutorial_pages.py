"""Run the scripts of the tutorial while the manual is built, and make a page of each.

A hook of mkdocs: pages hold the code, what it printed and what it drew, on the miniature, or on the
published folder if VOXSCALE_TUTORIAL names it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PAGES = ("predictions", "ceiling", "time_course", "stacking", "center_of_mass", "features", "fit")
Cell = tuple[str, str]  # prose, code


def cells_of(script: str) -> tuple[str, str, list[Cell]]:
    """Split a script into its title, its introduction and its cells.

    A cell begins with ``# %%``; the comment below it is its prose.
    """
    head, *rest = script.split("\n# %%\n")
    title, _, text = head.strip().strip('"').strip().partition("\n")
    cells = []
    for part in rest:
        lines = part.splitlines()
        n_prose = next((i for i, one in enumerate(lines) if not one.startswith("#")), len(lines))
        prose = " ".join(line.lstrip("# ") for line in lines[:n_prose])
        cells.append((prose, "\n".join(lines[n_prose:]).strip()))
    return title.rstrip("."), text.strip(), cells


def page_of(name: str, folder: Path, released: str | None = None) -> str:
    """Run a script cell by cell, and write its page in Markdown.

    Parameters
    ----------
    name : str
        One of `PAGES`.
    folder : Path
        Where the script puts its figures.
    released : str, optional
        The published folder; by default a miniature in the cache folder.
    """
    title, text, cells = cells_of((EXAMPLES / f"tutorial_{name}.py").read_text(encoding="utf-8"))
    script = f"examples/tutorial_{name}.py"
    page = [f"# {title}", text, f"*`{script}`, run {_on(released)} while this page was made.*"]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with _beside_examples(), _as_script(released, folder):
        for prose, code in cells:
            known = set(folder.glob("*.png"))
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, script, "exec"), namespace)  # our own script
            page += [prose, f"```python\n{code}\n```"]
            if printed.getvalue().strip():
                page.append(f"```text\n{printed.getvalue().rstrip()}\n```")
            drawn = sorted(
                set(folder.glob("*.png")) - known, key=lambda one: one.stat().st_mtime_ns
            )
            page += [f"![{prose.split('.')[0]}]({one.name})" for one in drawn]
    return "\n\n".join(page) + "\n"


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each script; called by mkdocs."""
    from mkdocs.structure.files import File

    released = os.environ.get("VOXSCALE_TUTORIAL")
    kept = Path(tempfile.mkdtemp(prefix="voxscale-tutorial-"))
    for name in PAGES:
        folder = kept / name
        folder.mkdir()
        content = page_of(name, folder, released)
        files.append(File.generated(config, f"tutorial/{name}.md", content=content))
        for figure in folder.glob("*.png"):
            path = f"tutorial/{figure.name}"
            files.append(File.generated(config, path, abs_src_path=str(figure)))
    return files


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


def _on(released: str | None) -> str:
    return "on the published folder" if released else "on the miniature, whose content is made up,"


@contextlib.contextmanager
def _beside_examples() -> Any:
    """Let scripts import what they share, anew for each."""
    sys.path.insert(0, str(EXAMPLES))
    sys.modules.pop("_tutorial", None)
    try:
        yield
    finally:
        sys.path.remove(str(EXAMPLES))
        sys.modules.pop("_tutorial", None)


@contextlib.contextmanager
def _as_script(released: str | None, folder: Path) -> Any:
    """Give the scripts their arguments."""
    before = sys.argv
    sys.argv = ["tutorial", released or "", str(folder)]
    try:
        yield
    finally:
        sys.argv = before
