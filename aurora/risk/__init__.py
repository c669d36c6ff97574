"""Statistics of loss: drawdown, tail, volatility, covariance."""
