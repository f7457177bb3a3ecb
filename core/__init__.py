"""What is true of vectors and models; knows no screen, no server and no store."""
