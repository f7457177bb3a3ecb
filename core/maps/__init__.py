"""Maps: a space laid out on two or three dimensions, and what the layout keeps."""
