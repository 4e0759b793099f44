"""All transforms, in the order in which they draw and are applied. Removing one takes its file and its line here.

Those that are `shared` draw from one stream in this order: a change of it changes the random numbers of recorded
trainings.
"""

from __future__ import annotations

from fcnlite.data.augmentation.base import Mix, Single, Transform
from fcnlite.data.augmentation.blur import Blur
from fcnlite.data.augmentation.brightness import Brightness
from fcnlite.data.augmentation.classcrop import ClassCrop
from fcnlite.data.augmentation.classmix import ClassMix
from fcnlite.data.augmentation.contrast import Contrast
from fcnlite.data.augmentation.crop import Crop
from fcnlite.data.augmentation.cutmix import CutMix
from fcnlite.data.augmentation.cutout import Cutout
from fcnlite.data.augmentation.elastic import Elastic
from fcnlite.data.augmentation.flip import Flip
from fcnlite.data.augmentation.gamma import Gamma
from fcnlite.data.augmentation.hue import Hue
from fcnlite.data.augmentation.noise import Noise
from fcnlite.data.augmentation.perspective import Perspective
from fcnlite.data.augmentation.rotation import Rotation
from fcnlite.data.augmentation.saturation import Saturation
from fcnlite.data.augmentation.scale import Scale
from fcnlite.data.augmentation.shift import Shift
from fcnlite.data.augmentation.temperature import Temperature
from fcnlite.data.augmentation.turn import Turn

SINGLE: tuple[type[Single], ...] = (
    Scale,
    Turn,
    Crop,
    ClassCrop,
    Flip,
    Brightness,
    Shift,
    Rotation,
    Perspective,
    Elastic,
    Contrast,
    Gamma,
    Temperature,
    Saturation,
    Hue,
    Blur,
    Noise,
    Cutout,
)
MIXES: tuple[type[Mix], ...] = (CutMix, ClassMix)
TRANSFORMS: dict[str, type[Transform]] = {each.name: each for each in (*SINGLE, *MIXES)}
