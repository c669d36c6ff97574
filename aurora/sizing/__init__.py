"""How much: Kelly, its stabilizer, the portfolio."""
