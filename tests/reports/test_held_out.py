from types import SimpleNamespace

import pytest

from voxscale.reports._held_out import held_out_data, splits_in_words
from voxscale.study import Fit


@pytest.mark.parametrize(
    ("cv", "held", "told"),
    [
        (
            {"chunk_len": 20, "share": 0.25, "n_repeats": 3},
            "chunks of the training stories, held out at random",
            "25 % of the TRs held out 3 times, in random chunks of 20 TRs, no gap",
        ),
        (
            {"chunk_len": 5, "n_chunks": 2, "n_repeats": 1, "gap": 1},
            "chunks of the training stories, held out at random",
            "2 chunks held out 1 time, in random chunks of 5 TRs, with a gap of 1 TR beside each",
        ),
        (
            "leave-run-out",
            "training stories, held out in turn",
            "leave-run-out; one training story: five contiguous folds with a gap of 4 TRs",
        ),
    ],
)
def test_splits_are_told_as_they_are_made(cv, held, told):
    fit = Fit(cv=cv)
    assert held_out_data(SimpleNamespace(fit=fit)) == held
    assert splits_in_words(fit, 4) == told
