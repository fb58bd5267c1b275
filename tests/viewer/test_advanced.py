"""What is folded away: every field of `Parameters` has a row, and a row says what it means."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from napari_dred import InputError, Parameters
from napari_dred.core.presets import fill_in
from napari_dred.viewer import advanced
from napari_dred.viewer.parameter_rows import ParameterRow

pytestmark = pytest.mark.window

FIELDS = Parameters.__dataclass_fields__
EXAMPLES = {
    **{"lam": 0.0125, "mu": 1e-5, "learning_rate": 0.25, "theta_steps": 3, "sigma_f": 12.5},
    **{"initial_x": "zeros", "uniform_width": False, "polish": 0, "seed": 2**62, "method": "hqs"},
    **{"precision": "float32", "average": 0.5, "width": 16},
}


def test_no_field_is_without_a_widget(make_panel):
    form = make_panel()[0].form
    rows = form._advanced
    names = {w.name for w in (*form, *rows.solver.widgets, form.sigma)}
    assert set(FIELDS) - {"task", "threads"} <= names
    for widget in (*rows.general.widgets, *rows.solver.widgets):
        assert widget.tooltip == FIELDS[widget.name].metadata["help"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_row_gives_what_it_was_given_and_begins_with_the_default(qtbot, name):
    row = ParameterRow(name)
    assert row.value == FIELDS[name].default
    row.value = EXAMPLES[name]
    assert row.value == EXAMPLES[name]
    assert type(row.value) is type(EXAMPLES[name])
    row.value = FIELDS[name].default
    assert row.value == FIELDS[name].default


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("lam", "much", "lam is 'much'; it must be a number >= 0"),
        ("theta_steps", "1.5", "theta_steps is '1.5'; it must be a whole number"),
        ("mu", "0", "mu is 0.0; it must be a number > 0"),
        ("seed", "nan", "seed is 'nan'"),
    ],
)
def test_what_is_not_allowed_is_said_by_name(make_panel, name, text, message):
    form = make_panel()[0].form
    rows = form._advanced.general if name == "seed" else form._advanced.solver
    rows[name].widget.value = text
    with pytest.raises(InputError, match=message):
        form.parameters()


def test_a_new_field_gets_a_row(qtbot, monkeypatch):
    from napari_dred.viewer import parameter_rows

    f = dataclasses.field(default=None, metadata={"help": "How they are blended."})
    f.name = "blend"
    monkeypatch.setitem(parameter_rows._FIELDS, "blend", f)
    monkeypatch.setitem(parameter_rows._HINTS, "blend", float | None)
    monkeypatch.setattr(parameter_rows, "help_of", lambda name: f.metadata["help"])
    row = ParameterRow("blend")
    row.widget.value = " 0.5 "
    assert row.value == 0.5
    assert row.widget.label == "Blend"


def test_the_presets_values_are_shown_and_go_with_the_preset(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    rows = panel.form._advanced
    lam = rows.solver["lam"].widget.native
    assert lam.placeholderText() == "as preset"
    complete = fill_in(Parameters(), "denoise", 25)
    rows.show_preset(complete)
    assert lam.placeholderText() == f"preset: {complete.lam:g}"
    assert panel.form.iterations.native.text() == f"preset: {complete.iterations}"
    assert rows.general["method"].widget.native.itemText(0) == f"preset: {complete.method}"
    assert rows.solver["uniform_width"].widget.native.itemText(0) == "preset: no"
    assert rows.general["seed"].widget.native.placeholderText() == "0"
    panel.reset_choices()  # as with each new layer
    assert rows.general["method"].value is None
    rows.solver["lam"].value, rows.general["seed"].value = 0.5, 7
    rows.show_preset(complete.replace(lam=0.5))
    assert lam.placeholderText() == f"preset: {complete.lam:g}"
    panel.form.preset.value = "paper"
    assert lam.placeholderText() == "as preset"
    asked = panel.form.parameters()
    assert (asked.lam, asked.seed) == (None, 7)


def test_solver_is_a_fold_in_the_fold(make_panel):
    form = make_panel()[0].form
    solver = form._advanced.solver_box.native
    assert form.solver.native.isHidden()
    form.advanced.native.click()
    assert not form.solver.native.isHidden()
    assert solver.isHidden()
    form.solver.native.click()
    assert not solver.isHidden()
    form.advanced.native.click()
    assert solver.isHidden()


def test_weights_that_are_not_there_are_asked_for(make_panel, tmp_path):
    form = make_panel()[0].form
    path = str(tmp_path / "mine.pth")
    form.set_parameters(Parameters(weights=path))
    assert form._advanced.general["weights"].value == path
    with pytest.raises(InputError, match=r"no file of weights .*mine\.pth.*Advanced"):
        form.parameters()
    Path(path).touch()
    assert form.parameters().weights == path


def test_neither_task_nor_threads_are_pinned_by_what_is_loaded(make_panel):
    form = make_panel()[0].form
    threads = form.parameters().threads
    form.set_parameters(Parameters(task="deblur", blur_sigma=2, threads=threads + 3))
    asked = form.parameters()
    assert (asked.task, asked.threads) == ("auto", threads)
    assert form.settings().parameters.threads is None


def test_the_panel_scrolls_and_the_buttons_stay(qtbot, make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    for fold in (panel.form.advanced, panel.form.solver):
        fold.native.click()
    for tick in (panel.form.holes, panel.form.blurred, panel.form.small):
        tick.value = True
    assert panel.form.native.minimumSizeHint().height() > 768
    assert panel.native.minimumSizeHint().height() < 500
    panel.native.resize(320, 600)
    panel.native.show()
    button = panel.restore_button.native
    qtbot.waitUntil(lambda: button.isVisible() and button.mapTo(panel.native, button.pos()).y() > 0)
    assert button.mapTo(panel.native, button.rect().bottomLeft()).y() < 600


def test_elsewhere_names_only_fields():
    assert {*advanced._ELSEWHERE, *advanced._GENERAL} <= set(FIELDS)


def test_another_method_is_not_held_to_what_was_loaded(make_panel):
    form = make_panel()[0].form
    made = fill_in(Parameters(), "denoise", 25.0)
    form.set_parameters(made)
    assert (form.parameters().method, form.parameters().blend) == ("hqs", 0)
    box = form._advanced.general["method"].widget.native
    box.setCurrentText("dred")
    box.activated.emit(box.currentIndex())
    p = form.parameters()
    assert (p.method, p.iterations, p.blend) == ("dred", None, None)


def test_another_preset_brings_its_own_number_of_iterations(make_panel):
    form = make_panel()[0].form
    form.set_parameters(Parameters(preset="best", iterations=300))
    assert form.parameters().iterations == 300
    form.preset.value = "paper"
    assert form.parameters().iterations is None
    form.set_parameters(Parameters(preset="best", iterations=300))
    assert form.parameters().iterations == 300
