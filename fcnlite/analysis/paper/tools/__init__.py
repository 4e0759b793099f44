"""What the experiments share: data sets, nets, trainings, and figures for the pages."""
