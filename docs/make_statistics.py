#!/usr/bin/env python3
"""Writes statistics/reference.json: quantiles, distribution functions and powers that the tests of statistics/ compare with.

    python3 -m pip install scipy statsmodels mpmath
    python3 docs/make_statistics.py statistics/reference.json

Quantiles and the noncentral t are computed with 40 digits (mpmath) and checked against SciPy; powers are statsmodels's,
checked against the same 40 digits.
"""
import json
import sys

import mpmath as mp
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

mp.mp.dps = 40


def close(ours, theirs, tolerance):
    if abs(ours - theirs) > tolerance * max(abs(float(ours)), 1e-300):
        raise SystemExit(f"{ours} and {theirs} differ")
    return float(ours)


def tail(t, df):
    """P(T > t) for t >= 0."""
    return mp.betainc(df / mp.mpf(2), mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2


def t_quantile(p, df):
    low, high = mp.mpf(0), mp.mpf(2) ** 200
    p, df = mp.mpf(p), mp.mpf(df)
    q = min(p, 1 - p)
    guess = abs(mp.mpf(stats.t.isf(float(q), float(df))))
    low, high = guess * (1 - mp.mpf(10) ** -6), guess * (1 + mp.mpf(10) ** -6)
    for _ in range(110):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, df) > q else (low, middle)
    return -low if p < 0.5 else low


def noncentral_cdf(t, df, delta):
    t, df, delta = mp.mpf(t), mp.mpf(df), mp.mpf(delta)
    front = 2 * (df / 2) ** (df / 2) / mp.gamma(df / 2)
    f = lambda s: front * s ** (df - 1) * mp.e ** (-df * s * s / 2) * mp.ncdf(t * s - delta)
    middle = delta / t
    spread = 14 / mp.sqrt(2 * df)
    points = {max(mp.mpf(0), 1 - spread), 1 + spread}
    for k in (-30, -10, -5, -2, 0, 2, 5, 10, 30):
        points.add(min(1 + spread, max(max(mp.mpf(0), 1 - spread), middle + k / abs(t))))
    points.add(mp.mpf(1))
    return mp.quad(f, sorted(points))


def power(delta, df, alpha):
    critical = t_quantile(1 - mp.mpf(alpha) / 2, df)
    return 1 - noncentral_cdf(critical, df, delta) + noncentral_cdf(-critical, df, delta)


def main(path):
    quantiles = [
        [p, df, close(t_quantile(p, df), stats.t.ppf(p, df), 1e-9)]
        for df in (1, 2, 3, 7.5, 30, 400, 1e6)
        for p in (1e-10, 1e-6, 5e-4, 0.025, 0.2, 0.3, 0.4999, 0.75, 0.9, 0.975, 0.9995)
    ]
    normal = [[p, close(mp.sqrt(2) * mp.erfinv(2 * mp.mpf(p) - 1), stats.norm.ppf(p), 1e-9)] for p in (1e-10, 1e-4, 0.025, 0.3, 0.6, 0.999)]
    noncentral = [
        [t, df, delta, float(noncentral_cdf(t, df, delta))]
        for df in (1, 2, 5, 15, 200)
        for t in (-3, -0.5, 0.7, 2.5, 700)
        for delta in (0, 0.14, 1.5, 6, 45)
    ]
    paired = [
        [dz, n, alpha, close(power(mp.mpf(dz) * mp.sqrt(n), n - 1, alpha), TTestPower().power(dz, n, alpha), 1e-6)]
        for dz in (0.1, 0.5, 1.2)
        for n in (2, 3, 8, 16, 64)
        for alpha in (0.05, 0.001)
    ]
    two = [
        [d, n, alpha, close(power(mp.mpf(d) * mp.sqrt(mp.mpf(n) / 2), 2 * n - 2, alpha), TTestIndPower().power(d, n, alpha), 1e-6)]
        for d in (0.2, 0.8)
        for n in (2, 10, 64)
        for alpha in (0.05, 0.001)
    ]
    tables = {"normalQuantile": normal, "studentQuantile": quantiles, "noncentralStudentCdf": noncentral, "pairedPower": paired, "twoSamplePower": two}
    with open(path, "w") as file:
        json.dump(tables, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
