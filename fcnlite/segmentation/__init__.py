"""From a net to segmented pictures: heads, Segmenter, evaluation, metrics, plots."""
