"""Hot loops in Cython. They know arrays and thread counts, nothing of layers or nets."""
