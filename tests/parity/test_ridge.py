"""The published code's numbers, from its recorded inputs: our alpha is the square of theirs."""

from __future__ import annotations

import numpy as np
import pytest

from voxscale.errors import VoxscaleWarning
from voxscale.fit import Gram, RidgeCV, choose_alphas, cv_scores, solve

SCORINGS = {"corr": "correlation", "r2": "huth2023"}


@pytest.fixture
def ridge(golden):
    return dict(np.load(golden / "ridge.npz"))


@pytest.fixture
def bootstrap(golden):
    return dict(np.load(golden / "bootstrap_ridge.npz"))


def exactly(X):
    return Gram.of(X, device="cpu", dtype="float64")


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7)


def largest_singular_value(X):
    return np.linalg.norm(X, 2)


def correlations(Y, Y_pred):
    return np.array([np.corrcoef(y, p)[0, 1] for y, p in zip(Y.T, Y_pred.T, strict=True)])


def signed_root_r2(Y, Y_pred):
    explained = 1 - (Y - Y_pred).var(axis=0) / Y.var(axis=0)
    return np.sign(explained) * np.sqrt(np.abs(explained))


def held_out(train, test):
    """Stack a training and a test part: rows, and the one split that they are."""
    rows = np.arange(len(train) + len(test))
    return np.concatenate([train, test]), [(rows[: len(train)], rows[len(train) :])]


def repeats(valinds, n_trs):
    return [(np.setdiff1d(np.arange(n_trs), rows), rows) for rows in valinds]


def test_weights(ridge):
    X, Y, valphas = ridge["Rstim"], ridge["Rresp"], ridge["valphas"]
    gram = exactly(X)
    close(solve(gram, Y, 10.0**2).coef, ridge["ridge_scalar10"])
    close(solve(gram, Y, valphas**2).coef, ridge["ridge_valphas"])
    normalised = (valphas / 10 * largest_singular_value(X)) ** 2
    close(solve(gram, Y, normalised).coef, ridge["ridge_valphas_normalpha"])


def test_weights_of_more_features_than_rows(ridge):
    gram = exactly(ridge["wide"])
    assert gram.form == "dual"
    close(solve(gram, ridge["wide_resp"], 25.0).coef, ridge["ridge_wide_a5"])


def test_weights_where_features_depend(ridge):
    gram = exactly(ridge["Rstim_def"])
    assert len(gram.whole.eigenvalues) < ridge["Rstim_def"].shape[1]
    close(solve(gram, ridge["Rresp"], ridge["valphas"] ** 2).coef, ridge["ridge_def"])


def test_nan_and_constant_voxels_have_no_weights_where_theirs_took_nan_for_zero(ridge):
    Y, theirs = ridge["Rresp_nan"], ridge["ridge_nanresp"]
    ours = solve(exactly(ridge["Rstim"]), Y, 10.0**2).coef
    assert np.isnan(Y[:, 0]).any()
    assert (Y[:, 1] == 0).all()
    assert np.isnan(ours[:, :2]).all()
    assert np.isfinite(theirs[:, 0]).all()
    assert (theirs[:, 1] == 0).all()
    close(ours[:, 2:], theirs[:, 2:])


@pytest.mark.parametrize("use_corr", [1, 0])
@pytest.mark.parametrize("normalised", [0, 1])
def test_scores_along_the_alphas(ridge, use_corr, normalised):
    X, cv = held_out(ridge["Rstim"], ridge["Pstim"])
    Y, _ = held_out(ridge["Rresp"], ridge["Presp"])
    alphas = ridge["alphas"]
    if normalised:
        alphas = alphas / 10 * largest_singular_value(ridge["Rstim"])
    scoring = "correlation" if use_corr else "huth2023"
    model = RidgeCV(alphas**2, cv, scoring=scoring, device="cpu", dtype="float64").fit(X, Y)
    close(model.cv_scores_[:, :, 0], ridge[f"ridge_corr_corr{use_corr}_norm{normalised}"])


@pytest.mark.parametrize("use_corr", [1, 0])
def test_scores_where_features_depend(ridge, use_corr):
    X, cv = held_out(ridge["Rstim_def"], ridge["Pstim_def"])
    Y, _ = held_out(ridge["Rresp"], ridge["Presp"])
    scoring = "correlation" if use_corr else "huth2023"
    scores = cv_scores(exactly(X), Y, cv, ridge["alphas"] ** 2, scoring=scoring)
    close(scores[:, :, 0], ridge[f"ridge_corr_def_corr{use_corr}"])


@pytest.mark.parametrize("use_corr", [1, 0])
def test_nan_and_constant_training_responses_score_nan_where_theirs_score_zero(ridge, use_corr):
    X, cv = held_out(ridge["Rstim"], ridge["Pstim"])
    Y, _ = held_out(ridge["Rresp_nan"], ridge["Presp"])
    theirs = ridge[f"ridge_corr_nan_corr{use_corr}"]
    scoring = "correlation" if use_corr else "huth2023"
    ours = cv_scores(exactly(X), Y, cv, ridge["alphas"] ** 2, scoring=scoring)[:, :, 0]
    close(ours[:, 2:], theirs[:, 2:])
    assert np.isnan(ridge["Rresp_nan"][:, 0]).any()
    assert np.isnan(ours[:, 0]).all()
    assert (theirs[:, 0] == 0).all()
    assert np.ptp(ridge["Rresp_nan"][:, 1]) == 0  # so every prediction is zero
    if use_corr:
        assert np.isnan(ours[:, 1]).all()
        assert (theirs[:, 1] == 0).all()
    else:
        close(ours[:, 1], theirs[:, 1])


@pytest.mark.parametrize("use_corr", [1, 0])
def test_a_constant_test_voxel_scores_nan_where_theirs_scores_zero_or_one(ridge, use_corr):
    X, cv = held_out(ridge["Rstim"], ridge["Pstim"])
    Y, _ = held_out(ridge["Rresp"], ridge["Presp_const"])
    theirs = ridge[f"ridge_corr_constP_corr{use_corr}"]
    scoring = "correlation" if use_corr else "huth2023"
    ours = cv_scores(exactly(X), Y, cv, ridge["alphas"] ** 2, scoring=scoring)[:, :, 0]
    assert np.isnan(ours[:, 2]).all()
    if use_corr:
        assert (theirs[:, 2] == 0).all()
    else:
        assert theirs[-1, 2] == pytest.approx(1, abs=1e-6)  # predicting nothing is perfect there
    close(np.delete(ours, 2, axis=1), np.delete(theirs, 2, axis=1))


@pytest.mark.parametrize("normalised", [0, 1])
def test_scores_at_one_alpha_per_voxel(ridge, normalised):
    X, Y, valphas = ridge["Rstim"], ridge["Rresp"], ridge["valphas"]
    scale = largest_singular_value(X) / 10 if normalised else 1.0
    model = solve(exactly(X), Y, (scale * valphas) ** 2)
    predicted = ridge["Pstim"] @ model.coef
    theirs = ridge[f"ridge_corr_pred_corr1_norm{normalised}"]
    close(correlations(ridge["Presp"], predicted), theirs)


def test_scores_at_one_alpha_per_voxel_where_the_old_code_fails(ridge):
    # Theirs raises unless all voxels share an alpha; recorded is what it was meant to return.
    X, cv = held_out(ridge["Rstim"], ridge["Pstim"])
    Y, _ = held_out(ridge["Rresp"], ridge["Presp"])
    assert "could not be broadcast" in str(ridge["ridge_corr_pred_ERROR_corr0_norm0"])
    own = cv_scores(exactly(X), Y, cv, ridge["valphas"] ** 2, scoring="huth2023")
    voxels = np.arange(Y.shape[1])
    close(own[voxels, voxels, 0], ridge["ridge_corr_pred_pergroup_corr0_norm0"])


def fitted(recorded, case, **options):
    X, Y = recorded["Rstim"], recorded["Rresp"]
    return RidgeCV(
        recorded[f"{case}/alphas"] ** 2,
        repeats(recorded[f"{case}/valinds"], len(X)),
        scoring=SCORINGS[case.split("_")[0]],
        device="cpu",
        dtype="float64",
        **options,
    ).fit(X, Y)


@pytest.mark.parametrize("case", ["corr", "r2", "corr_single", "r2_single"])
def test_bootstrap(bootstrap, case):
    model = fitted(bootstrap, case, local_alpha="single" not in case)
    close(model.cv_scores_, bootstrap[f"{case}/bscorrs"])
    close(np.sqrt(model.best_alphas_), bootstrap[f"{case}/valphas"])
    close(model.coef_, bootstrap[f"{case}/wt"])
    predicted = model.predict(bootstrap["Pstim"])
    score = correlations if "corr" in case else signed_root_r2
    close(score(bootstrap["Presp"], predicted), bootstrap[f"{case}/corrs"])


@pytest.mark.parametrize("case", ["corr_nowt", "r2_nowt_single"])
def test_bootstrap_scored_without_weights(bootstrap, case):
    # Without weights they score with the averaged denominator: what .score does.
    model = fitted(bootstrap, case, local_alpha="single" not in case)
    close(model.cv_scores_, bootstrap[f"{case}/bscorrs"])
    close(np.sqrt(model.best_alphas_), bootstrap[f"{case}/valphas"])
    close(model.score(bootstrap["Pstim"], bootstrap["Presp"]), bootstrap[f"{case}/corrs"])


@pytest.mark.parametrize("case", ["corr_norm", "r2_norm"])
def test_bootstrap_with_normalised_alphas(bootstrap, case):
    # Each repeat has a largest singular value of its own, so the caller scores them in turn.
    X, Y, alphas = bootstrap["Rstim"], bootstrap["Rresp"], bootstrap[f"{case}/alphas"]
    gram, scoring = exactly(X), SCORINGS[case.split("_")[0]]
    scores = np.concatenate(
        [
            cv_scores(
                gram, Y, [split], (alphas * largest_singular_value(X[split[0]])) ** 2,
                scoring=scoring,
            )
            for split in repeats(bootstrap[f"{case}/valinds"], len(X))
        ],
        axis=2,
    )  # fmt: skip
    close(scores, bootstrap[f"{case}/bscorrs"])
    chosen = choose_alphas(alphas, scores)
    close(chosen, bootstrap[f"{case}/valphas"])
    coef = solve(gram, Y, (chosen * largest_singular_value(X)) ** 2).coef
    close(coef, bootstrap[f"{case}/wt"])


def test_bootstrap_with_voxels_that_share_alphas(bootstrap):
    X, Y = bootstrap["Rstim"], bootstrap["Rresp"]
    alphas, valinds = bootstrap["corr_joined/alphas"], bootstrap["corr_joined/valinds"]
    scores = cv_scores(exactly(X), Y, repeats(valinds, len(X)), alphas**2, scoring="correlation")
    close(scores, bootstrap["corr_joined/bscorrs"])
    chosen = np.full(Y.shape[1], np.nan)
    for group in (np.arange(3), np.arange(3, Y.shape[1] - 1)):
        chosen[group] = choose_alphas(alphas, scores[:, group], local_alpha=False)
    # Theirs gives the voxel that is in no group an alpha of 0, ours no weights.
    theirs = bootstrap["corr_joined/valphas"]
    close(chosen[:-1], theirs[:-1])
    assert theirs[-1] == 0
    coef = solve(exactly(X), Y, chosen**2).coef
    close(coef[:, :-1], bootstrap["corr_joined/wt"][:, :-1])
    assert np.isnan(coef[:, -1]).all()
    close(solve(exactly(X), Y[:, -1:], 0.0).coef[:, 0], bootstrap["corr_joined/wt"][:, -1])


def test_no_bootstrap(bootstrap):
    X, Y = bootstrap["Rstim"], bootstrap["Rresp"]
    coef = solve(exactly(X), Y, 50.0**2).coef
    close(bootstrap["noboot/valphas"], 50.0)
    close(coef, bootstrap["noboot/wt"])
    predicted = bootstrap["Pstim"] @ coef
    close(correlations(bootstrap["Presp"], predicted), bootstrap["noboot/corrs"])


@pytest.mark.parametrize("case", ["bad_corr", "bad_r2"])
def test_bootstrap_with_bad_voxels(bootstrap, case):
    X, Y, P = bootstrap["Rstim"], bootstrap["bad_Rresp"], bootstrap["Pstim"]
    scoring = SCORINGS[case.split("_")[1]]
    alphas, valinds = bootstrap["corr/alphas"], bootstrap[f"{case}/valinds"]
    model = RidgeCV(
        alphas**2, repeats(valinds, len(X)), scoring=scoring, device="cpu", dtype="float64"
    )
    with pytest.warns(VoxscaleWarning, match="1 hold NaN or infinity, 1 are constant"):
        model.fit(X, Y)
    theirs = bootstrap[f"{case}/bscorrs"]
    close(model.cv_scores_[:, 2:], theirs[:, 2:])
    close(np.sqrt(model.best_alphas_[2:]), bootstrap[f"{case}/valphas"][2:])
    close(model.coef_[:, 2:], bootstrap[f"{case}/wt"][:, 2:])
    # Voxel 0 is zero throughout: 0 or a perfect 1 for them. Voxel 1 holds a NaN: 0 for them.
    assert (theirs[:, 0] == (1 if case == "bad_r2" else 0)).all()
    assert (theirs[:, 1] == 0).all()
    assert (bootstrap[f"{case}/valphas"][:2] == alphas[0]).all()
    assert np.isnan(model.cv_scores_[:, :2]).all()
    assert np.isnan(model.best_alphas_[:2]).all()
    assert np.isnan(model.coef_[:, :2]).all()
    # Voxel 2 is constant in the test set: 0 or -inf for them.
    score = model.score(P, bootstrap["bad_Presp"])
    assert np.isnan(score[:3]).all()
    assert bootstrap[f"{case}/corrs"][2] == (-np.inf if case == "bad_r2" else 0)
    assert np.isfinite(score[3:]).all()


def test_tutorial(golden):
    recorded = dict(np.load(golden / "tutorial_pipeline.npz"))
    X, Y = recorded["delRstim"], recorded["Rresp"]
    cv = repeats(recorded["valinds"], len(X))
    alphas = recorded["alphas"] ** 2
    model = RidgeCV(alphas, cv, scoring="huth2023", device="cpu", dtype="float64").fit(X, Y)
    close(model.cv_scores_, recorded["bscorrs"])
    close(np.sqrt(model.best_alphas_), recorded["valphas"])
    close(model.coef_, recorded["wt"])
    close(signed_root_r2(recorded["Presp"], model.predict(recorded["delPstim"])), recorded["corrs"])


def test_tutorial_in_float32_to_its_digits(golden):
    recorded = dict(np.load(golden / "tutorial_pipeline.npz"))
    X, Y = recorded["delRstim"], recorded["Rresp"]
    cv = repeats(recorded["valinds"], len(X))
    model = RidgeCV(recorded["alphas"] ** 2, cv, scoring="huth2023", device="cpu").fit(X, Y)
    np.testing.assert_array_equal(np.sqrt(model.best_alphas_), recorded["valphas"])
    np.testing.assert_allclose(model.coef_, recorded["wt"], rtol=1e-4, atol=1e-5)
