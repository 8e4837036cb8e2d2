"""What the pages ask for: models and their answers, collections, comparisons, runs on disk, sharing."""
