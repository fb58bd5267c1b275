"""The map between sample values and [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_dred.core.errors import InputError
from napari_dred.core.values import ValueRange, sample_value

DTYPES = [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64]


@given(dtype=st.sampled_from(DTYPES), data=st.data())
def test_round_trip_gives_the_same_samples(dtype: type, data: st.DataObject) -> None:
    if np.issubdtype(dtype, np.integer):
        elements = st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max)
    else:
        elements = st.floats(-1e6, 1e6, width=32)
    image = data.draw(hnp.arrays(dtype, (1, 4, 5), elements=elements))
    values = ValueRange.of(image, np.ones(image.shape, bool), sigma=0)
    unit = values.to_unit(image)
    assert unit.dtype == np.float32
    assert unit.min() >= 0
    assert unit.max() <= 1
    back = values.restore_dtype(values.from_unit(unit), image.dtype)
    assert back.dtype == image.dtype
    # [0, 1] is held in float32: 24 bits of the range.
    assert np.abs(back.astype(float) - image.astype(float)).max() <= values.span * 2**-23 + (
        0.5 if np.issubdtype(dtype, np.integer) and values.span > 2**23 else 0
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_up_to_16_bits_come_back_exactly(dtype: type) -> None:
    image = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(1, 16, -1)
    values = ValueRange.of(image, np.ones(image.shape, bool), sigma=3.3)
    np.testing.assert_array_equal(
        values.restore_dtype(values.from_unit(values.to_unit(image)), image.dtype), image
    )


def test_8_bit_images_span_0_to_255() -> None:
    image = np.full((1, 4, 4), 7, np.uint8)
    values = ValueRange.of(image, np.ones(image.shape, bool), sigma=10)
    assert (values.low, values.high) == (0, 255)


def test_range_has_three_sigma_of_headroom_and_ignores_what_is_missing() -> None:
    image = np.array([[[100, 200, 60000]]], np.uint16)
    values = ValueRange.of(image, np.array([[[True, True, False]]]), sigma=5)
    assert (values.low, values.high) == (85, 215)


def test_integers_are_clipped_and_rounded_never_wrapped() -> None:
    values = ValueRange(0, 255, np.dtype(np.uint8))
    out = values.restore_dtype(np.array([-3.0, 0.6, 254.6, 300.0]), np.dtype(np.uint8))
    assert out.tolist() == [0, 1, 255, 255]
    big = values.restore_dtype(np.array([1e30]), np.dtype(np.int64))
    assert big[0] > 2**62


@pytest.mark.parametrize(("image", "sigma"), [(np.linspace(0, 1, 16), 25), (np.arange(256), 200)])
def test_sigma_on_another_scale_is_refused_in_words(image: np.ndarray, sigma: float) -> None:
    planes = image.astype(np.float64).reshape(1, 4, -1)
    with pytest.raises(InputError, match=f"sigma is {sigma}, more than half the range"):
        ValueRange.of(planes, np.ones(planes.shape, bool), sigma)


def test_constant_image_has_a_range() -> None:
    image = np.full((1, 4, 4), 3.5, np.float32)
    values = ValueRange.of(image, np.ones(image.shape, bool), sigma=0)
    np.testing.assert_allclose(values.from_unit(values.to_unit(image)), image, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.01234, "0.0123"),
        (14.94, "14.9"),
        (999.4, "999"),
        (1002.3, "1002"),
        (15064, "15064"),
        (1.5e7, "1.5e+07"),
    ],
)
def test_sample_values(value: float, said: str) -> None:
    assert sample_value(value) == said
