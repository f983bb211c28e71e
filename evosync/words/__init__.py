"""What EvoSync says to people: languages, forms of numbers and dates, statuses, causes and ways out."""
