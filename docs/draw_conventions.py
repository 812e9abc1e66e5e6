"""Draw the pictures of docs/conventions.md: the coordinates of a tilt, and its frequencies.

Run it from anywhere: ``python docs/draw_conventions.py``.
"""

from __future__ import annotations

import math
from pathlib import Path

TILT_DEG = 25.0
RANGE_DEG, STEP_DEG = 60.0, 5.0
SIZE = (760, 440)
CENTRE = (250.0, 220.0)
INK, BEAM, DETECTOR, WEDGE, POINT = "#1f2937", "#b45309", "#1d4ed8", "#fee2e2", "#047857"
STYLE = "font-family: system-ui, sans-serif; font-size: 15px"


def place(x: float, z: float) -> tuple[float, float]:
    """Position in the picture of (x, z); z points down, as napari draws an XZ slice."""
    return CENTRE[0] + x, CENTRE[1] + z


def line(start: tuple[float, float], end: tuple[float, float], colour: str, extra: str = "") -> str:
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="2" {extra}/>'
    )


def words(at: tuple[float, float], text: str, colour: str = INK, anchor: str = "start") -> str:
    x, y = at
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{text}</text>'


def arrowhead(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto-start-reverse">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{colour}"/></marker>'
    )


def axes() -> list[str]:
    arrow = 'marker-end="url(#ink)"'
    return [
        line(place(-190, 0), place(200, 0), INK, arrow),
        line(place(0, -105), place(0, 190), INK, arrow),
        words(place(206, 5), "x"),
        words(place(-4, 208), "z", anchor="end"),
        f'<circle cx="{CENTRE[0]}" cy="{CENTRE[1]}" r="4" fill="{INK}"/>',
        words(place(8, -10), "y (tilt axis)"),
    ]


def tilted_beam() -> list[str]:
    """Draw the detector line u, the beam that meets it, and one point with its coordinate."""
    cos, sin = math.cos(math.radians(TILT_DEG)), math.sin(math.radians(TILT_DEG))
    x, z = 60.0, 125.0
    u = x * cos + z * sin
    foot = place(u * cos, u * sin)
    arc = 150
    return [
        line(place(-185 * cos, -185 * sin), place(185 * cos, 185 * sin), DETECTOR,
             'marker-end="url(#detector)"'),
        words(place(190 * cos, 190 * sin + 14), "u (detector)", DETECTOR),
        line(place(170 * sin, -170 * cos), place(60 * sin, -60 * cos), BEAM,
             'marker-end="url(#beam)"'),
        words(place(178 * sin, -170 * cos), "beam at +t", BEAM),
        line(place(0, -170), place(0, -110), BEAM, 'marker-end="url(#beam)"'),
        words(place(-8, -160), "beam at 0", BEAM, "end"),
        f'<path d="M {place(arc, 0)[0]:.1f} {place(arc, 0)[1]:.1f} A {arc} {arc} 0 0 1 '
        f'{place(arc * cos, arc * sin)[0]:.1f} {place(arc * cos, arc * sin)[1]:.1f}" '
        f'fill="none" stroke="{INK}" marker-end="url(#ink)"/>',
        words(place(arc + 8, 36), "+t"),
        line(place(x, z), foot, POINT, 'stroke-dasharray="4 4"'),
        f'<circle cx="{place(x, z)[0]:.1f}" cy="{place(x, z)[1]:.1f}" r="5" fill="{POINT}"/>',
        words(place(x - 8, z + 20), "(z, x)", POINT, "end"),
    ]  # fmt: skip


def missing_wedge() -> str:
    """Directions of the beam that a range of tilts leaves out, on both sides of the x axis."""
    sin, cos = math.sin(math.radians(RANGE_DEG)), math.cos(math.radians(RANGE_DEG))
    paths = []
    for side in (-1, 1):
        corners = [
            place(0, 0),
            place(side * 175 * sin, -175 * cos),
            place(side * 175 * sin, 175 * cos),
        ]
        paths.append("M" + " L".join(f"{a:.1f} {b:.1f}" for a, b in corners) + " Z")
    return f'<path d="{" ".join(paths)}" fill="{WEDGE}"/>'


def legend() -> list[str]:
    rows = [
        ("u = x cos t + z sin t", INK),
        ("measured from (N - 1) / 2", INK),
        ("volume: (z, y, x), y towards you", INK),
        ("series: (tilt, y, x); its x is u", DETECTOR),
        ("beam directions that a range", "#b91c1c"),
        (f"of &#177;{RANGE_DEG:.0f} degrees never has", "#b91c1c"),
    ]
    return [words((510, 90 + 28 * i), text, colour) for i, (text, colour) in enumerate(rows)]


def frequencies() -> list[str]:
    """Draw the frequencies of an XZ slice: a line for each measured tilt, and the missing wedge."""
    sin, cos = math.sin(math.radians(RANGE_DEG)), math.cos(math.radians(RANGE_DEG))
    radius = 170.0
    parts = []
    for side in (-1, 1):
        (x1, z1), (x2, z2) = (place(radius * c, side * radius * sin) for c in (-cos, cos))
        x0, z0 = place(0, 0)
        parts.append(
            f'<path d="M{x0} {z0} L{x1:.1f} {z1:.1f} A{radius} {radius} 0 0 {(side + 1) // 2 ^ 1} '
            f'{x2:.1f} {z2:.1f} Z" fill="{WEDGE}"/>'
        )
    for k in range(round(2 * RANGE_DEG / STEP_DEG) + 1):
        tilt = math.radians(k * STEP_DEG - RANGE_DEG)
        c, s = radius * math.cos(tilt), radius * math.sin(tilt)
        colour = POINT if k * STEP_DEG - RANGE_DEG == TILT_DEG else DETECTOR
        parts.append(line(place(-c, -s), place(c, s), colour, 'stroke-opacity="0.7"'))
    c, s = (radius * f(math.radians(TILT_DEG)) for f in (math.cos, math.sin))
    return [
        *parts,
        line(place(-200, 0), place(205, 0), INK, 'marker-end="url(#ink)"'),
        line(place(0, -200), place(0, 200), INK, 'marker-end="url(#ink)"'),
        words(place(212, 5), "kx"),
        words(place(-8, 208), "kz", anchor="end"),
        words(place(c + 8, s + 6), f"tilt of +{TILT_DEG:.0f} degrees", POINT),
        words(place(14, -182), "missing wedge", "#b91c1c"),
    ]


def frequency_legend() -> list[str]:
    rows = [
        ("An image tilted by t gives the", INK),
        ("frequencies (kz, kx) along", INK),
        ("(sin t, cos t) and no others.", INK),
        ("No tilt gave these: edges", "#b91c1c"),
        ("across z blur, and objects", "#b91c1c"),
        ("grow along z.", "#b91c1c"),
    ]
    return [words((510, 60 + 28 * i), text, colour) for i, (text, colour) in enumerate(rows)]


#: The letter F, which no rotation turns into its mirror image: rows from the top, filled cells.
LETTER = ("0111110", "0100000", "0100000", "0111100", "0100000", "0100000", "0100000")
CELL = 20.0


def letter(left: float, top: float, heading: str, rows: list[str], *, flipped: bool) -> list[str]:
    """Draw a grid of pixels with the letter in it, a heading and what stands at each row."""
    parts = [words((left, top - 16), heading)]
    lines = LETTER[::-1] if flipped else LETTER
    for i, line_of_cells in enumerate(lines):
        for j, cell in enumerate(line_of_cells):
            colour = DETECTOR if cell == "1" else "white"
            parts.append(
                f'<rect x="{left + j * CELL:.0f}" y="{top + i * CELL:.0f}" width="{CELL:.0f}" '
                f'height="{CELL:.0f}" fill="{colour}" stroke="#d1d5db"/>'
            )
    for i, text in enumerate(rows):
        y = top + (0.75 + i * (len(LETTER) - 1)) * CELL
        parts.append(words((left + 148, y), text, BEAM))
    return parts


def rows_of_a_picture() -> list[str]:
    """Draw one picture, how files hold its rows, and how memory does."""
    last = f"row {len(LETTER) - 1}"
    return [
        *letter(30, 60, "the picture, as 3dmod shows it", [], flipped=False),
        *letter(280, 60, "MRC: bottom row first", [last, "row 0, first"], flipped=False),
        *letter(530, 60, "TIFF, DM, EMD: top row first", ["row 0, first", last], flipped=False),
        words((30, 268), "In memory, whatever the file: row 0 is the bottom of the picture."),
        *letter(30, 322, "images[i], as napari draws it", ["row 0, on top", last], flipped=True),
        words((310, 352), "+y is up in the picture and down in napari;"),
        words((310, 380), "positive angles of the tilt axis run counter-clockwise"),
        words((310, 408), "in the picture, from vertical."),
        words((310, 436), "Writers turn the rows back: the picture stays.", POINT),
    ]


def write(name: str, title: str, parts: list[str], height: int = SIZE[1]) -> None:
    """Write a picture on a white ground."""
    width = SIZE[0]
    heads = [arrowhead("ink", INK), arrowhead("beam", BEAM), arrowhead("detector", DETECTOR)]
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" style="{STYLE}">',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f"<defs>{''.join(heads)}</defs>",
        *parts,
        "</svg>",
    ]
    path = Path(__file__).parent / "images" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def main() -> None:
    title = "Coordinates of a tilt, seen along the tilt axis"
    write("conventions.svg", title, [missing_wedge(), *axes(), *tilted_beam(), *legend()])
    title = "Frequencies that a range of tilts measures"
    write("conventions_frequencies.svg", title, [*frequencies(), *frequency_legend()])
    title = "Which row of a picture comes first, in files and in memory"
    write("conventions_rows.svg", title, rows_of_a_picture(), height=490)


if __name__ == "__main__":
    main()
