"""The analyses of the FCN papers."""
