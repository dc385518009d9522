"""Figures, flat maps and the report of a study.

Every figure function takes plain arrays or tables and returns a matplotlib figure that pyplot does
not know of; ``report`` puts them on one page. Nothing is drawn, and matplotlib is not imported,
before a figure is asked for.
"""

from voxscale.reports._ceiling import ceiling_density
from voxscale.reports._curves import LawPanel, scaling_curve, scaling_curves
from voxscale.reports._flatmap import flatmap
from voxscale.reports._found import accuracy_found, found_table, layers_found, nothing_found
from voxscale.reports._layers import layer_curves
from voxscale.reports._page import report, write_report
from voxscale.reports._position import position_curves
from voxscale.reports._timecourse import course_table, time_courses

__all__ = [
    "LawPanel",
    "accuracy_found",
    "ceiling_density",
    "course_table",
    "flatmap",
    "found_table",
    "layer_curves",
    "layers_found",
    "nothing_found",
    "position_curves",
    "report",
    "scaling_curve",
    "scaling_curves",
    "time_courses",
    "write_report",
]
