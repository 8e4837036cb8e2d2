"""The services behind the pages: models and their answers, collections, evaluations, run files and sharing."""
