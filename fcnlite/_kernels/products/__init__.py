"""Matrix products and the columns of im2col. The folder also has the fast path's micro-kernels and what uses them."""
