"""Figures, flat maps and the report of a study.

Every figure function takes plain arrays or tables and returns a matplotlib figure that pyplot does
not know of; ``report`` puts them on one page. Nothing is drawn, and matplotlib is not imported,
before a figure is asked for: each name is fetched when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "LawPanel": "_curves",
    "PixelMap": "_pixel_map",
    "accuracy_found": "_found",
    "ceiling_density": "_ceiling",
    "course_table": "_timecourse",
    "exchange_contours": "_contours",
    "export_map": "_export_map",
    "flat_picture": "_pixel_maps",
    "flatmap": "_flatmap",
    "flatmap_2d": "_flatmap_2d",
    "found_table": "_found",
    "fsaverage_pixel_map": "_pixel_maps",
    "layer_curves": "_layers",
    "layer_size_heat_map": "_heat_map",
    "layers_found": "_found",
    "nothing_found": "_found",
    "pixel_map": "_pixel_maps",
    "position_curves": "_position",
    "report": "_page",
    "scaling_curve": "_curves",
    "scaling_curves": "_curves",
    "slope_map_figure": "_slope_figure",
    "time_courses": "_timecourse",
    "write_report": "_page",
}

__all__ = [
    "LawPanel",
    "PixelMap",
    "accuracy_found",
    "ceiling_density",
    "course_table",
    "exchange_contours",
    "export_map",
    "flat_picture",
    "flatmap",
    "flatmap_2d",
    "found_table",
    "fsaverage_pixel_map",
    "layer_curves",
    "layer_size_heat_map",
    "layers_found",
    "nothing_found",
    "pixel_map",
    "position_curves",
    "report",
    "scaling_curve",
    "scaling_curves",
    "slope_map_figure",
    "time_courses",
    "write_report",
]

if TYPE_CHECKING:
    from voxscale.reports._ceiling import ceiling_density
    from voxscale.reports._contours import exchange_contours
    from voxscale.reports._curves import LawPanel, scaling_curve, scaling_curves
    from voxscale.reports._export_map import export_map
    from voxscale.reports._flatmap import flatmap
    from voxscale.reports._flatmap_2d import flatmap_2d
    from voxscale.reports._found import accuracy_found, found_table, layers_found, nothing_found
    from voxscale.reports._heat_map import layer_size_heat_map
    from voxscale.reports._layers import layer_curves
    from voxscale.reports._page import report, write_report
    from voxscale.reports._pixel_map import PixelMap
    from voxscale.reports._pixel_maps import flat_picture, fsaverage_pixel_map, pixel_map
    from voxscale.reports._position import position_curves
    from voxscale.reports._slope_figure import slope_map_figure
    from voxscale.reports._timecourse import course_table, time_courses


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module 'voxscale.reports' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"voxscale.reports.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
