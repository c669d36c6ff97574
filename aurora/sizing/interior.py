"""A dense interior-point method for convex quadratic programs, for what the active-set method does not
cover.
"""

from dataclasses import dataclass

import numpy as np

from aurora.risk.arguments import Floats

STEPS_MAX = 80
GOAL = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class QuadraticProgram:
    """Minimise x'Px/2 + q'x with Gx <= h."""

    p: Floats
    q: Floats
    g: Floats
    h: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class InteriorPoint:
    """A point, its multipliers, and the largest violation of the optimality conditions."""

    x: Floats
    z: Floats
    kkt: float


def minimise(program: QuadraticProgram) -> InteriorPoint:
    """The optimum by Mehrotra's predictor and corrector; the caller scales x, q and h to about one.

    Source: Mehrotra 1992; Nocedal, Wright 2006, chapter 16.6.
    """
    x: Floats = np.zeros(program.q.size)
    s: Floats = np.maximum(program.h, 1.0).astype(np.float64)
    z: Floats = np.ones(program.h.size)
    best = InteriorPoint(x=x, z=z, kkt=np.inf)
    with np.errstate(all="ignore"):  # Steps near the end overflow; the residual below sees it and stops.
        return descend(program, (x, s, z), best)


def descend(
    program: QuadraticProgram, at: tuple[Floats, Floats, Floats], best: InteriorPoint
) -> InteriorPoint:
    x, s, z = at
    rows = s.size
    for _ in range(STEPS_MAX):
        dual = program.p @ x + program.q + program.g.T @ z
        primal = program.g @ x + s - program.h
        gap = float(s @ z) / rows
        kkt = max(float(np.abs(dual).max()), float(np.abs(primal).max()), float((s * z).max()))
        if kkt < best.kkt:
            best = InteriorPoint(x=x, z=z, kkt=kkt)
        if kkt < GOAL or not np.isfinite(kkt):
            break
        ratio = z / s
        system = program.p + (program.g.T * ratio) @ program.g
        system[np.diag_indices_from(system)] += 1e-15 * float(np.trace(system)) / x.size
        try:
            inverse: Floats = np.linalg.inv(system).astype(np.float64)
        except np.linalg.LinAlgError:
            break
        affine = direction(program, (s, z, system, inverse), dual, primal, s * z)
        length = min(step_length(s, affine[1]), step_length(z, affine[2]))
        ahead = float((s + length * affine[1]) @ (z + length * affine[2])) / rows
        centre = (ahead / gap) ** 3 * gap
        bent = s * z + affine[1] * affine[2] - centre
        dx, ds, dz = direction(program, (s, z, system, inverse), dual, primal, bent)
        length = min(1.0, 0.99 * min(step_length(s, ds), step_length(z, dz)))
        x, s, z = x + length * dx, s + length * ds, z + length * dz
    return best


def direction(
    program: QuadraticProgram,
    at: tuple[Floats, Floats, Floats, Floats],
    dual: Floats,
    primal: Floats,
    product: Floats,
) -> tuple[Floats, Floats, Floats]:
    """The Newton direction of x, s and z that removes these residuals."""
    s, z, system, inverse = at
    right = -dual - program.g.T @ ((z * primal - product) / s)
    dx = inverse @ right
    dx = dx + inverse @ (right - system @ dx)
    ds = -primal - program.g @ dx
    dz = -(product + z * ds) / s
    return dx, ds, dz


def step_length(values: Floats, steps: Floats) -> float:
    """How far the values may go along the steps before one of them reaches zero, at most 1/0.99."""
    falling = steps < 0.0
    return min(1.0 / 0.99, float((values[falling] / -steps[falling]).min())) if falling.any() else 1.0 / 0.99
