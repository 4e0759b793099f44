"""The learning rate policies (`lr_policy`), Caffe's and cosine: the learning rate at an iteration, counted from 0."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

from fcnlite.solver.options import SolverOptions


def fixed(o: SolverOptions, iteration: int) -> float:
    return o.base_lr


def step(o: SolverOptions, iteration: int) -> float:
    """Multiplied by gamma after every `stepsize` iterations."""
    return o.base_lr * o.gamma ** (iteration // o.stepsize)


def multistep(o: SolverOptions, iteration: int) -> float:
    """Multiplied by gamma at each `stepvalue`."""
    return o.base_lr * o.gamma ** bisect_right(o.stepvalue, iteration)


def exp(o: SolverOptions, iteration: int) -> float:
    return o.base_lr * o.gamma**iteration


def inv(o: SolverOptions, iteration: int) -> float:
    return o.base_lr * (1 + o.gamma * iteration) ** -o.power


def poly(o: SolverOptions, iteration: int) -> float:
    """Falls from base_lr to 0 at `max_iter`."""
    return o.base_lr * max(0.0, 1 - iteration / o.max_iter) ** o.power


def sigmoid(o: SolverOptions, iteration: int) -> float:
    """A smooth step of width 1/gamma around `stepsize`; a negative gamma makes it fall."""
    return o.base_lr * 0.5 * (1 + math.tanh(o.gamma * (iteration - o.stepsize) / 2))


def cosine(o: SolverOptions, iteration: int) -> float:
    """Falls from base_lr to 0 at `max_iter` along half a wave; not Caffe's (Loshchilov and Hutter, 2017)."""
    return o.base_lr * 0.5 * (1 + math.cos(math.pi * min(1.0, iteration / o.max_iter)))


POLICIES: dict[str, Callable[[SolverOptions, int], float]] = {
    each.__name__: each for each in (fixed, step, multistep, exp, inv, poly, sigmoid, cosine)
}


def rate(o: SolverOptions, iteration: int) -> float:
    """The rate of the policy, of which the first `warmup` iterations take a share that grows linearly to 1."""
    found = POLICIES[o.lr_policy](o, iteration)
    return found * (iteration + 1) / o.warmup if iteration < o.warmup else found
