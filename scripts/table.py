"""A Markdown table under a title."""


class Table:
    """A title and rows of text. A row that was not measured contains the reason."""

    def __init__(self, title: str, columns: list[str]):
        self.title = title
        self.columns = columns
        self.rows: list[list[str]] = []

    def add(self, *cells: str):
        self.rows.append(list(cells))

    def missing(self, name: str, reason: str):
        one_line = " ".join(reason.split()).replace("|", "\\|")
        self.rows.append([name, one_line] + ["-"] * (len(self.columns) - 2))

    def __str__(self):
        lines = [f"**{self.title}**", "", self._line(self.columns),
                 self._line(["---"] + ["---:"] * (len(self.columns) - 1))]
        return "\n".join(lines + [self._line(row) for row in self.rows])

    @staticmethod
    def _line(cells: list[str]) -> str:
        return "| " + " | ".join(cells) + " |"
