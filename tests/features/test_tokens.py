from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import DataError
from voxscale.features._tokens import start_tokens, tokenize_story

letters = st.characters(categories=["L", "N", "P", "S", "M"])
odd = [
    "it's",
    "'cause",
    "...",
    "—",
    "1997",
    "A.M.",
    "café",
    "🙂",
    "👩‍👩‍👧",
    "東京",
    "никто",
    "e\u0301",
    "'s",
]
word = st.one_of(st.sampled_from([*odd, "the", "dog", "jumps"]), st.text(letters, min_size=1))
word_lists = st.lists(word.filter(str.strip), min_size=1, max_size=8)


def tokens_of_each_word(words, tokenizer):
    """Return each word's tokens, found character by character from the tokenizer's offsets."""
    text = " ".join(words)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    answer, begin = [], 0
    for word in words:
        characters = set(range(begin, begin + len(word)))
        answer.append(
            [
                number
                for number, (start, end) in enumerate(encoded["offset_mapping"])
                if characters & set(range(start, end))
            ]
        )
        begin += len(word) + 1
    return encoded["input_ids"], answer


@settings(max_examples=80)
@given(words=word_lists)
def test_words_are_found_as_by_looking_at_every_character(tokenizer_kind, words, tokenizers):
    ids, expected = tokens_of_each_word(words, tokenizers[tokenizer_kind])
    silent = [i for i, tokens in enumerate(expected) if not tokens]
    if silent:
        with pytest.raises(DataError, match=rf"word {silent[0]} \(.*gives no token"):
            tokenize_story(words, tokenizers[tokenizer_kind], "story")
        return
    found = tokenize_story(words, tokenizers[tokenizer_kind], "story")
    assert found.ids.tolist() == ids
    assert found.last.tolist() == [tokens[-1] for tokens in expected]
    # The first token is the word's own first, or what is between it and the word before.
    firsts = np.array([tokens[0] for tokens in expected])
    assert (found.first <= firsts).all()
    assert found.first[0] == 0
    assert (np.diff(found.first) >= 0).all()
    assert (found.first[1:] <= found.last[:-1] + 1).all()


def test_space_before_a_word_is_the_words(tokenizers):
    found = tokenize_story(["the", "zq"], tokenizers["Unigram"], "story")
    pieces = tokenizers["Unigram"].convert_ids_to_tokens(found.ids.tolist())
    assert pieces[found.first[1]].startswith("▁")


def test_two_words_share_the_token_that_covers_both(tokenizers):
    tokenizer = tokenizers["BPE across spaces"]
    found = tokenize_story(["then", "the", "dog"], tokenizer, "story")
    assert any(found.last[i] >= found.first[i + 1] for i in range(2))


def test_emoji_of_many_bytes_is_read_at_its_last_byte(bpe):
    found = tokenize_story(["🦊", "fox"], bpe, "story")
    n_pieces = len(bpe("🦊", add_special_tokens=False)["input_ids"])
    assert n_pieces > 1
    assert found.last[0] == n_pieces - 1


def test_word_without_a_token_is_named(tokenizers):
    expected = r"story 'alice': word 1 \(.*\) gives no token.*drop it from the transcript"
    with pytest.raises(DataError, match=expected):
        tokenize_story(["the", "\u0301", "dog"], tokenizers["WordPiece"], "alice")


def test_zero_width_word_is_not_read_at_the_space_before_it(tokenizers):
    words = ["the", "\u0301\u0301", "dog"]
    with pytest.raises(DataError, match="gives no token"):
        tokenize_story(words, tokenizers["WordPiece"], "alice")


def test_blank_word_is_refused_whatever_the_tokenizer_makes_of_it(tokenizer_kind, tokenizers):
    with pytest.raises(DataError, match=r"story 'alice': word 1 \(''\) is blank"):
        tokenize_story(["the", "", "dog"], tokenizers[tokenizer_kind], "alice")


def test_blank_words_take_the_tokens_up_to_the_next_word(bpe):
    found = tokenize_story(["the", "", "dog", ""], bpe, "story", allow_blank=True)
    pieces = bpe.convert_ids_to_tokens(found.ids.tolist())
    assert pieces == ["the", "Ġ", "Ġdog", "Ġ"]
    assert found.last.tolist() == [0, 1, 2, 3]


def test_blank_word_without_a_token_is_where_the_word_before_ended(tokenizers):
    found = tokenize_story(["the", "", "dog"], tokenizers["WordPiece"], "s", allow_blank=True)
    assert found.last.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("byte-level BPE", ["<|endoftext|>"]),  # adds nothing itself: its bos
        ("WordPiece", ["[CLS]"]),
        ("BPE with byte fallback", ["<s>"]),
        ("tiktoken-style BPE", ["<|begin_of_text|>"]),
        ("Unigram", []),
    ],
)
def test_start_tokens_are_the_tokenizers_own_else_bos_else_none(kind, expected, tokenizers):
    tokenizer = tokenizers[kind]
    assert tokenizer.convert_ids_to_tokens(list(start_tokens(tokenizer))) == expected


class Slow:
    """A tokenizer that knows no offsets: characters, each a token, with " " before a word."""

    is_fast = False
    bos_token_id = None

    def __init__(self, merges=()):
        self.merges = merges

    def __call__(self, text, **_):
        for pair, one in self.merges:
            text = text.replace(pair, one)
        return {"input_ids": [ord(character) for character in text]}


def test_tokenizer_without_offsets_is_asked_word_by_word():
    found = tokenize_story(["ab", "c", "def"], Slow(), "story")
    assert found.ids.tolist() == [ord(character) for character in "ab c def"]
    assert found.first.tolist() == [0, 2, 4]
    assert found.last.tolist() == [1, 3, 7]


def test_tokenizer_without_offsets_that_joins_words_is_refused():
    tokenizer = Slow(merges=[("b c", "X")])
    expected = r"story 's'.*no character offsets.*other tokens \(4\) than the whole text \(2\)"
    with pytest.raises(DataError, match=expected):
        tokenize_story(["ab", "c"], tokenizer, "s")


def test_offsets_out_of_order_are_not_believed(bpe):
    class Jumbled(Slow):
        is_fast = True

        def __call__(self, text, **options):
            answer = super().__call__(text)
            if options.get("return_offsets_mapping"):
                answer["offset_mapping"] = [
                    (len(text) - i, len(text) - i) for i in range(len(text))
                ]
            return answer

    assert tokenize_story(["ab", "c"], Jumbled(), "s").last.tolist() == [1, 3]
