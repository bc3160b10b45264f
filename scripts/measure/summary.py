"""The table at the end of a run: measured uses beside their references, with the goal if there is one."""

from table import Table


def kept(is_kept: bool, is_busy: bool = False) -> str:
    """The verdict on a goal. There is none if the cores were busy (`is_busy`), for that changes latencies."""
    return "machine busy" if is_busy else "kept" if is_kept else "missed"


class Summary:
    """The measurements add a row for each use that they have measured."""

    def __init__(self):
        self.table = Table("Uses and their goals; a goal is the largest ratio unless it has a unit",
                           ["use", "moonrill", "reference", "ratio", "goal"])

    def add(self, use: str, ours: str, reference: str, ratio: str, goal: str = "-"):
        self.table.add(use, ours, reference, ratio, goal)

    def ratio(self, use: str, ours: str, reference: str, ratio: float, goal: float, is_busy: bool = False):
        """A row with the ratio of two costs, and the largest ratio that the goal allows."""
        self.add(use, ours, reference, f"{ratio:.2f}", f"{goal:g}: {kept(ratio <= goal, is_busy)}")
