"""Labels that are drawn as objects (polygons, boxes, masks), and the label maps that they become."""
