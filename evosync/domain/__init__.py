"""What EvoSync decides: pure values and functions, no input or output, time handed in."""
