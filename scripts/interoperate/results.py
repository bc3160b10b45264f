"""Prints the results as one Markdown table, a row as soon as a case ends."""

COLUMNS = ["peer", "version", "dialect", "case", "result"]


class Table:
    """Prints rows and counts their results."""

    def __init__(self):
        self.ok = self.absent = self.differing = 0
        print(_line(COLUMNS))
        print(_line(["---"] * len(COLUMNS)), flush=True)

    def add(self, peer: str, version: str, dialect: str, name: str, result: str):
        if result == "ok":
            self.ok += 1
        elif result == "absent":
            self.absent += 1
        else:
            self.differing += 1
        print(_line([peer, version, dialect, name, result]), flush=True)

    @property
    def summary(self) -> str:
        total = self.ok + self.absent + self.differing
        text = f"{total} cases: {self.ok} ok, {self.differing} differ"
        return text + (f", {self.absent} absent (a dialect that moonrill does not support)." if self.absent else ".")


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
