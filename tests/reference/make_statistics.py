#!/usr/bin/python3
"""Computes what tests/unit/analysis/reference_test.c holds the statistics of analysis/ against, with R and SciPy.

    apt-get install r-base-core python3-scipy
    tests/reference/make_statistics.py > tests/reference/statistics.txt

Needed only to make the file again; neither the product nor its tests run R or SciPy. Every line is a name, a count and
so many numbers. What R or SciPy have a function for is computed by it; the rest is written out here by enumeration or
with NumPy's linear algebra, by another route than the product's.
"""

import itertools
import subprocess

import numpy as np
import scipy
from scipy import stats

random = np.random.default_rng(20241210)
lines = []


def put(name, values):
    values = np.asarray(values, dtype=float).ravel()
    lines.append(f"{name} {len(values)} " + " ".join(repr(float(v)) for v in values))
    return values


def r(expression, **arrays):
    """Numbers that an R expression prints, with arrays defined in it."""
    define = "".join(f"{k} <- c({','.join(repr(float(x)) for x in np.ravel(v))}); " for k, v in arrays.items())
    code = f"{define} cat(sprintf('%.17g', as.numeric({expression})))"
    out = subprocess.run(["Rscript", "-e", code], check=True, capture_output=True, text=True).stdout
    return np.array(out.split(), dtype=float)


def describe():
    for name, x in (("ten", random.normal(3, 2, 10)), ("seven", random.exponential(1, 7))):
        put(f"describe.{name}", x)
        low, high = stats.t.interval(0.95, len(x) - 1, np.mean(x), stats.sem(x))
        put(f"describe.{name}.expected", [np.mean(x), np.std(x, ddof=1), low, high, np.median(x), x.min(), x.max(),
                                          stats.trim_mean(x, 0.25)])


def holm():
    p = put("holm", [0.01, 0.04, 0.03, 0.005, 0.5, 0.03])
    put("holm.expected", r("p.adjust(p, 'holm')", p=p))


def bootstrap():
    """Bootstrap-t by the textbook, over indices given to both sides."""
    n, count = 8, 399
    x = put("bootstrap", random.exponential(1, n))
    index = random.integers(0, n, (count, n))
    put("bootstrap.index", index)
    t = []
    for row in index:
        sample = x[row]
        error = np.std(sample, ddof=1) / np.sqrt(n)
        t.append((sample.mean() - x.mean()) / error if error > 0 else np.inf * np.sign(sample.mean() - x.mean()))
    t, error = np.sort(t), np.std(x, ddof=1) / np.sqrt(n)
    put("bootstrap.expected", [x.mean() - t[390 - 1] * error, x.mean() - t[10 - 1] * error])


def signs():
    for name, x in (("five", [0.1, 0.3, 0.2, 0.25, 0.05]), ("nine", random.normal(0.4, 1, 9)),
                    ("tied", [1, -1, 2, 2, 0, -3, 1, 1]), ("twelve", random.normal(-0.3, 1, 12))):
        x = put(f"signs.{name}", x)
        p = [stats.permutation_test((x,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative=a).pvalue
             for a in ("greater", "less", "two-sided")]
        put(f"signs.{name}.expected", p)
        margin, sums = 0.5, np.array(list(itertools.product([1, -1], repeat=len(x))))
        above, below = x + margin, x - margin
        put(f"signs.{name}.equivalence", max(np.mean(sums @ above >= above.sum() - 1e-9),
                                             np.mean(sums @ below <= below.sum() + 1e-9)))
        put(f"signs.{name}.beyond", min(1, 2 * min(np.mean(sums @ below >= below.sum() - 1e-9),
                                                   np.mean(sums @ above <= above.sum() + 1e-9))))


def page():
    for name, x in (("4x3", random.normal(0, 1, (4, 3)) + [0, 0.5, 1]), ("5x5", random.normal(0, 1, (5, 5))),
                    ("3x7", random.normal(0, 1, (3, 7)) + np.arange(7)),
                    ("2x3", [[1, 2, 3], [1, 2, 3]])):
        x = np.asarray(x)
        put(f"page.{name}", x)
        up = stats.page_trend_test(x, method="exact")
        down = stats.page_trend_test(x[:, ::-1], method="exact")
        rho = np.mean([stats.spearmanr(np.arange(x.shape[1]), row)[0] for row in x])
        put(f"page.{name}.expected", [up.statistic, up.pvalue, down.pvalue, rho])
    tied = np.array([[1, 1, 2, 3], [2, 1, 1, 4], [0, 5, 5, 5]], dtype=float)  # SciPy ignores ties: by enumeration
    put("page.tied", tied)
    ranks = np.array([stats.rankdata(row) for row in tied])
    weights = np.arange(1, 5)
    one = [[weights @ np.array(order) for order in itertools.permutations(row)] for row in ranks]
    sums = np.array([sum(c) for c in itertools.product(*one)])
    observed = (ranks @ weights).sum()
    rho = np.mean([stats.spearmanr(weights, row)[0] for row in tied])
    put("page.tied.expected", [observed, np.mean(sums >= observed - 1e-9), np.mean(sums <= observed + 1e-9), rho])
    many = random.normal(0, 1, (6, 15)) + 0.02 * np.arange(15)
    put("page.6x15", many)
    up = stats.page_trend_test(many, method="asymptotic")
    put("page.6x15.expected", [up.statistic, up.pvalue])


def effects():
    cases = [(t, df, delta) for t in (-2, 0, 0.5, 2.1, 8) for df in (1, 4, 11, 60) for delta in (-1.5, 0, 0.7, 3, 12)]
    put("noncentral", cases)
    put("noncentral.expected", r("pt(t, df, d)", t=[c[0] for c in cases], df=[c[1] for c in cases],
                                 d=[c[2] for c in cases]))
    x = put("effect", random.normal(0.8, 1, 10))
    d = np.mean(x) / np.std(x, ddof=1)
    # the noncentralities at which pt(t, df, ncp) is 0.975 and 0.025
    bounds = r("c(uniroot(function(d) pt(t, 9, d) - 0.975, c(-5, 15), tol = 1e-12)$root, "
               "uniroot(function(d) pt(t, 9, d) - 0.025, c(-5, 15), tol = 1e-12)$root)", t=[d * np.sqrt(10)])
    put("effect.expected", [d, *(bounds / np.sqrt(10))])
    put("improvement.expected", [k for positive in (7, 0, 10)
                                 for k in r(f"binom.test({positive}, 10)$conf.int")])
    cases = [(0.5, 10, 0.05), (1.2, 6, 0.0125), (0.2, 100, 0.05), (2.5, 5, 0.01)]
    put("power", cases)
    for sides in ("one.sided", "two.sided"):
        put(f"power.{sides}", [r(f"power.t.test(n={n}, delta={d}, sd=1, sig.level={a}, type='paired', "
                                 f"alternative='{sides}', strict=TRUE)$power")[0] for d, n, a in cases])
    for sides in ("one.sided", "two.sided"):
        put(f"needed.{sides}", [np.ceil(r(f"power.t.test(power=0.8, delta={d}, sd=1, sig.level=0.05, type='paired', "
                                          f"alternative='{sides}', strict=TRUE)$n")[0]) for d in (0.3, 0.7, 1.1)])


def isotonic():
    y = put("isotonic", [1, 3, 2, 4, 3.5, 3, 6, 5.5, 7, 7])
    put("isotonic.rising", r("isoreg(y)$yf", y=y))
    put("isotonic.falling", -r("isoreg(-y)$yf", y=y))


def knee():
    x = put("knee.x", [1, 2, 3, 5, 8, 10, 12])
    y = np.minimum(x, 5.5) * 0.1 + random.normal(0, 0.01, (6, 7))
    put("knee.values", y)
    mean, best = y.mean(axis=0), (np.inf, None)
    for at in np.linspace(x[1], x[-2], 201):
        design = np.column_stack([np.ones(7), x, np.maximum(x - at, 0)])
        beta, *_ = np.linalg.lstsq(design, mean, rcond=None)
        residual = ((mean - design @ beta) ** 2).sum()
        if residual < best[0]:
            best = (residual, (at, beta[1], beta[1] + beta[2]))
    quadratic = [np.polyfit(x, row, 2)[0] for row in y]
    p = stats.permutation_test((np.array(quadratic),), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    put("knee.expected", [*best[1], p])


def regression():
    n, points, count = 7, 5, 199
    x = put("regression.x", np.linspace(0.5, 1, points) + random.normal(0, 0.01, (n, points))).reshape(n, points)
    y = put("regression.y", 0.2 + 0.6 * x + random.normal(0, 0.05, (n, 1)) + random.normal(0, 0.03, (n, points)))
    y = y.reshape(n, points)
    index = random.integers(0, n, (count, n))
    put("regression.index", index)

    def fit(rows):
        xs, ys = x[rows], y[rows]
        design = np.column_stack([np.ones(xs.size), xs.ravel()])
        bread = np.linalg.inv(design.T @ design)
        beta = bread @ design.T @ ys.ravel()
        residual = (ys.ravel() - design @ beta).reshape(ys.shape)
        scores = [np.column_stack([np.ones(points), xs[i]]).T @ residual[i] for i in range(n)]
        error = np.sqrt((bread @ (n / (n - 1) * sum(np.outer(s, s) for s in scores)) @ bread)[1, 1])
        return beta, error

    beta, error = fit(np.arange(n))
    t = np.sort([(fit(row)[0][1] - beta[1]) / fit(row)[1] for row in index])
    low, high = beta[1] - t[195 - 1] * error, beta[1] - t[5 - 1] * error
    from_r = r("c(coef(lm(y ~ x)), summary(lm(y ~ x))$r.squared)", x=x, y=y)
    assert np.allclose(from_r[:2], beta, rtol=1e-9)
    put("regression.expected", [from_r[1], from_r[0], from_r[2], error, low, high])


for make in (describe, holm, bootstrap, signs, page, effects, isotonic, knee, regression):
    make()
r_version = subprocess.run(["Rscript", "-e", "cat(R.version.string)"], capture_output=True, text=True).stdout
print(f"# made by tests/reference/make_statistics.py with SciPy {scipy.__version__} and {r_version}")
print("\n".join(lines))
