import numpy as np
import pandas as pd
import pytest

from voxscale.reports import layer_size_heat_map
from voxscale.reports._style import png


def scores():
    rows = [
        (8.0, 9, 0.30, 0.03), (8.0, 0, 0.20, 0.01), (8.0, 3, 0.25, 0.05),
        (1.0, 0, 0.10, 0.02), (1.0, 3, 0.15, 0.01), (1.0, 9, np.nan, np.nan),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["size", "layer", "r", "validation"])


def test_axes_and_colour_bar_are_labelled():
    figure = layer_size_heat_map(scores(), xlabel="hours (h)", r_label="test r", title="Layers")
    ax, bar = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("hours (h)", "layer", "test r")
    assert ax.get_title(loc="left") == "Layers"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "8"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "3", "9"]


def test_columns_are_sizes_in_order_and_rows_are_layers():
    ax = layer_size_heat_map(scores()).axes[0]
    one, eight = (np.ma.filled(mesh.get_array(), np.nan).ravel() for mesh in ax.collections)
    np.testing.assert_array_equal(one, [0.10, 0.15, np.nan])
    np.testing.assert_array_equal(eight, [0.20, 0.25, 0.30])
    assert {mesh.get_clim() for mesh in ax.collections} == {(0.10, 0.30)}  # one scale
    assert sorted(text.get_text() for text in ax.texts) == ["0.100", "0.150", "0.200", "0.250",
                                                            "0.300"]  # fmt: skip


def test_rings_mark_what_validation_chooses_and_not_the_best_test_score():
    ax = layer_size_heat_map(scores()).axes[0]
    rings = {tuple(np.round(line.get_xydata()[0])) for line in ax.get_lines()}
    assert rings == {(0.0, 0.0), (1.0, 1.0)}  # layer 0 at 1 h; layer 3 at 8 h, where 9 scores more
    assert ax.get_legend().get_texts()[0].get_text() == "chosen by validation"
    bare = layer_size_heat_map(scores().drop(columns="validation")).axes[0]
    assert not bare.get_lines()


def test_layers_at_different_depths_stand_at_their_place():
    rows = [(1e8, 0.25, 0.1), (1e8, 0.75, 0.2), (1e9, 0.5, 0.3), (1e9, 1.0, 0.4)]
    table = pd.DataFrame(rows, columns=["size", "layer", "r"]).assign(label="name")
    ax = layer_size_heat_map(table).axes[0]
    heights = [mesh.get_coordinates()[:, 0, 1].tolist() for mesh in ax.collections]
    assert heights == [[0.0, 0.5, 1.0], [0.25, 0.75, 1.25]]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["name", "name"]


def test_labels_of_one_size_have_a_column_each():
    rows = [(2.0, "b", 0, 0.3), (2.0, "a", 0, 0.2), (2.0, "a", 6, 0.1), (1.0, "c", 0, 0.0)]
    table = pd.DataFrame(rows, columns=["size", "label", "layer", "r"])
    ax = layer_size_heat_map(table).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["c", "a", "b"]
    drawn = [np.ma.filled(mesh.get_array(), np.nan).ravel().tolist() for mesh in ax.collections]
    np.testing.assert_array_equal(drawn, [[0.0, np.nan], [0.2, 0.1], [0.3, np.nan]])


def test_nothing_is_written_into_many_cells():
    rows = [(size, layer, 0.1) for size in range(1, 11) for layer in range(9)]
    table = pd.DataFrame(rows, columns=["size", "layer", "r"])
    assert not layer_size_heat_map(table).axes[0].texts


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (scores().drop(columns="r"), "scores lack r; expected columns size, layer, r"),
        (pd.concat([scores(), scores()]), "a layer more than once at a size"),
        (scores().iloc[:0], "scores have 0 rows"),
    ],
)
def test_a_table_that_is_no_grid_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        layer_size_heat_map(table)


def test_a_table_of_nothing_but_nan_is_drawn_and_left_as_it_was():
    table = scores().assign(r=np.nan)
    assert png(layer_size_heat_map(table))
    pd.testing.assert_frame_equal(table, scores().assign(r=np.nan))


def test_layers_that_a_size_lacks_are_blank_rows():
    rows = [(1.0, 0, 0.1), (1.0, 6, 0.2), (8.0, 0, 0.3), (8.0, 3, 0.4), (8.0, 6, 0.5)]
    ax = layer_size_heat_map(pd.DataFrame(rows, columns=["size", "layer", "r"])).axes[0]
    one, _ = (np.ma.filled(mesh.get_array(), np.nan).ravel() for mesh in ax.collections)
    np.testing.assert_array_equal(one, [0.1, np.nan, 0.2])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "3", "6"]
    assert [text.get_position() for text in ax.texts][:2] == [(-0.1, 0), (-0.1, 2)]
