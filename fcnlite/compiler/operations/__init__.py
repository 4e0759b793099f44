"""The operations that the steps of a plan compute, one file each. The convolution has its own package."""
