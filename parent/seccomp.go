package parent

func filterSpawner() error { return nil }
