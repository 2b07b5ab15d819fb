"""Train compact models on transcription-factor binding data, and read their filters."""
