"""All that can be known of a model's windows before one of them is run."""

from __future__ import annotations

from collections.abc import Mapping

from voxscale.data import Transcript
from voxscale.errors import DataError
from voxscale.features._context import Contexts
from voxscale.features._loading import LanguageModel
from voxscale.features._models import text_config
from voxscale.features._passes import Pass, StoryWords, check_fits, plan_passes
from voxscale.features._tokens import start_tokens, tokenize_story

__all__ = ["plan_stories"]


def plan_stories(
    runs: Mapping[str, Transcript],
    loaded: LanguageModel,
    contexts: Contexts,
    *,
    word_vector: str = "last",
) -> list[list[Pass]]:
    """Plan the passes of stories, after every check that needs no pass.

    Parameters
    ----------
    runs : mapping of run to Transcript
    loaded : LanguageModel
        Its weights are not looked at.
    contexts : Contexts
    word_vector : {"last", "first", "mean"}

    Returns
    -------
    list of list of Pass
        One for each story.

    Raises
    ------
    DataError
        If a word gives no token, the tokenizer is another model's, or a window holds more
        tokens than the model has positions.
    """
    start = start_tokens(loaded.tokenizer)
    stories = []
    for run, transcript in runs.items():
        words, allow_blank = transcript.words, contexts.protocol is not None
        tokens = tokenize_story(words, loaded.tokenizer, run, allow_blank=allow_blank)
        stories.append(StoryWords(run, words, tokens))
    if not stories:
        msg = "there is no transcript; name at least one run."
        raise DataError(msg)
    _check_vocabulary(stories, loaded, max(start, default=-1))
    check_fits(stories, len(start), loaded.limit, contexts)
    return [
        plan_passes(story, start, contexts, limit=loaded.limit, word_vector=word_vector)
        for story in stories
    ]


def _check_vocabulary(stories: list[StoryWords], loaded: LanguageModel, start: int) -> None:
    n_known = getattr(text_config(loaded.config), "vocab_size", None)
    largest = max(start, *(int(one.tokens.ids.max(initial=-1)) for one in stories))
    if n_known is not None and largest >= n_known:
        msg = (
            f"the tokenizer gives token {largest}, but model {loaded.name!r} has {n_known} of "
            "them; expected a model and a tokenizer that belong together; check tokenizer=."
        )
        raise DataError(msg)
