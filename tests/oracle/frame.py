"""Window frames, by definition: which rows of its partition a row's frame holds."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from tests.oracle.model import OracleError


@dataclass(frozen=True)
class Bound:
    """One end of a frame: unbounded, the current row, or an offset; before or after."""

    offset: Any
    """None for unbounded, 0 for CURRENT ROW."""
    following: bool


@dataclass(frozen=True)
class Frame:
    """A frame specification."""

    unit: str = "RANGE"
    start: Bound = Bound(None, False)
    end: Bound = Bound(0, True)
    exclude: str = "NO OTHERS"


def frame_of(spec: exp.WindowSpec | None, ordered: bool) -> Frame:
    """The frame of a window; without one, up to the last peer, or everything if not ordered."""
    if spec is None:
        return Frame() if ordered else Frame(end=Bound(None, True))
    exclude = spec.args.get("exclude")
    return Frame(
        str(spec.args["kind"]).upper(),
        _bound(spec.args.get("start"), spec.args.get("start_side"), False),
        _bound(spec.args.get("end") or "CURRENT ROW", spec.args.get("end_side"), True),
        exclude.name.upper() if exclude is not None else "NO OTHERS",
    )


def _bound(value: Any, side: Any, default: bool) -> Bound:
    following = str(side).upper() == "FOLLOWING" if side else default
    if isinstance(value, str):
        if value.upper() == "UNBOUNDED":
            return Bound(None, following)
        if value.upper() == "CURRENT ROW":
            return Bound(0, following)
    if isinstance(value, exp.Literal):
        return Bound(int(value.name), following)
    if isinstance(value, exp.Interval):
        return Bound(datetime.timedelta(days=int(value.this.name)), following)
    raise OracleError(f"frame bound {value!r}")


@dataclass
class Partition:
    """One partition in window order: row numbers, and per place its sort key and peer group."""

    rows: list[int]
    keys: list[Any]
    """The first ORDER BY value of each place, for RANGE with an offset."""
    peers: list[int]
    """The number of the peer group of each place."""
    descending: bool = False

    def frame(self, place: int, frame: Frame) -> list[int]:
        """The rows in the frame of the row at ``place``, in window order."""
        if frame.unit == "ROWS":
            low, high = self._rows(place, frame)
        elif frame.unit == "GROUPS":
            low, high = self._groups(place, frame)
        else:
            low, high = self._range(place, frame)
        inside = range(max(low, 0), min(high, len(self.rows) - 1) + 1)
        return [self.rows[i] for i in inside if not self._excluded(i, place, frame.exclude)]

    def _excluded(self, other: int, place: int, exclude: str) -> bool:
        peer = self.peers[other] == self.peers[place]
        if exclude == "CURRENT ROW":
            return other == place
        if exclude == "GROUP":
            return peer
        return exclude == "TIES" and peer and other != place

    def _rows(self, place: int, frame: Frame) -> tuple[int, int]:
        def at(bound: Bound, unbounded: int) -> int:
            if bound.offset is None:
                return unbounded
            return int(place + bound.offset if bound.following else place - bound.offset)

        return at(frame.start, 0), at(frame.end, len(self.rows) - 1)

    def _groups(self, place: int, frame: Frame) -> tuple[int, int]:
        def at(bound: Bound) -> int | None:
            if bound.offset is None:
                return None
            step = bound.offset if bound.following else -bound.offset
            return int(self.peers[place] + step)

        first, last = at(frame.start), at(frame.end)
        inside = [
            i
            for i, peer in enumerate(self.peers)
            if (first is None or peer >= first) and (last is None or peer <= last)
        ]
        return (inside[0], inside[-1]) if inside else (1, 0)

    def _range(self, place: int, frame: Frame) -> tuple[int, int]:
        def passes(i: int, bound: Bound, lower: bool) -> bool:
            if bound.offset is None:
                return True
            if bound.offset == 0 or self.keys[place] is None or self.keys[i] is None:
                if self.keys[place] is None or bound.offset == 0:
                    return (
                        self.peers[i] >= self.peers[place] if lower else self.peers[i] <= self.peers[place]
                    )
                return i > place if lower else i < place
            forward = bound.following != self.descending
            limit = self.keys[place] + bound.offset if forward else self.keys[place] - bound.offset
            key = _comparable(self.keys[i], limit)
            after = key >= limit if not self.descending else key <= limit
            before = key <= limit if not self.descending else key >= limit
            return bool(after if lower else before)

        inside = [
            i for i in range(len(self.rows)) if passes(i, frame.start, True) and passes(i, frame.end, False)
        ]
        return (inside[0], inside[-1]) if inside else (1, 0)


def _comparable(value: Any, other: Any) -> Any:
    if isinstance(other, datetime.datetime) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value
