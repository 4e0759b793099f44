"""The skip of FCN-16s, forward and backward."""

from _cells import arrow, box, document, words


def block(x: float, y: float, name: str, detail: str, number: int = 0) -> str:
    return (
        box(x, y, 120, 46, number, 0.15 if number else 0)
        + words(x + 60, y + 16, name, 13)
        + words(x + 60, y + 33, detail, 11)
    )


def draw() -> str:
    return document(
        580, 270,
        [
            block(20, 30, "coarse", "K×h×w", 1), arrow(140, 53, 208, 53),
            block(210, 30, "upsample2", "K×(2h+2)×(2w+2)"),
            arrow(330, 53, 448, 90),
            block(20, 130, "features", "C×H×W", 2), arrow(140, 153, 178, 153),
            block(180, 130, "1×1 convolution", "K×H×W"),
            arrow(300, 153, 328, 153), block(330, 130, "crop", "from offset on"), arrow(420, 130, 460, 102),
            block(450, 60, "+", "fused scores", 3),
            words(290, 215, "Backward, every arrow turns round: the sum copies its gradient to both ways,", 13),
            words(290, 237, "the crop puts it into zeros, and each way ends in a gradient of its input.", 13),
        ],
    )  # fmt: skip
