"""All that can be known of a model's windows before one of them is run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from voxscale.data import Transcript
from voxscale.errors import DataError, VoxscaleWarning
from voxscale.features._context import Contexts, ends_sentence
from voxscale.features._loading import LanguageModel
from voxscale.features._models import text_config
from voxscale.features._passes import Pass, StoryWords, check_fits, plan_passes
from voxscale.features._tokens import start_tokens, tokenize_story

__all__ = ["StoryPlanner"]


def _warn_of_no_sentence(stories: Sequence[StoryWords]) -> None:
    found = [one.story for one in stories if not any(map(ends_sentence, one.words))]
    if found:
        msg = (
            f"policy 'sentence': no word ends a sentence (. ? ! …) in {len(found)} of "
            f"{len(stories)} stories ({found[0]!r} for one), which are read as by 'growing'; "
            "transcripts of forced alignment often lack punctuation."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=4)


class StoryPlanner:
    """Plans the passes of stories through a model, whose weights are not looked at.

    Parameters
    ----------
    loaded : LanguageModel
        May lack its weights.
    """

    def __init__(self, loaded: LanguageModel) -> None:
        self._loaded = loaded
        self._start = start_tokens(loaded.tokenizer)

    def tokenize(self, run: str, transcript: Transcript, *, allow_blank: bool) -> StoryWords:
        """Find the tokens of a story.

        Parameters
        ----------
        run : str
            Named in errors.
        transcript : Transcript
        allow_blank : bool
            Whether words may be blank; the protocol "huth2023" has a use for them.

        Returns
        -------
        StoryWords

        Raises
        ------
        DataError
            If a word gives no token.
        """
        words = transcript.words
        tokens = tokenize_story(words, self._loaded.tokenizer, run, allow_blank=allow_blank)
        return StoryWords(run, words, tokens)

    def check(self, stories: Sequence[StoryWords], contexts: Contexts) -> None:
        """Raise DataError if a window holds more tokens than the model has positions."""
        check_fits(stories, len(self._start), self._loaded.limit, contexts)

    def check_vocabulary(self, stories: Sequence[StoryWords]) -> None:
        """Raise DataError if the tokenizer gives a token that the model does not know."""
        n_known = getattr(text_config(self._loaded.config), "vocab_size", None)
        of_stories = (int(one.tokens.ids.max(initial=-1)) for one in stories)
        largest = max(*self._start, -1, *of_stories, -1)
        if n_known is not None and largest >= n_known:
            msg = (
                f"the tokenizer gives token {largest}, but model {self._loaded.name!r} has "
                f"{n_known} of them; expected a model and a tokenizer that belong together; "
                "check tokenizer=."
            )
            raise DataError(msg)

    def passes(
        self, story: StoryWords, contexts: Contexts, *, word_vector: str = "last"
    ) -> list[Pass]:
        """Plan a story's passes, in the story's order.

        Raises
        ------
        DataError
            If a blank word comes before any token, and there is no start token.
        """
        return plan_passes(
            story, self._start, contexts, limit=self._loaded.limit, word_vector=word_vector
        )

    def stories(self, runs: Mapping[str, Transcript], contexts: Contexts) -> list[StoryWords]:
        """Find the tokens of stories, and check all that can be checked without a pass.

        Raises
        ------
        DataError
            As :meth:`plan`.
        """
        allow_blank = contexts.protocol is not None
        stories = [self.tokenize(run, one, allow_blank=allow_blank) for run, one in runs.items()]
        if not stories:
            msg = "there is no transcript; name at least one run."
            raise DataError(msg)
        self.check_vocabulary(stories)
        self.check(stories, contexts)
        if contexts.policy == "sentence":
            _warn_of_no_sentence(stories)
        return stories

    def plan(
        self, runs: Mapping[str, Transcript], contexts: Contexts, *, word_vector: str = "last"
    ) -> list[list[Pass]]:
        """Plan the passes of stories, after every check that needs no pass.

        Parameters
        ----------
        runs : mapping of run to Transcript
        contexts : Contexts
        word_vector : {"last", "first", "mean"}

        Returns
        -------
        list of list of Pass
            One for each story.

        Raises
        ------
        DataError
            If there is no story, a word gives no token, the tokenizer is another model's, or a
            window holds more tokens than the model has positions.
        """
        stories = self.stories(runs, contexts)
        return [self.passes(story, contexts, word_vector=word_vector) for story in stories]
