package main

func peers(figures, *clip, string, int) error { return nil }
func writeTables(*clip, string) error         { return nil }
