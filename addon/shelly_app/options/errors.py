"""What is said when options make no sense."""

from collections.abc import Iterable


class OptionsError(Exception):
    """The options cannot be used; each of `problems` names an option and the remedy, and no secret."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("\n".join(self.problems))
