"""What a net runs, in which order, and the shapes of all blobs."""
