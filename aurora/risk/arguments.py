"""Refuses numbers that mean nothing, naming the argument, its value and the range allowed."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def finite(name: str, value: float) -> float:
    """The value as a float; ValueError unless it is a finite number."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return number


def within(name: str, value: float, low: float, high: float) -> float:
    """The value as a float; ValueError unless low <= value <= high."""
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {value!r}")
    return number


def inside(name: str, value: float, low: float, high: float) -> float:
    """The value as a float; ValueError unless low < value < high, so an infinite bound means finite."""
    number = float(value)
    if not low < number < high:
        raise ValueError(f"{name} must be in ({low:g}, {high:g}), got {value!r}")
    return number


def positive(name: str, value: float) -> float:
    """The value as a float; ValueError unless it is finite and above zero."""
    return inside(name, value, 0.0, math.inf)


def not_negative(name: str, value: float) -> float:
    """The value as a float; ValueError unless it is finite and not below zero."""
    number = float(value)
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{name} must be in [0, inf), got {value!r}")
    return number


def count(name: str, value: int, low: int) -> int:
    """The value; ValueError unless it is a whole number of at least `low`."""
    if value != int(value) or value < low:
        raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}")
    return int(value)


def interval(name: str, bounds: tuple[float, float]) -> tuple[float, float]:
    """The pair as floats; ValueError unless low <= high and neither is NaN. Infinite ends mean no limit."""
    low, high = float(bounds[0]), float(bounds[1])
    if not low <= high:
        raise ValueError(f"{name} must be a pair (low, high) with low <= high, got {bounds!r}")
    return low, high


def vector(name: str, values: ArrayLike, *, size: int | None = None) -> Floats:
    """The values as a one-dimensional array; ValueError on another shape, no entry, or one that is not
    finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or (size is not None and array.size != size):
        wanted = "(n,) with n >= 1" if size is None else f"({size},)"
        raise ValueError(f"{name} must have the shape {wanted}, got {array.shape}")
    return all_finite(name, array)


def matrix(name: str, values: ArrayLike, *, shape: tuple[int, int] | None = None) -> Floats:
    """The values as a two-dimensional array; ValueError on another shape, no entry, or one that is not
    finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0 or (shape is not None and array.shape != shape):
        wanted = "(rows, columns)" if shape is None else str(shape)
        raise ValueError(f"{name} must have the shape {wanted}, got {array.shape}")
    return all_finite(name, array)


def all_finite(name: str, array: Floats) -> Floats:
    """The array; ValueError naming the first entry that is not finite."""
    good = np.isfinite(array)
    if not good.all():
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        raise ValueError(f"{name} must be finite everywhere, got {array[place]!r} at {list(place)}")
    return array


def distribution(name: str, probabilities: ArrayLike, *, size: int) -> Floats:
    """The probabilities, scaled to sum to one; ValueError when one is negative or the sum is off by over
    1e-6.
    """
    array = vector(name, probabilities, size=size)
    if array.min() < 0.0:
        raise ValueError(f"{name} must be in [0, 1], got {array.min()!r}")
    total = math.fsum(array)
    if abs(total - 1.0) > 1e-6:
        raise ValueError(f"{name} must sum to 1 within 1e-6, got {total!r}")
    return array / total


def one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    """The value; ValueError unless it is one of the words allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
    return value
