"""Real servers for tests: each in a process group of its own that ends with the test, also when that is killed."""
