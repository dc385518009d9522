"""Cards of the public data sets: complete, and their counts hold what is read to account."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from voxscale.data import antonello2023, bids, lebel2023, littleprince, narratives
from voxscale.data._card import DatasetCard
from voxscale.data._card_counts import check_row_count, check_story_count, check_subject_count
from voxscale.errors import VoxscaleWarning

MODULES = (lebel2023, antonello2023, narratives, littleprince, bids)
# subjects, stories
COUNTS = {
    "lebel2023": (8, 27),
    "antonello2023": (3, None),  # no number of stories is sure, as a fault says
    "narratives": (345, 27),
    "littleprince": (112, 9),
    "bids": (None, None),  # any folder
}
CARD = DatasetCard(
    "mine", "Mine", "CC0", "doi", n_subjects=3, n_stories=2, n_trs={"fox": 291},
    n_subjects_of={"English": 2},
)  # fmt: skip


@pytest.mark.parametrize("card", [one.CARD for one in MODULES], ids=lambda card: card.name)
def test_a_card_is_complete(card):
    for text in (card.title, card.licence, card.citation, card.homepage):
        assert text.strip() == text != ""
    assert re.search(r"doi:10\.\d{4,}/\S+", card.citation)
    assert card.homepage.startswith("https://")
    assert (card.n_subjects, card.n_stories) == COUNTS[card.name]
    assert len(card.faults) >= 4
    assert all(fault.endswith(".") for fault in card.faults)
    shown = str(card)
    for count in (card.n_subjects, card.n_stories, *card.n_subjects_of.values()):
        assert count is None or re.search(rf": {count}$", shown, re.MULTILINE)


def test_counts_of_one_card_agree():
    assert sum(littleprince.CARD.n_subjects_of.values()) == littleprince.CARD.n_subjects
    assert set(littleprince.CARD.n_subjects_of) == set(littleprince.LANGUAGES.values())
    for module in (lebel2023, antonello2023, narratives):
        assert len(module.SUBJECTS) == module.CARD.n_subjects
    everybody = {story for some in lebel2023.SESSIONS.values() for story in some}
    assert len(everybody | set(lebel2023.TEST)) == lebel2023.CARD.n_stories
    assert "stories in all: 27" in str(narratives.CARD)
    assert "stories that every subject heard: 27" in str(lebel2023.CARD)


def test_more_than_was_published_is_told():
    check_subject_count(3, CARD)
    check_subject_count(2, CARD, "English")
    check_subject_count(99, CARD, "French")
    check_story_count("mine, 01", 2, CARD)
    with pytest.warns(VoxscaleWarning, match="the folder has 4 people; 3 are published"):
        check_subject_count(4, CARD)
    with pytest.warns(VoxscaleWarning, match="the folder has 3 people of English; 2 are publ"):
        check_subject_count(3, CARD, "English")
    with pytest.warns(VoxscaleWarning, match="01: responses to 3 stories; 2 are published"):
        check_story_count("mine, 01", 3, CARD)


@pytest.mark.parametrize("n_rows", [290, 292])
def test_other_rows_than_were_published_are_told(n_rows):
    check_row_count("mine, 01", "fox", 291, CARD)
    check_row_count("mine, 01", "hare", n_rows, CARD)
    with pytest.warns(VoxscaleWarning, match=rf"'fox' has {n_rows} TRs; 291 are published"):
        check_row_count("mine, 01", "fox", n_rows, CARD)


def test_what_no_card_counts_is_not_checked():
    card = replace(CARD, n_subjects=None, n_stories=None, n_trs={}, n_subjects_of={})
    check_subject_count(10**6, card)
    check_subject_count(10**6, card, "English")
    check_story_count("mine, 01", 10**6, card)
    check_row_count("mine, 01", "fox", 1, card)
