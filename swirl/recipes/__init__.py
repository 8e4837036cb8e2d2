"""How the shipped models, an image codec and the small base of a trial are made."""
