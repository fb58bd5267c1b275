from __future__ import annotations

import dataclasses
import json
import math
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import METHODS, PRESETS, TASKS, Parameters
from napari_dred.core.presets import fill_in

FIELDS = {f.name: f for f in dataclasses.fields(Parameters)}
HINTS = get_type_hints(Parameters)
STAYS_NONE = {"sigma", "threads", "weights"}  # these have a meaning of their own when left out


def kinds(name: str) -> tuple[type, ...]:
    return get_args(HINTS[name]) or (HINTS[name],)


def allowed_values(name: str) -> st.SearchStrategy:
    """All values that a field says it takes."""
    m = FIELDS[name].metadata
    if "choices" in m:
        values = st.sampled_from(m["choices"])
    elif bool in kinds(name):
        values = st.booleans()
    elif int in kinds(name):
        values = st.integers(
            m["ge"] if "ge" in m else m["gt"] + 1, m["le"] if "le" in m else m["lt"] - 1
        )
    elif float in kinds(name):
        values = st.floats(
            m.get("ge", m.get("gt")),
            m.get("le", m.get("lt")),
            exclude_min="gt" in m,
            exclude_max="lt" in m,
            allow_nan=False,
            allow_infinity=False,
        )
    elif name == "device":
        values = st.sampled_from(["auto", "cpu", "cuda", "cuda:0", "cuda:13", "mps"])
    else:
        values = st.text()
    return st.none() | values if type(None) in kinds(name) else values


any_values = st.fixed_dictionaries({}, optional={name: allowed_values(name) for name in FIELDS})
any_parameters = any_values.map(Parameters.from_dict)


def bad_values() -> list:
    cases = []
    for name, f in FIELDS.items():
        m = f.metadata
        cases += [(name, [1])]
        if type(None) not in kinds(name):
            cases += [(name, None)]
        if bool in kinds(name):
            cases += [(name, 1), (name, "yes")]
        elif str in kinds(name):
            cases += [(name, 3), (name, True)]
        else:
            cases += [(name, True), (name, "1"), (name, math.nan), (name, math.inf)]
        if int in kinds(name):
            cases += [(name, 1.5)]
        if "choices" in m:
            cases += [(name, "nonsense" if str in kinds(name) else 1000)]
        number = float if float in kinds(name) else int
        cases += [(name, number(m["ge"] - 1))] if "ge" in m else []
        cases += [(name, number(m["gt"]))] if "gt" in m else []
        cases += [(name, number(m["le"] + 1))] if "le" in m else []
        cases += [(name, number(m["lt"]))] if "lt" in m else []
    return cases + [("device", d) for d in ("gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "")]


@given(any_values)
def test_given_values_are_kept(values):
    parameters = Parameters(**values)
    assert {name: getattr(parameters, name) for name in values} == values


@given(any_parameters)
def test_json_round_trip(parameters):
    assert Parameters.from_json(parameters.to_json()) == parameters
    assert Parameters.from_dict(json.loads(json.dumps(parameters.to_dict()))) == parameters


@given(any_parameters, any_values)
def test_replace_changes_what_is_named_and_nothing_else(parameters, changes):
    before = parameters.to_dict()
    assert parameters.replace(**changes).to_dict() == {**before, **changes}
    assert parameters.to_dict() == before


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_text_that_is_no_object_is_an_input_error(text):
    try:
        assert isinstance(json.loads(text), dict)
    except (AssertionError, json.JSONDecodeError):
        with pytest.raises(InputError):
            Parameters.from_json(text)


@pytest.mark.parametrize(("name", "value"), bad_values())
def test_errors_name_field_value_and_what_is_allowed(name, value):
    with pytest.raises(InputError) as caught:
        Parameters(**{name: value})
    message, m = str(caught.value), FIELDS[name].metadata
    assert message.startswith(f"{name} is {value!r}; ")
    allowed = message.removeprefix(f"{name} is {value!r}; ")
    for choice in m.get("choices", ()):
        assert str(choice) in allowed
    for bound in {"ge", "gt", "le", "lt"} & m.keys():
        assert f"{m[bound]:g}" in allowed
    assert allowed.startswith(("allowed are ", "it must be "))


def test_input_errors_are_value_errors():
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(
    "make", [lambda d: Parameters.from_dict(d), lambda d: Parameters().replace(**d)]
)
def test_unknown_names_are_refused_and_the_known_ones_listed(make):
    with pytest.raises(InputError, match="'lamda' is not a parameter") as caught:
        make({"lamda": 1.0})
    assert all(name in str(caught.value) for name in FIELDS)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_bad_json_is_an_input_error(text):
    with pytest.raises(InputError):
        Parameters.from_json(text)


def test_numpy_scalars_and_whole_numbers_are_taken_as_python_numbers():
    p = Parameters(iterations=np.int64(7), lam=np.float64(0.5), sigma=25, keep_observed=np.bool_(1))
    assert p == Parameters(iterations=7, lam=0.5, sigma=25.0, keep_observed=True)
    assert [type(v) for v in (p.iterations, p.lam, p.sigma, p.keep_observed)] == [
        int,
        float,
        float,
        bool,
    ]


def test_parameters_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Parameters().seed = 1


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_explained(name):
    assert FIELDS[name].metadata["help"].endswith(".")


@given(any_parameters, st.sampled_from(TASKS), st.floats(0, 255))
def test_a_preset_fills_every_gap_and_overrides_nothing(parameters, task, sigma):
    filled = fill_in(parameters, task, sigma).to_dict()
    given_ = parameters.to_dict()
    assert {name for name, value in filled.items() if value is None} <= STAYS_NONE
    kept = {name: value for name, value in given_.items() if value is not None and name != "task"}
    assert {name: filled[name] for name in kept} == kept
    assert {name: filled[name] for name in STAYS_NONE} == {n: given_[n] for n in STAYS_NONE}
    assert filled["task"] == task


@given(any_parameters, st.sampled_from(TASKS), st.floats(0, 255))
def test_filling_in_twice_changes_nothing(parameters, task, sigma):
    filled = fill_in(parameters, task, sigma)
    assert fill_in(filled, task, sigma) == filled


@pytest.mark.parametrize("task", TASKS)
def test_paper_preset_is_the_paper_s(task):
    p = fill_in(Parameters(preset="paper"), task, 25.0)
    assert (p.method, p.lam, p.mu, p.learning_rate) == ("dred", 0.05, 0.06, 0.001)
    assert (p.theta_steps, p.x_steps, p.denoise_every, p.average) == (1, 1, 1, 0.0)
    assert p.initial_x == ("zeros" if task == "sr" else "observed")


@pytest.mark.parametrize(
    ("task", "column"),
    [  # lambda, mu, rate, its decay, iterations, sigma_f first and last, X at the start
        ("inpaint", (0.05, 0.06, 0.001, 1.0, 3000, 25.0, 25.0, "zeros")),
        ("sr", (0.1, 0.2, 0.001, 1.0, 500, 25.0, 20.0, "zeros")),
        ("deblur", (0.02, 0.04, 0.004, 0.9, 3000, 0.0, 0.0, "observed")),
    ],
)
def test_published_code_s_column_is_whole(task, column):
    p = fill_in(Parameters(preset="paper-code"), task, 50.0)
    assert column == (
        *(p.lam, p.mu, p.learning_rate, p.learning_rate_decay, p.iterations),
        *(p.sigma_f, p.sigma_f_end, p.initial_x),
    )
    assert (p.average, p.denoise_every, p.precision) == (0.0, 1, "float32")
    assert (p.polish, p.blend, p.held_out) == (0, 0, 0)
    assert (p.width, p.depth, p.uniform_width, p.jitter) == (128, 5, True, 0.02)


@pytest.mark.parametrize("task", TASKS)
def test_the_default_depends_on_the_device(task):
    p, fast, best = (Parameters(preset=name) for name in ("default", "fast", "best"))
    assert fill_in(p, task, 25.0) == fill_in(fast, task, 25.0).replace(preset="default")
    assert fill_in(p, task, 25.0, device="mps") == fill_in(p, task, 25.0)
    on_gpu = fill_in(p, task, 25.0, device="cuda")
    assert on_gpu == fill_in(best, task, 25.0).replace(preset="default")
    assert (on_gpu.width, on_gpu.uniform_width) == (128, True)


@pytest.mark.parametrize("sigma", [0.0, 10.0, 60.0])
@pytest.mark.parametrize("device", ["cpu", "mps"])
@pytest.mark.parametrize(
    ("task", "method"),
    [("denoise", "hqs"), ("sr", "hqs"), ("inpaint", "dred"), ("deblur", "dred")],
)
def test_fast_leaves_the_network_out_where_it_does_not_pay(task, method, sigma, device):
    fast = fill_in(Parameters(), task, sigma, device=device)
    preview = fill_in(Parameters(preset="preview"), task, sigma, device=device)
    assert fast.method == method
    assert (fast.total_iterations == preview.total_iterations) == (method == "hqs")
    assert fill_in(Parameters(preset="best"), task, sigma, device=device).method == "dred"


@pytest.mark.parametrize(
    "asked", [{"method": "dred"}, {"width": 32}, {"polish": 0}, {"lam": 0.5}, {"iterations": 9}]
)
@pytest.mark.parametrize("task", TASKS)
def test_fast_takes_the_network_in_for_whom_gives_a_value_of_it(task, asked):
    p = fill_in(Parameters(**asked), task, 5.0)
    assert (p.method, p.blend) == ("dred", 24)
    assert p == fill_in(Parameters(**asked, method="dred") if "method" not in asked else p, task, 5)


@pytest.mark.parametrize("given_", [{"denoiser": "nlm"}, {"adapt": 4}, {"precision": "float32"}])
def test_what_the_denoiser_is_told_does_not_ask_for_the_network(given_):
    assert fill_in(Parameters(**given_), "denoise", 25.0).method == "hqs"


@pytest.mark.parametrize(("sigma", "level"), [(0.0, 10.0), (9.0, 10.0), (25.0, 0.0)])
def test_holes_are_filled_by_a_denoiser_that_does_something(sigma, level):
    p = fill_in(Parameters(), "inpaint", sigma, holes=True)
    assert (p.sigma_f, p.sigma_f_end) == (level, level)


def test_a_level_given_alone_holds_to_the_end():
    p = fill_in(Parameters(preset="paper", sigma_f=10), "sr", 5.0)
    assert (p.sigma_f, p.sigma_f_end) == (10, 10)


@pytest.mark.parametrize(("sigma", "mu"), [(15.0, 0.04), (25.0, 0.02), (50.0, 0.04)])
def test_deblurring_as_in_the_published_code_depends_on_the_noise(sigma, mu):
    assert fill_in(Parameters(preset="paper-code"), "deblur", sigma).mu == mu


@pytest.mark.parametrize("task", TASKS)
def test_default_preset_is_short_and_averages(task):
    p = fill_in(Parameters(), task, 25.0)
    assert 1 <= p.iterations <= 600
    assert 0 < p.average < 1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_a_run_without_network_is_as_short_as_the_preview(preset, method, task):
    preview = fill_in(Parameters(preset="preview"), task, 25.0)
    p = fill_in(Parameters(preset=preset, method=method), task, 25.0)
    assert preview.method == "hqs"
    if method == "hqs":
        assert p.iterations == preview.iterations
