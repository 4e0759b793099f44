"""Typical wrong solutions: each is the solution with one part replaced, and what its message must say."""

from __future__ import annotations

from typing import NamedTuple

from fcnlite.exercise.table import find


class Wrong(NamedTuple):
    exercise: str
    old: str
    new: str
    says: str

    @property
    def text(self) -> str:
        """The file that a student would hand in."""
        solution = find(self.exercise).solution.read_text()
        assert self.old in solution, f"{self.exercise} has no {self.old!r}"
        return solution.replace(self.old, self.new)


_EVERY_POSITION = """\
    cols = np.zeros((channels * kernel_size**2, rows * columns), x.dtype)
    for i in range(rows):
        for j in range(columns):
            for r in range(len(cols)):
                c, kh, kw = np.unravel_index(r, (channels, kernel_size, kernel_size))
                cols[r, i * columns + j] = padded[c, stride * i + kh, stride * j + kw]
    return cols

"""

_ROWS = """\
    return np.array(
        [
            padded[c, kh : kh + rows : stride, kw : kw + columns : stride].ravel()
            for c, kh, kw in np.ndindex(channels, kernel_size, kernel_size)
        ]
    )

"""

WRONG = (
    # im2col
    Wrong("im2col", "return cols.reshape", "return 2 * cols.reshape", "has 2 at [0, 0]; expected 1 (24 of 24 values"),
    Wrong("im2col", "rows * columns)\n", "rows * columns).T\n", "the transpose"),
    Wrong("im2col", "cols[:, kh, kw]", "cols[:, kw, kh]", "column, row of the window"),
    Wrong("im2col", "cols[:, kh, kw]", "cols[:, -1 - kh, -1 - kw]", "turned by 180°"),
    Wrong("im2col", "return cols", "return cols.transpose(1, 2, 0, 3, 4)", "The channel changes fastest"),
    Wrong("im2col", "return cols", "return cols.transpose(0, 1, 2, 4, 3)", "down the columns of the picture"),
    Wrong("im2col", "padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))", "padded = x", "broadcast"),
    Wrong("im2col", "(pad, pad), (pad, pad)))", "(pad, pad), (pad, pad)), mode='edge')", "repeats the picture's edge"),
    Wrong("im2col", "// stride + 1", "// stride", "One position is missing at the end"),
    Wrong("im2col", "    channels, height", "    stride = 1\n    channels, height", "The stride is ignored"),
    Wrong(
        "im2col",
        "kh : kh + stride * rows : stride, kw : kw + stride * columns : stride",
        "kh : kh + rows, kw : kw + columns",
        "The stride is missing in the slices",
    ),
    Wrong(
        "im2col",
        "padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))",
        "padded = np.pad(x, pad)\n    channels = len(padded)",
        "pads the channels too",
    ),
    Wrong(
        "im2col",
        "padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))",
        "padded = np.pad(x, pad)[:channels]",
        "The first channels are zeros",
    ),
    Wrong("im2col", "x.dtype", "np.float64", "is float64 for an input of float32"),
    Wrong("im2col", "    channels, height", "    x += 1\n    channels, height", "im2col changes its argument x"),
    Wrong("im2col", "return cols.reshape", "cols.reshape", "im2col returns nothing"),
    Wrong("im2col", "return cols.reshape(channels * kernel_size**2, rows * columns)", "return list(cols)", "is a list"),
    Wrong("im2col", "def im2col", "def im2cols", "no function im2col"),
    Wrong("im2col", "padded[:, kh :", "padding[:, kh :", "NameError: name 'padding' is not defined (line"),
    Wrong("im2col", "    cols = np.empty", _EVERY_POSITION + "    cols = np.empty", "im2col is too slow: it runs "),
    Wrong("im2col", "for kh in range(kernel_size):", "while True:\n        kh = 0", "does not end"),
    Wrong("im2col", "for kh in range(kernel_size)", "for kh in range(kernel_size", "line 12: "),
    Wrong(
        "im2col",
        "return cols.reshape(channels * kernel_size**2, rows * columns)",
        "return cols",
        "end with .reshape(4, 6)",
    ),
    Wrong(
        "im2col",
        "cols.reshape(channels * kernel_size**2, rows * columns)",
        "cols.reshape(rows * columns, -1)",
        "Rows and columns are exchanged",
    ),
    Wrong(
        "im2col",
        "cols.reshape(channels * kernel_size**2, rows * columns)",
        "cols.reshape(rows * columns, -1).T",
        "mixes the patches",
    ),
    Wrong(
        "im2col", "columns = (width + 2 * pad - kernel_size) // stride + 1", "columns = rows", "W' has the value of H'"
    ),
    Wrong(
        "im2col",
        "kh : kh + stride * rows : stride, kw : kw + stride * columns : stride",
        "kh : kh + rows : stride, kw : kw + columns : stride",
        "Every slice ends too early",
    ),
    Wrong("im2col", "    cols = np.empty", _ROWS + "    cols = np.empty", "The slices end too early"),
    Wrong("im2col", "cols[:, kh, kw] = padded", "cols[:, kh, kw] += padded", "make it with np.zeros"),
    Wrong(
        "im2col", "(height + 2 * pad - kernel_size) // stride", "(height + 2 * pad - kernel_size) / stride", "a // b"
    ),
    Wrong("im2col", "return cols.reshape", "return -cols.reshape", "The sign is wrong."),
    # col2im
    Wrong(
        "col2im",
        "pad : pad + height, pad : pad + width",
        "pad:-pad, pad:-pad",
        "with pad 0 the slice pad:-pad is empty",
    ),
    Wrong("col2im", "+= by_tap", "= by_tap", "overwritten where windows overlap"),
    Wrong(
        "col2im", "return padded[:, pad : pad + height, pad : pad + width]", "return padded", "The pad is still there"
    ),
    Wrong("col2im", "[:, pad : pad + height, pad : pad + width]", "[:, :height, :width]", "cut off at the end only"),
    Wrong(
        "col2im",
        "kh : kh + stride * rows : stride, kw : kw + stride * columns : stride",
        "kh : kh + rows, kw : kw + columns",
        "The stride is missing in the slices",
    ),
    Wrong("col2im", "by_tap[:, kh, kw]", "by_tap[:, -1 - kh, -1 - kw]", "turned by 180°"),
    Wrong("col2im", "by_tap[:, kh, kw]", "by_tap[:, kw, kh]", "in the order kw, kh"),
    Wrong("col2im", "cols.dtype", "np.float64", "is float64 for an input of float32"),
    Wrong("col2im", "pad : pad + height, pad : pad + width", "pad:height, pad:width", "Too short: the padded picture"),
    Wrong("col2im", "padded = np.zeros", "padded = np.empty", "make it with np.zeros"),
    Wrong(
        "col2im",
        "cols.reshape(channels, kernel_size, kernel_size, rows, columns)",
        "cols.reshape(kernel_size, kernel_size, channels, rows, columns).transpose(2, 0, 1, 3, 4)",
        "as if it changed fastest",
    ),
    Wrong(
        "col2im",
        "cols.reshape(channels, kernel_size, kernel_size, rows, columns)",
        "cols.reshape(channels, kernel_size, kernel_size, columns, rows).swapaxes(3, 4)",
        "read down the picture",
    ),
    Wrong("col2im", "= cols.reshape", "= cols.T.reshape", "as if each row were a patch"),
    Wrong("col2im", "+= by_tap", "-= by_tap", "The values are subtracted"),
    # pooling
    Wrong(
        "pooling", "-(-(height - kernel_size) // stride)", "(height - kernel_size) // stride", "rounded down (floor)"
    ),
    Wrong("pooling", "seen > y[part]", "seen >= y[part]", "takes the last"),
    Wrong("pooling", "-np.inf", "0", "begin with −np.inf"),
    Wrong("pooling", "return y, mask", "return y", "returns a ndarray"),
    Wrong("pooling", "reshape(height, width)", "reshape(width, height).T", "column · H + row"),
    Wrong("pooling", "places = np.arange(height * width)", "places = np.arange(1, height * width + 1)", "mask has 5"),
    Wrong(
        "pooling",
        "    np.add.at(dx, (np.arange(channels)[:, None, None], mask), dy)",
        "    dx[np.arange(channels)[:, None, None], mask] += dy",
        "won in several windows",
    ),
    Wrong(
        "pooling",
        "np.zeros((channels, height * width), dy.dtype)",
        "np.zeros((channels, height * width))",
        "dx is float64",
    ),
    Wrong(
        "pooling",
        "y = np.full((channels, rows, columns), -np.inf, x.dtype)",
        "y = x[:, ::stride, ::stride].copy()",
        "where the window's first pixel is the largest",
    ),
    Wrong("pooling", "return y, mask", "return mask, y", "return y first"),
    Wrong("pooling", "mask = np.full(y.shape, -1)", "mask = np.full(y.shape, -1.0)", "places are indices"),
    Wrong("pooling", "-np.inf", "-1", "y begins at −1"),
    Wrong("pooling", "rows = -(-(height - kernel_size) // stride) + 1", "rows = -(-height // stride)", "y has shape"),
    Wrong(
        "pooling",
        "-(-(height - kernel_size) // stride) + 1\n    columns = -(-(width - kernel_size) // stride) + 1",
        "-(-height // stride)\n    columns = -(-width // stride)",
        "kernel_size is missing",
    ),
    Wrong("pooling", "np.where(wins, here,", "np.where(wins, here // width,", "These are rows"),
    Wrong("pooling", "return dx.reshape(shape)", "return dx", "end with .reshape(1, 2, 2)"),
    Wrong(
        "pooling",
        "np.add.at(dx, (np.arange(channels)[:, None, None], mask), dy)",
        "np.add.at(dx, (np.arange(channels)[:, None, None], mask), 1)",
        "gets the gradient of the output",
    ),
    Wrong(
        "pooling",
        "np.add.at(dx, (np.arange(channels)[:, None, None], mask), dy)",
        "np.add.at(dx.ravel(), mask.ravel(), dy.ravel())",
        "All channels go into the first",
    ),
    # bilinear
    Wrong("bilinear", "(kernel_size - 1) / 2)", "kernel_size / 2)", "The middle is"),
    Wrong("bilinear", "(kernel_size - 1) / 2)", "(kernel_size - 1) // 2)", "The middle is rounded down"),
    Wrong("bilinear", "/ factor\n", "/ (kernel_size / 2)\n", "f is kernel_size / 2 without rounding up"),
    Wrong("bilinear", "(kernel_size + 1) // 2", "kernel_size // 2", "f is rounded down"),
    Wrong(
        "bilinear", "return np.outer(line, line)", "return np.outer(line, line) / line.sum()**2", "divided by their sum"
    ),
    Wrong("bilinear", "return np.outer(line, line)", "return line", "outer product"),
    Wrong("bilinear", "+= kernel[kh, kw] * x", "= kernel[kh, kw] * x", "values are overwritten"),
    Wrong("bilinear", "kernel[kh, kw] * x", "kernel[kh, kw] * x.sum(0)", "channels are added"),
    Wrong("bilinear", "    return y", "    return y[:, : factor * height, : factor * width]", "without a crop"),
    Wrong("bilinear", ", x.dtype)", ")", "is float64 for an input of float32"),
    Wrong(
        "bilinear", "return np.outer(line, line)", "return np.ones((kernel_size,) * 2) / kernel_size", "this is a mean"
    ),
    Wrong("bilinear", "size = 2 * factor - factor % 2", "size = factor", "The kernel has f places"),
    Wrong("bilinear", "size = 2 * factor - factor % 2", "size = 2 * factor", "for an odd f it is one less"),
    Wrong(
        "bilinear", "bilinear_kernel(size).astype(x.dtype)", "bilinear_kernel(size).astype(int)", "made whole numbers"
    ),
    Wrong(
        "bilinear",
        "(height - 1) + size, factor * (width - 1) + size",
        "height + size, factor * width + size",
        "begins at f·(H − 1)",
    ),
    # crop
    Wrong("crop", 'if kind == "deconv":', "if False:", "treated as a convolution"),
    Wrong("crop", "offset += stride * middle", "offset += middle", "counts pixels of its own input"),
    Wrong("crop", "offset += stride * middle", "offset += stride * step * middle", "take the stride before it"),
    Wrong("crop", "Fraction(kernel_size - 1, 2)", "Fraction(kernel_size, 2)", "(k − 1)/2, not k/2"),
    Wrong("crop", "Fraction(kernel_size - 1, 2)", "(kernel_size - 1) // 2", "rounded down"),
    Wrong("crop", "2) - pad", "2)", "The pad is ignored"),
    Wrong("crop", "2) - pad", "2) + pad", "The pad has the wrong sign"),
    Wrong("crop", "offset -= stride", "offset += stride", "wrong direction"),
    Wrong("crop", "in layers:", "in layers[::-1]:", "from the last to the first"),
    Wrong("crop", "return int(crop)", "return int(crop) + 1", "One pixel too far. The crop is"),
    Wrong("crop", "crop = -offset", "crop = offset", "crop_offset returns"),
    Wrong("crop", "crop < 0 or ", "", "but no crop aligns these scores"),
    Wrong("crop", "return int(crop)", "return float(crop)", "slices need an int"),
    Wrong("crop", "return stride, offset", "return offset, stride", "return stride first"),
    Wrong("crop", "return stride, offset", "return float(stride), float(offset)", "keep Fractions"),
    Wrong("crop", "offset -= stride * middle / step", "offset -= stride * middle", "not divided by its stride"),
    Wrong("crop", '== "deconv"', '!= "deconv"', "are exchanged: a convolution multiplies"),
    Wrong(
        "crop", "        return None\n", "        raise ValueError\n", "Where no crop aligns the scores, return None"
    ),
    Wrong("crop", "crop < 0 or", "crop <= 0 or", "a crop of 0 is a crop"),
    Wrong("crop", "stride != 1 or ", "", "which has a stride of 2"),
    # softmax_loss
    Wrong("softmax_loss", "np.count_nonzero(counts)", "counts.size", "over all pixels, void ones too"),
    Wrong("softmax_loss", "np.count_nonzero(counts)", "1", "This is the sum over the pixels"),
    Wrong("softmax_loss", "np.count_nonzero(counts)", "len(x)", "or over those of each picture"),
    Wrong("softmax_loss", "np.where(counts, of_label, 0)", "of_label", "Void pixels add to the sum"),
    Wrong("softmax_loss", "np.log(np.exp", "np.log10(np.exp", "expected"),
    Wrong("softmax_loss", ".sum(axis=1, keepdims=True))", ".sum(axis=2, keepdims=True))", "over the rows (axis 2)"),
    Wrong("softmax_loss", "    dx *= counts[:, None]\n", "", "Void pixels have a gradient"),
    Wrong("softmax_loss", "    dx /= count\n", "", "It is not divided"),
    Wrong("softmax_loss", " - 1, axis=1)", ", axis=1)", "This is p alone"),
    Wrong("softmax_loss", "shifted = x - x.max(axis=1, keepdims=True)", "shifted = x", "an exponential overflows"),
    Wrong("softmax_loss", "max(1, np.count_nonzero(counts))", "np.count_nonzero(counts)", "nan"),
    Wrong("softmax_loss", "shifted = x - x.max", "x -= 1\n    shifted = x - x.max", "changes its argument x"),
    Wrong("softmax_loss", "dx = np.exp(logarithm)", "dx = np.exp(logarithm).astype(float)", "dx is float64"),
    Wrong("softmax_loss", "return float(loss), dx", "return dx, loss", "return the loss first"),
    Wrong(
        "softmax_loss", "np.where(counts, label, 0)[:, None]", "label[:, None]", "the label 255, which is not a class"
    ),
    Wrong("softmax_loss", "x - x.max(axis=1, keepdims=True)", "x - x.max()", "not that of the whole array"),
    Wrong("softmax_loss", "x - x.max(axis=1, keepdims=True)", "x - x.max(axis=1)", "write keepdims=True"),
    Wrong(
        "softmax_loss", ".sum(axis=1, keepdims=True))", ".sum(axis=1))", "The sum over the classes has lost its axis"
    ),
    Wrong(
        "softmax_loss",
        "counts = label != 255",
        "counts = (label > 0) & (label < 255)",
        "ixels of class 0 are left out",
    ),
    Wrong(
        "softmax_loss",
        "-np.where(counts, of_label, 0).sum() / count",
        "-np.log(np.where(counts, np.exp(of_label), 0).sum() / count)",
        "the logarithm of the mean of p",
    ),
    Wrong(
        "softmax_loss",
        "-np.where(counts, of_label, 0).sum() / count",
        "-np.where(counts, of_label, 0).mean(axis=0)",
        "A single number is needed here",
    ),
    Wrong("softmax_loss", "dx /= count", "dx /= x.size", "by the number of all scores"),
    # sgd
    Wrong("sgd", "v *= momentum", "v = momentum * v", "not give its name to a new array"),
    Wrong("sgd", "    w -= v", "    w = w - v", "not give its name to a new array"),
    Wrong("sgd", "    w -= v", "    w += v", "goes down the gradient"),
    Wrong("sgd", "g + decay * w", "g", "The weight decay is missing"),
    Wrong("sgd", "g + decay * w", "g - decay * w", "The weight decay has the wrong sign"),
    Wrong("sgd", "rate * (g + decay * w)", "rate * g + decay * w", "not multiplied by the rate"),
    Wrong("sgd", "v += rate * (g + decay * w)\n    w -= v", "v += g + decay * w\n    w -= rate * v", "PyTorch's order"),
    Wrong("sgd", "v += rate", "v += (1 - momentum) * rate", "damped by 1 − momentum"),
    Wrong("sgd", "    w -= v", "    w -= momentum * v + rate * (g + decay * w)", "expected"),
    Wrong("sgd", "    v *= momentum\n", "", "The momentum is"),
    Wrong("sgd", "    v *= momentum", "    g *= 2\n    v *= momentum", "changes its argument g"),
    Wrong("sgd", "    w -= v", "    for i in np.ndindex(w.shape):\n        w[i] -= v[i]", "too slow"),
    Wrong("sgd", "w -= v", "w -= rate * v", "The rate is multiplied twice"),
    Wrong("sgd", "decay * w)", "decay * w**2)", "The decay pulls by w²"),
    Wrong("sgd", "decay * w)", "decay * abs(w))", "with its sign"),
    Wrong(
        "sgd",
        "v *= momentum\n    v += rate * (g + decay * w)\n    w -= v",
        "v[0] = momentum * v[0] + rate * (g[0] + decay * w[0])\n    w[0] -= v[0]",
        "Only the first value is changed",
    ),
    # skip
    Wrong(
        "skip",
        "up + fine[:, offset : offset + up.shape[1], offset : offset + up.shape[2]]",
        "up + fine[:, : up.shape[1], : up.shape[2]]",
        "The crop begins at 0",
    ),
    Wrong(
        "skip", "fine[:, offset : offset + up.shape[1]", "fine[:, offset + 1 : offset + 1 + up.shape[1]", "ValueError"
    ),
    Wrong("skip", " + bias[:, None, None]", "", "The bias is missing"),
    Wrong("skip", "return up + fine", "return np.maximum(up, fine", "never closed"),
    Wrong(
        "skip", "dfine[:, offset : offset + height, offset : offset + width]", "dfine[:, :height, :width]", "put at 0"
    ),
    Wrong(
        "skip",
        'np.einsum("kc,khw->chw", weight, dfine)',
        'np.einsum("kc,khw->chw", weight, dfused)',
        "that of the crop",
    ),
    Wrong("skip", "dfine.sum(axis=(1, 2))", "dfused.mean(axis=(1, 2))", "divided by the number of positions"),
    Wrong("skip", "return upsample2_backward(dfused)", "return dfused[:, 0:-2:2, 0:-2:2]", "Every second value"),
    Wrong("skip", "up + fine[:, offset :", "up * fine[:, offset :", "The two are multiplied"),
    Wrong("skip", "up + fine[:, offset :", "up - fine[:, offset :", "The fine scores are subtracted"),
    Wrong(
        "skip",
        "offset : offset + up.shape[1], offset : offset + up.shape[2]",
        "offset:-offset, offset:-offset",
        "One of the two has no values at all",
    ),
    Wrong("skip", "bias[:, None, None]", "bias", "The two sides of this line have different shapes"),
    Wrong("skip", "return upsample2_backward(dfused)", "return dfused", "This is dfused itself"),
    Wrong("skip", "return upsample2_backward(dfused)", "return upsample2_backward(dfused) / 2", "each gets all of it"),
    Wrong("skip", "return upsample2_backward(dfused), dfeatures", "return dfeatures, dfeatures", "in this order"),
    Wrong("skip", "dfine.sum(axis=(1, 2))", "dfine.sum()", "each class has a bias of its own"),
    Wrong("skip", ", dfine.sum(axis=(1, 2))", "", "skip_backward returns 3 values"),
    # compiler
    Wrong("compiler", "[source.get(each, each) for each in outputs]", "outputs", "rename `outputs`"),
    Wrong("compiler", "inputs = tuple(source.get(each, each) for each in inputs)", "pass", "readers still read"),
    Wrong(
        "compiler",
        '("Dropout", "Split")',
        '("Dropout", "Split", "ReLU")',
        "relu (ReLU) is removed, but it does not copy",
    ),
    Wrong("compiler", '("Dropout", "Split")', '("Dropout",)', "Split is still there"),
    Wrong("compiler", '("Dropout", "Split")', '("Split",)', "Dropout is still there"),
    Wrong("compiler", "dict.fromkeys(made, inputs[0])", "{made[0]: inputs[0]}", "Only the first output of a Split"),
    Wrong("compiler", "    source: dict", "    operations.sort()\n    source: dict", "changes its argument operations"),
    Wrong("compiler", "source.get(each, each) for each in outputs", "source[each] for each in outputs", "no such key"),
    # winograd
    Wrong("winograd", "return G @ w @ G.T", "return G @ w[..., ::-1, ::-1] @ G.T", "a true convolution"),
    Wrong("winograd", "return G @ w @ G.T", "return G @ w.swapaxes(-1, -2) @ G.T", "The filter is transposed"),
    Wrong("winograd", "return AT @ m @ AT.T", "return (AT @ m @ AT.T).swapaxes(-1, -2)", "The result is transposed"),
    Wrong("winograd", "return BT @ d @ BT.T", "return BT @ d", "expected"),
    Wrong("winograd", "return AT @ m @ AT.T", "return AT @ m", "has shape (2, 4); expected (2, 2)"),
    Wrong("winograd", "[:, :height, :width]", "", "The surplus of the last tiles"),
    Wrong(
        "winograd",
        '"ocij,cyxij->oyxij", u, transform_tile(tiles)',
        '"oij,yxij->oyxij", u[:, 0], transform_tile(tiles[0])',
        "Only the first channel",
    ),
    Wrong("winograd", "return BT @ d @ BT.T", "return BT.T @ d @ BT", "Bᵀ and B are exchanged"),
    Wrong("winograd", "return BT @ d @ BT.T", "return BT * d * BT.T", "a transform is a matrix product (@)"),
    Wrong("winograd", "return AT @ m @ AT.T", "return AT.T @ m @ AT", "A has as many columns as B has rows"),
    Wrong("winograd", "y.transpose(0, 1, 3, 2, 4)", "y", "laid out one after the other"),
    Wrong("winograd", "x = np.pad(x,", "np.pad(x,", "The picture is smaller than the window"),
    Wrong("winograd", "[:, ::2, ::2]", "[:, ::4, ::4]", "A reshape keeps the number of values"),
    Wrong("winograd", "return G @ w @ G.T", "return 2 * G @ w @ G.T", "Every value is 2 times what is expected"),
)
"""In the order of the track."""
