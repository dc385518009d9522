import numpy as np
import pytest
from scipy import stats

from voxscale.reports import LawPanel, scaling_curve, scaling_curves
from voxscale.reports._law_words import described_law, described_slope, is_near_line, line_fit
from voxscale.reports._style import png
from voxscale.scaling import fit_scaling_law


@pytest.fixture
def law(rng):
    x = np.array([1.0, 2.0, 4.0, 8.0])
    return fit_scaling_law(x, 0.1 + 0.02 * np.log10(x)[:, None] + 0.01 * rng.normal(size=(4, 6)))


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def test_axes_are_labelled(law):
    ax = scaling_curve(law, xlabel="hours (h)", ylabel="r", title="Hours").axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("hours (h)", "r", "log")
    assert ax.get_title(loc="left") == "Hours"


def test_points_line_and_band_are_those_of_the_law(law):
    ax = scaling_curve(law).axes[0]
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["mean"], np.column_stack([law.x, law.mean_scores]))
    (slope,) = [label for label in drawn if "per decade" in label]
    x, y = drawn[slope].T
    np.testing.assert_allclose(y, law.predict(x))
    assert x.min() == pytest.approx(1.0)
    assert x.max() == pytest.approx(8.0)  # nothing beyond the points
    low, high = law.interval(np.array([1.0, 8.0]))
    band = ax.collections[0].get_paths()[0].vertices
    for at, bottom, top in zip((1.0, 8.0), low, high, strict=True):
        ends = band[np.isclose(band[:, 0], at), 1]
        assert ends.min() == pytest.approx(bottom)
        assert ends.max() == pytest.approx(top)


def test_the_legend_gives_the_slope(law):
    texts = [text.get_text() for text in scaling_curve(law).axes[0].get_legend().get_texts()]
    assert f"{law.slope:+.4f} per decade" in texts
    assert "95 % interval over 6 units" in texts


def test_the_fit_of_a_line_is_that_of_scipy(rng):
    x = np.array([1.0, 3.0, 10.0, 30.0, 100.0])
    scores = 0.1 + 0.02 * np.log10(x) + 0.01 * rng.normal(size=5)
    theirs = stats.linregress(np.log10(x), scores)
    residuals = scores - theirs.intercept - theirs.slope * np.log10(x)
    fit = line_fit(fit_scaling_law(x, scores))
    assert fit.r2 == pytest.approx(theirs.rvalue**2)
    assert fit.largest_residual == pytest.approx(residuals[np.argmax(abs(residuals))])
    assert fit.at == x[np.argmax(abs(residuals))]


def test_points_far_from_a_line_are_called_so_and_equal_points_are_not():
    bent = fit_scaling_law([2, 8, 32, 128, 512], [0.092, 0.146, 0.149, 0.151, 0.153])
    level = fit_scaling_law([2, 8, 32], [0.1, 0.1, 0.1])
    assert not is_near_line(bent)
    assert np.isnan(line_fit(level).r2)
    assert is_near_line(level)
    told = [text.get_text() for text in scaling_curve(bent).axes[0].get_legend().get_texts()]
    (slope,) = [text for text in told if "per decade" in text]
    assert slope.endswith(f"R² only {line_fit(bent).r2:.2f}")


def test_a_wide_band_leaves_the_frame_and_points_stay_large():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    own = {"a": np.array([0.1, 0.12, 0.14, 0.16]), "b": np.array([0.1, 0.13, 0.17, 0.2])}
    law = fit_scaling_law(x, np.stack(list(own.values()), axis=1))
    low, high = law.interval(x)
    ax = scaling_curve(law, members=own).axes[0]
    bottom, top = ax.get_ylim()
    assert low.min() < bottom < 0.1
    assert 0.2 < top < high.max()
    assert (0.2 - 0.1) / (top - bottom) == pytest.approx(1 / 2.5, abs=0.01)
    sure = fit_scaling_law(x, np.stack([own["a"], own["a"] + 0.001, own["a"] + 0.003], axis=1))
    low, high = sure.interval(x)
    bottom, top = scaling_curve(sure).axes[0].get_ylim()
    assert bottom < low.min()
    assert high.max() < top


def test_single_draws_stand_beside_the_means_and_not_behind(law):
    draws = (law.x, law.mean_scores)  # all of them hidden, if drawn where they are
    figure = scaling_curve(law, draws=draws)
    png(figure)
    ax = figure.axes[0]
    drawn = {line.get_label(): line for line in ax.get_lines()}
    rings, means = drawn["one draw"], drawn["mean"]
    np.testing.assert_array_equal(rings.get_xydata(), np.column_stack(draws))
    moved = rings.get_transform().transform(rings.get_xydata()) - means.get_transform().transform(
        means.get_xydata()
    )
    points = moved * 72 / figure.dpi
    np.testing.assert_allclose(points[:, 1], 0, atol=1e-9)
    radii = (rings.get_markersize() + rings.get_markeredgewidth() + means.get_markersize()) / 2
    assert (points[:, 0] > radii).all()
    assert "one draw" not in lines(scaling_curve(law).axes[0])


def test_single_draws_are_inside_the_axes_and_do_not_widen_them(law):
    draws = ([1.0, 8.0], [0.0, 0.5])  # far below and above the points of the law
    figure, bare = scaling_curve(law, draws=draws), scaling_curve(law)
    png(figure)
    low, high = figure.axes[0].get_ylim()
    assert low < 0.0 < 0.5 < high
    assert figure.axes[0].get_xlim() == pytest.approx(bare.axes[0].get_xlim())


def test_one_unit_has_a_line_and_no_band():
    law = fit_scaling_law([1.0, 10.0], [0.1, 0.2])
    ax = scaling_curve(law).axes[0]
    assert not ax.collections
    assert described_slope(law, digits=2) == "+0.10 per decade (no interval: one unit)"


def test_the_legend_names_the_unit_of_the_panel():
    law = fit_scaling_law([1.0, 10.0], [0.1, 0.2])
    figure = scaling_curves([LawPanel(law, "hours", unit="test story")], ylabel="r")
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "+0.1000 per decade (no interval: one test story)" in texts


def test_the_legend_stays_inside_the_axes_when_there_is_much_to_say():
    law = fit_scaling_law([2, 8, 32], [0.1, 0.15, 0.15])
    panels = [LawPanel(law, "hours", unit="test story")] * 2
    figure = scaling_curves(panels, ylabel="test correlation r, mean over voxels")
    png(figure)
    for ax in figure.axes:
        legend, inside = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert inside.x0 <= legend.x0 < legend.x1 <= inside.x1


def test_a_slope_is_told_with_its_interval(law):
    low, high = law.slope_interval
    told = described_slope(law, digits=3).replace("−", "-")
    assert told == f"{law.slope:+.3f} per decade, 95 % interval {low:+.3f} to {high:+.3f}"


@pytest.mark.parametrize(
    ("sizes", "labels"),
    [
        ([2, 8, 32, 128, 1024], ["2", "8", "32", "128", "1024"]),
        ([0.0711, 0.212, 0.359], ["0.071", "0.21", "0.36"]),
        ([1.25e8, 1.3e9], ["125M", "1.3G"]),
        ([100, 101, 1000], ["100", "1000"]),  # 100 and 101 would run into each other
    ],
)
def test_sizes_are_named_on_the_axis(sizes, labels):
    law = fit_scaling_law(sizes, np.linspace(0.1, 0.2, len(sizes)))
    figure = scaling_curve(law)
    png(figure)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == labels


def test_many_sizes_leave_the_ticks_to_matplotlib():
    law = fit_scaling_law(np.geomspace(1, 1000, 30), np.linspace(0.1, 0.2, 30))
    figure = scaling_curve(law)
    png(figure)
    assert len(figure.axes[0].get_xticks()) < 30


def test_panels_share_the_scale_of_scores(law):
    other = fit_scaling_law([2, 512], [0.3, 0.4])
    figure = scaling_curves([LawPanel(law, "hours"), LawPanel(other, "words")], ylabel="score r")
    one, two = figure.axes
    assert one.get_ylim() == two.get_ylim()
    assert [ax.get_xlabel() for ax in figure.axes] == ["hours", "words"]
    assert {ax.get_ylabel() for ax in figure.axes} == {"score r"}


@pytest.fixture
def bent():
    x = np.geomspace(1.0, 32.0, 6)
    return x, 0.3 - 0.2 * x**-0.5


def test_laws_of_every_kind_are_drawn_and_named(bent):
    x, scores = bent
    options = {"saturating": {"ceiling": 0.3}}
    named = {
        "log-linear": "per decade",
        "power": "power law: exponent 0.50, tends to 0.3000",
        "saturating": "power law to the ceiling: exponent 0.50",
        "broken": "per decade to",
    }
    for kind, name in named.items():
        law = fit_scaling_law(x, scores, kind=kind, **options.get(kind, {}))
        assert name in described_law(law)
        drawn = lines(scaling_curve(law).axes[0])
        (curve,) = [xy for label, xy in drawn.items() if name in label.replace("\n", " ")]
        np.testing.assert_allclose(curve[:, 1], law.predict(curve[:, 0]))


def test_beyond_the_points_the_law_is_dotted_with_its_band_and_its_error(bent, rng):
    x, scores = bent
    law = fit_scaling_law(x, scores[:, None] + 0.01 * rng.normal(size=(6, 4)))
    ax = scaling_curve(law, beyond=0.5).axes[0]
    (dotted,) = [line for line in ax.get_lines() if "not measured" in line.get_label()]
    last = law.extrapolate(32.0 * 10**0.5)
    assert dotted.get_linestyle() == ":"
    np.testing.assert_allclose(dotted.get_xydata()[-1], [last.x, last.value])
    told = dotted.get_label().replace("\n", " ").replace("−", "-")
    assert f"without the largest size the law errs there by {last.held_out_error:+.4f}" in told
    (band,) = [one for one in ax.collections if "one new size" in one.get_label()]
    assert band.get_hatch()
    corners = band.get_paths()[0].vertices
    ends = corners[np.isclose(corners[:, 0], last.x), 1]
    np.testing.assert_allclose([ends.min(), ends.max()], last.band)


def test_a_ceiling_is_a_dashed_line_unless_it_is_far_away(law):
    ax = scaling_curve(law, ceiling=0.15).axes[0]
    (line,) = [one for one in ax.get_lines() if "ceiling" in one.get_label()]
    assert (line.get_label(), line.get_linestyle()) == ("noise ceiling 0.150", "--")
    assert set(line.get_ydata()) == {0.15}
    bare, far = scaling_curve(law).axes[0], scaling_curve(law, ceiling=0.9).axes[0]
    assert far.get_ylim() == bare.get_ylim()
    (told,) = [label for label in lines(far) if "ceiling" in label]
    assert told == "noise ceiling 0.900, above what is shown"


def test_a_saturating_law_shows_its_own_ceiling(bent):
    law = fit_scaling_law(*bent, kind="saturating", ceiling=0.3)
    assert "noise ceiling 0.300" in lines(scaling_curve(law).axes[0])


def test_members_are_thin_and_named_or_grey_when_many(law):
    few = {name: law.mean_scores + 0.01 * i for i, name in enumerate("ab")}
    ax = scaling_curve(law, members=few).axes[0]
    np.testing.assert_array_equal(lines(ax)["b"], np.column_stack([law.x, few["b"]]))
    widths = {line.get_label(): line.get_linewidth() for line in ax.get_lines()}
    assert widths["a"] < max(widths.values())
    many = {f"s{i}": law.mean_scores for i in range(8)}
    texts = [t.get_text() for t in scaling_curve(law, members=many).axes[0].get_legend().texts]
    assert texts.count("one subject") == 1
    assert "s0" not in texts


def test_members_and_decades_that_cannot_be_are_refused(law):
    with pytest.raises(ValueError, match=r"members\['a'\] has shape \(2,\); expected \(4,\)"):
        scaling_curve(law, members={"a": [0.1, 0.2]})
    with pytest.raises(ValueError, match="beyond is -1"):
        scaling_curve(law, beyond=-1)


def test_the_legend_hides_no_point(law):
    figure = scaling_curve(law, ceiling=0.15, beyond=0.5, members={"a": law.mean_scores})
    png(figure)
    ax = figure.axes[0]
    label, legend = ax.xaxis.label.get_window_extent(), ax.get_legend().get_window_extent()
    assert 0 <= legend.y0 < legend.y1 <= label.y0
