"""The verdict's rate of answers where there is none, and where there is one.

Simulations with the real functions, from sampling to the combination of seeds (see `mirrored`).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy.stats import beta

from benchmarks.statistics import combine
from seqgan.evaluation.comparison import compare_swept
from seqgan.evaluation.sweep import Swept
from tests.rollout.chains import Chain

from .mirrored import CONFIG, LENGTH, Quick, data_set, tables, verdict

pytestmark = pytest.mark.slow


def upper(found: int, trials: int) -> float:
    """Upper end of the one-sided 95% interval of a share (Clopper and Pearson 1934)."""
    return float(beta.ppf(0.95, found + 1, trials - found))


def over_seeds(trial: int, *, seeds: int = 3, gain: float = 0.0) -> tuple[bool, bool]:
    """Answers of seeds that share a test set, together and as if they were apart."""
    data = data_set(trial, False, CONFIG.num_samples)
    found = [verdict(data, 1_000 * trial + seed, gain=gain) for seed in range(seeds)]
    assert len({each.test_set for each in found}) == 1
    differences, draws = [each.difference for each in found], [each.draws for each in found]
    sets = [each.test_set for each in found]
    together = combine(differences, draws, seed=trial, test_sets=sets)
    apart = combine(differences, draws, seed=trial)
    return together.p_value < 0.05, apart.p_value < 0.05


@pytest.mark.timeout(3600)
def test_seeds_that_share_a_test_set_find_nothing_where_there_is_nothing():
    trials = 500
    found = [over_seeds(trial) for trial in range(trials)]
    together, apart = (sum(each[way] for each in found) for way in range(2))
    print(f"false answers of 3 seeds: {together} together, {apart} apart, of {trials}")
    assert upper(together, trials) < 0.08
    assert apart / trials > 0.12  # as if each had a test set of its own


@pytest.mark.timeout(1200)
def test_seeds_that_share_a_test_set_find_a_gain():
    found = sum(over_seeds(trial, gain=0.5)[0] for trial in range(60))
    print(f"half of what the baseline has wrong is found in {found} of 60")
    assert found >= 51


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("known", [True, False], ids=["js", "nll"])
def test_one_seed_finds_nothing_where_there_is_nothing(known):
    trials, labelled, covered = 0, 0, 0
    for trial in range(400):
        found = verdict(data_set(trial, known, CONFIG.num_samples), trial)
        assert found.metric == ("js" if known else "nll")
        if found.interval is None:  # its best temperature is the last of the sweep
            continue
        trials += 1
        labelled += found.label in ("better", "worse")
        covered += found.interval[0] <= 0 <= found.interval[1]
    print(f"{labelled} false answers, 0 covered in {covered} of {trials}")
    assert trials >= 390
    assert upper(labelled, trials) < 0.08 and upper(trials - covered, trials) < 0.085


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("temperature", [0.7, 0.85])
@pytest.mark.parametrize("count", [300, 1000])
def test_a_cooled_copy_never_gets_a_verdict(count, temperature):
    """With coarse matching a fifth of them did."""
    source, wrong = tables()
    mle = Chain(source + wrong, LENGTH)
    config = replace(CONFIG, num_samples=count, sweep_samples=count)
    for trial in range(30):
        sweep = Quick(data_set(trial, True, count), config, trial)
        pair = Swept(mle, sweep), Swept(mle.tempered(temperature), sweep)
        found = compare_swept(*pair, variants=False).verdict
        assert found.label == "not distinguishable"
        assert abs(found.difference) < 1e-4
