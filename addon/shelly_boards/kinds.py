"""The kinds of panels, with the options of Grafana that they use; a test checks them against Grafana's own types."""

from dataclasses import dataclass
from typing import Any, ClassVar, override

from .panel import Panel

_LEGEND = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
_TOOLTIP = {"mode": "multi", "sort": "desc"}
_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_GAP_MS = 60_000
"""A meter that is silent for longer leaves a gap in its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSeries(Panel):
    """Lines or bars over time."""

    kind: ClassVar[str] = "timeseries"
    bars: bool = False
    limits: bool = False
    """Whether the steps of the field are drawn as lines."""

    @override
    def options(self) -> dict[str, Any]:
        return {"legend": _LEGEND, "tooltip": _TOOLTIP}

    @override
    def custom(self) -> dict[str, Any]:
        return {
            "drawStyle": "bars" if self.bars else "line",
            "fillOpacity": 70 if self.bars else 10,
            "lineWidth": 1,
            "showPoints": "never" if self.bars else "auto",
            "spanNulls": False if self.bars else _GAP_MS,
            "stacking": {"group": "A", "mode": "none"},
            "thresholdsStyle": {"mode": "dashed" if self.limits else "off"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat(Panel):
    """Big numbers: the newest value of each series."""

    kind: ClassVar[str] = "stat"
    graph: bool = False
    """Whether a small line shows what was before."""
    height: int = 5

    @override
    def options(self) -> dict[str, Any]:
        return {
            "colorMode": "value",
            "graphMode": "area" if self.graph else "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": _LAST,
            "showPercentChange": False,
            "textMode": "value_and_name",
            "wideLayout": True,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """Rows and columns."""

    kind: ClassVar[str] = "table"
    painted: bool = False
    """Whether cells have the colour of their value as background."""

    @override
    def options(self) -> dict[str, Any]:
        return {"cellHeight": "sm", "frameIndex": 0, "showHeader": True}

    @override
    def custom(self) -> dict[str, Any]:
        cells = {"mode": "gradient", "type": "color-background"} if self.painted else {"type": "auto"}
        return {"align": "auto", "cellOptions": cells, "inspect": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTimeline(Panel):
    """A band for each series, coloured by state."""

    kind: ClassVar[str] = "state-timeline"
    height: int = 7

    @override
    def options(self) -> dict[str, Any]:
        return {
            "alignValue": "left",
            "legend": _LEGEND,
            "mergeValues": True,
            "rowHeight": 0.8,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        }

    @override
    def custom(self) -> dict[str, Any]:
        return {"fillOpacity": 80, "lineWidth": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart(Panel):
    """Bars side by side, for each row of a table."""

    kind: ClassVar[str] = "barchart"
    x: str = "Time"
    """The column whose values stand below the bars."""

    @override
    def options(self) -> dict[str, Any]:
        return {
            "barRadius": 0,
            "barWidth": 0.9,
            "fullHighlight": False,
            "groupWidth": 0.8,
            "legend": _LEGEND,
            "orientation": "auto",
            "showValue": "never",
            "stacking": "none",
            "tooltip": _TOOLTIP,
            "xField": self.x,
            "xTickLabelMaxLength": 0,
            "xTickLabelRotation": 0,
            "xTickLabelSpacing": 100,
        }

    @override
    def custom(self) -> dict[str, Any]:
        return {"fillOpacity": 80, "lineWidth": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGauge(Panel):
    """One bar for the newest value of each series."""

    kind: ClassVar[str] = "bargauge"
    height: int = 7

    @override
    def options(self) -> dict[str, Any]:
        return {
            "displayMode": "basic",
            "legend": {**_LEGEND, "showLegend": False},
            "maxVizHeight": 300,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "auto",
            "orientation": "horizontal",
            "reduceOptions": _LAST,
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "color",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Panel):
    """Words."""

    kind: ClassVar[str] = "text"
    content: str
    """Markdown."""

    @override
    def options(self) -> dict[str, Any]:
        return {"content": self.content, "mode": "markdown"}
