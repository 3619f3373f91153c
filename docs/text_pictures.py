"""Write what the networks of rapidocr are made for, pictures of text, as real inputs for `bakeoff run --input`.

`docs/support.sh` runs this. On noise a detector of text answers nearly 0 everywhere, where an error relative to its
answer says nothing.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "seven", "wizards", "box"]
SAMPLES = 8
LINES = 6


def picture(height: int, width: int, lines: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Dark lines of text on a light ground: float32 [3, height, width] between -1 and 1, as rapidocr scales pixels."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    size = height / lines * 0.6
    for line in range(lines):
        text = " ".join(random.choice(WORDS, 6))
        draw.text((size / 2, (line + 0.15) * height / lines), text, fill="black", font=ImageFont.load_default(size))
    return np.asarray(image, np.float32).transpose(2, 0, 1) / np.float32(127.5) - np.float32(1)


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="gets page.npz, line.npz and short.npz, each with an array x")
    folder = parser.parse_args().folder
    random = np.random.default_rng(0)
    for name, height, width, lines in (("page", 320, 320, LINES), ("line", 48, 320, 1), ("short", 48, 192, 1)):
        np.savez(folder / f"{name}.npz", x=np.stack([picture(height, width, lines, random) for _ in range(SAMPLES)]))


if __name__ == "__main__":
    main()
