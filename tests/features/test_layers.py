from __future__ import annotations

import numpy as np
import pytest

from voxscale.features._layers import choose_layers


def test_all_layers_are_numbered_from_the_embeddings():
    assert choose_layers("all", 3) == [0, 1, 2]


def test_layers_come_in_the_order_asked_for_and_once():
    chosen = choose_layers(np.array([2, 0, 2]), 3)
    assert chosen == [2, 0]
    assert all(type(layer) is int for layer in chosen)


@pytest.mark.parametrize("layer", [-1, 3, 300])
def test_layer_that_does_not_exist_names_those_that_do(layer):
    with pytest.raises(ValueError, match=rf"layer {layer} does not exist; .*embeddings\) to 2"):
        choose_layers([0, layer], 3)


def test_a_model_and_its_first_layer_are_named():
    with pytest.raises(ValueError, match=r"layer 9 does not exist in model 'a'; .* 0 \(sound\) to"):
        choose_layers([9], 3, first="sound", model="model 'a'")


@pytest.mark.parametrize(
    ("layers", "error", "expected"),
    [
        ([], ValueError, "empty"),
        ("last", ValueError, "'last'"),
        ([1.0], TypeError, "float"),
        (1, TypeError, "layers is 1; expected"),
        (None, TypeError, "such as"),
    ],
)
def test_what_are_no_layers_is_refused(layers, error, expected):
    with pytest.raises(error, match=expected):
        choose_layers(layers, 3)
