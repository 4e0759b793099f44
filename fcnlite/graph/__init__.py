"""The schedule of a net's layers, the lifetimes of their values, and the shapes of all blobs."""
