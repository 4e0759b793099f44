"""Augmentation: random changes of training pictures and their labels, as a list of transforms.

Each transform is one file with its formula. `Augment` is the list; `registry` has all transforms, in the order in which
they are applied. The transforms of a list draw a `Change`, which resamples each picture and each label map once. All
random numbers are functions of (seed, epoch, sample) and the name of the transform.
"""

from fcnlite.data.augmentation.augment import augment, augmented
from fcnlite.data.augmentation.registry import TRANSFORMS
from fcnlite.data.augmentation.settings import Augment, edited
from fcnlite.data.augmentation.streams import Streams

__all__ = ["TRANSFORMS", "Augment", "Streams", "augment", "augmented", "edited"]
