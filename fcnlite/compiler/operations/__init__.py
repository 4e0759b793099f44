"""Operations: what the steps of a plan compute, one file each. The convolution has a package of its own."""
