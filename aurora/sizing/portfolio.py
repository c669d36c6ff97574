"""Several signals under one budget: mean against variance with a gross cap, a cap per position and a
certificate.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from aurora.risk.arguments import (
    Floats,
    inside,
    matrix,
    not_negative,
    one_of,
    positive,
    vector,
)
from aurora.sizing.active_set import (
    CERTIFIED,
    PIVOTS_MAX,
    ActiveSet,
    Problem,
    active_of,
    finish,
    residual,
    solve_exactly,
)
from aurora.sizing.interior import QuadraticProgram, minimise

PortfolioMethod = Literal["exact", "clip_scale", "piqp"]
METHODS = ("exact", "clip_scale", "piqp")
SYMMETRY_SLACK = 1e-9
CURVATURE_SLACK = 1e-9
BLURS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
KKT_MAX = 1e-8
"""A residual above this is no certificate."""


class PortfolioError(ValueError):
    """The solver cannot vouch for an answer; the caller keeps the last good weights and says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The answer with its certificate."""

    w: Floats
    """Notional over equity per asset, signed, leverage included; shape (n,)."""
    kkt: float
    """Largest violation of the optimality conditions at w / leverage: weights as they are, slopes over
    max|mu|.
    """
    active: ActiveSet
    """Which constraints bind; also the warm start of the next solve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioOptimizer:
    """Maximises mu'w - (gamma/2) w'sigma w - turnover_cost |w - held|_1 inside the budget.

    gamma: risk aversion, above zero; see drawdown.risk_aversion_from_drawdown. gross_cap: |w|_1 at most,
    above zero. max_weight: |w_i| at most, above zero. long_only: w >= 0. leverage: the result is
    multiplied by it, above zero. net_cap: |sum w| at most, or None. turnover_cost: proportional cost of
    moving a weight, at least 0. method: exact (certified optimum, NumPy only), clip_scale (unconstrained
    weights clipped, then scaled into the gross cap: not optimal, for comparison), piqp (the optional
    extra). ValueError names the setting out of range. Source: Markowitz 1952; Merton 1969 for the reading
    of gamma.
    """

    gamma: float
    gross_cap: float
    max_weight: float
    long_only: bool = False
    leverage: float = 1.0
    method: PortfolioMethod = "exact"
    net_cap: float | None = None
    turnover_cost: float = 0.0

    def __post_init__(self) -> None:
        for name in ("gamma", "gross_cap", "max_weight", "leverage"):
            positive(name, getattr(self, name))
        one_of("method", self.method, METHODS)
        not_negative("turnover_cost", self.turnover_cost)
        if self.net_cap is not None:
            not_negative("net_cap", self.net_cap)
        if self.method == "clip_scale" and self.general:
            raise ValueError("method must be exact or piqp with net_cap or turnover_cost, got 'clip_scale'")

    @property
    def general(self) -> bool:
        return self.net_cap is not None or self.turnover_cost > 0.0

    def solve(
        self, mu: ArrayLike, sigma: ArrayLike, warm: Weights | None = None, held: ArrayLike | None = None
    ) -> Weights:
        """The optimal weights for expected returns mu (n,) and covariance sigma (n, n) of the same period.

        sigma: symmetric, positive semidefinite (tested without `warm`), may be singular. warm: the answer
        to a neighbouring problem. held: weights now held, before leverage, for turnover_cost; default
        flat. ValueError on other shapes or a number that is not finite; PortfolioError when no answer is
        certified.
        """
        means = vector("mu", mu)
        curve = covariance_of(sigma, means.size, tested=warm is None)
        problem = Problem(
            mu=means,
            sigma=curve,
            gamma=float(self.gamma),
            gross=float(self.gross_cap),
            cap=float(self.max_weight),
            long_only=self.long_only,
            scale=float(np.abs(means).max()) or 1.0,
        )
        now = np.zeros(means.size) if held is None else vector("held", held, size=means.size)
        match self.method:
            case "clip_scale":
                return self.levered(problem, clip_and_scale(problem))
            case "piqp":
                unit = self.unit(problem)
                w, kkt = solve_with_piqp(problem, self.program(problem, now, unit), unit=unit)
                return self.levered(problem, w, kkt=kkt)
            case "exact":
                return self.exact(problem, now, warm)

    def exact(self, problem: Problem, held: Floats, warm: Weights | None) -> Weights:
        if not self.general:
            if not problem.mu.any():
                return self.levered(problem, np.zeros(problem.mu.size), kkt=0.0)
            start = warm.active if warm is not None and warm.active.sign.size == problem.mu.size else None
            candidate = solve_exactly(problem, start)
            if candidate is not None:
                return self.levered(problem, candidate.w, kkt=candidate.kkt, active=candidate.active)
        unit = self.unit(problem)
        point = minimise(self.program(problem, held, unit))
        w = point.x[: problem.mu.size] * unit
        for blur in () if self.general else BLURS:
            candidate = finish(problem, active_of(w, problem, blur=blur), PIVOTS_MAX)
            if candidate is not None and candidate.kkt <= CERTIFIED:
                return self.levered(problem, candidate.w, kkt=candidate.kkt, active=candidate.active)
        if not point.kkt <= KKT_MAX:
            raise PortfolioError(f"no certified optimum: KKT residual {point.kkt:.1e}, wanted {KKT_MAX:.0e}")
        return self.levered(problem, w, kkt=point.kkt)

    def unit(self, problem: Problem) -> float:
        """What the general solver counts weights in: about the size they will have."""
        steepest = problem.gamma * float(problem.sigma.diagonal().max())
        natural = problem.scale / steepest if steepest > 0.0 else np.inf
        return float(min(self.max_weight, self.gross_cap, natural))

    def program(self, problem: Problem, held: Floats, unit: float) -> QuadraticProgram:
        """The problem with sizes (and trades) as variables of their own, scaled to about one."""
        n = problem.mu.size
        price = max(float(np.abs(problem.mu).max()), self.turnover_cost) or 1.0
        eye, none = np.eye(n), np.zeros((n, n))
        blocks = 3 if self.turnover_cost > 0.0 else 2
        p, q = np.zeros((blocks * n, blocks * n)), np.zeros(blocks * n)
        p[:n, :n] = problem.gamma * problem.sigma * (unit / price)
        q[:n] = -problem.mu / price
        low = 0.0 if problem.long_only else problem.cap
        rows: list[tuple[list[Floats], Floats]] = [
            ([eye, -eye], np.zeros(n)),
            ([-eye, -eye], np.zeros(n)),
            ([eye, none], np.full(n, problem.cap)),
            ([-eye, none], np.full(n, low)),
            ([none[:1], np.ones((1, n))], np.array([problem.gross])),
        ]
        if self.net_cap is not None:
            net = np.ones((1, n))
            rows += [([net * side, none[:1]], np.array([self.net_cap])) for side in (1.0, -1.0)]
        if blocks == 3:
            q[2 * n :] = self.turnover_cost / price
            rows = [([*columns, np.zeros((h.size, n))], h) for columns, h in rows]
            rows += [([eye * side, none, -eye], held * side) for side in (1.0, -1.0)]
        g = np.vstack([np.hstack(columns) for columns, _ in rows])
        return QuadraticProgram(p=p, q=q, g=g, h=np.concatenate([h for _, h in rows]) / unit)

    def levered(
        self, problem: Problem, w: Floats, *, kkt: float | None = None, active: ActiveSet | None = None
    ) -> Weights:
        """The weights moved inside every limit by the last bit, certified and multiplied by leverage."""
        inner = np.clip(w, 0.0 if problem.long_only else -problem.cap, problem.cap)
        total = float(np.abs(inner).sum())
        if total > problem.gross:
            inner = inner * (problem.gross / total)
        bound = active_of(inner, problem) if active is None else active
        if kkt is None:
            kkt = residual(problem, inner, 0.0, problem.gradient(inner))
        return Weights(w=inner * self.leverage, kkt=kkt, active=bound)


def covariance_of(sigma: ArrayLike, size: int, *, tested: bool) -> Floats:
    """The covariance, made exactly symmetric; ValueError unless it is one."""
    curve = matrix("sigma", sigma, shape=(size, size))
    diagonal = curve.diagonal()
    if float(diagonal.min()) < 0.0:
        raise ValueError(f"sigma must have variances of at least 0, got {float(diagonal.min())!r}")
    if not np.array_equal(curve, curve.T):
        apart = float(np.abs(curve - curve.T).max())
        if apart > SYMMETRY_SLACK * float(np.abs(curve).max()):
            raise ValueError(f"sigma must be symmetric, got entries that differ by {apart!r}")
        curve = 0.5 * (curve + curve.T)
    if tested and size > 1:
        least = float(np.linalg.eigvalsh(curve)[0])
        if least < -CURVATURE_SLACK * float(diagonal.max() or 1.0) * size:
            raise ValueError(f"sigma must be positive semidefinite, got an eigenvalue of {least!r}")
    return curve


def clip_and_scale(problem: Problem) -> Floats:
    """Unconstrained weights, clipped to the cap, then scaled into the gross cap: feasible, seldom optimal."""
    w = np.linalg.lstsq(problem.gamma * problem.sigma, problem.mu, rcond=None)[0]
    w = np.clip(w, 0.0 if problem.long_only else -problem.cap, problem.cap)
    total = float(np.abs(w).sum())
    return np.asarray(w * (problem.gross / total) if total > problem.gross else w)


def solve_with_piqp(problem: Problem, program: QuadraticProgram, *, unit: float) -> tuple[Floats, float]:
    """The same program through piqp; PortfolioError when it is not installed or does not converge."""
    try:
        piqp: Any = importlib.import_module("piqp")
    except ImportError as error:
        raise PortfolioError("method 'piqp' needs the optional extra: pip install skalp-bot[qp]") from error
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-10
    solver.setup(program.p, program.q, None, None, program.g, np.full(program.h.size, -np.inf), program.h)
    status = solver.solve()
    if status.value != piqp.PIQP_SOLVED.value:
        raise PortfolioError(f"piqp did not converge: {status}")
    x, z = np.asarray(solver.result.x), np.asarray(solver.result.z_u)
    room = program.h - program.g @ x
    dual = program.p @ x + program.q + program.g.T @ z
    worst = max(float(np.abs(dual).max()), float(-room.min()), float(np.abs(room * z).max()))
    return x[: problem.mu.size] * unit, worst


def mean_from_kelly(fractions: ArrayLike, sigma: ArrayLike, *, gamma: float) -> Floats:
    """The expected returns under which each asset alone would be held at its signed Kelly fraction of
    notional.

    fractions: shape (n,), finite. sigma: covariance (n, n). gamma: above zero. mu_i = gamma sigma_ii f_i,
    so with one asset inside its caps the optimizer returns its Kelly fraction. ValueError names the
    argument.
    """
    wanted = vector("fractions", fractions)
    curve = matrix("sigma", sigma, shape=(wanted.size, wanted.size))
    return positive("gamma", gamma) * curve.diagonal() * wanted


def volatility_scale(w: ArrayLike, sigma: ArrayLike, *, target: float, scale_max: float = 1.0) -> float:
    """min(scale_max, target / sqrt(w'sigma w)): the factor that brings a portfolio to its target
    volatility.

    target: of the same period as sigma, above zero. scale_max: above zero; 1 never levers up. A separate
    step, never on top of a Kelly fraction from mu and sigma, which counts volatility already. ValueError
    names the argument.
    """
    weights = vector("w", w)
    curve = matrix("sigma", sigma, shape=(weights.size, weights.size))
    limit, wanted = inside("scale_max", scale_max, 0.0, np.inf), positive("target", target)
    deviation = float(np.sqrt(max(0.0, float(weights @ curve @ weights))))
    return min(limit, wanted / deviation) if deviation > 0.0 else limit
