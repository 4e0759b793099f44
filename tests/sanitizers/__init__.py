"""The kernels, compiled with the sanitizers of GCC and Clang: `make sanitize` and `make sanitize-threads`."""
