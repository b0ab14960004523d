"""Real servers for tests: each in a separate process group that ends with the test, also when that is killed."""
