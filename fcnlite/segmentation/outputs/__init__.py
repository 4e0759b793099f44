"""Results of segmentation as other programs read them: polygons, tables, probabilities, GeoTIFF."""
