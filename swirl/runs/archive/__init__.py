"""What is done with runs once they are there: where each came from, the disk it uses, deletion, export and import."""
