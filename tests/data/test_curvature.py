"""Curvature of surfaces whose curvature is known."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from voxscale.data import SurfaceMesh
from voxscale.data._curvature import smoothed_mean_curvature


@pytest.fixture(scope="module")
def sphere():
    """Return a sphere of 5 mm, its triangles counter-clockwise from outside."""
    n = 2000
    k = np.arange(n) + 0.5
    height, angle = 1 - 2 * k / n, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - height**2)
    points = 5.0 * np.column_stack([ring * np.cos(angle), ring * np.sin(angle), height])
    faces = ConvexHull(points).simplices
    a, b, c = points[faces].transpose(1, 0, 2)
    inward = np.einsum("fc,fc->f", np.cross(b - a, c - a), a) < 0
    faces[inward] = faces[inward][:, ::-1]
    return points, faces


def test_a_sphere_bulges_by_two_over_its_radius(sphere):
    curvature = smoothed_mean_curvature(SurfaceMesh(*sphere))
    np.testing.assert_allclose(curvature, 2 / 5.0, rtol=0.01)
    inside_out = SurfaceMesh(sphere[0], sphere[1][:, ::-1])
    np.testing.assert_allclose(smoothed_mean_curvature(inside_out), -2 / 5.0, rtol=0.01)


def test_smoothing_keeps_the_whole_and_takes_the_edge_off(sphere, rng):
    points, faces = sphere
    bumpy = SurfaceMesh(points * rng.uniform(0.99, 1.01, (len(points), 1)), faces)
    rough = smoothed_mean_curvature(bumpy, 0.0)
    smooth = smoothed_mean_curvature(bumpy)
    assert smooth.std() < 0.1 * rough.std()
    a, b, c = bumpy.points[bumpy.faces].transpose(1, 0, 2)
    area = np.zeros(len(points))
    for face, one in zip(bumpy.faces, np.linalg.norm(np.cross(b - a, c - a), axis=1), strict=True):
        area[face] += one / 6
    assert np.sum(area * smooth) == pytest.approx(np.sum(area * rough), rel=1e-3)


def test_a_vertex_without_triangle_has_no_curvature(sphere):
    points, faces = sphere
    mesh = SurfaceMesh(np.vstack([points, [0.0, 0.0, 0.0]]), faces)
    curvature = smoothed_mean_curvature(mesh)
    assert np.isnan(curvature[-1])
    assert np.isfinite(curvature[:-1]).all()
