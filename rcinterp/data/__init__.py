"""What goes in: sequences, labelled sets, regions, genome, windows; built, fetched, simulated."""
