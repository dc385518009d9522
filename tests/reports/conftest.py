"""A study's tables without its fits: what the sections of a page read, with planted scores."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

AXES = ("layer", "context", "n_stories", "model", "bands")
HOURS_OF_STORY = 0.5


class Planted:
    """Results of cells whose mean scores are what a function says.

    Parameters
    ----------
    score : function of (cell, subject, story) to a number
        The cell is a mapping of model, layer, context, hours, n_stories and draw.
    subjects, stories, models, layers, contexts : lists
    amounts : list of int
        Numbers of stories, of half an hour each; the largest is all of them.
    grid : set of str
        Of "layer", "context" and "model": what is crossed with the amounts, beside the star.
    near : float
        Score of the first 30 of 40 voxels, as a part of the mean over all.
    """

    def __init__(
        self, score, *, subjects=("s0", "s1"), stories=("x", "y"), models=("echo",), layers=(2,),
        contexts=(32,), amounts=(8,), grid=(), draws=1, maps=(), cv="leave-run-out", near=1.0,
    ):  # fmt: skip
        self.near = near  # times the mean score: that of the first 30 of 40 voxels
        self.score, self.subjects, self.stories = score, subjects, stories
        self.amounts, self.draws = amounts, draws
        self.centre = {
            "model": models[0], "layer": layers[len(layers) // 2], "context": max(contexts),
            "n_stories": max(amounts), "draw": 0,
        }  # fmt: skip
        self.study = SimpleNamespace(
            models=models, model=models[0], reference_layer=self.centre["layer"],
            contexts=contexts, default_bands="language", validation_stories=0,
            layers_of=lambda model: layers, fit=SimpleNamespace(cv=cv),
            evaluate=SimpleNamespace(fdr="bh"),
        )  # fmt: skip
        cells = {}
        self._add(cells, "layer", layer=layers)
        self._add(cells, "context", context=contexts)
        self._add(cells, "n_stories", n_stories=amounts)
        if len(models) > 1:
            self._add(cells, "model", model=models, layer=layers)
        crossed = {"layer": layers, "context": contexts, "model": models}
        if grid:
            axes = {name: crossed[name] for name in grid}
            self._add(cells, None, n_stories=amounts, **axes)
        self.table, self.story_table = self._tables(cells)
        self.results = SimpleNamespace(
            table=self.table, story_table=self.story_table, study=self.study,
            subjects=tuple(subjects), select=self._select, by_story=self._by_story,
            key=lambda cell: cell.key,
            sweep=lambda axis, subject=None: [SimpleNamespace(n_stories=n) for n in amounts],
        )  # fmt: skip
        self.material = SimpleNamespace(results=self.results, maps=maps)

    def _select(self, subject):
        keys = self.table.loc[self.table["subject"] == subject, "key"]
        return tuple(SimpleNamespace(key=key) for key in keys)

    def _by_story(self, cell):
        """Give 30 of 40 voxels a part of the mean score, and the others what that leaves."""
        rows = self.story_table[self.story_table["key"] == cell.key]
        means = zip(rows["story"], rows["mean_r"], strict=True)
        parts = np.repeat([self.near, 4 - 3 * self.near], (30, 10))
        return {story: parts * mean for story, mean in means}

    def _add(self, cells, sweep, **axes):
        values = {name: axes.get(name, [value]) for name, value in self.centre.items()}
        grids = np.meshgrid(*[np.arange(len(one)) for one in values.values()], indexing="ij")
        for place in zip(*[one.ravel() for one in grids], strict=True):
            cell = {name: values[name][i] for name, i in zip(values, place, strict=True)}
            for draw in range(self.draws if cell["n_stories"] < max(self.amounts) else 1):
                own = {**cell, "draw": draw}
                cells.setdefault(tuple(own.items()), set()).add(sweep)

    def _tables(self, cells):
        rows, stories = [], []
        for subject in self.subjects:
            for number, (items, sweeps) in enumerate(cells.items()):
                cell = dict(items)
                cell["hours"] = HOURS_OF_STORY * cell["n_stories"]
                named = {"subject": subject, **cell, "bands": "language", "asked_hours": np.nan}
                key = f"{subject} {number}"
                scores = [self.score(cell, subject, story) for story in self.stories]
                at_centre = {**cell, "layer": self.centre["layer"]}
                reference = all(at_centre[name] == one for name, one in self.centre.items())
                rows.append({
                    **named, "mean_r": float(np.mean(scores)), "mean_cv_score": scores[0] / 2,
                    "mean_r_validation": np.nan, "reference": reference, "key": key,
                    **{f"in_{axis}_sweep": axis in sweeps for axis in AXES},
                })  # fmt: skip
                for story, r in zip(self.stories, scores, strict=True):
                    stories.append({**named, "story": story, "mean_r": r, "key": key})
        return pd.DataFrame(rows), pd.DataFrame(stories)


@pytest.fixture
def planted_results():
    return Planted
