#!/usr/bin/env python3
"""Writes statistics/reference-cases.json: what SciPy, statsmodels and scikit-learn, or else plain enumeration in NumPy,
give for the inputs that statistics/cases.fixture.ts draws. Both draw the same inputs from the same small generator, so
that only the values are stored.

    python3 -m pip install scipy statsmodels scikit-learn
    python3 docs/statistics_reference.py statistics/reference-cases.json
"""
import itertools
import json
import math
import sys
import warnings

import numpy as np
import statsmodels.api as sm
from scipy import optimize, stats
from scipy.spatial.distance import pdist
from sklearn import isotonic as sk_isotonic
from sklearn import metrics
from statsmodels.stats import contingency_tables, meta_analysis, multitest, power, proportion, weightstats

warnings.filterwarnings("ignore")
CASES = 200
FEWER = {"bootstrap": 10}


class Draw:
    """mulberry32, seeded by a name and a case."""

    def __init__(self, name, case):
        seed = 0
        for letter in name:
            seed = (seed * 31 + ord(letter)) & 0xFFFFFFFF
        self.state = (seed + case * 0x9E3779B9) & 0xFFFFFFFF
        self.case = case

    def uniform(self):
        self.state = (self.state + 0x6D2B79F5) & 0xFFFFFFFF
        t = self.state
        t = ((t ^ (t >> 15)) * (t | 1)) & 0xFFFFFFFF
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        return (t ^ (t >> 14)) / 4294967296

    def int(self, n):
        return math.floor(self.uniform() * n)

    def bell(self):
        total = -6.0
        for _ in range(12):
            total += self.uniform()
        return total

    def size(self, least, most):
        extra = self.int(most - least + 1)
        return least if self.case % 7 == 0 else least + extra

    def value(self, kind):
        if kind <= 2:
            return self.bell()
        if kind == 3:
            u = self.uniform()
            return u * u * u * 10
        if kind == 4:
            u, v = self.uniform(), self.uniform()
            return 0.0 if u < 0.6 else v * 5
        if kind == 5:
            return float(self.int(5))
        if kind == 6:
            return 2.5
        if kind == 7:
            return 1000000 + self.bell()
        if kind == 8:
            return 0.000001 * self.bell()
        u, v = self.uniform(), self.uniform()
        return 10 + v if u < 0.15 else v * 0.1

    def sample(self, least, most):
        n = self.size(least, most)
        return [self.value(self.case % 10) for _ in range(n)]

    def values(self, n):
        return [self.value(self.case % 10) for _ in range(n)]

    def labels(self, n):
        return [1 if self.uniform() < 0.4 else 0 for _ in range(n)]

    def codes(self, n, k):
        return [self.int(k) for _ in range(n)]


def maybe(value):
    return float(value) if np.isfinite(value) else None


def spread(values):
    return len(set(values)) > 1


# Each function takes a Draw and returns the values in the order of its twin in statistics/cases.test.ts.


def independent_effects(d):
    x, y = d.sample(2, 20), d.sample(2, 20)
    delta = 2 * stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)) - 1
    if not spread(x) and not spread(y):
        return [None, None, delta, (delta + 1) / 2]
    n1, n2 = len(x), len(y)
    pooled = ((n1 - 1) * np.var(x, ddof=1) + (n2 - 1) * np.var(y, ddof=1)) / (n1 + n2 - 2)
    cohen = (np.mean(x) - np.mean(y)) / math.sqrt(pooled)
    return [cohen, cohen * (1 - 3 / (4 * (n1 + n2 - 2) - 1)), delta, (delta + 1) / 2]


def paired_effects(d):
    v = d.sample(2, 20)
    signs = np.mean(np.sign(v))
    nonzero = [x for x in v if x != 0]
    biserial = None
    if nonzero:
        ranks = stats.rankdata(np.abs(nonzero))
        biserial = float(np.sum(np.sign(nonzero) * ranks) / np.sum(ranks))
    if not spread(v):
        return [None, None, signs, (signs + 1) / 2, biserial]
    dz = np.mean(v) / np.std(v, ddof=1)
    return [dz, dz * (1 - 3 / (4 * (len(v) - 1) - 1)), signs, (signs + 1) / 2, biserial]


def random_effects(d):
    k = d.size(2, 12)
    effects = [d.bell() * (0.1 if d.case % 3 == 0 else 2) for _ in range(k)]
    variances = [0.01 + d.uniform() for _ in range(k)]
    if d.case % 10 == 6:
        effects = [0.5] * k
    r = meta_analysis.combine_effects(np.array(effects), np.array(variances), method_re="chi2")
    q = max(r.q, 0)
    i2 = 0.0 if q < 1e-20 else max(0.0, 1 - (k - 1) / q)
    random = r.tau2 > 0  # statsmodels lets the variance fall below 0, where we stop at the fixed effect
    m, error, knapp = r.mean_effect_fe, r.sd_eff_w_fe, r.sd_eff_w_fe_hksj
    if random:
        m, error, knapp = r.mean_effect_re, r.sd_eff_w_re, r.sd_eff_w_re_hksj
    half, reach = stats.norm.ppf(0.975) * error, stats.t.ppf(0.975, k - 1) * knapp
    return [m, error, m - half, knapp, m + reach, r.mean_effect_fe, max(0, r.tau2), q, stats.chi2.sf(q, k - 1), i2]


def bootstrap(d):
    """Bounds of the mean in standard errors from it; 200,000 draws of every method."""
    v = np.array([d.uniform() ** 3 if d.case % 2 else d.bell() for _ in range(20 + d.int(10))])
    n, mean, error = len(v), np.mean(v), stats.sem(v)
    rng = np.random.default_rng(0)
    samples = v[rng.integers(0, n, (200_000, n))]
    means = samples.mean(axis=1)
    ratio = (means - mean) / (samples.std(axis=1, ddof=1) / math.sqrt(n))
    bca = stats.bootstrap((v,), np.mean, n_resamples=200_000, method="BCa", rng=rng).confidence_interval
    bounds = [*np.quantile(means, [0.025, 0.975]), *bca]
    return [*((b - mean) / error for b in bounds), -np.quantile(ratio, 0.975), -np.quantile(ratio, 0.025)]


def proportions(d):
    n1, n2 = 1 + d.int(40), 1 + d.int(40)
    x1, x2 = d.int(n1 + 1), d.int(n2 + 1)
    wilson = proportion.proportion_confint(x1, n1, method="wilson")
    exact = proportion.proportion_confint(x1, n1, method="beta")
    newcombe = proportion.confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff")
    h = proportion.proportion_effectsize(x1 / n1, x2 / n2)
    below = (n1 - x1) * x2
    return [*wilson, exact[0], exact[1], *newcombe, h, x1 * (n2 - x2) / below if below else None]


def correlation(d):
    n = d.size(4, 30)
    x, y = d.values(n), [d.bell() for _ in range(n)]
    if not spread(x):
        return [None, None, None]
    r = stats.pearsonr(x, y)
    return [r.statistic, *r.confidence_interval(0.95)]


def mean_interval(d):
    v = d.sample(2, 20)
    error = stats.sem(v)
    if not spread(v):
        return [np.mean(v), 0, None, None]
    return [np.mean(v), error, *stats.t.interval(0.95, len(v) - 1, np.mean(v), error)]


def cluster_mean(d):
    v = d.sample(4, 40)
    c = d.codes(len(v), 6)
    if len(set(c)) < 2:
        return [np.mean(v), None, None, None]
    if not spread(v):
        return [np.mean(v), 0, None, None]
    fit = sm.OLS(v, np.ones(len(v))).fit(cov_type="cluster", cov_kwds={"groups": c}, use_t=True)
    t = stats.t.ppf(0.975, len(set(c)) - 1)
    return [fit.params[0], fit.bse[0], fit.params[0] - t * fit.bse[0], fit.params[0] + t * fit.bse[0]]


def sign_flip(d):
    v = d.sample(1, 9)
    sums = np.array([np.dot(s, v) for s in itertools.product([1, -1], repeat=len(v))])
    slack = 1e-12 * np.sum(np.abs(v))
    return [np.mean(np.abs(sums) >= abs(np.sum(v)) - slack)]


def stratified(d):
    n = d.size(2, 12)
    v, labels, strata = d.values(n), d.labels(n), d.codes(n, 3)
    null = [0.0]
    observed = 0.0
    scale = np.sum(np.abs(v))
    for s in set(strata):
        own = [i for i in range(n) if strata[i] == s]
        x = np.array([v[i] for i in own])
        x = x - np.mean(x)
        y = [labels[i] for i in own]
        observed += float(np.dot(x, y))
        sums = [np.sum(x[list(chosen)]) for chosen in itertools.combinations(range(len(own)), sum(y))]
        null = [a + b for a in null for b in sums]
    null, slack = np.array(null), 1e-11 * scale
    return [np.mean(np.abs(null) >= abs(observed) - slack), np.mean(null >= observed - slack), np.mean(null <= observed + slack)]


def max_t(d):
    n, h = d.size(2, 8), 1 + d.int(5)
    x = np.array([d.values(n) for _ in range(h)])
    signs = np.array(list(itertools.product([1, -1], repeat=n)))

    def t(rows):
        mean = np.mean(rows, axis=-1)
        error = np.sqrt(np.maximum(0, np.mean(rows**2, axis=-1) - mean**2))
        with np.errstate(all="ignore"):
            value = np.abs(mean) / np.where(error > 1e-7 * np.abs(mean), error, 0)
        return np.where(np.isnan(value), 0, value)

    observed = t(x)
    null = t(x[None, :, :] * signs[:, None, :])
    reached = lambda a, b: (a >= b * (1 - 1e-9)) | (np.isinf(a) & np.isinf(b))
    single = [np.mean(reached(np.max(null, axis=1), o)) for o in observed]
    order = np.argsort(-observed, kind="stable")
    down, largest = np.zeros(h), 0.0
    for place in range(h):
        rest = order[place:]
        largest = max(largest, np.mean(reached(np.max(null[:, rest], axis=1), observed[order[place]])))
        down[order[place]] = largest
    return [*single, *down]


def multiplicity(d):
    m = d.size(1, 6)
    p = [d.int(20) / 20 if d.case % 5 == 0 else d.uniform() ** 3 for _ in range(m)]
    adjusted = [multitest.multipletests(p, method=method)[1] for method in ("fdr_bh", "fdr_by", "holm")]
    return [float(q) for row in adjusted for q in row]


def equivalence(d):
    v = d.sample(2, 20)
    margin = 0.1 + 2 * d.uniform()
    if not spread(v):
        p = 0.0 if abs(np.mean(v)) < margin else 1.0
        return [p, p, p]
    p, lower, upper = weightstats.DescrStatsW(v).ttost_mean(-margin, margin)
    return [p, lower[1], upper[1]]


def statistic_of_trend(values, sizes):
    total, start = np.zeros(values.shape[0]), 0
    ends = np.cumsum(sizes)
    for size, end in zip(sizes, ends):
        for j in range(start, end):
            for i in range(start):
                total += np.where(values[:, i] < values[:, j], 1.0, np.where(values[:, i] == values[:, j], 0.5, 0.0))
        start = end
    return total


ORDERS = {n: np.array(list(itertools.permutations(range(n)))) for n in range(2, 8)}


def trend(d):
    groups = 2 + d.int(2)
    sizes = [1 + d.int(7 // groups) for _ in range(groups)]
    v = np.array(d.values(sum(sizes)))
    observed = float(statistic_of_trend(v[None, :], sizes)[0])
    null = statistic_of_trend(v[ORDERS[len(v)]], sizes)
    mean, sd = float(np.mean(null)), float(np.std(null))
    if sd < 1e-12:
        return [observed, mean, None, 1, 1, 1]
    z = (observed - mean) / sd
    return [observed, mean, z, 2 * stats.norm.sf(abs(z)), stats.norm.sf(z), stats.norm.cdf(z)]


def error_spending(d):
    """One look before the last: the second boundary by the bivariate normal distribution."""
    first, alpha, sides = 0.3 + 0.6 * d.uniform(), 0.01 + 0.1 * d.uniform(), 1 + d.int(2)
    each = alpha / sides
    spent = 2 * stats.norm.sf(stats.norm.isf(each / 2) / math.sqrt(first))
    b1 = stats.norm.isf(spent)
    rho = math.sqrt(first)

    def going(z):
        # P(first not crossed, second above z) by Gauss–Legendre quadrature over the first.
        low, high = (-b1 if sides == 2 else -9.0), b1
        nodes, weights = np.polynomial.legendre.leggauss(300)
        x = (high - low) / 2 * nodes + (high + low) / 2
        return np.sum(weights * stats.norm.pdf(x) * stats.norm.sf((z - rho * x) / math.sqrt(1 - first))) * (high - low) / 2

    b2 = optimize.brentq(lambda z: going(z) - (each - spent), 0, 8, xtol=1e-13)
    return [b1, b2, sides * spent, alpha]


def pareto(d):
    v = [abs(d.bell()) ** 2 if d.case % 2 else -math.log(1 - d.uniform()) for _ in range(20 + d.int(30))]
    x, n = np.sort(v), len(v)
    b0 = np.mean(x)
    b1 = np.mean((n - 1 - np.arange(n)) / (n - 1) * x)
    shape, scale = 2 - b0 / (b0 - 2 * b1), 2 * b0 * b1 / (b0 - 2 * b1)
    y = d.uniform() * 3
    return [scale, shape, stats.genpareto.sf(y, shape, scale=scale), stats.genpareto.isf(0.01, shape, scale=scale)]


def auroc(d):
    s = d.sample(4, 40)
    y, c = d.labels(len(s)), d.codes(len(s), 8)
    precision = metrics.average_precision_score(y, s) if sum(y) else None
    if len(set(y)) < 2:
        return [None, None, None, None, precision]
    a = metrics.roc_auc_score(y, s)
    pos, neg = [i for i, l in enumerate(y) if l], [i for i, l in enumerate(y) if not l]
    wins = np.array([[1.0 if s[i] > s[j] else 0.5 if s[i] == s[j] else 0.0 for j in neg] for i in pos])
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    ids = sorted(set(c))
    a10 = np.array([sum(v10[k] - a for k, i in enumerate(pos) if c[i] == g) for g in ids])
    a01 = np.array([sum(v01[k] - a for k, j in enumerate(neg) if c[j] == g) for g in ids])
    i10, i01, m, n, g = len({c[i] for i in pos}), len({c[j] for j in neg}), len(pos), len(neg), len(ids)
    if i10 < 2 or i01 < 2:
        return [a, None, None, None, precision]
    s10, s01 = i10 / ((i10 - 1) * m) * np.sum(a10**2), i01 / ((i01 - 1) * n) * np.sum(a01**2)
    s11 = g / (g - 1) * np.sum(a10 * a01)
    error = math.sqrt(max(0.0, s10 / m + s01 / n + 2 * s11 / (m * n)))
    ranks = lambda items: stats.rankdata([s[i] for i in items])
    known = min(known_by(ranks(pos), [c[i] for i in pos]), known_by(ranks(neg), [c[j] for j in neg]))
    kept = 0.025 ** (1 / known)
    unseen = a * kept + (1 - kept) / 2
    if not 1e-12 < a < 1 - 1e-12:
        return [a, error, *([unseen, 1] if a > 0.5 else [0, unseen]), precision]
    if error < 1e-7:
        return [a, 0, None, None, precision]
    centre, half = math.log(a / (1 - a)), stats.t.ppf(0.975, min(i10, i01) - 1) * error / (a * (1 - a))
    low, high = 1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))
    return [a, error, min(low, unseen) if a > 0.5 else low, max(high, unseen) if a <= 0.5 else high, precision]


def known_by(ranks, clusters):
    """Observations that are worth as much as these in clusters, by the intraclass correlation of one-way ANOVA."""
    n, ids = len(ranks), sorted(set(clusters))
    groups = [np.array([r for r, g in zip(ranks, clusters) if g == own]) for own in ids]
    k, size = len(ids), sum(len(g) ** 2 for g in groups) / n
    alike = 1.0
    if k > 1 and n > k:
        between = sum(len(g) * (g.mean() - np.mean(ranks)) ** 2 for g in groups) / (k - 1)
        within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - k)
        total = between + ((n - size) / (k - 1) - 1) * within
        alike = 1.0 if abs(total) < 1e-12 else max(0.0, (between - within) / total)
    return n / (1 + (size - 1) * alike)


def information(d):
    n = d.size(1, 60)
    f, c, s = d.codes(n, 4), d.codes(n, 3), d.codes(n, 3)
    if d.case % 4 == 0:
        c = [min(value, 2) for value in f]
    given, bias = 0.0, 0.0
    for stratum in set(s):
        own = [i for i in range(n) if s[i] == stratum]
        ff, cc = [f[i] for i in own], [c[i] for i in own]
        given += len(own) / n * metrics.mutual_info_score(ff, cc)
        bias += (len(set(ff)) - 1) * (len(set(cc)) - 1) / (2 * n)
    plain = metrics.mutual_info_score(f, c)
    return [plain, plain - (len(set(f)) - 1) * (len(set(c)) - 1) / (2 * n), given, given - bias]


def mantel_haenszel(d):
    k = d.size(1, 5)
    tables = [[d.int(12) + (d.case % 2) for _ in range(4)] for _ in range(k)]
    t = contingency_tables.StratifiedTable([np.array([[a, b], [c, e]], dtype=float) for a, b, c, e in tables if a + b + c + e > 0])
    above = sum(a * e / (a + b + c + e) for a, b, c, e in tables if a + b + c + e)
    below = sum(b * c / (a + b + c + e) for a, b, c, e in tables if a + b + c + e)
    plain, corrected = t.test_null_odds(correction=False), t.test_null_odds(correction=True)
    ratio = t.oddsratio_pooled if below else None
    error = t.logodds_pooled_se if below and above else None
    difference = sum(a - (a + b) * (a + c) / (a + b + c + e) for a, b, c, e in tables if a + b + c + e)
    far = abs(difference) >= 0.5  # nearer than ½ the correction stops at 0 here, and goes beyond it there
    return [ratio, error, maybe(plain.statistic), maybe(plain.pvalue), maybe(corrected.statistic) if far else 0 if np.isfinite(plain.statistic) else None]


def two_samples(d):
    x, y = d.sample(1, 30), d.sample(1, 30)
    r = stats.ks_2samp(x, y, method="exact")
    return [r.statistic, r.pvalue]


def stability(d):
    x, y = d.sample(2, 60), d.sample(2, 60)
    nonzero = [v for v in x if v != 0]
    edges = sorted(set(np.quantile(nonzero, [i / 10 for i in range(1, 10)]))) if nonzero else []
    bins = lambda v: [0 if value == 0 else 1 + int(np.searchsorted(edges, value, side="left")) for value in v]
    share = lambda v: np.maximum(1e-4, np.bincount(bins(v), minlength=len(edges) + 2) / len(v))
    p, q = share(x), share(y)
    used = len(set(bins(x)) | set(bins(y)))
    return [np.sum((p - q) * np.log(p / q)), (used - 1) * (1 / len(x) + 1 / len(y))]


def discrepancy(d):
    width = 1 + d.int(3)
    n, m = d.size(2, 10), d.size(2, 10)
    x = np.array([d.values(width) for _ in range(n)])
    y = np.array([d.values(width) for _ in range(m)])
    distances = pdist(np.vstack([x, y]))
    if not np.any(distances > 0):
        return [None, None]
    sigma = np.median(distances) or np.median(distances[distances > 0])
    k = lambda a, b: metrics.pairwise.rbf_kernel(a - x[0], b - x[0], gamma=1 / (2 * sigma**2))
    kx, ky = k(x, x), k(y, y)
    value = (kx.sum() - np.trace(kx)) / (n * (n - 1)) + (ky.sum() - np.trace(ky)) / (m * (m - 1)) - 2 * k(x, y).mean()
    return [value, sigma]


def isotonic(d):
    y = d.sample(1, 6)
    w = [0.1 + d.uniform() for _ in y]
    rising = sk_isotonic.isotonic_regression(y, sample_weight=w)
    falling = sk_isotonic.isotonic_regression(y, sample_weight=w, increasing=False)
    return [*rising, *falling]


def logistic(d):
    """Noisy curves on nine doses: residual of the best of many starts; null where the fit ends outside the doses."""
    x = np.array([0.0, *(2.0**i for i in range(-4, 4))])
    ec50, slope, top, noise = 0.25 + 2 * d.uniform(), 1 + 2 * d.uniform(), 4 * d.bell() + 0.5, 0.02 + 0.05 * d.uniform()
    s = np.where(x == 0, 0.0, 1 / (1 + (np.where(x == 0, 1, x) / ec50) ** -slope))
    y = np.array([1 + top * value + noise * d.bell() for value in s])

    def linear(p):
        with np.errstate(over="ignore"):
            s = np.where(x == 0, 0.0, 1 / (1 + np.exp(math.exp(min(p[1], 5)) * (p[0] - np.log(np.where(x == 0, 1, x))))))
        a = np.column_stack([np.ones(len(x)), s])
        return y - a @ np.linalg.lstsq(a, y, rcond=None)[0]

    best = min(
        (optimize.least_squares(linear, [c, h], xtol=1e-14, ftol=1e-14, gtol=1e-14) for c in (-1.5, 0, 1) for h in (0.3, 1)),
        key=lambda r: r.cost,
    )
    inside = -4 * math.log(2) < best.x[0] < 3 * math.log(2) and 0.1 < math.exp(best.x[1]) < 30
    return [2 * best.cost] if inside else [None]


def above(critical, df, shift):
    """P(T > critical) for the noncentral t, as the mean of a normal tail over the chi distribution of the spread."""
    chi = stats.chi(df, scale=1 / math.sqrt(df))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    u = (nodes + 1) / 2
    s = chi.isf(1e-18) * u**2 if df < 3 else chi.ppf(1e-17) + (chi.isf(1e-17) - chi.ppf(1e-17)) * u
    step = chi.isf(1e-18) * 2 * u if df < 3 else chi.isf(1e-17) - chi.ppf(1e-17)
    return float(np.sum(weights / 2 * step * chi.pdf(s) * stats.norm.sf(critical * s - shift)))


def t_power(d):
    n, m = 2 + d.int(40), 2 + d.int(40)
    effect, alpha = 0.05 + d.uniform(), 0.001 + 0.1 * d.uniform()
    out = []
    for side in ("two-sided", "larger"):
        for df, shift, theirs in (
            (n - 1, effect * math.sqrt(n), power.TTestPower().power(effect, n, alpha, alternative=side)),
            (n + m - 2, effect * math.sqrt(n * m / (n + m)), power.TTestIndPower().power(effect, n, alpha, ratio=m / n, alternative=side)),
        ):
            critical = stats.t.isf(alpha / 2 if side == "two-sided" else alpha, df)
            own = above(critical, df, shift) + (above(critical, df, -shift) if side == "two-sided" else 0)
            if np.isfinite(theirs) and abs(own - theirs) > 1e-6:
                raise SystemExit(f"powers differ: {own} and {theirs}")
            out.append(float(theirs) if np.isfinite(theirs) else own)
    if n <= 3:
        return [*out, None]
    critical = stats.t.isf(alpha, n - 1)
    return [*out, optimize.brentq(lambda shift: above(critical, n - 1, shift) - 0.8, 0, 200, xtol=1e-12) / math.sqrt(n)]


def sample_size(d):
    p1, p2, r, a = d.uniform(), d.uniform(), 0.05 + 0.9 * d.uniform(), 0.55 + 0.4 * d.uniform()
    za, zb = stats.norm.ppf(0.975), stats.norm.ppf(0.8)
    p = (p1 + p2) / 2
    n = ((za * math.sqrt(2 * p * (1 - p)) + zb * math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))) / (p1 - p2)) ** 2
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + 9 * (q1 - a * a) + 14 * (q2 - a * a)) / 150
    return [math.ceil(n), math.ceil(((za + zb) / math.atanh(r)) ** 2 + 3), variance]


def intraclass(d):
    v = d.sample(4, 40)
    c = d.codes(len(v), 5)
    groups = [[x for x, g in zip(v, c) if g == k] for k in sorted(set(c))]
    if len(groups) < 2 or len(groups) == len(v) or not spread(v):
        return [None]
    n, k = len(v), len(groups)
    m0 = (n - sum(len(g) ** 2 for g in groups) / n) / (k - 1)
    f = stats.f_oneway(*groups).statistic
    return [(f - 1) / (f + m0 - 1)] if np.isfinite(f) else [1]


def distributions(d):
    a, b, x, p = 0.5 + 30 * d.uniform(), 0.5 + 30 * d.uniform(), 40 * d.uniform(), d.uniform()
    return [stats.chi2.sf(x, 1 + d.int(30)), stats.beta.ppf(p, a, b), stats.beta.ppf(p * 1e-6, a, b)]


FUNCTIONS = {
    "independentEffects": independent_effects,
    "pairedEffects": paired_effects,
    "randomEffects": random_effects,
    "bootstrap": bootstrap,
    "proportions": proportions,
    "correlation": correlation,
    "meanInterval": mean_interval,
    "clusterMean": cluster_mean,
    "signFlip": sign_flip,
    "stratified": stratified,
    "maxT": max_t,
    "multiplicity": multiplicity,
    "equivalence": equivalence,
    "trend": trend,
    "errorSpending": error_spending,
    "pareto": pareto,
    "auroc": auroc,
    "information": information,
    "mantelHaenszel": mantel_haenszel,
    "twoSamples": two_samples,
    "stability": stability,
    "discrepancy": discrepancy,
    "isotonic": isotonic,
    "logistic": logistic,
    "tPower": t_power,
    "sampleSize": sample_size,
    "intraclass": intraclass,
    "distributions": distributions,
}


def rounded(value):
    return None if value is None else float(f"{float(value):.9g}")


def main(path, names):
    """Makes all functions' values, or those of the named ones anew."""
    out = {}
    if names:
        with open(path) as file:
            out = json.load(file)
    for name in names or FUNCTIONS:
        out[name] = [[rounded(v) for v in FUNCTIONS[name](Draw(name, case))] for case in range(FEWER.get(name, CASES))]
        flat = [v for row in out[name] for v in row if v is not None]
        if not all(math.isfinite(v) for v in flat):
            raise SystemExit(f"{name} has a value that is not finite")
        print(f"{name}: {len(flat)} values", flush=True)
    with open(path, "w") as file:
        tables = [(name, out[name]) for name in FUNCTIONS if name in out]
        rows = [f'  "{name}": [\n' + ",\n".join(f"    {json.dumps(row)}" for row in table) + "\n  ]" for name, table in tables]
        file.write("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
