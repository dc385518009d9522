"""A miniature subject of pycortex, whose every pixel can be told by hand.

Each hemisphere is a flat grid of 13 × 9 vertices, 2 mm apart. The white matter is the same grid
in space at z = 0.2 mm, the pia the one at z = 3.2 mm: whoever walks over the flat map at (x, y)
walks over the brain at (x + shift, y), and a pixel shows the column of voxels there.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

N_ACROSS, N_UP, SPACING = 13, 9, 2.0
SHIFT = {"lh": -31.0, "rh": 5.0}  # mm, of the left edge of a hemisphere in space
DEPTHS = (0.2, 3.2)  # mm, z of white matter and pia
SHAPE = (5, 12, 40)  # of volumes, (z, y, x)
VOXEL = (2.0, 2.0, 1.0)  # mm along x, y, z
FIRST = (-33.0, -2.0, -0.5)  # mm, centre of the first voxel
WIDTH, HEIGHT = 480.0, 160.0  # of the drawing: 10 units for a mm

# Fractions of a unit differ on purpose; both hemispheres' sheets are 24 mm wide, 16 mm high.
OVERLAYS = """<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="480.0" height="160"
  xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape">
  <g inkscape:label="data"><g inkscape:label="img_curvature"><image x="0" y="0"/></g></g>
  <g inkscape:label="rois" inkscape:groupmode="layer">
    <g inkscape:label="shapes" inkscape:groupmode="layer">
      <g inkscape:label="A">
        <path d="m 20,20 40,0 0,40 -40,0 z"/>
        <path d="M 300 20 H 340 V 60 L 300,60 Z"/>
      </g>
      <g inkscape:label="B" transform="translate(100,50) scale(2)">
        <path d="M 0,0 C 0,10 10,10 10,0 Z"/>
      </g>
      <g inkscape:label="hidden" style="display: none"><path d="M 0,0 L 10,0 10,10 Z"/></g>
      <g inkscape:label="empty"/>
    </g>
    <g inkscape:label="labels"/>
  </g>
  <g inkscape:label="sulci">
    <g inkscape:label="shapes"><g inkscape:label="S"><path d="M 10,80 50,80 50,140"/></g></g>
  </g>
</svg>
"""


def write_subject(filestore, name="tiny", *, mask=True, curvature=True):
    """Write the subject into a filestore; return its folder."""
    folder = Path(filestore) / name
    for part in ("surfaces", "transforms/scan", "surface-info"):
        (folder / part).mkdir(parents=True)
    flat, faces = sheet()
    for side, shift in SHIFT.items():
        save_surface(folder / f"surfaces/flat_{side}.gii", flat - (12.0, 8.0, 0.0), faces)
        for kind, z in zip(("wm", "pia"), DEPTHS, strict=True):
            save_surface(
                folder / f"surfaces/{kind}_{side}.gii", flat + np.array([shift, 0.0, z]), faces
            )
    save_volume(folder / "transforms/scan/reference.nii.gz", np.zeros(SHAPE, np.float32))
    text = json.dumps({"coord": to_voxels().tolist(), "magnet": np.eye(4).tolist()})
    (folder / "transforms/scan/matrices.xfm").write_text(text)
    if mask:
        save_volume(folder / "transforms/scan/mask_thick.nii.gz", thick_mask().astype(np.uint8))
    if curvature:
        half = np.linspace(-1.0, 1.0, len(flat))
        np.savez(folder / "surface-info/curvature.npz", left=half, right=half[::-1])
    (folder / "overlays.svg").write_text(OVERLAYS)
    return folder


def sheet():
    """Return points (117 + 1, 3) and faces (192, 3); the last point is in no triangle."""
    columns, rows = np.meshgrid(np.arange(N_ACROSS), np.arange(N_UP))
    points = np.stack([columns.ravel(), rows.ravel(), np.zeros(columns.size)], axis=1) * SPACING
    corner = (np.arange(N_UP - 1)[:, None] * N_ACROSS + np.arange(N_ACROSS - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + N_ACROSS], axis=1)
    upper = np.stack([corner + 1, corner + N_ACROSS + 1, corner + N_ACROSS], axis=1)
    return np.vstack([points, points.mean(axis=0)]), np.concatenate([lower, upper])


def to_voxels():
    """Return the affine (4, 4) from mm to indices (x, y, z) of voxels."""
    matrix = np.diag([*(1 / np.array(VOXEL)), 1.0])
    matrix[:3, 3] = -np.array(FIRST) / VOXEL
    return matrix


def thick_mask():
    """Return a mask (z, y, x): all but the first slice, and without the first two columns."""
    mask = np.ones(SHAPE, bool)
    mask[0] = False
    mask[:, :, :2] = False
    return mask


def save_surface(path, points, faces):
    from nibabel.gifti import GiftiDataArray, GiftiImage

    arrays = [
        GiftiDataArray(np.asarray(points, np.float32), intent="NIFTI_INTENT_POINTSET"),
        GiftiDataArray(np.asarray(faces, np.int32), intent="NIFTI_INTENT_TRIANGLE"),
    ]
    GiftiImage(darrays=arrays).to_filename(path)


def save_volume(path, volume):
    """Save a volume (z, y, x) as pycortex does: NIfTI has x first."""
    import nibabel

    nibabel.Nifti1Image(volume.T, np.linalg.inv(to_voxels())).to_filename(path)
