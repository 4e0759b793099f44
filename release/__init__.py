"""What a release needs beside the package: the oldest versions to test with, and the files of dist/."""
