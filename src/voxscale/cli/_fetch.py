"""``voxscale fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxscale.cli._fetch_progress import fetch_progress
from voxscale.cli._given import mistakes
from voxscale.cli._plainly import plainly
from voxscale.errors import ConfigError

if TYPE_CHECKING:
    from voxscale.data._fetch_plan import FetchPlan

__all__ = ["fetch"]

_SOME_FAILED = 1
_AS_OPTIONS = {"parts has": "--parts has", "subject is": "--subject is", "program is": "--with is"}

Subjects = Annotated[
    list[str] | None,
    typer.Option("--subject", metavar="NAME", help="Only this one's files; may be repeated."),
]
Parts = Annotated[
    str | None,
    typer.Option(
        "--parts", metavar="NAMES", help="Of responses, words, audio, surfaces; with commas."
    ),
]
Registry = Annotated[
    Path | None,
    typer.Option("--registry", metavar="FILE", help="A list of files: path, url, size, hash."),
]
With = Annotated[
    str | None,
    typer.Option("--with", metavar="PROGRAM", help="datalad or openneuro fetches instead."),
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Hash again what was fetched; fetches nothing.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace others of the same name.")]
AcceptSize = Annotated[
    bool,
    typer.Option("--accept-size", help="Take files without a known hash, checked by size alone."),
]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="A copy of OpenNeuro's bucket.")
]


@plainly
def fetch(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Such as lebel2023.")],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder of the data set.")],
    subject: Subjects = None,
    parts: Parts = None,
    registry: Registry = None,
    with_program: With = None,
    verify: Verify = False,
    dry_run: DryRun = False,
    replace: Replace = False,
    accept_size: AcceptSize = False,
    base_url: BaseUrl = None,
) -> None:
    """Fetch a published data set; running again is resuming.

    A file has its name once its size and hash were compared, not before. In a clone of the data
    set git-annex's pointers say what they shall be, elsewhere the listing of OpenNeuro's bucket.
    Where neither has a hash that can be checked, a file stays .NAME.part beside its place, until
    --accept-size takes it.
    """
    from voxscale.data._fetch import fetch as fetch_files
    from voxscale.data._fetch_extras import fetch_with
    from voxscale.data._fetch_plan import plan_fetch
    from voxscale.data._fetch_source import remotes_of
    from voxscale.data._http import Patience
    from voxscale.data._openneuro import find_published

    chosen: dict[str, Any] = {"subjects": subject or [], "parts": parts.split(",") if parts else []}
    with mistakes(_AS_OPTIONS):
        find_published(dataset)
        if verify:
            _verify(root)
            return
        if with_program is not None:
            if registry or base_url or dry_run or replace or accept_size:
                msg = (
                    "--with stands alone: leave out --registry, --base-url, --dry-run, --replace, "
                    "--accept-size."
                )
                raise ConfigError(msg)
            _tell(fetch_with(with_program, dataset, root, **chosen, say=_say))
            return
        patience = Patience(say=_say)
        remotes = remotes_of(
            dataset, root, **chosen, registry=registry, base_url=base_url, patience=patience
        )
        choices: dict[str, Any] = {"replace": replace, "accept_size": accept_size}
        if dry_run:
            typer.echo(f"{dataset}: {plan_fetch(remotes, root, **choices)}")
            return
        with fetch_progress() as (begin, tell):

            def announce(plan: FetchPlan) -> None:
                _say(f"{dataset}: {plan}")
                begin(plan)

            summary = fetch_files(
                remotes, root, **choices, patience=patience, announce=announce, tell=tell
            )
    _tell(summary)


def _verify(root: Path) -> None:
    from voxscale.data._fetch import check_fetched

    n_fine, changed = check_fetched(root)
    for line in changed:
        _say(line)
    typer.echo(f"{n_fine} files are what they were, {len(changed)} are not.")
    if changed:
        raise typer.Exit(_SOME_FAILED)


def _tell(summary: Any) -> None:
    for path, why in summary.failed:
        _say(f"{path}: {why}")
    typer.echo(summary)
    if summary.unverified:
        _say(
            f"{len(summary.unverified)} files (the first: {summary.unverified[0]}) could be "
            "compared by their size alone, and what arrived of them lies beside its place as "
            ".NAME.part: run this in a clone of the data set, which knows hashes, or --with "
            "datalad; or take them as they are with --accept-size."
        )
    if summary.failed or summary.unverified:
        raise typer.Exit(_SOME_FAILED)


def _say(line: str) -> None:
    typer.echo(line, err=True)
