"""Arrays that know their time."""

from voxscale.arrays._series import Array, EventSeries, TRSeries, concatenate, on_shared_trs

__all__ = ["Array", "EventSeries", "TRSeries", "concatenate", "on_shared_trs"]
