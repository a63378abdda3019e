"""What is wrong with a data set: findings, each a reason a person can check."""
