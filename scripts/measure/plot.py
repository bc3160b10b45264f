"""Draws the page of `scripts/bench --plot`. It needs matplotlib (plot_requirements.txt)."""

import statistics
import textwrap
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from curves import Page, Panel
from streams import MOONRILL

# Colors that can be told apart with any color vision (Okabe and Ito).
OURS, REFERENCE, GRAY = "#0072B2", "#D55E00", "#555555"
COLUMNS = 3
WIDTH, ROW_HEIGHT, TOP, BOTTOM = 13.0, 3.6, 1.5, 1.2  # inches
# Characters of a line of text over the whole page.
LINE = 175
# Costs of one size differ from those of another by more than this factor: then the axis is logarithmic.
SPREAD = 30


def draw(page: Page, path: Path):
    matplotlib.rcParams.update({
        "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 12, "axes.titleweight": "bold",
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GRAY, "svg.hashsalt": "moonrill"})
    rows = -(-len(page.panels) // COLUMNS)
    height = rows * ROW_HEIGHT + TOP
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    for number, panel in enumerate(page.panels, 1):
        draw_panel(figure.add_subplot(rows, COLUMNS, number), panel)
    figure.text(0.06, 1 - 0.4 / height, "How the costs of Moonrill grow", fontsize=17, fontweight="bold", va="center")
    notes = ["Lines are medians of runs in turn, bars the least and the largest of them.", *page.notes]
    # A program and its version stay in one line.
    machine = "; ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in page.machine.split("; "))
    for text, place, anchor in ((machine, 1 - 0.62 / height, "top"), (" ".join(notes), 0.15 / height, "bottom")):
        figure.text(0.06, place, textwrap.fill(text, LINE), fontsize=9.5, color=GRAY, va=anchor, linespacing=1.4)
    figure.subplots_adjust(left=0.06, right=0.98, bottom=BOTTOM / height, top=1 - TOP / height, wspace=0.24, hspace=0.48)
    figure.savefig(path, metadata={"Date": None})


def draw_panel(axes: Axes, panel: Panel):
    medians = {}
    # Moonrill is drawn last, over the others.
    for client in sorted(panel.curves, key=lambda client: client == MOONRILL):
        samples = panel.curves[client]
        color = OURS if client == MOONRILL else REFERENCE
        middle = [statistics.median(values) for values in samples.values()]
        bars = [[median - min(values) for median, values in zip(middle, samples.values())],
                [max(values) - median for median, values in zip(middle, samples.values())]]
        axes.errorbar(list(samples), middle, yerr=bars, label=client, color=color, marker="o", markersize=4.5, linewidth=1.8,
                      elinewidth=1, capsize=2.5)
        medians[client] = middle
    values = [value for middle in medians.values() for value in middle]
    sizes = sorted({size for samples in panel.curves.values() for size in samples})
    axes.set_title(panel.title, loc="left", pad=10)
    axes.set_xlabel(panel.sizes)
    axes.set_ylabel(panel.unit, labelpad=6)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [short(size) for size in sizes])
    axes.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    if max(values) > SPREAD * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        # From zero, so that a difference looks as large as it is; with room for the legend.
        axes.set_ylim(0, 1.35 * max(max(samples) for curve in panel.curves.values() for samples in curve.values()))
    axes.minorticks_off()
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend([line for line, *_ in handles[::-1]], labels[::-1], loc="upper left", frameon=False, borderaxespad=0.2)


def short(size: int) -> str:
    """1000 as 1k, 1000000 as 1M."""
    for factor, letter in ((1_000_000, "M"), (1_000, "k")):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{letter}"
    return str(size)
