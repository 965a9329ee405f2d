"""theory: the hand-set transformer against gradient descent, as a user sees it."""

import json

from conftest import palinode

SMALL = ["theory", "--n", "2,3,5", "--sharpness", "2,15,40", "--seeds", "0-9"]


def test_theory_prints_an_error_for_every_n_and_sharpness_and_none_is_above_the_bound():
    lines = palinode(*SMALL).stdout.splitlines()
    bound = next(line for line in lines if "proven bound" in line).split()[2:]
    assert len(bound) == 3
    rows = {tuple(line.split()[:2]): [float(cell) for cell in line.split()[4:]]
            for line in lines if line.startswith(("  bidirectional", "  causal")) and line.split()[1].isdigit()}
    assert set(rows) == {(form, n) for form in ("bidirectional", "causal") for n in "235"}
    for errors in rows.values():
        assert all(error <= float(most) + 2e-5 for error, most in zip(errors, bound))
        assert errors[0] > 0.01 and errors[2] < 1e-5
    assert any(line.startswith("Every error is within the bound") for line in lines)


def test_theory_as_json_holds_all_numbers_of_the_tables():
    value = json.loads(palinode(*SMALL, "--json").stdout)
    assert value["within"] is True
    cells = {(cell["variant"], cell["n_points"], cell["sharpness"]): cell for cell in value["errors"]}
    assert len(cells) == len(value["errors"]) == 3 * (3 + 3 + 1)
    assert cells["bidirectional", 5, 40]["worst_error"] < 1e-5 and cells["bidirectional", 5, 40]["blocks"] == 20 * 4
    assert cells["causal", 5, 40]["worst_error"] < 1e-5 and cells["causal", 5, 40]["blocks"] == 1 + 20 * 4
    assert cells["attention only", 2, 40]["worst_error"] < 1e-5
    assert all(cell["worst_error"] <= cell["bound"] + cell["rounding"] for cell in value["errors"])
    ablations = {(row["variant"], row["n_points"]): row for row in value["ablations"]}
    for variant in ("linear attention", "head A only", "head B only", "no feed-forward", "no mask", "no accumulator"):
        assert ablations[variant, 5]["relative_error"] > 0.1, variant
        assert 0.05 < ablations[variant, 5]["after_best_factor"] <= 1, variant
    assert ablations["bidirectional", 5]["relative_error"] < 1e-5


def test_theory_gives_the_same_numbers_again_and_others_for_other_seeds():
    run = [palinode("theory", "--n", "3", "--steps", 2, "--seeds", seeds).stdout for seeds in ("4", "4", "5")]
    assert run[0] == run[1] != run[2]


def test_theory_names_what_is_wrong_with_a_list():
    for option, text, expected in [("--n", "1,2", "whole numbers from 2 to 50"), ("--n", "3,", "whole numbers"),
                                   ("--n", "nan", "whole numbers"), ("--sharpness", "1", "numbers from 1.77"),
                                   ("--seeds", "5-3", "whole numbers from 0"), ("--seeds", "0-5000", "at most 1000"),
                                   ("--sharpness", "2-9", "numbers from 1.77"), ("--kernels", "gpu", "kernels")]:
        error = palinode("theory", option, text, expect=64).stderr
        assert expected in error and text in error, error
