"""Maps as other programs read them: NIfTI and GIFTI under names of BIDS derivatives."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale._version import __version__
from voxscale.arrays import Array
from voxscale.data import PycortexSubject, VoxelTransform
from voxscale.data._files import FilePath, kind_of, read_text
from voxscale.data._surface_mesh import nibabel_or_error
from voxscale.errors import AlignmentError, DataError
from voxscale.reports._flat_values import whose

__all__ = ["export_map"]

_BIDS = "1.10.0"
_N_FSAVERAGE5 = 20_484
_SIDES = ("L", "R")
_STRUCTURES = {"L": "CortexLeft", "R": "CortexRight"}
_SCANNER, _ALIGNED = 1, 2  # codes of NIfTI for what an affine leads to
_DESCRIPTION = "dataset_description.json"


def export_map(
    values: ArrayLike,
    subject: str | PycortexSubject,
    folder: FilePath,
    *,
    stat: str = "r",
    task: str | None = None,
    desc: str | None = None,
    description: str | None = None,
    filestore: FilePath | None = None,
    transform: str | None = None,
    mask: str = "thick",
) -> list[Path]:
    """Write a map for other programs, with names of BIDS derivatives.

    Values of voxels become ``sub-UTS03_space-orig_stat-r_statmap.nii.gz`` below
    ``sub-UTS03/func/``, those of vertices
    ``sub-demo01_hemi-L_space-fsaverage5_stat-r_statmap.func.gii`` and the same of ``hemi-R``. Each
    has a JSON file beside it that says what it holds. Files of these names are replaced;
    ``dataset_description.json`` is written where there is none.

    The affine of a NIfTI file is that of the transform's reference image, which is a scan of the
    same voxels: it leads to the scanner's coordinates. Without the reference it is the inverse of
    the transform, and leads to the coordinates of the subject's surfaces.

    Parameters
    ----------
    values : array of shape (n_voxels,), (z, y, x), (n_vertices,) or (20484,)
        As `flatmap` takes them. NaN stays NaN. Written as float32.
    subject : str or PycortexSubject
        As of `flatmap`, but a name is needed: of whom values on fsaverage5 are.
    folder : path-like
        The root of the derivatives; made if it does not exist.
    stat : str
        What the numbers are, such as "r"; letters and digits.
    task, desc : str, optional
        Entities of the file names; letters and digits.
    description : str, optional
        A sentence for the JSON file.
    filestore, transform, mask
        As of `flatmap`.

    Returns
    -------
    list of Path
        The maps that were written, left hemisphere first.

    Raises
    ------
    AlignmentError
        If there are neither as many values as voxels or vertices.
    DataError
        If the folder holds a data set that is no derivative, or there is no such subject.
    ValueError
        If a label has other characters than letters and digits, or is missing.
    StoreError
        If a file cannot be written.
    VoxscaleError
        If nibabel is not installed.

    References
    ----------
    Gorgolewski et al. 2016, Scientific Data 3:160044, doi:10.1038/sdata.2016.44 (BIDS). The suffix
    ``statmap`` and the entity ``stat`` are those of its extension for statistical models, which
    nilearn and FitLins write; they are no part of BIDS 1.10.
    """
    somebody = whose(subject, filestore)
    name = somebody.name if isinstance(somebody, PycortexSubject) else somebody
    if name == "fsaverage5":
        msg = "subject is 'fsaverage5', a surface; expected the name of whom the values are."
        raise ValueError(msg)
    sub = _label("subject", name.removeprefix("sub-"))
    start = f"sub-{sub}" + (f"_task-{_label('task', task)}" if task is not None else "")
    end = f"stat-{_label('stat', stat)}"
    end += f"_desc-{_label('desc', desc)}" if desc is not None else ""
    files = _files_of(values, somebody, transform, mask)
    root = Path(folder).expanduser()
    _describe(root)
    written = []
    for entities, suffix, content, facts in files:
        path = root / f"sub-{sub}" / "func" / f"{start}_{entities}_{end}_statmap{suffix}"
        of_what = facts.pop("Of")
        said = {"Description": description or f"{stat} of each {of_what}.", **facts}
        _write(path.with_name(path.name.removesuffix(suffix) + ".json"), _json(said))
        _write(path, content)
        written.append(path)
    return written


_File = tuple[str, str, bytes, dict[str, Any]]  # entities, suffix, content, facts


def _files_of(
    values: ArrayLike, subject: str | PycortexSubject, transform: str | None, mask: str
) -> list[_File]:
    """Make the content of each file."""
    numbers = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
    if not isinstance(subject, PycortexSubject):
        if numbers.shape != (_N_FSAVERAGE5,):
            msg = (
                f"values of {subject} have shape {numbers.shape}; expected ({_N_FSAVERAGE5},), the "
                "vertices of fsaverage5; for the subject's own voxels name the filestore."
            )
            raise AlignmentError(msg)
        return _of_vertices(numbers, _N_FSAVERAGE5 // 2, "fsaverage5", {})
    if numbers.ndim == 1 and numbers.size == subject.n_vertices:
        n_left = len(subject.surface("flat")[0].points)
        where = f"vertices of the surfaces of subject {subject.name} of pycortex"
        return _of_vertices(numbers, n_left, "fsnative", {"SpatialReference": where})
    return [_of_voxels(subject.volume(numbers, transform, mask), subject, transform, mask)]


def _of_voxels(volume: Array, subject: PycortexSubject, transform: str | None, mask: str) -> _File:
    nibabel = nibabel_or_error("writing NIfTI files")
    place = subject.transform(transform)
    affine, code, where = _affine_of(place)
    image = nibabel.Nifti1Image(np.asarray(volume.T, dtype=np.float32), affine)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    image.header.set_xyzt_units("mm")
    facts = {
        "Of": "voxel, NaN where there is no value",
        "SpatialReference": "orig",
        "Affine": where,
        "Transform": place.name,
        "Mask": mask,
    }
    content = gzip.compress(image.to_bytes(), mtime=0)  # equal maps give equal files
    return "space-orig", ".nii.gz", content, facts


def _affine_of(place: VoxelTransform) -> tuple[Array, int, str]:
    """Return an affine from voxels to mm, NIfTI's code for where it leads, and that in words."""
    if place.affine is not None:
        return place.affine, _SCANNER, "of the reference image of the transform: scanner, in mm"
    inverse = np.linalg.inv(place.matrix)
    return inverse, _ALIGNED, "inverse of the transform: coordinates of the surfaces, in mm"


def _of_vertices(numbers: Array, n_left: int, space: str, facts: dict[str, Any]) -> list[_File]:
    nibabel = nibabel_or_error("writing GIFTI files")
    files: list[_File] = []
    for side, half in zip(_SIDES, (numbers[:n_left], numbers[n_left:]), strict=True):
        data = nibabel.gifti.GiftiDataArray(
            half.astype(np.float32), intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32"
        )
        meta = nibabel.gifti.GiftiMetaData(AnatomicalStructurePrimary=_STRUCTURES[side])
        image = nibabel.gifti.GiftiImage(meta=meta, darrays=[data])
        said = {"Of": "vertex, NaN where there is no value", **facts}
        files.append((f"hemi-{side}_space-{space}", ".func.gii", image.to_bytes(), said))
    return files


def _describe(root: Path) -> None:
    """Write what the folder is, or check that it holds derivatives."""
    path = root / _DESCRIPTION
    if kind_of(path)[1] == "nothing":
        _write(path, _json({
            "Name": "voxscale: maps of voxelwise encoding models",
            "BIDSVersion": _BIDS,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "voxscale", "Version": __version__}],
        }))  # fmt: skip
        return
    try:
        kind = json.loads(read_text(path)).get("DatasetType", "raw")
    except (ValueError, AttributeError) as error:
        msg = f"{path} is no JSON object ({error}); expected a data set's description; mend it."
        raise DataError(msg) from error
    if kind != "derivative":
        msg = (
            f"{path} says that its data set is {kind}; expected a derivative; name another folder, "
            f"such as {root / 'derivatives' / 'voxscale'}."
        )
        raise DataError(msg)


def _label(name: str, text: str) -> str:
    """Check a label; what pycortex allows in names of subjects beyond BIDS is left out."""
    label = re.sub(r"[-_. ]", "", text) if name == "subject" else text
    if not re.fullmatch(r"[A-Za-z0-9]+", label):
        msg = f"{name} is {text!r}; expected letters and digits, which labels of BIDS are made of."
        raise ValueError(msg)
    return label


def _json(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    from voxscale.store import write_aside

    with write_aside(path) as temporary:
        temporary.write_bytes(content)
