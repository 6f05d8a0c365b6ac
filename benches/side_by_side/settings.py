"""What a run was asked for, and the requests that its rows send."""
import dataclasses
import pathlib

from table import Table

# Name, resources of a request, records of a resource.
SHAPES = [("1 x 1000", 1, 1000), ("100 x 10", 100, 10), ("1 x 100", 1, 100)]


@dataclasses.dataclass(frozen=True)
class Settings:
    table: Table
    bin: pathlib.Path
    collector: pathlib.Path | None
    peers: pathlib.Path | None
    seconds: float
    receive_seconds: float
    half_rate: float
    probes: int
    series: list[int]
    round_seconds: float
    kafka_half_rate: float
    kafka_seconds: float
    fill_seconds: float
