"""Covariance of samples and of live returns, with symbols that miss and go stale."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from aurora.risk.arguments import Floats
from aurora.risk.covariance import (
    covariance_ewma,
    covariance_sample,
    ledoit_wolf,
    ledoit_wolf_constant_correlation,
    oracle_approximating,
)
from aurora.risk.track import BEATS, CovarianceTrack, made_semidefinite

NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def rows(n: int = 80, seed: int = 0) -> Floats:
    z = np.random.default_rng(seed).standard_normal((n, 3)) * 0.01
    mixed: Floats = z @ np.array([[1.0, 0.7, 0.5], [0.0, 0.6, 0.3], [0.0, 0.0, 0.9]])
    return mixed


def tracked(x: Floats, **settings: Any) -> CovarianceTrack:
    track = CovarianceTrack(NAMES, **({"decay": 0.97} | settings))
    for row in x.tolist():
        track.push(dict(zip(NAMES, row, strict=True)))
    return track


def test_shrinkage_falls_as_samples_come_in() -> None:
    for estimate in (ledoit_wolf, oracle_approximating, ledoit_wolf_constant_correlation):
        shares = [estimate(rows(n)).shrinkage for n in (10, 100, 3_000)]
        assert all(a is not None and b is not None and a >= b for a, b in pairwise(shares))


def test_a_shrunk_covariance_keeps_its_total_variance() -> None:
    x = rows()
    for shrunk in (ledoit_wolf(x), oracle_approximating(x), ledoit_wolf_constant_correlation(x)):
        assert np.trace(shrunk.cov) == pytest.approx(np.trace(covariance_sample(x)))


def test_two_assets_have_no_other_constant_correlation() -> None:
    shrunk = ledoit_wolf_constant_correlation(rows()[:, :2])
    assert shrunk.shrinkage is None
    assert shrunk.cov == pytest.approx(covariance_sample(rows()[:, :2]))


def test_one_asset_has_nothing_to_shrink() -> None:
    for estimate in (ledoit_wolf, oracle_approximating):
        assert estimate(rows()[:, :1]).shrinkage == 0.0
        assert estimate(rows()[:, :1]).cov == pytest.approx(covariance_sample(rows()[:, :1]))


def test_a_series_that_never_moves_does_not_spoil_the_others() -> None:
    x = rows()
    x[:, 1] = 0.0
    for estimate in (ledoit_wolf, oracle_approximating, ledoit_wolf_constant_correlation):
        assert np.isfinite(estimate(x).cov).all()


def test_samples_that_mean_nothing_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="x must have the shape"):
        ledoit_wolf([0.1, 0.2])
    with pytest.raises(ValueError, match=r"x must be finite everywhere, got .*nan.* at \[1, 0\]"):
        covariance_sample([[0.1, 0.2], [np.nan, 0.1]])
    with pytest.raises(ValueError, match="decay must be"):
        covariance_ewma(rows(), decay=0.0)
    with pytest.raises(ValueError, match="mean must be"):
        covariance_ewma(rows(), decay=0.9, mean="median")


def test_a_tracked_covariance_is_the_weighted_one_of_all_it_saw() -> None:
    x = rows()
    cov = tracked(x).covariance(shrink="none").cov
    assert cov == pytest.approx(covariance_ewma(x, decay=0.97), rel=1e-12)


def test_with_equal_weights_the_tracked_shrinkage_is_ledoit_and_wolfs() -> None:
    x = rows() - rows().mean(axis=0)
    live, batch = tracked(x, decay=1.0).covariance(), ledoit_wolf(x)
    assert live.shrinkage == pytest.approx(batch.shrinkage, rel=1e-10)
    assert live.cov == pytest.approx(batch.cov, rel=1e-10)


def test_a_missing_return_neither_pulls_to_zero_nor_ages_the_pair() -> None:
    track = tracked(rows())
    before = track.covariance(shrink="none").cov
    track.push({"BTCUSDT": 0.03, "ETHUSDT": None})
    after = track.covariance(shrink="none").cov
    assert after[0, 0] > before[0, 0]
    assert after[1:, 1:] == pytest.approx(before[1:, 1:], rel=1e-6)


def test_a_sample_with_nothing_in_it_changes_nothing_but_age() -> None:
    track = tracked(rows(), stale_samples=1)
    before = track.covariance().cov
    track.push({})
    assert not track.stale
    track.push({})
    assert track.stale == NAMES
    assert track.covariance().cov == pytest.approx(before)


def test_a_symbol_never_seen_is_stale_and_refused() -> None:
    track = CovarianceTrack(NAMES, decay=0.9)
    for row in rows(30).tolist():
        track.push({"BTCUSDT": row[0], "ETHUSDT": row[1]})
    assert track.stale == ("SOLUSDT",)
    assert track.covariance(("ETHUSDT", "BTCUSDT"), shrink="none").cov.shape == (2, 2)
    with pytest.raises(ValueError, match="SOLUSDT"):
        track.covariance()
    with pytest.raises(KeyError, match="DOGEUSDT"):
        track.covariance(("DOGEUSDT",))


def test_symbols_seen_at_different_times_still_give_a_covariance() -> None:
    track, x = CovarianceTrack(NAMES, decay=0.8), rows(200, 5)
    draw = np.random.default_rng(9)
    for row in x.tolist():
        seen = draw.random(3) < 0.5
        track.push({name: ret for name, ret, is_seen in zip(NAMES, row, seen, strict=True) if is_seen})
    for shrink in ("identity", "none"):
        cov = track.covariance(shrink=shrink).cov
        assert float(np.linalg.eigvalsh(cov)[0]) >= -1e-18


@pytest.mark.parametrize("size", [3, 300, 1_000])
def test_a_sample_folded_in_pieces_gives_the_same_bits(size: int) -> None:
    names = [f"S{number}" for number in range(size)]
    pieces, whole = (CovarianceTrack(names, decay=0.97) for _ in range(2))
    whole.piece = size
    whole.scratch = (np.zeros((size, size)), np.zeros((size, size)))
    draw = np.random.default_rng(3)
    for folds in (0, 1, BEATS, 2, BEATS):
        told = dict(zip(names, draw.normal(size=size).tolist(), strict=True))
        for name in names[:: folds + 2]:
            del told[name]
        whole.push(told)
        pieces.push(told)
        for _ in range(folds):
            pieces.fold()
        assert pieces.folded == size or folds < BEATS - 1
    assert pieces.stale == whole.stale
    assert np.array_equal(pieces.covariance(names[1:9]).cov, whole.covariance(names[1:9]).cov)
    assert np.array_equal(pieces.moments, whole.moments)
    assert np.array_equal(pieces.weights, whole.weights)


def test_made_semidefinite_keeps_variances() -> None:
    broken = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    fixed = made_semidefinite(broken)
    assert float(np.linalg.eigvalsh(fixed)[0]) >= -1e-12
    assert fixed.diagonal() == pytest.approx([1.0, 1.0, 1.0])


def test_a_return_that_is_not_a_number_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"returns\[ETHUSDT\] must be"):
        CovarianceTrack(NAMES, decay=0.9).push({"ETHUSDT": float("nan")})
    with pytest.raises(ValueError, match="symbols must be"):
        CovarianceTrack(("A", "A"), decay=0.9)
