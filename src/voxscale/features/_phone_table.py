"""The phones of English, and how each is made."""

from __future__ import annotations

__all__ = ["ARTICULATIONS", "MADE", "PHONES"]

# Of a vowel that glides, both ends.
MADE = {
    "AA": "low back",
    "AE": "low front",
    "AH": "mid central",
    "AO": "mid back",
    "AW": "low mid central back",
    "AY": "low mid central front",
    "B": "bilabial plosive voiced",
    "CH": "postalveolar affricative unvoiced",
    "D": "alveolar plosive voiced",
    "DH": "dental fricative voiced",
    "EH": "mid front",
    "ER": "mid central",
    "EY": "mid front",
    "F": "labiodental fricative unvoiced",
    "G": "velar plosive voiced",
    "HH": "glottal fricative unvoiced",
    "IH": "mid front",
    "IY": "high front",
    "JH": "postalveolar affricative voiced",
    "K": "velar plosive unvoiced",
    "L": "alveolar lateral voiced",
    "M": "bilabial nasal voiced",
    "N": "alveolar nasal voiced",
    "NG": "velar nasal voiced",
    "OW": "mid back",
    "OY": "mid high front back",
    "P": "bilabial plosive unvoiced",
    "R": "alveolar approximant voiced",
    "S": "alveolar fricative unvoiced",
    "SH": "postalveolar fricative unvoiced",
    "T": "alveolar plosive unvoiced",
    "TH": "dental fricative unvoiced",
    "UH": "high back",
    "UW": "high back",
    "V": "labiodental fricative voiced",
    "W": "velar approximant voiced",
    "Y": "palatal approximant voiced",
    "Z": "alveolar fricative voiced",
    "ZH": "postalveolar fricative voiced",
}

PHONES = tuple(MADE)
"""The 39 phones of ARPAbet as the CMU dictionary has them: the columns of `phone_one_hot`."""

ARTICULATIONS = (
    *("bilabial", "postalveolar", "alveolar", "dental", "labiodental", "velar", "glottal"),
    *("palatal", "plosive", "affricative", "fricative", "nasal", "lateral", "approximant"),
    *("voiced", "unvoiced", "low", "mid", "high", "front", "central", "back"),
)
"""Place, manner and voicing of consonants, height and place of vowels: the 22 columns of
`articulation`."""
