"""What a benchmark reports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `ratio` compares it with the plain way of doing the same; `floor` is the ratio (or, without
    one, the value) below which the benchmark has failed; `aim` says in words what was aimed at."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    aim: str | None = None

    @property
    def passed(self) -> bool:
        return self.floor is None or (self.value if self.ratio is None else self.ratio) >= self.floor
