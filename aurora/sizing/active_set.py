"""The exact optimum of mean against variance inside a gross cap and a box, with the certificate that it is
one.
"""

from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from aurora.risk.arguments import Floats

Signs = NDArray[np.int8]
Mask = NDArray[np.bool_]

CERTIFIED = 1e-9
"""A relative KKT residual up to this is accepted as the optimum."""

FINISHED = 1e-11
PIVOTS_MAX = 60
PIVOTS_OF_A_GUESS = 8
ROUNDS_MAX = 1_000
APPROACHES_MAX = 60
FIRST_LOOK = 25
CAP_SLACK = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Maximise mu'w - (gamma/2) w'sigma w with |w|_1 <= gross, |w_i| <= cap, and w >= 0 when long-only."""

    mu: Floats
    sigma: Floats
    gamma: float
    gross: float
    cap: float
    long_only: bool
    scale: float
    """max|mu|, or 1 when that is zero: what slopes are measured by."""

    def gradient(self, w: Floats) -> Floats:
        return self.mu - self.gamma * (self.sigma @ w)

    def pull(self, gradient: Floats) -> Floats:
        """How strongly a weight of zero wants to leave it."""
        return gradient if self.long_only else np.abs(gradient)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSet:
    """Which constraints bind: the sign of every weight (0 where it is zero), who is at the cap, and the
    gross cap.
    """

    sign: Signs
    capped: Mask
    gross: bool

    @property
    def key(self) -> tuple[bytes, bytes, bool]:
        return self.sign.tobytes(), self.capped.tobytes(), self.gross


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A point, the multiplier of the gross cap, how far both are from optimal, and the constraints that
    made it.
    """

    w: Floats
    tau: float
    kkt: float
    active: ActiveSet


def solve_exactly(problem: Problem, warm: ActiveSet | None) -> Candidate | None:
    """The certified optimum, from the active set of a neighbouring problem or from a guess; None when none
    is found.

    The guess comes from splitting (one factorisation, exact projections); the finish is a primal-dual
    active set.
    """
    if warm is not None:
        candidate = finish(problem, warm, PIVOTS_MAX)
        if candidate is not None and candidate.kkt <= CERTIFIED:
            return candidate
    return guess_and_finish(problem) or approach(problem)


def approach(problem: Problem) -> Candidate | None:
    """The optimum when curvature is missing: neighbours made strictly concave, each around the last
    answer.

    Source: the proximal point method, which ends after finitely many steps on a polyhedron (Rockafellar
    1976).
    """
    pull = 1e-3 * problem.scale / min(problem.cap, problem.gross)
    curved = problem.sigma + (pull / problem.gamma) * np.eye(problem.mu.size)
    w, warm = np.zeros(problem.mu.size), None
    for _ in range(APPROACHES_MAX):
        near = replace(problem, sigma=curved, mu=problem.mu + pull * w)
        candidate = finish(near, warm, PIVOTS_MAX) if warm is not None else None
        if candidate is None or candidate.kkt > CERTIFIED:
            candidate = guess_and_finish(near)
        if candidate is None:
            return None
        w, warm = candidate.w, candidate.active
        kkt = residual(problem, w, candidate.tau, problem.gradient(w))
        if kkt <= CERTIFIED:
            return replace(candidate, kkt=kkt)
    return None


def guess_and_finish(problem: Problem) -> Candidate | None:
    """The optimum by splitting (one factorisation, exact projections) until its active set is the right
    one.
    """
    size = problem.mu.size
    curve = problem.gamma * problem.sigma
    stiffness = float(np.abs(curve).sum(axis=1).max()) if size > 60 else float(np.linalg.norm(curve, 2))
    least = 1e-3 * problem.scale / min(problem.cap, problem.gross)
    rho = max(float(np.sqrt(max(np.trace(curve), 0.0) / size * stiffness)), least)
    inverse = np.linalg.inv(curve + rho * np.eye(size))
    z, u = np.zeros(size), np.zeros(size)
    look, last_key = FIRST_LOOK, None
    for count in range(1, ROUNDS_MAX + 1):
        x = inverse @ (problem.mu + rho * (z - u))
        z = project(x + u, problem)
        u += x - z
        if count != look:
            continue
        look = int(look * 1.3) + 5
        guess = active_of(z, problem)
        if guess.key != last_key:
            last_key = guess.key
            candidate = finish(problem, guess, PIVOTS_OF_A_GUESS)
            if candidate is not None and candidate.kkt <= CERTIFIED:
                return candidate
    return None


def project(v: Floats, problem: Problem) -> Floats:
    """The nearest point of the feasible set, exactly: clip, then one root of a piecewise linear function."""
    size = np.maximum(v, 0.0) if problem.long_only else np.abs(v)
    clipped = np.minimum(size, problem.cap)
    if clipped.sum() > problem.gross:
        clipped = np.minimum(np.maximum(size - threshold(size, problem), 0.0), problem.cap)
    return clipped if problem.long_only else np.copysign(clipped, v)


def threshold(size: Floats, problem: Problem) -> float:
    """The t with sum(clip(size - t, 0, cap)) = gross, between the two kinks that bracket it."""

    def total(t: float) -> float:
        return float(np.minimum(np.maximum(size - t, 0.0), problem.cap).sum())

    kinks = np.sort(np.concatenate([size, size - problem.cap]))
    kinks = kinks[kinks > 0.0]
    low, high = -1, kinks.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if total(kinks[middle]) > problem.gross else (low, middle)
    left = float(kinks[low]) if low >= 0 else 0.0
    above, below = total(left), total(float(kinks[high]))
    if above <= below:
        return left
    return left + (above - problem.gross) * (float(kinks[high]) - left) / (above - below)


def finish(problem: Problem, active: ActiveSet, pivots: int) -> Candidate | None:
    """The best point that primal-dual pivoting reaches from a guess of the binding constraints."""
    best: Candidate | None = None
    seen: set[tuple[bytes, bytes, bool]] = set()
    for _ in range(pivots):
        if active.key in seen:
            break
        seen.add(active.key)
        w, tau = stationary(problem, active)
        gradient = problem.gradient(w)
        size, pull = np.abs(w), problem.pull(gradient)
        kkt = residual_of(problem, (w, size), tau, (gradient, pull))
        if best is None or kkt < best.kkt:
            best = Candidate(w=w, tau=tau, kkt=kkt, active=active)
        if kkt <= FINISHED:
            break
        active = pivot(problem, active, (w, size), tau, (gradient, pull))
    return best


def stationary(problem: Problem, active: ActiveSet) -> tuple[Floats, float]:
    """The stationary point on the face where exactly these constraints bind, with the gross multiplier."""
    free = np.flatnonzero((active.sign != 0) & ~active.capped)
    w = np.where(active.capped, active.sign * problem.cap, 0.0)
    if free.size == 0:
        return w, vertex_multiplier(problem, active, w) if active.gross else 0.0
    rows = problem.sigma[free]
    size = free.size + int(active.gross)
    system, right = np.zeros((size, size)), np.empty(size)
    system[: free.size, : free.size] = problem.gamma * rows[:, free]
    right[: free.size] = problem.mu[free] - problem.gamma * (rows @ w)
    if active.gross:
        system[-1, : free.size] = system[: free.size, -1] = active.sign[free]
        right[-1] = problem.gross - float(np.abs(w).sum())
        # The border's column is a slope and its row a weight: in one size they stay solvable together.
        border = problem.scale / problem.cap
        system[-1] *= border
        system[:, -1] *= border
        right[-1] *= border
    solved = solve_or_nearest(system, right, largest=1e3 * problem.cap, count=free.size)
    w[free] = solved[: free.size]
    return w, float(solved[-1]) * border if active.gross else 0.0


def solve_or_nearest(system: Floats, right: Floats, *, largest: float, count: int) -> Floats:
    """The solution, or the smallest of the nearest ones when the system is singular or as good as that."""
    try:
        solved: Floats = np.linalg.solve(system, right).astype(np.float64)
    except np.linalg.LinAlgError:
        solved = np.full(right.size, np.inf)
    if not float(np.abs(solved[:count]).max()) <= largest:
        solved = np.linalg.lstsq(system, right, rcond=1e-13)[0].astype(np.float64)
    return solved


def vertex_multiplier(problem: Problem, active: ActiveSet, w: Floats) -> float:
    """At a vertex (k caps fill the gross cap) the smallest multiplier that keeps every zero at zero."""
    resting = active.sign == 0
    if not resting.any():
        return 0.0
    return max(0.0, float(problem.pull(problem.gradient(w)[resting]).max()))


def pivot(
    problem: Problem, active: ActiveSet, at: tuple[Floats, Floats], tau: float, slopes: tuple[Floats, Floats]
) -> ActiveSet:
    """The constraints after every violated one has joined and every one that pulls the wrong way has left."""
    (w, size), (gradient, pull) = at, slopes
    resting = active.sign == 0
    free = ~(resting | active.capped)
    sign, capped = active.sign.copy(), active.capped | (free & (size > problem.cap))
    sign[free & (w * active.sign <= 0.0)] = 0
    capped[active.capped & (active.sign * gradient < tau)] = False
    joins = resting & (pull > tau * (1.0 + CAP_SLACK) + 1e-15)
    sign[joins] = np.sign(gradient[joins])
    gross = active.gross
    if gross and tau < 0.0:
        gross = False
    elif not gross and float(np.minimum(size, problem.cap).sum()) > problem.gross:
        gross = True
    return ActiveSet(sign=sign, capped=capped, gross=gross)


def residual(problem: Problem, w: Floats, tau: float, gradient: Floats) -> float:
    """The largest violation of the optimality conditions: of feasibility as it is, of slopes over max|mu|."""
    return residual_of(problem, (w, np.abs(w)), tau, (gradient, problem.pull(gradient)))


def residual_of(
    problem: Problem, at: tuple[Floats, Floats], tau: float, slopes: tuple[Floats, Floats]
) -> float:
    """residual, with the sizes of the weights and the pulls at hand."""
    (w, size), (gradient, pull) = at, slopes
    scale, total = problem.scale, float(size.sum())
    if not isfinite(total):
        return inf
    push = np.sign(w) * gradient - tau
    moving = np.where(size >= problem.cap * (1.0 - CAP_SLACK), -push, np.abs(push))
    steepest = float(np.where(size == 0.0, pull - tau, moving).max())
    worst = max(total - problem.gross, float(size.max()) - problem.cap, steepest / scale, -tau / scale)
    if problem.long_only:
        worst = max(worst, -float(w.min()))
    return max(worst, tau / scale * abs(problem.gross - total))


def active_of(w: Floats, problem: Problem, *, blur: float = 1e-10) -> ActiveSet:
    """The constraints that bind at a point, or are within a relative `blur` of it."""
    size = np.abs(w)
    return ActiveSet(
        sign=np.where(size > blur * problem.cap, np.sign(w), 0.0).astype(np.int8),
        capped=size >= problem.cap * (1.0 - blur),
        gross=bool(size.sum() >= problem.gross * (1.0 - 10.0 * blur)),
    )
