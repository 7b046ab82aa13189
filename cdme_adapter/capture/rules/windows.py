"""Window functions: which rows each row looks at, as places in its partition.

A frame without its exclusion is what lies between two bounds, and a bound is a count: of the rows up
to the end of the frame, and of those from its start. So two integers a row say what the frame holds,
whatever its unit: the rows themselves are never listed (docs/concepts.md, Size).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from cdme_adapter.capture.plan import Frame
from cdme_adapter.capture.rules.subquery import nested_queries
from cdme_adapter.capture.sqltext import functions, own_nodes, text

if TYPE_CHECKING:
    from cdme_adapter.capture.planner import Planner

_RANKS = frozenset({"row_number", "rank", "dense_rank", "rank_dense", "percent_rank", "cume_dist", "ntile"})
_OFFSETS = {"lag": -1, "lead": 1}
_PLACES = frozenset({"first_value", "last_value", "nth_value", "first", "last", "any_value", "arbitrary"})
_UNITS = frozenset({"ROWS", "RANGE", "GROUPS"})


@dataclass
class Windows:
    """The frames of a SELECT and the hidden columns that they need; ``why`` where one is not known."""

    planner: Planner
    frames: list[Frame] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    """Hidden columns by the expression that each holds."""
    why: str = ""

    def items(self) -> list[str]:
        """The hidden columns as SELECT items."""
        return [f"{sql} AS {name}" for sql, name in self.columns.items()]

    def column(self, sql: str) -> str:
        """The hidden column that holds an expression."""
        if sql not in self.columns:
            self.columns[sql] = self.planner.hidden("x")
        return self.columns[sql]

    def add(self, frame: Frame) -> None:
        """Keep a frame, unless the whole of its partition is looked at anyway."""
        whole = Frame(frame.partition)
        if frame in self.frames or whole in self.frames:
            return
        if frame == whole:
            self.frames = [f for f in self.frames if f.partition != frame.partition]
        self.frames.append(frame)


def windows_of(planner: Planner, select: exp.Select) -> Windows | None:
    """The windows of a SELECT list and of its ORDER BY; None where it has none."""
    order = select.args.get("order")
    items = [*select.expressions, *([order] if order is not None else [])]
    every = [part for item in items for part in own_nodes(item)]
    found = [part for part in every if isinstance(part, exp.Window)]
    if not found:
        return None
    windows = Windows(planner)
    named = {window.this.name.lower(): window for window in select.args.get("windows") or ()}
    for window in found:
        why = _add(windows, window, named)
        if why:
            return Windows(planner, why=why)
    return windows


@dataclass(frozen=True)
class _Spec:
    """PARTITION BY and ORDER BY as texts, and the frame clause."""

    partition: tuple[str, ...]
    order: str
    frame: exp.WindowSpec | None

    def over(self, frame: str = "", ordered: bool = True) -> str:
        """``OVER (…)`` with the same partition and order."""
        parts = [f"PARTITION BY {', '.join(self.partition)}"] if self.partition else []
        parts += [self.order] if ordered and self.order else []
        return f"OVER ({' '.join([*parts, *([frame] if frame else [])])})"


def _spec(window: exp.Window, named: dict[str, exp.Window]) -> _Spec | None:
    """A window with its name or base window looked up."""
    chain = [window]
    while (alias := chain[-1].args.get("alias")) is not None:
        base = named.get(alias.name.lower())
        if base is None or base in chain:
            return None
        chain.append(base)
    partition: Sequence[exp.Expr] = next(
        (w.args["partition_by"] for w in chain if w.args.get("partition_by")), ()
    )
    order = next((w.args["order"] for w in chain if w.args.get("order")), None)
    frame = next((w.args["spec"] for w in chain if w.args.get("spec")), None)
    if any(nested_queries(part) for w in chain for part in w.iter_expressions()):
        return None
    return _Spec(tuple(text(p) for p in partition), text(order).strip() if order else "", frame)


def _add(windows: Windows, window: exp.Window, named: dict[str, exp.Window]) -> str:
    """Add what one window function looks at; else why it is not known."""
    spec = _spec(window, named)
    bare = window.this
    ignores = False
    while isinstance(bare, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
        ignores = ignores or isinstance(bare, exp.IgnoreNulls)
        bare = bare.this
    name = next((name for part, name in functions(bare) if part is bare), "")
    if spec is None or not name:
        return "a window whose rows are not known"
    partition = _partition(windows, spec)
    if name in _RANKS:
        windows.add(Frame(partition))
    elif name in _OFFSETS:
        steps = _steps(bare, _OFFSETS[name])
        if steps is None or (ignores and not steps):
            return f"{name}() by an offset that is no constant"
        place, at = _offset_row(windows, spec, bare, steps, ignores)
        windows.add(Frame(partition, place, ((at, at),)))
    elif name in _PLACES or isinstance(bare, exp.AggFunc) or windows.planner.catalog.is_aggregate(name):
        return _add_frame(windows, spec, partition)
    else:
        return f"the window function {name}()"
    return ""


def _offset_row(
    windows: Windows, spec: _Spec, call: exp.Expr, steps: int, ignores: bool
) -> tuple[str, str]:
    """The column of a row's place, and the place of the row that LAG or LEAD shows.

    Under IGNORE NULLS only the rows with a value have a place: theirs among such rows.
    """
    if not ignores:
        place = windows.column(f"row_number() {spec.over()}")
        return place, f"{place} + {steps}"
    value = text(call.this)
    upto = windows.column(f"count({value}) {spec.over('ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW')}")
    has = windows.column(f"(({value}) IS NOT NULL)::INTEGER")
    place = windows.column(
        f"CASE WHEN ({value}) IS NOT NULL THEN count({value}) "
        f"{spec.over('ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW')} END"
    )
    return place, f"{upto} + {steps}" if steps > 0 else f"{upto} - {has} + 1 + {steps}"


def _partition(windows: Windows, spec: _Spec) -> str | None:
    if not spec.partition:
        return None
    if len(spec.partition) == 1:
        return windows.column(spec.partition[0])
    fields = ", ".join(f"c{n} := {part}" for n, part in enumerate(spec.partition))
    return windows.column(f"struct_pack({fields})")


def _steps(call: exp.Expr, direction: int) -> int | None:
    """How many rows further LAG or LEAD looks, where that is a constant."""
    offset = call.args.get("offset")
    if isinstance(call.this, exp.Order) or not isinstance(call, (exp.Lag, exp.Lead)):
        return None
    sign = direction
    if isinstance(offset, exp.Neg):
        sign, offset = -direction, offset.this
    if offset is None:
        return sign
    if not isinstance(offset, exp.Literal) or offset.is_string or not offset.name.isdigit():
        return None
    return sign * int(offset.name)


def _add_frame(windows: Windows, spec: _Spec, partition: str | None) -> str:
    frame = spec.frame
    args = frame.args if frame is not None else {}
    unit = str(args.get("kind") or "RANGE").upper()
    start = _bound(args.get("start") or "UNBOUNDED", args.get("start_side") or "PRECEDING")
    end = _bound(args.get("end") or "CURRENT ROW", args.get("end_side") or "FOLLOWING")
    exclude = args.get("exclude")
    excluded = (exclude if isinstance(exclude, str) else exclude.name).upper() if exclude else "NO OTHERS"
    if unit not in _UNITS or start is None or end is None:
        return "a frame that is not known"
    from_first = start == "UNBOUNDED PRECEDING" or (unit == "RANGE" and not spec.order)
    to_last = end == "UNBOUNDED FOLLOWING" or (unit == "RANGE" and not spec.order)
    if from_first and to_last and excluded == "NO OTHERS":
        windows.add(Frame(partition))
        return ""
    place = windows.column(f"row_number() {spec.over()}")
    low, high = "1", "n"
    if not from_first:
        counted = spec.over(f"{unit} BETWEEN {start} AND UNBOUNDED FOLLOWING")
        low = f"n + 1 - {windows.column(f'count(*) {counted}')}"
    if not to_last:
        counted = spec.over(f"{unit} BETWEEN UNBOUNDED PRECEDING AND {end}")
        high = windows.column(f"count(*) {counted}")
    ranges = _without(windows, spec, excluded, place, low, high)
    if ranges is None:
        return f"EXCLUDE {excluded}"
    windows.add(Frame(partition, place, ranges))
    return ""


def _bound(value: object, side: object) -> str | None:
    """One end of a frame as it is written in SQL."""
    if isinstance(value, exp.Expr):
        return f"{text(value)} {str(side).upper()}"
    word = str(value).upper()
    if word == "CURRENT ROW":
        return word
    return f"UNBOUNDED {str(side).upper()}" if word == "UNBOUNDED" else None


def _without(
    windows: Windows, spec: _Spec, excluded: str, place: str, low: str, high: str
) -> tuple[tuple[str, str], ...] | None:
    """The ranges that are left of a frame by EXCLUDE."""
    if excluded == "NO OTHERS":
        return ((low, high),)
    first = last = place
    if excluded in ("GROUP", "TIES"):
        first = windows.column(f"rank() {spec.over()}")
        upto = spec.over("RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW")
        last = windows.column(f"count(*) {upto}")
    elif excluded != "CURRENT ROW":
        return None
    ranges: tuple[tuple[str, str], ...]
    ranges = ((low, f"least({high}, {first} - 1)"), (f"greatest({low}, {last} + 1)", high))
    if excluded == "TIES":
        ranges += ((f"greatest({low}, {place})", f"least({high}, {place})"),)
    return ranges
