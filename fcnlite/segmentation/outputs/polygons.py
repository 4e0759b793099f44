"""Regions as polygons in the files of COCO, GeoJSON and LabelMe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fcnlite.segmentation.outputs.georeference import Georeference
from fcnlite.segmentation.outputs.regions import Region, rings, simplified, without_holes

FORMATS = {"coco": "", "geojson": ".geojson", "labelme": ".json"}
"""The suffix of the file of a picture; COCO has one file for all pictures."""


def geojson(
    regions: Sequence[Region], classes: Sequence[str], tolerance: float, reference: Georeference | None
) -> dict[str, Any]:
    """A FeatureCollection with a polygon for each region.

    Coordinates are those of the map with a `reference`, otherwise pixels. GeoJSON's own coordinate system is longitude
    and latitude; any other one is named in the member `crs`, as GDAL and QGIS write and read it.
    """
    place = (lambda corners: corners) if reference is None else reference.place
    features = [
        {
            "type": "Feature",
            "properties": {"class": classes[each.label], "pixels": each.pixels, **_confidence(each)},
            "geometry": {"type": "Polygon", "coordinates": rings(simplified(each.outline, tolerance), place)},
        }
        for each in regions
    ]
    found: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if reference is not None and reference.epsg not in (None, 4326):
        found["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{reference.epsg}"}}
    return found


def labelme(
    regions: Sequence[Region], classes: Sequence[str], tolerance: float, picture: str, height: int, width: int
) -> dict[str, Any]:
    """LabelMe's JSON for a picture: polygons, in parts with one group_id where a region has holes."""
    shapes: list[dict[str, Any]] = []
    for number, each in enumerate(regions, start=1):
        parts = without_holes(simplified(each.outline, tolerance))
        shapes += [
            {
                "label": classes[each.label],
                "points": rings(part)[0][:-1],
                "group_id": number if len(parts) > 1 else None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
            for part in parts
        ]
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": picture,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def coco_annotations(regions: Sequence[Region], tolerance: float) -> list[dict[str, Any]]:
    """COCO's annotations of a picture, without the ids of picture and annotation; categories are classes plus 1."""
    found = []
    for each in regions:
        outline = simplified(each.outline, tolerance)
        left, top, right, bottom = outline.bounds
        parts = [[number for point in rings(part)[0][:-1] for number in point] for part in without_holes(outline)]
        found.append(
            {
                "category_id": each.label + 1,
                "segmentation": parts,
                "area": each.pixels,
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": 0,
                **_confidence(each, "score"),
            }
        )
    return found


def coco(pictures: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """COCO's file of all pictures: each has `file_name`, `height`, `width` and `annotations`."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, each in enumerate(pictures, start=1):
        images.append({"id": number, **{key: each[key] for key in ("file_name", "height", "width")}})
        annotations += [
            {"id": len(annotations) + i, "image_id": number, **a} for i, a in enumerate(each["annotations"], 1)
        ]
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _confidence(region: Region, key: str = "confidence") -> dict[str, float]:
    return {} if math.isnan(region.confidence) else {key: round(region.confidence, 6)}
