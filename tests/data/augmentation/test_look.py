"""What happens to the values of pictures: tones, colours, blur and noise, each against its formula."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fcnlite.data.augmentation import Augment, Streams, augment
from fcnlite.data.augmentation.hue import rotation
from fcnlite.data.augmentation.noise import normal_values
from fcnlite.data.sample import Sample
from fcnlite.data.seeding import generator
from fcnlite.data.transforms import mean_pixel
from fcnlite.description.model_info import Preprocessing
from tests.data.augmentation.helpers import FILL, changed, sample_of

MEAN = (120.0, 60.0, 200.0)
KIND = Preprocessing(color="RGB", mean=MEAN)
SEVERAL = Preprocessing(others={"depth": Preprocessing(color="DEPTH", mean=(7.844,), bits=16)})
RAMP = np.stack([*np.meshgrid(np.arange(0, 256, 5), np.arange(0, 256, 17), indexing="ij"), np.full((52, 16), 90)], 2)
RAMP = RAMP.astype(np.uint8)
LUMINANCE = 0.299, 0.587, 0.114


def drawn(name: str, amount: float, index: int) -> float:
    """The number from −`amount` to `amount` that a transform draws for sample `index`."""
    return float(generator(f"augment {name}", 0, 0, index).uniform(-amount, amount))


def contrast(r: float, g: float, b: float, x: float) -> list[float]:
    return [m + (1 + x) * (v - m) for v, m in zip((r, g, b), MEAN, strict=True)]


def gamma(r: float, g: float, b: float, x: float) -> list[float]:
    return [255 * (v / 255) ** (2.718281828459045**x) for v in (r, g, b)]


def temperature(r: float, g: float, b: float, x: float) -> list[float]:
    return [r * (1 + x), g, b * (1 - x)]


def saturation(r: float, g: float, b: float, x: float) -> list[float]:
    gray = sum(share * v for share, v in zip(LUMINANCE, (r, g, b), strict=True))
    return [gray + (1 + x) * (v - gray) for v in (r, g, b)]


@pytest.mark.parametrize(("formula", "amount"), [(contrast, 0.6), (gamma, 0.9), (temperature, 0.3), (saturation, 0.8)])
def test_a_look_is_its_formula(formula: Callable[..., list[float]], amount: float) -> None:
    for index in range(5):
        found = augment(sample_of(RAMP), Augment(**{formula.__name__: amount}), Streams(0, 0, index), KIND).image
        x = drawn(formula.__name__, amount, index)
        for pixel, before in zip(found.reshape(-1, 3)[::7].tolist(), RAMP.reshape(-1, 3)[::7].tolist(), strict=True):
            wanted = [min(max(v, 0), 255) for v in formula(*before, x)]
            assert np.abs(np.subtract(pixel, wanted)).max() <= 0.51


def test_hue_turns_colours_about_gray() -> None:
    """A turn of 1/3 makes red green; the hue of any colour changes by the turn, the sum and gray stay."""
    np.testing.assert_allclose(rotation(2 * np.pi / 3) @ [200, 10, 60], [60, 200, 10], atol=1e-12)
    for index in range(5):
        turn = drawn("hue", 0.2, index)
        for color in np.random.default_rng(index).integers(90, 160, (10, 3)):
            picture = sample_of(np.full((2, 2, 3), color, np.uint8))
            found = augment(picture, Augment(hue=0.2), Streams(0, 0, index), KIND).image[0, 0].astype(int)
            assert abs(found.sum() - color.sum()) <= 2
            # The angle in the plane across the axis of grays, which a hexagon approximates in HSV.
            angles = [np.angle(complex(r - (g + b) / 2, (g - b) * 3**0.5 / 2)) for r, g, b in (found, color)]
            assert abs((angles[0] - angles[1] - 2 * np.pi * turn + np.pi) % (2 * np.pi) - np.pi) < 0.15
    gray = augment(sample_of(np.full((2, 2, 3), 77, np.uint8)), Augment(hue=0.5, saturation=1), Streams(0, 0, 0), KIND)
    assert (gray.image == 77).all()
    green = rotation(2 * np.pi / 3) @ [1, 0, 0]
    assert colorsys.rgb_to_hsv(*np.clip(green, 0, 1))[0] == pytest.approx(1 / 3)


def test_looks_of_a_list_are_rounded_once_per_kind() -> None:
    """Tones in the order of the registry, unrounded between them; then one matrix."""
    settings = Augment(contrast=0.6, gamma=0.9, temperature=0.3, saturation=0.8, hue=0.2)
    for index in range(4):
        found = augment(sample_of(RAMP), settings, Streams(0, 0, index), KIND).image
        values = RAMP.reshape(-1, 3).astype(float)
        values = np.array([contrast(*each, drawn("contrast", 0.6, index)) for each in values]).clip(0, 255)
        values = np.array([gamma(*each, drawn("gamma", 0.9, index)) for each in values])
        values = np.array([temperature(*each, drawn("temperature", 0.3, index)) for each in values]).clip(0, 255)
        values = np.array([saturation(*each, drawn("saturation", 0.8, index)) for each in values])
        values = (values @ rotation(2 * np.pi * drawn("hue", 0.2, index)).T).clip(0, 255)
        assert np.abs(found.reshape(-1, 3) - values).max() <= 1.6  # 0.5 times the largest row of the matrix, and 0.5


@pytest.mark.parametrize("deviation", [0.7, 1.3, 2.5])
def test_blur_is_a_gaussian(deviation: float) -> None:
    amount = deviation / generator("augment blur", 0, 0, 3).uniform(0, 1)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    found = augment(sample_of(image), Augment(blur=amount), Streams(0, 0, 3), KIND).image
    wanted = ndimage.gaussian_filter(image.astype(float), deviation, mode="nearest", axes=(0, 1))
    assert np.abs(found - wanted).mean() < 0.06 * image.std()  # box filters approximate it
    bands = Preprocessing("BANDS", (5.0, 5.0), bits=32, bands=(1, 2), picture_bands=2)
    values = image[:, :, :2].astype(np.float32) * 1000
    found = augment(sample_of(values), Augment(blur=amount), Streams(0, 0, 3), bands).image
    np.testing.assert_allclose(found, wanted[:, :, :2] * 1000, rtol=1e-3)


def test_noise_is_normal_and_of_the_drawn_deviation() -> None:
    flat = np.full((300, 300, 3), 128, np.uint8)
    for index in range(4):
        deviation = generator("augment noise", 0, 0, index).uniform(0, 20)
        noise = augment(sample_of(flat), Augment(noise=20), Streams(0, 0, index), KIND).image - 128.0
        assert abs(noise.mean()) < 0.1
        assert noise.std() == pytest.approx(np.hypot(deviation, 12**-0.5), rel=0.02, abs=0.3)  # rounded to bytes
        inside = np.mean(np.abs(noise) <= deviation)
        assert inside == pytest.approx(0.683, abs=0.07)
        assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.02
    values = normal_values()
    assert (values.mean(), values.std()) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
    assert not np.array_equal(noise[:, :, 0], noise[:, :, 1])


def test_noise_of_bands_has_the_unit_of_the_nets_input() -> None:
    """A gray level is 1/58 of a band's deviation; with `white=4095` it is 4095/255; bands not taken stay."""
    image = np.full((200, 200, 3), 1000, np.uint16)
    bands = Preprocessing("BANDS", (1000.0, 1000.0), 58.0, bits=16, std=(5.8, 580.0), bands=(3, 1), picture_bands=3)
    deviation = generator("augment noise", 0, 0, 1).uniform(0, 20)
    found = augment(sample_of(image), Augment(noise=20), Streams(0, 0, 1), bands).image - 1000.0
    assert found[:, :, 0].std() == pytest.approx(10 * deviation, rel=0.02)
    assert found[:, :, 2].std() == pytest.approx(np.hypot(0.1 * deviation, 12**-0.5), rel=0.1)
    assert not found[:, :, 1].any()
    gray = Preprocessing(mean=(2047.5,) * 3, scale=255 / 4095, bits=16)
    found = augment(sample_of(image[:, :, 0]), Augment(noise=20), Streams(0, 0, 1), gray).image - 1000.0
    assert found.std() == pytest.approx(4095 / 255 * deviation, rel=0.02)


@given(st.sampled_from(["uint8", "uint16", "float32"]), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_pictures_of_bands_take_what_needs_no_colours(dtype: str, bands: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(50, 200, (9, 7, bands)).astype(dtype)
    image = image[:, :, 0] if bands == 1 else image
    bits = {"uint8": 8, "uint16": 16, "float32": 32}[dtype]
    kind = Preprocessing("BANDS", (100.0,) * bands, bits=bits, bands=tuple(range(1, bands + 1)), picture_bands=bands)
    settings = Augment(brightness=0.1, contrast=0.5, blur=1, noise=3, crop=(11, 11), rotation=20)
    found = augment(sample_of(image), settings, Streams(seed, 0, 0), kind)
    assert (found.image.dtype, found.image.shape) == (dtype, (11, 11, *image.shape[2:]))
    assert (found.image[found.label == 255] == mean_pixel(kind)).all()
    rng = generator("augment contrast", seed, 0, 0).uniform(0.5, 1.5)
    only = augment(sample_of(image), Augment(contrast=0.5), Streams(seed, 0, 0), kind).image
    np.testing.assert_allclose(only, 100 + rng * (image - 100.0), atol=0.51)


def test_brightness_multiplies_the_picture_and_leaves_padding_and_label() -> None:
    label = np.ones((2, 3), np.uint8)
    sample = sample_of(np.full((2, 3, 3), 200, np.uint8), label)
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(200):
        out = changed(sample, Augment(crop=(5, 5), brightness=0.4), rng)
        (value,) = np.unique(out.image[out.label == 1])
        seen.append(int(value))
        assert np.all(out.image[out.label == 255] == FILL)
    assert min(seen) in range(120, 126)
    assert max(seen) == 255  # clipped, not wrapped
    assert 90 < sum(value < 200 for value in seen) < 130


def test_brightness_lights_pictures_but_neither_depth_nor_padding() -> None:
    label = np.zeros((4, 4), np.uint8)
    images = {"data": np.full((4, 4, 3), 100, np.uint8), "depth": np.full((4, 4), 3000, np.uint16)}
    sample, rng, seen = Sample(images, {"label": label}, "x"), np.random.default_rng(0), set()
    for _ in range(50):
        out = changed(sample, Augment(brightness=0.3, crop=(6, 6)), rng, SEVERAL)
        inside = out.label == 0
        (value,) = np.unique(out.images["data"][inside]).tolist()
        seen.add(value)
        assert np.all(out.images["data"][~inside] == mean_pixel(SEVERAL))
        assert np.all(out.images["depth"][inside] == 3000)
    assert 70 <= min(seen) < 80 and 120 < max(seen) <= 130
